"""Instants and dates as people write them: ISO-8601, exchange time, the command line's T.

An instant is an integer of UTC nanoseconds since 1970, a date an integer YYYYMMDD. A *wall* time
is what a clock in some zone shows, counted in nanoseconds as if that clock were UTC. All of it is
integer arithmetic; no float ever holds an instant. Zones are IANA names.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from daemon.errors import UsageError

DAY_NS = 24 * HOUR_NS

_EPOCH = date(1970, 1, 1)
_DAY = r"\d{4}(?P<dash>-?)\d\d(?P=dash)\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
_OFFSET = r"Z|z|[+-]\d\d(?::?\d\d)?"
_ISO = rf"(?P<day>{_DAY})[T ](?P<clock>{_CLOCK}) ?(?P<zone>{_OFFSET})"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_WHEN = (
    rf"(?:(?P<day>{_DAY})(?:[T ](?=\d\d:)|(?!\d)))?(?P<clock>{_CLOCK})?"
    rf"(?: ?(?P<offset>{_OFFSET})| (?P<zone>[A-Za-z]\S*))?"
)


def iso_z(instant: int) -> str:
    """An instant as ISO-8601 UTC; a fraction of a second only if there is one (3, 6, 9 digits)."""
    day, nanos = divmod(instant, DAY_NS)
    second, nanos = divmod(nanos, SECOND_NS)
    text = f"{_day_text(day)}T{_clock_text(second)}"
    if not nanos:
        return text + "Z"
    digits = f"{nanos:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z"


def parse_iso(text: str) -> int:
    """The instant of an ISO-8601 date and time that names its offset (`Z` or `+HH:MM`).

    At most nine digits of a second are read, exactly. ValueError for anything else, a naive
    stamp included: whoever knows the zone adds it with `wall_instant`.
    """
    if len(text) == 20 and text[10] == "T" and text[19] == "Z":
        return _day_ns(text[:10]) + _clock_ns(text[11:19])
    found = re.fullmatch(_ISO, text, re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is not a date and time with a zone (2024-01-02T15:30:00Z)")
    return _day_ns(found["day"]) + _clock_ns(found["clock"]) - _offset_ns(found["zone"])


def wall_ns(day: int, clock: str = "00:00") -> int:
    """A date YYYYMMDD and a time of day (HH:MM, HH:MM:SS) as a wall time."""
    return (number_date(day) - _EPOCH).days * DAY_NS + _clock_ns(clock)


def wall_instant(wall: int, zone: str) -> int:
    """The instant at which clocks in `zone` show the wall time `wall`.

    ValueError where that hour happens twice or never because daylight saving time ends or
    begins: such a stamp names no instant, and guessing one would move bars by an hour.
    """
    info = zone_info(zone)
    naive = datetime.fromtimestamp(wall // SECOND_NS, UTC)
    early, late = naive.replace(tzinfo=info), naive.replace(tzinfo=info, fold=1)
    first, second = _utc_offset_ns(early), _utc_offset_ns(late)
    if first == second:
        return wall - first
    shown = naive.strftime("%Y-%m-%d %H:%M")
    if first > second:
        hint = f"{early.isoformat()[-6:]} or {late.isoformat()[-6:]}"
        raise ValueError(
            f"{shown} happens twice in {zone} (clocks go back): add the offset, {hint}"
        )
    raise ValueError(f"{shown} does not exist in {zone} (clocks go forward)")


def zone_info(zone: str) -> ZoneInfo:
    """The zone of an IANA name; ValueError, with what to write instead, for an unknown one."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"unknown time zone {zone!r}: write Z, an offset or a name (America/New_York)"
        ) from error


