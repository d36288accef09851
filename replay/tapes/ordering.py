"""The order of a tape's rows: newest first, shuffled, repeated."""

from __future__ import annotations

from array import array
from itertools import pairwise
from operator import lt

from replay.tapes.model import Action
from replay.tapes.reader import RawBars
from replay.tapes.rules import DIFFERING_ROWS, OUT_OF_ORDER, REPEATED_ROW, Findings, Rule

Verdict = tuple[Rule, str, Action]


def put_in_order(bars: RawBars, findings: Findings) -> str:
    """Sort the rows by stamp, equal stamps by line; returns a note where that changed anything.

    Rows stored newest first are a habit of some sources and no fault.
    """
    stamps = bars.stamps
    if _increasing(stamps):
        return ""
    descents = sum(1 for before, after in pairwise(stamps) if after < before)
    if not descents:
        return ""
    if not any(after > before for before, after in pairwise(stamps)):
        _rearrange(bars, range(len(stamps) - 1, -1, -1))
        return f"{bars.symbol}: rows are stored newest first and were turned round"
    at = next(i for i, (before, after) in enumerate(pairwise(stamps)) if after < before) + 1
    findings.add(
        OUT_OF_ORDER,
        bars.symbol,
        bars.lines[at],
        f"comes after a later bar; {descents:,} such places, sorted by time",
    )
    _rearrange(bars, sorted(range(len(stamps)), key=stamps.__getitem__))
    return f"{bars.symbol}: rows were out of order and were sorted"


def repeated(bars: RawBars) -> dict[int, Verdict]:
    """What becomes of rows that share a stamp: repeats are dropped, contradictions put aside."""
    if _increasing(bars.stamps):
        return {}
    verdicts: dict[int, Verdict] = {}
    stamps, count, first = bars.stamps, len(bars), 0
    while first < count:
        after = first + 1
        while after < count and stamps[after] == stamps[first]:
            after += 1
        if after - first > 1:
            verdicts.update(_judge(bars, range(first, after)))
        first = after
    return verdicts


def _judge(bars: RawBars, same: range) -> dict[int, Verdict]:
    prices = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    contents = {tuple(column[i] for column in prices) for i in same}
    lines = ", ".join(str(bars.lines[i]) for i in same[:4])
    if len(contents) == 1 and not any(i in bars.broken for i in same):
        message = f"lines {lines} are the same bar"
        return dict.fromkeys(same[1:], (REPEATED_ROW, message, Action.DROPPED))
    message = f"lines {lines} differ about the same bar"
    return dict.fromkeys(same, (DIFFERING_ROWS, message, Action.QUARANTINED))


def _rearrange(bars: RawBars, order: range | list[int]) -> None:
    for column in bars.numbers():
        column[:] = array(column.typecode, [column[i] for i in order])
    if bars.broken:
        bars.broken = {at: bars.broken[i] for at, i in enumerate(order) if i in bars.broken}


def _increasing(stamps: array[int]) -> bool:
    return all(map(lt, stamps, memoryview(stamps)[1:]))
