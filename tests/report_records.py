"""Run records for tests of the report: a seeded random walk that a simple rule has traded."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from daemon.core.events import OrderType, Outcome, Side, TimeInForce
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Denial, Fill, Origin, Reason, StateChanged, TradeClosed
from daemon.core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from replay.record import GapRow, OrderRow, PredictionRow, RunRecord

NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class Columns:
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


def slots(bars: int, minutes: int, first: date) -> tuple[list[int], list[int], list[int]]:
    """Starts, ends and session dates of `bars` bars, 09:30 to 16:00 New York on weekdays."""
    starts: list[int] = []
    ends: list[int] = []
    dates: list[int] = []
    day = first
    while len(starts) < bars:
        if day.weekday() < 5:
            opens = datetime.combine(day, time(9, 30), NEW_YORK).astimezone(UTC)
            begin = int(opens.timestamp()) * SECOND_NS
            for minute in range(0, 390, minutes):
                starts.append(begin + minute * MINUTE_NS)
                ends.append(begin + min(minute + minutes, 390) * MINUTE_NS)
                dates.append(day.year * 10_000 + day.month * 100 + day.day)
        day += timedelta(days=1)
    return starts[:bars], ends[:bars], dates[:bars]


def walk(
    rng: random.Random, starts: Sequence[int], ends: Sequence[int], price: float, minutes: int
) -> Columns:
    """A random walk with clustered volatility and gaps overnight."""
    columns = Columns(array("q", starts), array("q", ends))
    scale = (minutes / 60) ** 0.5
    volatility, before = 0.007 * scale, 0
    for start, end in zip(starts, ends, strict=True):
        volatility += 0.03 * (0.006 * scale - volatility) + abs(rng.gauss(0, 0.0004 * scale))
        volatility *= 0.985
        gap = rng.gauss(0.0004, 0.009) if start != before else 0.0
        opened = price * (1 + gap)
        closed = opened * (1 + rng.gauss(0.00006 * minutes / 60, volatility))
        high = max(opened, closed) * (1 + abs(rng.gauss(0, volatility * 0.5)))
        low = min(opened, closed) * (1 - abs(rng.gauss(0, volatility * 0.5)))
        for column, value in (
            (columns.open, opened),
            (columns.high, high),
            (columns.low, low),
            (columns.close, closed),
        ):
            column.append(round(value, 4))
        columns.volume.append(rng.randrange(100_000, 5_000_000))
        price, before = closed, end
    return columns


@dataclass
class Book:
    """The account while the rule trades."""

    record: RunRecord
    cash: int
    position: int = 0
    entry: int = 0
    entry_e4: int = 0
    entry_row: int = 0

    def fill(self, row: int, symbol: str, side: Side, quantity: int, origin: Origin) -> Fill:
        bars = self.record.bars[symbol]
        reference = round(bars.open[row] * 10_000)
        against = 1 if side is Side.BUY else -1
        price = reference + against * max(1, reference // 10_000)
        guessed = origin is Origin.PROTECTIVE and row % 3 == 0
        other = round(bars.high[row] * 10_000)
        fill = Fill(
            fill_id=len(self.record.fills) + 1,
            order_id=len(self.record.orders) + 1,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price_e4=price,
            reference_e4=reference,
            effective=bars.start[row],
            known=bars.end[row],
            origin=origin,
            commission_micros=max(1_000_000, quantity * 5_000),
            sec_micros=0 if side is Side.BUY else quantity * 300,
            taf_micros=0 if side is Side.BUY else quantity * 166,
            cat_micros=quantity * 3,
            reason="stop" if origin is Origin.PROTECTIVE else "signal",
            ambiguous=guessed,
            other_e4=other if guessed else None,
        )
        self.record.fills.append(fill)
        self.record.orders.append(order_row(fill, OrderStatus.FILLED, quantity))
        self.cash -= against * price * quantity * 100
        self.cash -= fill.commission_micros + fill.regulatory_micros
        return fill

    def close_trade(self, row: int, symbol: str, fill: Fill, reason: str) -> TradeClosed:
        bars = self.record.bars[symbol]
        lows, highs = bars.low[self.entry_row : row + 1], bars.high[self.entry_row : row + 1]
        entry = self.entry_e4 / 10_000
        gross = (fill.price_e4 - self.entry_e4) * fill.quantity * 100
        fees = 2 * fill.commission_micros + fill.regulatory_micros
        return TradeClosed(
            trade_id=len(self.record.trades) + 1,
            symbol=symbol,
            direction="long",
            quantity=fill.quantity,
            entry=self.entry,
            entry_e4=float(self.entry_e4),
            exit=fill.effective,
            exit_e4=float(fill.price_e4),
            pnl_micros=gross - fees,
            fees_micros=fees,
            bars_held=row - self.entry_row + 1,
            adverse_ppm=round((min(lows) / entry - 1) * 1_000_000),
            favourable_ppm=round((max(highs) / entry - 1) * 1_000_000),
            entry_prediction=0.0012,
            entry_reason="fast above slow",
            exit_reason=reason,
        )


def order_row(fill: Fill, status: OrderStatus, filled: int) -> OrderRow:
    return OrderRow(
        order_id=fill.order_id,
        decided=fill.effective - MINUTE_NS,
        eligible_from=fill.effective,
        symbol=fill.symbol,
        side=fill.side,
        order_type=OrderType.STOP if status is OrderStatus.CANCELLED else OrderType.MARKET,
        quantity=fill.quantity,
        filled_quantity=filled,
        average_price_usd=fill.price_e4 / 10_000 if filled else None,
        limit_e4=None,
        stop_e4=None,
        time_in_force=TimeInForce.DAY,
        origin=fill.origin,
        status=status,
        reason="" if filled else Reason.OCO,
    )


def make_record(
    bars: int = 12_250,
    *,
    symbols: Sequence[str] = ("NVDA",),
    minutes: int = 60,
    seed: int = 7,
    look_back: int = 24,
    first: date = date(2019, 1, 2),
    config: Mapping[str, object] | None = None,
) -> RunRecord:
    """A record in which the first symbol was traded, in and out of a channel of closes."""
    rng = random.Random(seed)
    starts, ends, dates = slots(bars, minutes, first)
    columns = {
        symbol: walk(rng, starts, ends, 34.0 + 60 * at, minutes)
        for at, symbol in enumerate(symbols)
    }
    cash = 100_000_000_000
    record = RunRecord(
        manifest=manifest(),
        config={**resolved_config(symbols), **(config or {})},
        symbols=list(symbols),
        starting_cash_micros=cash,
        first_start=starts[0],
        last_end=ends[-1],
        ends=array("q", ends),
        session_dates=array("q", dates),
        bars=columns,
        expected_bars=dict.fromkeys(symbols, bars + 9),
        received_bars=dict.fromkeys(symbols, bars),
        notes={"costs_distorted": False, "synthetic": True},
    )
    trade(record, Book(record, cash), symbols[0], look_back)
    remark(record, symbols[0])
    return record


def flat_record(equity: list[int], *, dates: list[int] | None = None) -> RunRecord:
    """A record of one symbol whose equity (dollars) is given, an hour a row from 1,000 USD."""
    count = len(equity)
    hours = [HOUR_NS * (at + 1) for at in range(count)]
    bars = Columns(array("q", [end - HOUR_NS for end in hours]), array("q", hours))
    for column in (bars.open, bars.high, bars.low, bars.close):
        column.extend([10.0] * count)
    return RunRecord(
        manifest={},
        config={},
        symbols=["NVDA"],
        starting_cash_micros=1_000_000_000,
        last_end=hours[-1] if hours else 0,
        ends=array("q", hours),
        equity=array("q", [value * 1_000_000 for value in equity]),
        session_dates=array("q", dates or [20240102] * count),
        bars={"NVDA": bars},
    )


def trade(record: RunRecord, book: Book, symbol: str, look_back: int) -> None:
    """Buy above the mean of the last closes, sell below it or 4 % under the entry."""
    bars = record.bars[symbol]
    total, wanted, stopped = 0.0, False, False
    for row in range(len(bars)):
        if book.position and not wanted:
            origin = Origin.PROTECTIVE if stopped else Origin.TARGET
            fill = book.fill(row, symbol, Side.SELL, book.position, origin)
            reason = "stop_loss" if stopped else "fast below slow"
            record.trades.append(book.close_trade(row, symbol, fill, reason))
            book.position = 0
        elif wanted and not book.position:
            quantity = int(book.cash / 1_000_000 * 0.9 / bars.open[row])
            fill = book.fill(row, symbol, Side.BUY, quantity, Origin.TARGET)
            book.position, book.entry, book.entry_e4 = quantity, fill.effective, fill.price_e4
            book.entry_row = row
        close = bars.close[row]
        mark = book.cash + book.position * round(close * 10_000) * 100
        record.equity.append(mark)
        record.cash.append(book.cash)
        record.worst.append(book.cash + book.position * round(bars.low[row] * 10_000) * 100)
        record.held.append(1 if book.position else 0)
        total += close - (bars.close[row - look_back] if row >= look_back else 0.0)
        mean = total / look_back
        stopped = bool(book.position) and close * 10_000 < book.entry_e4 * 0.96
        band = 1.004 if not book.position else 0.996
        wanted = row >= look_back and close > mean * band and not stopped
    if book.position:
        last = record.fills[-1]
        record.open_trades.append(book.close_trade(len(bars) - 1, symbol, last, ""))


def remark(record: RunRecord, symbol: str) -> None:
    """Gaps, denials, cancelled orders and a stretch in which trading was held."""
    ends = record.ends
    count = len(ends)
    for at in (count // 5, count // 5 + 1, count // 2, count * 4 // 5):
        outcome = Outcome.QUARANTINED if at == count // 2 else Outcome.MISSING
        start = record.bars[symbol].start[at]
        record.gaps.append(
            GapRow(symbol, start, ends[at], record.session_dates[at], outcome, "not on the tape")
        )
    for at in range(0, count, max(1, count // 40)):
        record.denials.append(
            Denial(ends[at], symbol, Reason.NEAR_CLOSE, 100, Origin.TARGET, "last bar")
        )
        record.predictions.append(PredictionRow(ends[at], symbol, 0.0012, None))
    for fill in record.fills[:30]:
        record.orders.append(order_row(fill, OrderStatus.CANCELLED, 0))
    held = (count * 3 // 5, count * 3 // 5 + count // 60)
    record.states += [
        StateChanged(ends[held[0]], "HALTED", "ACTIVE", "limit", "HALTED", False, "MAX_DAILY_LOSS"),
        StateChanged(ends[held[1]], "ACTIVE", "HALTED", "limit", "HALTED", True, "reset"),
    ]


def manifest() -> dict[str, object]:
    return {
        "run_id": "20261122T160000Z-nvda-hourly-b1946a",
        "label": "channel of 24 closes",
        "created": "2026-11-22T16:00:00Z",
        "papertape_version": "0.1.0",
        "engine_version": 1,
        "python": "3.11.7",
        "digest": "b1946ac92492d2347c6235b4d2611184c1d9f4b86a1f5d3b8f6d8a3f2c4e5d6f",
        "bars": 12_250,
        "turns": 14_000,
        "wall_seconds": 0.042,
        "overrides": ["execution.slippage_bps=1"],
        "inputs": {
            "tape": {
                "path": "nvda_synthetic_hourly.csv",
                "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
            },
            "calendar": "fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13",
            "fees": "a4e624d686e03ed2767c0abd85c14426b0b1157d2ce81d27bb4fe4f6f01d688a",
        },
    }


def resolved_config(symbols: Sequence[str]) -> dict[str, object]:
    return {
        "name": "nvda-hourly",
        "symbols": list(symbols),
        "bars": {"size": "1h", "calendar": "XNYS", "grid": "session"},
        "tape": {"path": "nvda_synthetic_hourly.csv", "adjustment": "splits"},
        "account": {"cash_usd": 100_000},
        "model": None,
        "strategy": {"kind": "sma_cross", "params": {"fast": 10, "slow": 24, "quantity": 100}},
        "execution": {
            "fill": "next_open",
            "overnight": "next_open",
            "tick_usd": 0.01,
            "slippage_bps": 1,
            "commission": "ibkr_fixed",
            "regulatory_fees": True,
            "participation_fraction": 0.025,
            "short_borrow_rate_pct": None,
        },
        "risk": {
            "max_daily_loss_usd": {"limit": 1_500, "action": "halt_and_flatten"},
            "allow_short": False,
        },
    }
