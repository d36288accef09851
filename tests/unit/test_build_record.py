"""The columns of a run's record against a slow second computation from its fills and its bars."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest

from daemon.core.events import Dividend, Side, Split
from daemon.core.orders import OrderStatus
from daemon.core.units import MICROS_PER_E4
from replay.build_record import build_record
from replay.record import RunRecord
from replay.run import Period, Played, load_inputs, play
from replay.run_source import source_of
from tests.replay.busy import set_up
from tests.replay.workshop import Workshop, calendar


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a folder whose config trades two symbols, long and short, through splits and gaps."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    set_up(workshop)
    return workshop


class Ledger:
    """The account kept with nothing but dictionaries, slice by slice."""

    def __init__(self, played: Played, record: RunRecord) -> None:
        self.cash = record.starting_cash_micros
        self.shares = dict.fromkeys(record.symbols, 0)
        self.marks = dict.fromkeys(record.symbols, 0)
        self.owed: list[tuple[int, int]] = []
        ours = [action for action in played.inputs.actions if action.symbol in record.symbols]
        self.actions = sorted(ours, key=lambda action: action.effective)
        self.fills = defaultdict(list)
        for fill in record.fills:
            self.fills[fill.known].append(fill)
        self.bars = {
            symbol: {
                end: tuple(round(price * 10_000) for price in prices)
                for end, *prices in zip(
                    columns.end, columns.high, columns.low, columns.close, strict=True
                )
            }
            for symbol, columns in record.bars.items()
        }

    def step(self, end: int, date: int) -> tuple[int, int, int, bool]:
        """Play one slice; returns cash, equity, the equity at the worst marks, and held."""
        while self.actions and self.actions[0].effective <= date:
            self._apply(self.actions.pop(0))
        due = [amount for pay_date, amount in self.owed if pay_date <= date]
        self.owed = [row for row in self.owed if row[0] > date]
        self.cash += sum(due)
        for fill in self.fills[end]:
            signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
            self.shares[fill.symbol] += signed
            fees = fill.commission_micros + fill.sec_micros + fill.taf_micros + fill.cat_micros
            self.cash -= signed * fill.price_e4 * 100 + fees
        equity = worst = self.cash + sum(amount for _, amount in self.owed)
        for symbol, shares in self.shares.items():
            mark = far = self.marks[symbol]
            if end in self.bars[symbol]:
                high, low, mark = self.bars[symbol][end]
                far = low if shares > 0 else high
            self.marks[symbol] = mark
            equity += shares * mark * 100
            worst += shares * far * 100
        return self.cash, equity, worst, any(self.shares.values())

    def _apply(self, action: Split | Dividend) -> None:
        shares = self.shares[action.symbol]
        if isinstance(action, Dividend):
            self.owed.append((action.pay_date, shares * action.amount_micros))
            return
        ratio = Fraction(action.numerator, action.denominator)
        price = round(self.marks[action.symbol] / 10_000 / float(ratio), 4)
        self.marks[action.symbol] = round(price * 10_000)
        whole = int(abs(shares) * ratio)
        paid = (abs(shares) * ratio - whole) * self.marks[action.symbol] * MICROS_PER_E4
        self.shares[action.symbol] = whole if shares > 0 else -whole
        self.cash += round(paid) if shares > 0 else -round(paid)


def _record(shop: Workshop, *settings: tuple[str, str], period: Period | None = None) -> RunRecord:
    played = play(load_inputs(shop.config, shop.state, settings, period or Period()))
    record = build_record(source_of(played), {})
    rows = range(len(record.ends))
    columns = (record.equity, record.cash, record.worst, record.held, record.session_dates)
    assert [len(column) for column in columns] == [len(rows)] * 5
    assert record.session_dates.tolist() == [
        calendar().exchange_date(end - 1) for end in record.ends
    ]
    ledger = Ledger(played, record)
    for row in rows:
        cash, equity, worst, held = ledger.step(record.ends[row], record.session_dates[row])
        assert (record.cash[row], record.equity[row]) == (cash, equity), row
        assert (record.worst[row], record.held[row]) == (worst, held), row
    assert record.open_trades or not any(ledger.shares.values())
    return record


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_cash_marks_and_holdings_of_every_row(shop: Workshop, seed: int) -> None:
    record = _record(shop, ("strategy.params", f"{{seed: {seed}}}"))
    assert len(record.fills) > 50
    assert {trade.direction for trade in record.trades} == {"long", "short"}
    assert 0 < sum(record.held) < len(record.held) or seed > 1
    assert any(worst < equity for worst, equity in zip(record.worst, record.equity, strict=True))


@pytest.mark.parametrize("symbols", ["[NVDA]", "[AMD]", "[AMD, NVDA]"])
def test_other_symbols_in_another_order(shop: Workshop, symbols: str) -> None:
    shop.config.write_text(
        shop.config.read_text("utf-8").replace("risk:", "warmup_bars: 5\nrisk:"), "utf-8"
    )
    record = _record(shop, ("symbols", symbols))
    assert record.fills


def test_a_part_of_the_tape(shop: Workshop) -> None:
    record = _record(shop, period=Period("2024-01-16T12:00", "2024-02-20"))
    dates = record.session_dates
    assert (dates[0], dates[-1]) == (20240116, 20240220)
    assert record.first_start < record.ends[0]
    assert record.last_end == record.ends[-1]


def test_a_dividend_adjusted_tape_books_no_action(shop: Workshop) -> None:
    played = play(load_inputs(shop.config, shop.state, [("tape.adjustment", "splits_dividends")]))
    record = build_record(source_of(played), {})
    assert record.notes["actions"] == []
    spent = sum(
        (fill.quantity if fill.side is Side.BUY else -fill.quantity) * fill.price_e4 * 100
        + fill.commission_micros
        + fill.regulatory_micros
        for fill in record.fills
    )
    assert record.cash[-1] == record.starting_cash_micros - spent


def test_orders_end_as_their_fills_and_updates_say(shop: Workshop) -> None:
    record = _record(shop)
    assert [order.order_id for order in record.orders] == list(range(1, len(record.orders) + 1))
    for order in record.orders:
        fills = [fill for fill in record.fills if fill.order_id == order.order_id]
        assert order.filled_quantity == sum(fill.quantity for fill in fills)
        assert order.filled_quantity <= order.quantity
        is_done = order.filled_quantity == order.quantity
        assert (order.status is OrderStatus.FILLED) <= is_done
        assert (order.reason == "") == (order.status is OrderStatus.FILLED)
        if fills:
            paid = sum(fill.quantity * fill.price_e4 for fill in fills)
            assert order.average_price_usd == pytest.approx(paid / order.filled_quantity / 10_000)
        else:
            assert order.average_price_usd is None
        assert all(fill.effective >= order.eligible_from for fill in fills)


def test_an_order_of_the_last_close_says_that_the_tape_ended(shop: Workshop) -> None:
    shop.strategy(
        "last",
        """
class Last:
    warmup_bars = 0
    @dataclass(frozen=True)
    class Params:
        pass
    def __init__(self, params, symbols):
        pass
    def decide(self, market, predictions, portfolio):
        if market.session.date == 20240305 and not market.remaining:
            return [OrderRequest("NVDA", Side.BUY, 1, time_in_force=TimeInForce.GTC)]
""",
    )
    record = _record(shop, ("strategy", "{kind: last:Last}"))
    (order,) = record.orders
    assert (order.status, order.reason) == (OrderStatus.WORKING, "TAPE_ENDED")
    assert order.eligible_from >= record.last_end
    assert not record.fills
