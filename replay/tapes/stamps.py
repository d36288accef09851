"""Text to instants: the forms of time stamp that recorded bars come with.

A stamp either carries its offset or zone, is an epoch number, or is naive and then needs the zone
the config (or the dialect) names. Nothing is guessed: a naive stamp without a zone, and one in the
hour that a change of daylight saving repeats or skips, is an error.

Tapes repeat themselves (a day has few times, a time many days), so both halves of a stamp are
remembered and most stamps cost two dictionary look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.times import number_date, wall_instant, zone_info

DAY_NS = 86_400 * SECOND_NS
REMEMBERED_MAX = 100_000
# Names that Interactive Brokers sends and that a slim time-zone database no longer has.
ZONE_ALIASES = {
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
    "EST5EDT": "America/New_York",
}
# 1970 to 2100: a stamp outside is a mistake, and one far outside does not fit 64 bits.
YEARS_NS = (0, 4_102_444_800 * SECOND_NS)
# The digits of an epoch number tell its unit: each holds 1973 to 5138 and they do not overlap.
EPOCH_UNITS = (
    (10**8, 10**11, "seconds", SECOND_NS),
    (10**11, 10**14, "milliseconds", 1_000_000),
    (10**14, 10**17, "microseconds", 1_000),
    (10**17, 10**20, "nanoseconds", 1),
)
_REST = re.compile(
    r"(?P<mark>[T -])?\s*(?P<hour>\d{1,2}):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?|[A-Za-z]+(?:/[A-Za-z_]+)+|EST5EDT)?"
)
_DATE_MARKS = ("-", "/", ".")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")

Key = TypeVar("Key")
Value = TypeVar("Value")
StampParser = Callable[[str], int]


class StampError(ValueError):
    """A stamp that is not an instant; the text says why, without file and line."""


class FatalStampError(StampError):
    """A stamp that says the tape as a whole cannot be read as it is configured."""


def find_zone(name: str) -> ZoneInfo:
    """The zone of that name; `RefusedError` where there is none."""
    try:
        return zone_info(ZONE_ALIASES.get(name, name))
    except ValueError as error:
        raise RefusedError(f"tape.timezone: {error}") from None


def is_epoch(text: str) -> bool:
    """Whether a stamp is an epoch number (eight digits are a date)."""
    return is_number(text) and len(text) > 8


def is_number(text: str) -> bool:
    """Whether a cell is nothing but the digits 0 to 9 (`str.isdigit` knows hundreds more)."""
    return text.isascii() and text.isdigit()


def epoch_parser(sample: str) -> tuple[StampParser, str]:
    """A parser of epoch numbers in the unit of `sample`, and the unit's name."""
    value = int(sample)
    fitting = [(unit, ns) for low, high, unit, ns in EPOCH_UNITS if low <= value < high]
    if not fitting:
        raise FatalStampError(f"{sample!r} is not an epoch number of any unit")
    unit, factor = fitting[0]

    low, high = YEARS_NS[0] // factor, YEARS_NS[1] // factor

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise StampError(f"{text!r} is not an epoch number") from None
        if not low <= value < high:
            raise StampError(f"{text!r} is not an epoch number in {unit}")
        return value * factor

    return parse, unit


def milliseconds_parser(day: date, zone: ZoneInfo) -> StampParser:
    """A parser of milliseconds since midnight of `day` (LEAN's minute files)."""
    local = _LocalTimes(zone)

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise StampError(f"{text!r} is not a number of milliseconds") from None
        if not 0 <= value * 1_000_000 < DAY_NS:
            raise StampError(f"{text!r} is not a time of day in milliseconds")
        return local.instant(day, value * 1_000_000, text)

    return parse


