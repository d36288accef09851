"""A part of a symbol's columns, without copying them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from replay.record import BarColumns


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a `BarColumns` that lie in a window."""

    start: Sequence[int]
    end: Sequence[int]
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[int]

    def __len__(self) -> int:
        return len(self.start)


def cut(columns: BarColumns, start: int, end: int) -> Part:
    """The bars that start at `start` or later and end at `end` or before (instants in ns)."""
    rows = slice(bisect_left(columns.start, start), bisect_right(columns.end, end))
    return Part(
        start=columns.start[rows],
        end=columns.end[rows],
        open=columns.open[rows],
        high=columns.high[rows],
        low=columns.low[rows],
        close=columns.close[rows],
        volume=columns.volume[rows],
    )
