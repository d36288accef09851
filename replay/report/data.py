"""The report's data for charts and the trades table: small, exact enough to read, plain JSON.

The x-axis is the number of the slice, so nights and weekends take no room. Columns are packed as
differences in little-endian 16 or 32 bit integers, in base64: about 2.7 or 5.3 characters a value.
Above `MAX_ROWS` rows a curve keeps, of each bucket of rows, the first, the last and the extremes
of every series, and prices become one open, high, low and close a bucket.
"""

from __future__ import annotations

import base64
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from operator import sub
from typing import Any

from daemon.core.events import CorporateAction, Outcome
from daemon.core.outputs import TradeClosed
from daemon.core.units import E4_PER_USD, MINUTE_NS, SECOND_NS
from replay.record import GapRow, RunRecord
from replay.summary.buy_and_hold import buy_and_hold_curve, rows_of_run
from replay.summary.statistics import session_end_rows
from replay.summary.trades import trade_return_fraction

MAX_ROWS = 20_000
MAX_PRICE_ROWS = 60_000
MAX_TRADES = 20_000
MAX_SPANS = 3_000
EXTREMES_PER_BUCKET = 8
MICROS_PER_CENT = 10_000
SHADED_OUTCOMES = frozenset({Outcome.MISSING, Outcome.QUARANTINED, Outcome.LATE})

Json = dict[str, Any]


