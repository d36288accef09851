"""The exchange calendar: which sessions there are and when each opens and closes.

exchange_calendars is exact and takes over a second to import and build, so a subprocess
(`calendar_build.py`) writes what it knows to `STATE/calendar/NAME.json` and everything else reads
that file. It is built again when it is absent or damaged, when another version of the package is
installed, and when less than `DAYS_AHEAD` days of it lie ahead. Closures announced after the
package was released stand in `STATE/calendar.yaml` (see `calendar_overlay.py`).

Instants are UTC nanoseconds, dates integers YYYYMMDD in exchange time.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from array import array
from bisect import bisect_left, bisect_right
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import DecodeError, Struct
from msgspec.json import decode

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.times import (
    DAY_NS,
    date_text,
    number_date,
    wall_instant,
    wall_ns,
    zone_date,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1
FIRST_DATE = 19900101
DAYS_AHEAD = 30
BUILD_TIMEOUT_S = 120

_PACKAGE = "exchange_calendars"
_ROOT = Path(__file__).resolve().parents[2]


class Hours(Struct, frozen=True, gc=False):
    """One session: its exchange date, and its open and close as instants."""

    date: int
    opens: int
    closes: int


class Facts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a calendar's file holds: its range and, in parallel, each session's date and hours.

    `opens` and `closes` are epoch seconds, all sequences strictly increasing.
    `sha256` is what `hashed` gave when the file was written.
    """

    name: str
    zone: str
    package_version: str
    first_date: int
    last_date: int
    dates: list[int]
    opens: list[int]
    closes: list[int]
    sha256: str = ""

    def hashed(self) -> str:
        """The sha256 of the facts alone: equal sessions and hours hash equally for any version."""
        head = f"{FORMAT} {self.name} {self.zone} {self.first_date} {self.last_date}\n"
        digest = hashlib.sha256(head.encode())
        for column in (self.dates, self.opens, self.closes):
            digest.update(array("q", column))
        return digest.hexdigest()


class Calendar:
    """The sessions of one exchange between `first_date` and `last_date`, both inclusive.

    Every question about a date or an instant outside that range is a RefusedError: "closed" would
    be a guess.
    """

    __slots__ = (
        "_closes",
        "_dates",
        "_from",
        "_opens",
        "_until",
        "first_date",
        "hash",
        "last_date",
        "name",
        "package_version",
        "zone",
    )

    def __init__(self, facts: Facts) -> None:
        self.name = facts.name
        self.zone = facts.zone
        self.package_version = facts.package_version
        self.hash = facts.sha256 or facts.hashed()
        self.first_date = facts.first_date
        self.last_date = facts.last_date
        self._dates = facts.dates
        self._opens = [second * SECOND_NS for second in facts.opens]
        self._closes = [second * SECOND_NS for second in facts.closes]
        self._from = self.midnight(facts.first_date)
        self._until = self.midnight(facts.last_date, days=1)

    def sessions(self, first: int, last: int) -> Sequence[Hours]:
        """The sessions dated `first` to `last`, both inclusive, in order."""
        self._check_date(first)
        self._check_date(last)
        begin = bisect_left(self._dates, first)
        end = bisect_right(self._dates, last)
        columns = (self._dates[begin:end], self._opens[begin:end], self._closes[begin:end])
        return [Hours(*row) for row in zip(*columns, strict=True)]

    def session(self, date: int) -> Hours | None:
        """The session of a date, None if the exchange is closed that day."""
        self._check_date(date)
        at = bisect_left(self._dates, date)
        return self._at(at) if at < len(self._dates) and self._dates[at] == date else None

    def session_of(self, instant: int) -> Hours | None:
        """The session with opens <= instant < closes, None while the exchange is closed."""
        if not self._from <= instant < self._until:
            self._refuse(date_text(self.exchange_date(instant)))
        at = bisect_right(self._opens, instant) - 1
        return self._at(at) if at >= 0 and instant < self._closes[at] else None

    def previous_session(self, date: int) -> Hours:
        """The last session before a date."""
        self._check_date(date)
        at = bisect_left(self._dates, date) - 1
        if at < 0:
            self._refuse(f"the session before {date_text(date)}")
        return self._at(at)

    def next_session(self, date: int) -> Hours:
        """The first session after a date."""
        self._check_date(date)
        at = bisect_right(self._dates, date)
        if at == len(self._dates):
            self._refuse(f"the session after {date_text(date)}")
        return self._at(at)

    def opens_after(self, date: int) -> int:
        """The open of the first session after a date, 0 where the calendar ends."""
        at = bisect_right(self._dates, date)
        return self._opens[at] if at < len(self._opens) else 0

    def exchange_date(self, instant: int) -> int:
        """The date YYYYMMDD at the exchange at an instant."""
        return zone_date(instant, self.zone)

    def midnight(self, date: int, *, days: int = 0) -> int:
        """The instant of 00:00 exchange time on a date, or on the day `days` after it."""
        return wall_instant(wall_ns(date) + days * DAY_NS, self.zone)

    def _at(self, at: int) -> Hours:
        return Hours(self._dates[at], self._opens[at], self._closes[at])

    def _check_date(self, date: int) -> None:
        if not self.first_date <= date <= self.last_date:
            self._refuse(date_text(date))

    def _refuse(self, what: str) -> None:
        raise RefusedError(
            f"{what} is outside what calendar {self.name} knows "
            f"({date_text(self.first_date)} to {date_text(self.last_date)}): choose dates inside"
        )


