"""Drawdowns: how far, how long and when a value stood below its highest so far.

The peak is seeded with the starting value, so an account that only loses is in drawdown from its
first bar. Depths are fractions and never above 0 (-0.05 = 5 % below the peak). A row is an index
into the values; row -1 stands for the starting value.

Values are read in blocks: a block that holds no new peak costs one `max`, so 700,000 rows take
some ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

BLOCK_ROWS = 512


class Drawdown(Struct, frozen=True, gc=False):
    """One spell below a peak: from the peak's row to its return (None: not yet)."""

    peak_row: int
    trough_row: int
    recovered_row: int | None
    peak: float
    trough: float

    @property
    def depth_fraction(self) -> float:
        """How far the trough lies below the peak; below 0."""
        return self.trough / self.peak - 1


def drawdowns(values: Sequence[float], start: float) -> list[Drawdown]:
    """Every spell below a peak, oldest first; `start` is above 0.

    A spell ends at the first row that reaches its peak again.
    """
    spells = []
    count = len(values)
    for peak_row, recovered_row in _underwater(values, start):
        peak = values[peak_row] if peak_row >= 0 else start
        below = values[peak_row + 1 : recovered_row]
        trough = min(below)
        spells.append(
            Drawdown(
                peak_row=peak_row,
                trough_row=peak_row + 1 + below.index(trough),
                recovered_row=recovered_row if recovered_row < count else None,
                peak=peak,
                trough=trough,
            )
        )
    return spells


def deepest_fraction(marks: Sequence[float], closes: Sequence[float], start: float) -> float:
    """The lowest of marks[i] / (highest of `start` and the closes before row i) - 1; at most 0.

    With `marks` the same as `closes` this is the maximum drawdown; with the equity at each bar's
    least favourable price it is the worst drawdown within a bar (what came first within the bar
    is not known, so a peak at a bar's close counts from the next bar on).
    """
    lowest, peak = 1.0, start
    for first in range(0, len(closes), BLOCK_ROWS):
        marks_block = marks[first : first + BLOCK_ROWS]
        closes_block = closes[first : first + BLOCK_ROWS]
        highest = max(closes_block)
        if highest < peak:
            highest = peak
        # No row of the block can lie lower than its lowest mark under its highest peak.
        if min(marks_block) / highest < lowest:
            for mark, close in zip(marks_block, closes_block, strict=True):
                if mark / peak < lowest:
                    lowest = mark / peak
                if close > peak:
                    peak = close
        peak = highest
    return min(0.0, lowest - 1)


def longest(spells: Sequence[Drawdown], ends: Sequence[int], first_start: int) -> Drawdown | None:
    """The spell that took most time from its peak to its return (or to the last row).

    `ends` are the rows' instants and `first_start` that of the starting value.
    """
    return max(spells, key=lambda spell: duration_ns(spell, ends, first_start), default=None)


def duration_ns(spell: Drawdown, ends: Sequence[int], first_start: int) -> int:
    """Nanoseconds from a spell's peak to its return, or to the last row where it has none."""
    begun = ends[spell.peak_row] if spell.peak_row >= 0 else first_start
    recovered = spell.recovered_row if spell.recovered_row is not None else len(ends) - 1
    return ends[recovered] - begun


def _underwater(values: Sequence[float], start: float) -> list[tuple[int, int]]:
    """Pairs (row of a peak, first later row that reaches it) with at least one row between."""
    pairs, peak, peak_row, count = [], start, -1, len(values)
    for first in range(0, count, BLOCK_ROWS):
        block = values[first : first + BLOCK_ROWS]
        highest = max(block)
        if highest < peak:
            continue
        for row, value in enumerate(block, first):
            if value >= peak:
                if row - peak_row > 1:
                    pairs.append((peak_row, row))
                peak, peak_row = value, row
    if count - peak_row > 1:
        pairs.append((peak_row, count))
    return pairs
