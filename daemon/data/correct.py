"""`papertape data correct`: one bar said to be otherwise than it was recorded."""

from __future__ import annotations

import time
from pathlib import Path

from daemon.data.corrections import Correction, add_correction
from daemon.data.diff import find_file
from daemon.data.files import read_about, read_series
from daemon.data.folder import DataFolder
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
    begins = parse_when(start, calendar.zone)
    hours = calendar.session_of(begins)
    known = read_about(file)
    starts = [
        edge
        for grid in ([known.grid] if known else GRIDS)
        if hours is not None
        for edge in bar_edges(hours.opens, hours.closes, BAR_SIZES_NS[file.size], grid)[0]
    ]
    if begins not in starts:
        raise UsageError(
            f"no {file.size} bar begins at {zone_text(begins, calendar.zone)} exchange time"
        )
    if not correction.reason.strip():
        raise UsageError("--reason: say why the bar was wrong")
    if not correction.remove and begins not in read_series(file, "", "").bars:
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
