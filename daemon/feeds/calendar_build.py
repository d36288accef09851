"""Write one exchange calendar to a file: `python -m daemon.feeds.calendar_build NAME OUTFILE`.

The only file that imports exchange_calendars. It runs in a process of its own, because the import
and the calendar take over a second and a hundred megabytes. It covers `FIRST_DATE` to the end of
next year (the package computes holidays as far as it is asked to; its default range begins 20
years back and ends a year after the process started), so that all who build in one year with one
version of the package get the same file. Bounds are passed as dates: a naive time would be taken
as UTC without a word.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from msgspec.json import encode
from msgspec.structs import replace

from daemon.errors import Exit, PapertapeError, RefusedError
from daemon.feeds.calendar import FIRST_DATE, Facts, installed_version
from daemon.feeds.times import date_text
from daemon.writing import replace_file


def main(arguments: list[str]) -> int:
    """Build and write one calendar; on failure one line on stderr and an exit code."""
    if len(arguments) != 2:
        print("usage: python -m daemon.feeds.calendar_build NAME OUTFILE", file=sys.stderr)
        return Exit.USAGE
    name, file = arguments[0], Path(arguments[1])
    try:
        write(build(name, last_year=time.localtime().tm_year + 1), file)
    except PapertapeError as error:
        print(error, file=sys.stderr)
        return error.code
    except (ImportError, OSError) as error:
        print(error, file=sys.stderr)
        return Exit.REFUSED
    return Exit.OK


def build(name: str, last_year: int) -> Facts:
    """The sessions of exchange `name` from `FIRST_DATE` to the end of `last_year`.

    RefusedError for an unknown name, and for an exchange whose day the bars of papertape cannot
    describe: a midday break, a session that opens on another date, an offset of half an hour.
    """
    import exchange_calendars

    first, last = FIRST_DATE, last_year * 10_000 + 1231
    try:
        calendar = exchange_calendars.get_calendar(
            name, start=date_text(first), end=date_text(last)
        )
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise RefusedError(f"exchange_calendars {installed_version()} has no {name!r}") from error
    except ValueError as error:
        raise RefusedError(str(error)) from error
    schedule = calendar.schedule
    _check(name, schedule, calendar.tz)
    return Facts(
        name=name,
        zone=str(calendar.tz),
        package_version=str(installed_version()),
        first_date=first,
        last_date=last,
        dates=[int(day) for day in schedule.index.strftime("%Y%m%d")],
        opens=_epoch_seconds(schedule["open"]),
        closes=_epoch_seconds(schedule["close"]),
    )


def write(facts: Facts, file: Path) -> None:
    """Write the facts and their hash, whole or not at all."""
    replace_file(file, encode(replace(facts, sha256=facts.hashed())))


def _epoch_seconds(column: Any) -> list[int]:
    # The resolution of a column differs between versions of pandas: convert, do not assume.
    seconds: list[int] = column.dt.tz_localize(None).to_numpy("datetime64[s]").astype(int).tolist()
    return seconds


def _check(name: str, schedule: Any, zone: Any) -> None:
    """Refuse an exchange for which the arithmetic of `expected.py` would be wrong."""
    local = schedule["open"].dt.tz_convert(zone).dt.tz_localize(None)
    offsets = (local - schedule["open"].dt.tz_localize(None)).dt.total_seconds()
    problem = None
    if schedule["break_start"].notna().any():
        problem = "a midday break"
    elif (local.dt.normalize() != schedule.index).any():
        problem = "sessions that open on another date"
    elif (offsets % 3600 != 0).any():
        problem = "a time zone that is not whole hours from UTC"
    if problem is not None:
        raise RefusedError(f"{name} has {problem}, which papertape does not know")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