class TextStamps:
    """A parser of written stamps; `zone` is that of stamps which carry none.

    `zones_seen` collects how stamps said where they are, for the loader's summary.
    """

    def __init__(self, zone: ZoneInfo | None) -> None:
        self.zones_seen: set[str] = set()
        self._zone = zone
        self._utc_midnights: dict[str, int] = {}
        self._aware: dict[str, int] = {}
        self._local_midnights: dict[str, int] = {}
        self._naive: dict[str, int] = {}
        self._locals: dict[str, _LocalTimes] = {}

    def __call__(self, text: str) -> int:
        """The instant of `text`; `StampError` says what is wrong with it."""
        cut = 10 if text[4:5] in _DATE_MARKS else 8
        rest = text[cut:]
        since = self._aware.get(rest)
        if since is not None:
            midnight = self._utc_midnights.get(text[:cut])
        else:
            since = self._naive.get(rest)
            midnight = self._local_midnights.get(text[:cut])
        if since is None or midnight is None:
            return self._read(text, cut)
        return midnight + since

    def _read(self, text: str, cut: int) -> int:
        if text != text.strip():
            return self(text.strip())
        day = _parse_date(text[:cut], text)
        rest = text[cut:]
        if not rest:
            raise FatalStampError(
                f"{text!r} is a date without a time: daily bars are not a size papertape trades"
                " (1h, 30m, 15m, 5m, 1m)"
            )
        match = _REST.fullmatch(rest)
        if match is None:
            raise StampError(f"{text!r} is not a time stamp")
        since, zone = _time_of_day(match, text)
        if zone is None and match["mark"] == "-" and cut == 8:
            zone = "UTC"  # Interactive Brokers writes 20250102-14:30:12 for UTC alone
        if zone is None:
            return self._read_naive(text, cut, day, since)
        self.zones_seen.add(zone)
        if zone[0] in "+-" or zone in ("Z", "UTC", "GMT"):
            delta = since - _offset_ns(zone)
            _remember(self._aware, rest, delta)
            midnight = _midnight_utc(day)
            _remember(self._utc_midnights, text[:cut], midnight)
            return midnight + delta
        return self._local(zone).instant(day, since, text)

    def _read_naive(self, text: str, cut: int, day: date, since: int) -> int:
        if self._zone is None:
            raise FatalStampError(
                f"the stamp {text!r} carries no time zone; set tape.timezone, or"
                " give --timezone (America/New_York for exchange time, UTC …)"
            )
        local = self._local(self._zone.key)
        midnight = local.midnight(day)
        if midnight is None:
            return local.instant(day, since, text)
        _remember(self._naive, text[cut:], since)
        _remember(self._local_midnights, text[:cut], midnight)
        return midnight + since

    def _local(self, name: str) -> _LocalTimes:
        if name not in self._locals:
            self._locals[name] = _LocalTimes(find_zone(name))
        return self._locals[name]


class _LocalTimes:
    """Wall-clock times of one zone, with the days that have a change of offset told apart."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._midnights: dict[date, int | None] = {}

    def midnight(self, day: date) -> int | None:
        """The instant of 00:00, or None where the offset changes during the day."""
        if day not in self._midnights:
            first = datetime(day.year, day.month, day.day, tzinfo=self._zone)
            last = first + timedelta(days=1)
            same = first.utcoffset() == last.utcoffset() == last.replace(fold=1).utcoffset()
            _remember(self._midnights, day, _epoch_ns(first) if same else None)
        return self._midnights[day]

    def instant(self, day: date, since: int, text: str) -> int:
        """The instant `since` ns after 00:00 by the wall clock; `text` is for the error."""
        midnight = self.midnight(day)
        if midnight is not None:
            return midnight + since
        try:
            return wall_instant(_midnight_utc(day) + since, self._zone.key)
        except ValueError as error:
            raise FatalStampError(f"the stamp {text!r} names no one instant: {error}") from None


def _parse_date(digits: str, text: str) -> date:
    if len(digits) == 10 and digits[7] == digits[4]:
        digits = digits[:4] + digits[5:7] + digits[8:]
    try:
        if len(digits) != 8 or not is_number(digits):
            raise ValueError
        day = number_date(int(digits))
    except ValueError:
        raise StampError(f"{text!r} is not a time stamp") from None
    if not 1970 <= day.year < 2100:
        raise StampError(f"{text!r} is not a time stamp between 1970 and 2100")
    return day


def _time_of_day(match: re.Match[str], text: str) -> tuple[int, str | None]:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise StampError(f"{text!r} is not a time of day")
    fraction = int((match["fraction"] or "0").ljust(9, "0"))
    return (hour * 3600 + minute * 60 + second) * SECOND_NS + fraction, match["zone"]


def _offset_ns(zone: str) -> int:
    match = _OFFSET.fullmatch(zone)
    if match is None:
        return 0
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return (-seconds if match[1] == "-" else seconds) * SECOND_NS


def _midnight_utc(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_NS


def _epoch_ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_NS


def _remember(memory: dict[Key, Value], key: Key, value: Value) -> None:
    if len(memory) >= REMEMBERED_MAX:
        memory.clear()
    memory[key] = value