def chart_data(record: RunRecord, hold: Sequence[int]) -> Json:
    """Everything the page's script draws from, ready for `json.dumps`; `hold` is buy and hold.

    Instants are minutes (or seconds, where one is not a whole minute) since 1970 UTC, money and
    prices dollars, `x` numbers of slices from 0, `drawdown` percent (never above 0).
    """
    rows = equity_rows(record, hold)
    limit = min(MAX_ROWS, max(1_000, MAX_PRICE_ROWS // max(1, len(record.symbols))))
    return {
        "count": len(record.ends),
        "kept": rows.pop("kept"),
        "clock": _clock(record),
        "startingCash": record.starting_cash_micros / 1_000_000,
        "rows": rows,
        "sessions": _sessions(record),
        "symbols": [_symbol(record, each, limit) for each in record.symbols if each in record.bars],
        "states": state_spans(record),
        "trades": trade_columns(record),
    }


def pack(values: Iterable[int], per: int = 1) -> Json:
    """A column of integers that count 1/`per`: first value, then base64 of the differences."""
    column = values if isinstance(values, list) else list(values)
    if not column:
        return {"first": None, "kind": "h", "per": per, "data": ""}
    differences = list(map(sub, column[1:], column))
    for kind in ("h", "i"):
        try:
            packed = array(kind, differences)
        except OverflowError:
            continue
        if sys.byteorder == "big":
            packed.byteswap()
        data = base64.b64encode(packed.tobytes()).decode("ascii")
        return {"first": column[0], "kind": kind, "per": per, "data": data}
    return {"first": column[0], "kind": "list", "per": per, "data": differences}


def pack_prices(values: Sequence[float]) -> Json:
    """A column of dollar prices: to 1/10,000 dollar, or coarser down to a cent to fit 16 bits."""
    exact: Json = {}
    for per in (E4_PER_USD, 1_000, 100):
        packed = pack([round(value * per) for value in values], per)
        if packed["kind"] == "h":
            return packed
        exact = exact or packed
    return exact


def drawdowns(equity: Sequence[int], starting_cash: int) -> list[int]:
    """How far equity stands below its peak so far, in 1/100 percent (-250 = -2.5 %).

    The peak is seeded with the starting cash, as the drawdown limit's is.
    """
    peaks = accumulate(chain((starting_cash,), equity), max)
    next(peaks)
    return [
        round((value - peak) * 10_000 / peak) if peak > 0 else 0
        for value, peak in zip(equity, peaks, strict=True)
    ]


def applied_actions(record: RunRecord) -> Sequence[CorporateAction]:
    """The corporate actions the run applied: on an adjusted tape its prices hold the splits."""
    return record.notes.get("actions") or ()


def hold_micros(record: RunRecord) -> list[int]:
    """The equity of buy and hold at each row, in micro-dollars (the cash where nothing is held)."""
    cash = record.starting_cash_micros
    curve = buy_and_hold_curve(record, applied_actions(record)) or [1.0] * len(record.ends)
    return [round(value * cash) for value in curve]


def equity_rows(record: RunRecord, hold: Sequence[int]) -> Json:
    """The columns of the equity and drawdown charts, thinned when long, and how many were kept."""
    equity = record.equity
    fallen = drawdowns(equity, record.starting_cash_micros)
    kept = thinned(len(equity), (equity, hold, fallen), session_end_rows(record.session_dates))

    def column(values: Sequence[int], per: int, divide: int = 1) -> Json:
        return pack([round(values[row] / divide) for row in kept], per)

    return {
        "kept": len(kept),
        "x": pack(list(kept)),
        "end": pack([record.ends[row] // _clock_ns(record) for row in kept]),
        "equity": column(equity, 100, MICROS_PER_CENT),
        "hold": column(hold, 100, MICROS_PER_CENT),
        "drawdown": column(fallen, 100),
    }


def thinned(
    count: int,
    series: Sequence[Sequence[int]],
    session_ends: Sequence[int],
    limit: int = MAX_ROWS,
) -> Sequence[int]:
    """The rows to draw: all, or of each bucket the first, the last and every series' extremes.

    The ends of each session are kept too, so that times read between kept rows are right.
    """
    if count <= limit:
        return range(count)
    buckets = limit // EXTREMES_PER_BUCKET
    kept = {row for end in session_ends for row in (end, end + 1) if row < count}
    for bucket in range(buckets):
        first, after = bucket * count // buckets, (bucket + 1) * count // buckets
        rows = range(first, after)
        kept |= {first, after - 1}
        for values in series:
            kept.add(min(rows, key=values.__getitem__))
            kept.add(max(rows, key=values.__getitem__))
    return sorted(kept)


def _symbol(record: RunRecord, symbol: str, limit: int) -> Json:
    """One symbol's prices and gaps."""
    bars, rows = record.bars[symbol], rows_of_run(record, symbol)
    columns: dict[str, Sequence[float]] = {
        name: getattr(bars, name)[rows] for name in ("open", "high", "low", "close")
    }
    every_end = bars.end[rows]
    count = len(every_end)
    size = max(1, -(-count // limit))
    ends = [every_end[min(first + size, count) - 1] for first in range(0, count, size)]
    if size > 1:
        columns = _buckets(columns, size)
    return {
        "name": symbol,
        "bucket": size,
        "x": pack([bisect_left(record.ends, end) for end in ends]),
        **{name: pack_prices(values) for name, values in columns.items()},
        "gaps": gap_spans(record.gaps, symbol, record.ends),
    }


def _buckets(columns: dict[str, Sequence[float]], size: int) -> dict[str, Sequence[float]]:
    """Open, high, low and close of every `size` bars."""
    count = len(columns["close"])

    def each(name: str, choose: Callable[[Sequence[float]], float]) -> list[float]:
        values = columns[name]
        return [choose(values[at : at + size]) for at in range(0, count, size)]

    return {
        "open": each("open", lambda part: part[0]),
        "high": each("high", max),
        "low": each("low", min),
        "close": each("close", lambda part: part[-1]),
    }


def _clock_ns(record: RunRecord) -> int:
    return MINUTE_NS if not record.ends or record.ends[0] % MINUTE_NS == 0 else SECOND_NS


def _clock(record: RunRecord) -> int:
    """Seconds in one unit of the page's instants."""
    return _clock_ns(record) // SECOND_NS


def _sessions(record: RunRecord) -> Json:
    starts = [0, *(row + 1 for row in session_end_rows(record.session_dates))][:-1]
    return {"x": pack(starts), "date": pack([record.session_dates[row] for row in starts])}


def gap_spans(gaps: Iterable[GapRow], symbol: str, ends: Sequence[int]) -> list[list[Any]]:
    """Runs of neighbouring rows in which `symbol` has no bar: first row, last row, outcome."""
    spans: list[list[Any]] = []
    for gap in gaps:
        if gap.symbol != symbol or gap.outcome not in SHADED_OUTCOMES or not ends:
            continue
        if not ends[0] <= gap.end <= ends[-1]:
            continue
        row = bisect_left(ends, gap.end)
        if spans and spans[-1][2] == gap.outcome and spans[-1][1] + 1 >= row:
            spans[-1][1] = row
        elif len(spans) < MAX_SPANS:
            spans.append([row, row, str(gap.outcome)])
    return spans


def state_spans(record: RunRecord) -> list[list[Any]]:
    """Runs of rows with a trading state other than ACTIVE: first row, last row, state, reason."""
    if not record.states or not record.ends:
        return []
    spans: list[list[Any]] = []
    last_row = len(record.ends) - 1
    current: list[Any] = [0, last_row, record.states[0].previous, ""]
    for change in record.states:
        row = bisect_left(record.ends, change.instant)
        if change.state == current[2]:
            continue
        current[1] = max(current[0], min(row, last_row))
        spans.append(current)
        current = [min(row, last_row), last_row, change.state, change.reason]
    spans.append(current)
    return [span for span in spans if span[2] != "ACTIVE"][:MAX_SPANS]


def trade_columns(record: RunRecord) -> Json:
    """Trades as columns, open ones last; the oldest are left out above `MAX_TRADES`."""
    left_out = max(0, len(record.trades) - MAX_TRADES)
    trades = [*record.trades[left_out:], *record.open_trades]
    words: dict[str, int] = {}

    def word(value: str) -> int:
        return words.setdefault(value, len(words))

    def column(value: Callable[[TradeClosed], float], per: int = 1) -> Json:
        return pack([round(value(trade) * per) for trade in trades], per)

    def row(instant: int) -> int:
        return min(bisect_right(record.ends, instant), max(0, len(record.ends) - 1))

    clock_ns = _clock_ns(record)
    predictions = [trade.entry_prediction for trade in trades]
    return {
        "count": len(trades),
        "leftOut": left_out,
        "open": len(record.open_trades),
        "id": column(lambda trade: trade.trade_id),
        "symbol": [word(trade.symbol) for trade in trades],
        "direction": [word(trade.direction) for trade in trades],
        "quantity": column(lambda trade: trade.quantity),
        "entryX": pack([row(trade.entry) for trade in trades]),
        "exitX": pack([row(trade.exit) for trade in trades]),
        "entry": pack([trade.entry // clock_ns for trade in trades]),
        "exit": pack([trade.exit // clock_ns for trade in trades]),
        "entryPrice": column(lambda trade: trade.entry_e4 / E4_PER_USD, E4_PER_USD),
        "exitPrice": column(lambda trade: trade.exit_e4 / E4_PER_USD, E4_PER_USD),
        "pnl": column(lambda trade: trade.pnl_micros / 1_000_000, 100),
        "fees": column(lambda trade: trade.fees_micros / 1_000_000, 100),
        "return": column(lambda trade: trade_return_fraction(trade) * 100, 1_000),
        "bars": column(lambda trade: trade.bars_held),
        "adverse": column(lambda trade: trade.adverse_ppm / 10_000, 100),
        "favourable": column(lambda trade: trade.favourable_ppm / 10_000, 100),
        "prediction": [None if value is None else float(f"{value:.4g}") for value in predictions]
        if any(value is not None for value in predictions)
        else None,
        "entryReason": [word(trade.entry_reason) for trade in trades],
        "exitReason": [word(trade.exit_reason) for trade in trades],
        "words": list(words),
    }