def zone_date(instant: int, zone: str) -> int:
    """The date YYYYMMDD that calendars in `zone` show at an instant."""
    return date_number(datetime.fromtimestamp(instant // SECOND_NS, zone_info(zone)))


def zone_text(instant: int, zone: str) -> str:
    """An instant as a person in `zone` reads it, seconds only if there are some."""
    shown = datetime.fromtimestamp(instant // SECOND_NS, zone_info(zone))
    return shown.strftime("%Y-%m-%d %H:%M:%S" if shown.second else "%Y-%m-%d %H:%M")


def in_zone(text: str, zone: str) -> str:
    """A recorded text as a person in `zone` reads it: its ISO-8601 instants in that zone."""

    def read(found: re.Match[str]) -> str:
        try:
            return zone_text(parse_iso(found[0]), zone)
        except (ValueError, OverflowError):  # what a person typed may look like one and be none
            return found[0]

    return _STAMP.sub(read, text)


def date_number(day: date) -> int:
    """A date as the integer YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day


def number_date(number: int) -> date:
    """The date of an integer YYYYMMDD; ValueError if there is no such day."""
    return date(number // 10_000, number // 100 % 100, number % 100)


def date_text(number: int) -> str:
    """YYYYMMDD as 2024-01-02."""
    return f"{number // 10_000:04d}-{number // 100 % 100:02d}-{number % 100:02d}"


def parse_date(text: str) -> int:
    """2024-01-02 or 20240102 as YYYYMMDD; ValueError if it is not a day of the calendar."""
    if re.fullmatch(_DAY, text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a date (2024-01-02)")
    number = int(text.replace("-", ""))
    try:
        number_date(number)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a day of the calendar") from error
    return number


def parse_when(text: str, zone: str, *, end_of_day: bool = False, now: int | None = None) -> int:
    """The instant of the command line's T.

    T is a date, a date and time, or HH:MM today, in exchange time (`zone`) unless it carries
    `Z`, an offset or, after a space, a zone's name. A bare date is its 00:00, or with
    `end_of_day` its 24:00, so that an inclusive `--end` contains the whole day. `now` (default:
    the clock) decides which day today is. UsageError for anything else, and for a wall time in
    the repeated or skipped hour of a change to or from daylight saving time.
    """
    try:
        return _parse_when(text.strip(), zone, end_of_day=end_of_day, now=now)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _parse_when(text: str, zone: str, *, end_of_day: bool, now: int | None) -> int:
    found = re.fullmatch(_WHEN, text, re.ASCII)
    if found is None or (found["day"] is None and found["clock"] is None):
        raise ValueError(
            f"{text!r} is not a time: write 2024-01-02, 2024-01-02T10:30 or 10:30 (today)"
        )
    zone = found["zone"] or zone
    offset = None if found["offset"] is None else _offset_ns(found["offset"])
    if found["day"] is not None:
        wall = _day_ns(found["day"])
    else:
        now = time.time_ns() if now is None else now
        here = wall_ns(zone_date(now, zone))
        wall = here if offset is None else (now + offset) // DAY_NS * DAY_NS
    if found["clock"] is not None:
        wall += _clock_ns(found["clock"])
    elif end_of_day:
        wall += DAY_NS
    return wall_instant(wall, zone) if offset is None else wall - offset


def _offset_ns(text: str) -> int:
    """`Z`, `+HH`, `+HHMM` or `+HH:MM` in nanoseconds east of UTC."""
    if text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text!r} is not an offset from UTC (-05:00)")
    size = hours * HOUR_NS + minutes * MINUTE_NS
    return -size if text[0] == "-" else size


def _utc_offset_ns(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None, "an aware datetime has an offset"
    return offset // timedelta(seconds=1) * SECOND_NS


# A tape has few days and fewer times of day, each many times over: their texts are remembered.


@lru_cache(maxsize=8192)
def _day_text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


@lru_cache(maxsize=2048)
def _clock_text(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


@lru_cache(maxsize=8192)
def _day_ns(text: str) -> int:
    return (number_date(parse_date(text)) - _EPOCH).days * DAY_NS


@lru_cache(maxsize=2048)
def _clock_ns(text: str) -> int:
    """HH:MM, HH:MM:SS or that with a fraction, in nanoseconds after midnight."""
    if re.fullmatch(_CLOCK, text, re.ASCII) is None:
        raise ValueError(f"{text!r} is not a time of day (15:30:00)")
    whole, _, fraction = text.partition(".")
    hour, minute, second = (int(part) for part in f"{whole}:00".split(":")[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is not a time of day (00:00 to 23:59)")
    return hour * HOUR_NS + minute * MINUTE_NS + second * SECOND_NS + int(fraction.ljust(9, "0"))
