"""The last result of each one-shot job (parity, drill, backup ...): one file `checks/NAME.json`.

    {"check": "drill", "success": true, "ended": "2024-01-02T21:05:00Z", ...}

A job writes its result whole or not at all; other keys are the job's own. A file that cannot be
read counts as a check that failed when the file was written.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.core.units import HOUR_NS, SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.times import iso_z, parse_iso
from daemon.writing import replace_file

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar

FOLDER = "checks"
ALWAYS = ("parity", "drill")
"""Checks that are told about though they never ran."""
CHECKS_MAX = 32
BYTES_MAX = 1_000_000

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class Habit(NamedTuple):
    """How old a check may grow; `of_trading_days`: hours of other days do not count."""

    hours: int
    of_trading_days: bool


DAILY = Habit(30, of_trading_days=True)
HABITS: dict[str, Habit] = {
    "checklist": DAILY,
    "data": DAILY,
    "data-update": DAILY,
    "parity": DAILY,
    "drill": Habit(35 * 24, of_trading_days=False),
}
"""Checks that are done regularly, by a timer or a person; the others are run when needed.

The alert CheckStale and the checklist both ask `due`, so they miss a check at the same time.
"""


class CheckResult(NamedTuple):
    """Whether a check passed, and when it ended (UTC ns; 0: it never ran)."""

    success: bool
    ended: int


def write_check(state: Path, name: str, ended: int, *, success: bool, **details: Any) -> Path:
    """Replace the result of a check; `details` are kept with it, as JSON."""
    assert _NAME.fullmatch(name), f"not a name of a check: {name}"
    path = state / FOLDER / f"{name}.json"
    document = {"check": name, "success": success, "ended": iso_z(ended), **details}
    replace_file(path, (json.dumps(document, indent=2) + "\n").encode())
    return path


def due(name: str, ended: int, calendar: Calendar) -> int | None:
    """When a check has to have been done again (UTC ns); None: never, or it was never done.

    Thirty hours of trading days reach from the evening before a weekend to that of its end.
    """
    habit = HABITS.get(name)
    if habit is None or not ended:
        return None
    left = habit.hours * HOUR_NS
    if not habit.of_trading_days:
        return ended + left
    began, date = ended, calendar.exchange_date(ended)
    try:
        while True:
            midnight = calendar.midnight(date, days=1)
            if calendar.session(date) is not None:
                if began + left <= midnight:
                    return began + left
                left -= midnight - began
            began, date = midnight, calendar.exchange_date(midnight)
    except RefusedError:  # a date that the calendar does not know
        return began + left


class Checks:
    """Reads the results of a state directory; a file is read again only when it has changed."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER
        self._seen: dict[str, tuple[tuple[int, int, int], CheckResult]] = {}

    def results(self) -> dict[str, CheckResult]:
        """The last result of each check, by its name."""
        found = dict.fromkeys(ALWAYS, CheckResult(success=False, ended=0))
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return found
        names = [path.stem for path in paths if _NAME.fullmatch(path.stem)]
        for name in names[:CHECKS_MAX]:
            try:
                found[name] = self._result(name)
            except FileNotFoundError:
                continue  # replaced or removed since it was listed
        return found

    def _result(self, name: str) -> CheckResult:
        path = self._folder / f"{name}.json"
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._seen.get(name)
        if known is not None and known[0] == version:
            return known[1]
        result = CheckResult(success=False, ended=status.st_mtime_ns // SECOND_NS * SECOND_NS)
        if status.st_size <= BYTES_MAX:
            try:
                document = json.loads(path.read_bytes())
                result = CheckResult(document["success"] is True, parse_iso(document["ended"]))
            except (OSError, ValueError, KeyError, TypeError):
                pass  # it failed, as far as anybody can tell
        self._seen[name] = (version, result)
        return result
