"""Corrected bars: rows replaced, added and removed before they are placed and checked."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from daemon.core.units import price_e4
from daemon.data.corrections import Correction
from daemon.errors import RefusedError
from daemon.feeds.times import iso_z
from replay.tapes.reader import NO_VOLUME, RawBars


def correct(file: str, bars: RawBars, corrections: Mapping[int, Correction]) -> list[str]:
    """Replace, add and remove rows; returns a note of how many of each, if any."""
    rows: dict[int, list[int]] = {start: [] for start in corrections}
    for at, stamp in enumerate(bars.stamps):
        if stamp in rows:
            rows[stamp].append(at)
    gone: set[int] = set()
    counts = {"set": 0, "added": 0, "removed": 0}
    for start, correction in corrections.items():
        here = rows[start]
        if correction.remove:
            gone.update(here)
            counts["removed"] += bool(here)
        elif here:
            _set(bars, here, correction)  # rows that were at odds repeat each other then
            counts["set"] += 1
        else:
            _add(file, bars, correction)
            counts["added"] += 1
    if gone:
        leave_out(bars, gone)
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return [f"{bars.symbol}: by corrections.csv {told}"] if told else []


def _values(correction: Correction) -> tuple[float | int | None, ...]:
    return (
        correction.open, correction.high, correction.low, correction.close, correction.volume
    )  # fmt: skip


def _is_whole(correction: Correction) -> bool:
    return None not in _values(correction)


def _set(bars: RawBars, rows: list[int], correction: Correction) -> None:
    """The cells that are given, in every row that claims to be the bar."""
    columns = (bars.open, bars.high, bars.low, bars.close)
    for at in rows:
        for column, price in zip(columns, _values(correction)[:4], strict=True):
            if price is not None:
                column[at] = price_e4(price)
        if correction.volume is not None:
            bars.volume[at] = correction.volume
        if _is_whole(correction):
            bars.broken.pop(at, None)


def _add(file: str, bars: RawBars, correction: Correction) -> None:
    *prices, volume = _values(correction)
    if None in prices or (volume is None and any(one != NO_VOLUME for one in bars.volume)):
        raise RefusedError(
            f"{file}: {bars.symbol}: corrections.csv sets the bar of {iso_z(correction.start)}, "
            f"which is not there: it needs open, high, low, close and volume"
        )
    values = [price_e4(price) for price in prices if price is not None]
    row = (correction.start, *values, NO_VOLUME if volume is None else int(volume), 0)
    at = next((i for i, stamp in enumerate(bars.stamps) if stamp > correction.start), len(bars))
    for column, value in zip(bars.numbers(), row, strict=True):
        column.insert(at, value)
    bars.broken = {i + (i >= at): fault for i, fault in bars.broken.items()}


def leave_out(bars: RawBars, gone: set[int]) -> None:
    """Take rows away, by position."""
    kept = [at for at in range(len(bars)) if at not in gone]
    for column in bars.numbers():
        column[:] = array(column.typecode, [column[at] for at in kept])
    bars.broken = {new: bars.broken[at] for new, at in enumerate(kept) if at in bars.broken}
