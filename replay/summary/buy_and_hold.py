"""What holding would have made: the same tape, bought at the first open and kept.

Every symbol gets the same part of the starting cash and is bought at its first open of the run,
in fractions of a share and without costs; it is marked at each close, and at its last known close
where a slice has no bar of it. Before its first bar its part is cash. On a raw tape with corporate
actions, a split multiplies the shares and a dividend becomes cash at its ex-date.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import repeat
from operator import add, mul

from daemon.core.events import CorporateAction, Split
from daemon.core.units import MICROS_PER_USD
from replay.record import BarColumns, RunRecord


def rows_of_run(record: RunRecord, symbol: str) -> slice:
    """Which of a symbol's bars belong to the run (a tape may hold more before and after)."""
    bars = record.bars[symbol]
    return slice(
        bisect_left(bars.start, record.first_start), bisect_right(bars.end, record.last_end)
    )


def buy_and_hold_curve(
    record: RunRecord, actions: Sequence[CorporateAction] = ()
) -> list[float] | None:
    """The value of one dollar at the end of each slice; None where a run has no bars to hold.

    `actions` are those that the run applied (none on an adjusted tape).
    """
    curves = []
    for symbol in record.symbols:
        if symbol not in record.bars:
            continue
        bars, rows = record.bars[symbol], rows_of_run(record, symbol)
        if rows.start < rows.stop:
            own = [action for action in actions if action.symbol == symbol]
            values = _growth(record, bars, rows, own)
            curves.append(_on_slices(values, bars.end[rows], record.ends))
    if not curves:
        return None
    total = curves[0]
    for curve in curves[1:]:
        total = list(map(add, total, curve))
    if len(record.symbols) == 1:
        return total
    # A symbol without any bar keeps its part in cash.
    idle = len(record.symbols) - len(curves)
    return [(value + idle) / len(record.symbols) for value in total]


def _growth(
    record: RunRecord, bars: BarColumns, rows: slice, actions: Sequence[CorporateAction]
) -> list[float]:
    """The value at each close of one dollar put into a symbol at its first open."""
    closes, ends = bars.close[rows], bars.end[rows]
    shares, cash = 1 / bars.open[rows.start], 0.0
    values: list[float] = []
    for action in sorted(actions, key=lambda action: action.effective):
        row = _first_row_from(record, ends, action.effective)
        if row == 0:
            continue  # bought at a price that already knows it
        values += _marked(closes[len(values) : row], shares, cash)
        if isinstance(action, Split):
            shares *= action.numerator / action.denominator
        else:
            cash += shares * action.amount_micros / MICROS_PER_USD
    return values + _marked(closes[len(values) :], shares, cash)


def _marked(closes: Sequence[float], shares: float, cash: float) -> list[float]:
    values = list(map(mul, closes, repeat(shares)))
    return [value + cash for value in values] if cash else values


def _first_row_from(record: RunRecord, ends: Sequence[int], date: int) -> int:
    """The first of a symbol's rows that belongs to the session `date` or a later one."""
    slice_row = bisect_left(record.session_dates, date)
    if slice_row == len(record.ends):
        return len(ends)
    return bisect_left(ends, record.ends[slice_row])


def _on_slices(values: list[float], ends: Sequence[int], slice_ends: Sequence[int]) -> list[float]:
    """Values known at `ends`, one for each slice: 1 before the first, then carried."""
    if ends == slice_ends:  # columns and arrays compare as buffers, fast
        return values
    known = dict(zip(ends, values, strict=True))
    carried, latest = [], 1.0
    for end in slice_ends:
        latest = known.get(end, latest)
        carried.append(latest)
    return carried