def load_calendar(state: Path, name: str = "XNYS", *, today: int | None = None) -> Calendar:
    """The calendar of `STATE/calendar/NAME.json` with the closures of `STATE/calendar.yaml`.

    The file is first built where it is absent or stale; `today` (YYYYMMDD, default: the clock)
    decides how much of it lies ahead. RefusedError if it cannot be built, or if the overlay has
    a mistake.
    """
    facts = known_facts(state, name, today=today)
    overlay = state / "calendar.yaml"
    if overlay.exists():
        from daemon.feeds.calendar_overlay import read_overlay

        facts = read_overlay(overlay).applied_to(facts)
    return Calendar(facts)


def known_facts(state: Path, name: str = "XNYS", *, today: int | None = None) -> Facts:
    """As `load_calendar`, without what was announced since: what the package knows."""
    if re.fullmatch(r"[A-Za-z0-9_]+", name) is None:
        raise RefusedError(f"calendar {name!r} is not the name of an exchange: write XNYS")
    file = state / "calendar" / f"{name}.json"
    today = zone_date(time.time_ns(), "UTC") if today is None else today
    facts = _read(file)
    if facts is None or _stale(facts, today):
        _build(name, file)
        facts = _read(file)
        if facts is None:
            raise RefusedError(f"{file}: calendar {name} was built and cannot be read")
    return facts


def installed_version() -> str | None:
    """The installed version of exchange_calendars, without importing it; None if there is none.

    importlib.metadata answers the same after 60 ms of imports; the name of the folder beside the
    package takes one.
    """
    from importlib.util import find_spec

    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    site = Path(spec.origin).parents[1]
    found = [path.name for path in site.glob(f"{_PACKAGE}-*.dist-info")]
    if len(found) == 1:
        return found[0].removeprefix(f"{_PACKAGE}-").removesuffix(".dist-info")
    from importlib.metadata import version

    return version(_PACKAGE)


def _read(file: Path) -> Facts | None:
    """The facts of a file, None if it is absent or not as it was written."""
    try:
        facts = decode(file.read_bytes(), type=Facts)
    except (OSError, DecodeError, OverflowError):
        return None
    return facts if facts.sha256 == facts.hashed() else None


def _stale(facts: Facts, today: int) -> bool:
    ahead = number_date(facts.last_date) - number_date(today)
    return ahead < timedelta(days=DAYS_AHEAD) or facts.package_version != installed_version()


def _build(name: str, file: Path) -> None:
    """Write a calendar's file in a process of its own; RefusedError, one line, if that fails."""
    import subprocess

    command = [sys.executable, "-m", "daemon.feeds.calendar_build", name, str(file.absolute())]
    try:
        # From our own root, so that the process finds this `daemon` and no other.
        done = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(f"{file}: calendar {name} could not be built: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RefusedError(f"{file}: calendar {name} could not be built: {said[-1]}")
