"""`papertape data correct`: one bar said to be otherwise than it was recorded."""

from __future__ import annotations

import time
from pathlib import Path

from daemon.data.corrections import (
    Correction,
    add_correction,
    adjusted,
    corrected,
    read_corrections,
)
from daemon.data.files import read_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.series import Numbers, Series
from daemon.errors import Exit, UsageError
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, GRIDS, bar_edges
from daemon.feeds.times import parse_when, zone_text


def data_correct(
    state: Path, folder: DataFolder, correction: Correction, start: str, calendar: Calendar
) -> int:
    """Add a row to `corrections.csv` for the bar that begins at T; the recorded bar stays.

    `correction` has no start and date yet, and no size where the symbol has one file.
    """
    file = folder.find(correction.symbol, correction.size or None)
    series = read_series(file, "", "")
    begins = parse_when(start, calendar.zone)
    if begins not in _starts(begins, series, calendar):
        raise UsageError(
            f"no {file.size} bar begins at {zone_text(begins, calendar.zone)} exchange time"
        )
    if not correction.reason.strip():
        raise UsageError("--reason: say why the bar was wrong")
    given = [getattr(correction, name) for name in Numbers._fields]
    if not correction.remove and given.count(None) == len(given):
        raise UsageError(
            "nothing is corrected: give --open, --high, --low, --close, --volume or --remove"
        )
    full = correction._replace(
        symbol=file.symbol, size=file.size, start=begins,
        noted=calendar.exchange_date(time.time_ns()),
    )  # fmt: skip
    with folder.held():
        table = read_corrections(folder.corrections).get((file.symbol, file.size), {})
        earlier = [adjusted(table[begins], series.splits)] if begins in table else []
        was = _as_read(series, earlier, begins)
        for row in earlier:
            full = _with_earlier(full, row)
        now = _as_read(series, [full], begins)
        what = _change(was, now, full, file)
        if now != was:
            add_correction(folder.corrections, full)
    print(f"state   {state}")
    bar = f"{file.symbol} {file.size} {zone_text(begins, calendar.zone)} exchange time"
    if now == was:
        print(f"{bar}: it is so already")
        return Exit.OK
    print(
        f"{bar}: {what} whenever it is read ({folder.corrections}); what was recorded stays in "
        f"{file.path.name}"
    )
    return Exit.OK


def _with_earlier(row: Correction, earlier: Correction) -> Correction:
    """What was corrected before stays corrected: of a table's rows for one bar the last counts."""
    if row.remove or earlier.remove:
        return row
    kept = {name: getattr(earlier, name) for name in Numbers._fields if getattr(row, name) is None}
    return row._replace(**kept)


def _as_read(series: Series, rows: list[Correction], start: int) -> Numbers | None:
    """The bar as whoever reads it with these corrections sees it; None: there is none."""
    seen = series.bars.get(start)
    bars = {} if seen is None else {start: seen[0].numbers}
    return corrected(bars, rows).get(start)


def _change(was: Numbers | None, now: Numbers | None, row: Correction, file: BarFile) -> str:
    """What a correction does to its bar, in words; UsageError where it cannot be meant."""
    if row.remove:
        if was is None:
            raise UsageError(f"{file.path} has no such bar: there is nothing to remove")
        return "removed"
    if now is None:
        raise UsageError(
            f"{file.path} has no such bar: to add it give --open, --high, --low, --close and "
            f"--volume"
        )
    if not now.low <= min(now.open, now.close) <= max(now.open, now.close) <= now.high:
        shown = ", ".join(f"{name} {value}" for name, value in now._asdict().items())
        raise UsageError(f"{shown}: open and close must lie between low and high; give all of them")
    if was is None:
        return "added"
    changed = [
        f"{name} {before} → {after}"
        for name, before, after in zip(now._fields, was, now, strict=True)
        if before != after
    ]
    return ", ".join(changed)


def _starts(instant: int, series: Series, calendar: Calendar) -> list[int]:
    """Where the bars of the instant's session begin, as those of the series do."""
    hours = calendar.session_of(instant)
    if hours is None:
        return []
    size_ns = BAR_SIZES_NS[series.key.size]
    for grid in [series.key.grid] if series.key.grid else GRIDS:
        starts, _ = bar_edges(hours.opens, hours.closes, size_ns, grid)
        here = [start for start in series.bars if hours.opens <= start < hours.closes]
        if set(here) <= set(starts):
            return starts
    return []
