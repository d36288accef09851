"""Run records for tests: small simulated ones that are consistent to the micro-dollar.

`make_record` trades a seeded random walk; `equity_record` has a given equity and no trades, for
figures computed by hand.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daemon.core.events import OrderType, Side, TimeInForce
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Fill, Origin, TradeClosed
from daemon.core.units import HOUR_NS, MICROS_PER_E4, MINUTE_NS, SECOND_NS
from replay.record import OrderRow, PredictionRow, RunRecord

NEW_YORK = ZoneInfo("America/New_York")
CASH_MICROS = 100_000_000_000
FEE_MICROS = 1_000_000
SESSION_MINUTES = 390

CONFIG: dict[str, Any] = {
    "name": "nvda-hourly",
    "bars": {"size": "1h", "calendar": "XNYS", "grid": "session"},
    "tape": {"adjustment": "splits"},
    "model": None,
    "risk": {"allow_short": True},
    "execution": {
        "fill": "next_open",
        "slippage_bps": 1.0,
        "commission": "ibkr_fixed",
        "regulatory_fees": True,
        "participation_fraction": 0.025,
        "short_borrow_rate_pct": None,
    },
}


@dataclass
class MadeColumns:
    """One symbol's bars."""

    start: array[int] = field(default_factory=lambda: array("q"))
    end: array[int] = field(default_factory=lambda: array("q"))
    open: array[float] = field(default_factory=lambda: array("d"))
    high: array[float] = field(default_factory=lambda: array("d"))
    low: array[float] = field(default_factory=lambda: array("d"))
    close: array[float] = field(default_factory=lambda: array("d"))
    volume: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.start)

    def add(self, start: int, end: int, prices: tuple[float, float, float, float]) -> None:
        """Add a bar: open, high, low, close."""
        self.start.append(start)
        self.end.append(end)
        for column, price in zip((self.open, self.high, self.low, self.close), prices, strict=True):
            column.append(price)
        self.volume.append(1_000_000)


@dataclass(frozen=True)
class Slot:
    """A bar's place in time."""

    start: int
    end: int
    date: int


def slots(sessions: int, minutes: int = 60, first: date = date(2019, 1, 2)) -> list[Slot]:
    """Bars from 09:30 to 16:00 New York on weekdays (holidays are traded), the last cut short."""
    made: list[Slot] = []
    days = (first + timedelta(days=count) for count in range(2 * sessions + 7))
    for day in [day for day in days if day.weekday() < 5][:sessions]:
        opens = int(datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC).timestamp())
        number = day.year * 10_000 + day.month * 100 + day.day
        for begun in range(0, SESSION_MINUTES, minutes):
            start = opens * SECOND_NS + begun * MINUTE_NS
            length = min(minutes, SESSION_MINUTES - begun) * MINUTE_NS
            made.append(Slot(start, start + length, number))
    return made


