"""`papertape data correct`: one bar said to be otherwise than it was recorded."""

from __future__ import annotations

import time
from pathlib import Path

from daemon.data.corrections import Correction, add_correction
from daemon.data.diff import find_file
from daemon.data.files import read_series
from daemon.data.folder import DataFolder
from daemon.data.series import Series
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
    file = find_file(folder, correction.symbol, correction.size or None)
    series = read_series(file, "", "")
    begins = parse_when(start, calendar.zone)
    if begins not in _starts(begins, series, calendar):
        raise UsageError(
            f"no {file.size} bar begins at {zone_text(begins, calendar.zone)} exchange time"
        )
    if not correction.reason.strip():
        raise UsageError("--reason: say why the bar was wrong")
    if not correction.remove and begins not in series.bars:
        given = (correction.open, correction.high, correction.low, correction.close)
        if None in given or correction.volume is None:
            raise UsageError(
                f"{file.path} has no such bar: to add it give --open, --high, --low, --close and "
                f"--volume"
            )
    full = correction._replace(
        symbol=file.symbol, size=file.size, start=begins,
        noted=calendar.exchange_date(time.time_ns()),
    )  # fmt: skip
    with folder.held():
        add_correction(folder.corrections, full)
    what = "removed" if full.remove else "corrected"
    print(f"state   {state}")
    print(
        f"{file.symbol} {file.size} {zone_text(begins, calendar.zone)}: {what} whenever it is read "
        f"({folder.corrections}); what was recorded stays in {file.path.name}"
    )
    return Exit.OK


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