def equity_record(
    equity_usd: Sequence[float], *, minutes: int = 390, cash_usd: float = 1_000, **config: Any
) -> RunRecord:
    """A run without trades whose equity at each slice is given; it holds no position."""
    bars = -(-SESSION_MINUTES // minutes)
    places = slots(-(-len(equity_usd) // bars), minutes)[: len(equity_usd)]
    micros = array("q", [round(value * 1_000_000) for value in equity_usd])
    return RunRecord(
        manifest={},
        config=CONFIG | config,
        symbols=["NVDA"],
        starting_cash_micros=round(cash_usd * 1_000_000),
        first_start=places[0].start if places else 0,
        last_end=places[-1].end if places else 0,
        ends=array("q", [slot.end for slot in places]),
        equity=micros,
        cash=array("q", micros),
        worst=array("q", micros),
        held=bytearray(len(micros)),
        session_dates=array("q", [slot.date for slot in places]),
        expected_bars={"NVDA": len(places)},
        received_bars={"NVDA": len(places)},
    )


def make_trade(pnl_usd: float, **changes: Any) -> TradeClosed:
    """A closed long of 10 shares at 100.00 that made `pnl_usd`, held two hours and three bars."""
    values: dict[str, Any] = {
        "trade_id": 1,
        "symbol": "NVDA",
        "direction": "long",
        "quantity": 10,
        "entry": 0,
        "entry_e4": 1_000_000.0,
        "exit": 2 * HOUR_NS,
        "exit_e4": 1_000_000.0,
        "pnl_micros": round(pnl_usd * 1_000_000),
        "fees_micros": 0,
        "bars_held": 3,
        "adverse_ppm": 0,
        "favourable_ppm": 0,
        "entry_prediction": None,
        "entry_reason": "signal",
        "exit_reason": "signal",
    }
    return TradeClosed(**(values | changes))


def make_fill(side: Side, price_e4: int, quantity: int = 10, **changes: Any) -> Fill:
    """A fill without slippage and fees."""
    values: dict[str, Any] = {
        "fill_id": 1,
        "order_id": 1,
        "symbol": "NVDA",
        "side": side,
        "quantity": quantity,
        "price_e4": price_e4,
        "reference_e4": price_e4,
        "effective": 0,
        "known": HOUR_NS,
        "origin": Origin.TARGET,
    }
    return Fill(**(values | changes))


def make_order(quantity: int, filled: int, status: OrderStatus, reason: str = "") -> OrderRow:
    """A market order of `quantity` as it ended."""
    return OrderRow(
        order_id=1,
        decided=0,
        eligible_from=0,
        symbol="NVDA",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=quantity,
        filled_quantity=filled,
        average_price_usd=None,
        limit_e4=None,
        stop_e4=None,
        time_in_force=TimeInForce.DAY,
        origin=Origin.TARGET,
        status=status,
        reason=reason,
    )


# --- a simulated run ------------------------------------------------------------------------------


@dataclass
class _Position:
    """One symbol's shares, and the fill and row that opened them."""

    quantity: int = 0
    opened: Fill | None = None
    row: int = 0


def make_record(
    sessions: int = 120,
    *,
    minutes: int = 60,
    symbols: Sequence[str] = ("NVDA",),
    seed: int = 1,
    trade_chance: float = 0.1,
    drift: float = 0.0003,
    predictions: bool = False,
) -> RunRecord:
    """A run over random walks that opens and closes long and short positions at random opens.

    Fills are one slippage tick of a cent from the open and cost 1 USD each; cash, equity, trades
    and fills agree to the micro-dollar; the last position is left open.
    """
    places = slots(sessions, minutes)
    record = RunRecord(
        manifest={"name": "nvda-hourly", "digest": "5eed" * 16, "wall_seconds": 0.25},
        config=CONFIG | ({"model": {"kind": "baseline"}} if predictions else {}),
        symbols=list(symbols),
        starting_cash_micros=CASH_MICROS,
        first_start=places[0].start,
        last_end=places[-1].end,
        bars={symbol: _walk(random.Random(f"{seed}{symbol}"), places, drift) for symbol in symbols},
        expected_bars=dict.fromkeys(symbols, len(places)),
        received_bars=dict.fromkeys(symbols, len(places)),
    )
    record.manifest["bars"] = len(places) * len(symbols)
    rng, cash = random.Random(seed), CASH_MICROS
    positions = {symbol: _Position() for symbol in symbols}
    for row, slot in enumerate(places):
        for symbol, position in positions.items():
            if rng.random() < trade_chance:
                cash += _trade(record, symbol, position, row, rng)
        _mark(record, positions, cash, row, slot)
        if predictions:
            for symbol in symbols:
                value = rng.gauss(0, 0.001)
                record.predictions.append(PredictionRow(slot.end, symbol, value, None))
    for symbol, position in positions.items():
        if position.opened is not None:
            close_e4 = round(record.bars[symbol].close[-1] * 10_000)
            trade = _closed(record, position, close_e4, places[-1].end, len(places) - 1, 0)
            record.open_trades.append(trade)
    return record


def _walk(rng: random.Random, places: Sequence[Slot], drift: float) -> MadeColumns:
    columns, price = MadeColumns(), 100.0
    for slot in places:
        opened = round(price * (1 + rng.gauss(0, 0.001)), 2)
        price *= 1 + rng.gauss(drift, 0.008)
        close = round(price, 2)
        high = round(max(opened, close) * (1 + abs(rng.gauss(0, 0.002))), 2)
        low = round(min(opened, close) * (1 - abs(rng.gauss(0, 0.002))), 2)
        columns.add(slot.start, slot.end, (opened, high, low, close))
    return columns


def _trade(
    record: RunRecord, symbol: str, position: _Position, row: int, rng: random.Random
) -> int:
    """Open or close a position at the row's open; returns the change of cash."""
    columns = record.bars[symbol]
    closes_position = position.opened is not None
    quantity = abs(position.quantity) or rng.randrange(1, 20) * 10
    buys = position.quantity < 0 if closes_position else rng.random() < 0.7
    reference_e4 = round(columns.open[row] * 10_000)
    fill = make_fill(
        Side.BUY if buys else Side.SELL,
        reference_e4 + (100 if buys else -100),
        quantity,
        fill_id=len(record.fills) + 1,
        order_id=len(record.fills) + 1,
        symbol=symbol,
        reference_e4=reference_e4,
        effective=columns.start[row],
        known=columns.end[row],
        commission_micros=FEE_MICROS,
        reason="signal",
    )
    record.fills.append(fill)
    record.orders.append(make_order(quantity, quantity, OrderStatus.FILLED))
    if closes_position:
        price, instant = fill.price_e4, fill.effective
        record.trades.append(_closed(record, position, price, instant, row, FEE_MICROS))
        position.quantity, position.opened = 0, None
    else:
        position.quantity, position.opened = (quantity if buys else -quantity), fill
        position.row = row
    signed = quantity if buys else -quantity
    return -signed * fill.price_e4 * MICROS_PER_E4 - FEE_MICROS


def _closed(
    record: RunRecord, position: _Position, price_e4: int, instant: int, row: int, exit_fee: int
) -> TradeClosed:
    opened = position.opened
    assert opened is not None
    fees = FEE_MICROS + exit_fee
    gross = (price_e4 - opened.price_e4) * position.quantity * MICROS_PER_E4
    return make_trade(
        0,
        trade_id=len(record.trades) + 1,
        symbol=opened.symbol,
        direction="long" if position.quantity > 0 else "short",
        quantity=abs(position.quantity),
        entry=opened.effective,
        entry_e4=float(opened.price_e4),
        exit=instant,
        exit_e4=float(price_e4),
        pnl_micros=gross - fees,
        fees_micros=fees,
        bars_held=row - position.row,
    )


def _mark(
    record: RunRecord, positions: dict[str, _Position], cash: int, row: int, slot: Slot
) -> None:
    equity = worst = cash
    for symbol, position in positions.items():
        columns, quantity = record.bars[symbol], position.quantity
        adverse = columns.low[row] if quantity > 0 else columns.high[row]
        equity += quantity * round(columns.close[row] * 10_000) * MICROS_PER_E4
        worst += quantity * round(adverse * 10_000) * MICROS_PER_E4
    record.ends.append(slot.end)
    record.cash.append(cash)
    record.equity.append(equity)
    record.worst.append(worst)
    record.session_dates.append(slot.date)
    record.held.append(any(position.quantity for position in positions.values()))
