"""The exchange's hours as the gateway knows them, and where its bars begin and end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.fake_gateway.clock import SECOND_NS

MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS


def _days(by_year: dict[int, str]) -> frozenset[date]:
    return frozenset(
        date.fromisoformat(f"{year}-{day}")
        for year, days in by_year.items()
        for day in days.split()
    )


# Written by hand from the exchange's published list, so that it can disagree with ours.
HOLIDAYS = _days(
    {
        2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
        2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
        2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
        2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    }
)
EARLY_CLOSES = _days(
    {
        2024: "07-03 11-29 12-24",
        2025: "07-03 11-28 12-24",
        2026: "11-27 12-24",
        2027: "11-26",
    }
)

SIZES_NS = {
    "5 secs": 5 * SECOND_NS,
    "30 secs": 30 * SECOND_NS,
    "1 min": MINUTE_NS,
    "2 mins": 2 * MINUTE_NS,
    "3 mins": 3 * MINUTE_NS,
    "5 mins": 5 * MINUTE_NS,
    "10 mins": 10 * MINUTE_NS,
    "15 mins": 15 * MINUTE_NS,
    "20 mins": 20 * MINUTE_NS,
    "30 mins": 30 * MINUTE_NS,
    "1 hour": 60 * MINUTE_NS,
    "2 hours": 120 * MINUTE_NS,
    "4 hours": 240 * MINUTE_NS,
    "1 day": DAY_NS,
}

# The longest bar that each duration of the vendor's table may be cut into, and the shortest.
_STEPS: tuple[tuple[int, str, str], ...] = (
    (60, "5 secs", "1 min"),
    (120, "5 secs", "2 mins"),
    (1_800, "5 secs", "30 mins"),
    (3_600, "5 secs", "1 hour"),
    (14_400, "30 secs", "2 hours"),
    (28_800, "30 secs", "4 hours"),
    (86_400, "1 min", "1 day"),
)
_SHORTEST_OF_UNIT = {"D": "1 min", "W": "3 mins", "M": "30 mins", "Y": "1 day"}
_DURATION = re.compile(r"(\d+) ([SDWMY])")


@dataclass
class Hours:
    """One exchange's hours, in its own zone; days may be closed, shortened or given by hand.

    `zone_id` is what the gateway calls the zone, which need not be a name that anyone knows.
    `announced` replaces what `liquidHours` says of a day, bars stay as they are.
    """

    zone: str = "America/New_York"
    zone_id: str = "US/Eastern"
    open: time = time(9, 30)
    close: time = time(16, 0)
    early_close: time = time(13, 0)
    extended_open: time = time(4, 0)
    extended_close: time = time(20, 0)
    closed: set[date] = field(default_factory=lambda: set(HOLIDAYS))
    early: set[date] = field(default_factory=lambda: set(EARLY_CLOSES))
    announced: dict[date, str] = field(default_factory=dict)

    def announce(self, day: str, text: str) -> None:
        """Let `liquidHours` say something else of a day, as 20261124:CLOSED."""
        self.announced[date.fromisoformat(day)] = text

    def session(self, day: date, *, regular: bool) -> tuple[int, int] | None:
        """Return a day's open and close in nanoseconds, None when the exchange is closed."""
        if day.weekday() >= 5 or day in self.closed:
            return None
        opens = self.open if regular else self.extended_open
        if regular:
            closes = self.early_close if day in self.early else self.close
        else:
            closes = time(17, 0) if day in self.early else self.extended_close
        return _instant(day, opens, self.zone), _instant(day, closes, self.zone)

    def day_of(self, instant_ns: int) -> date:
        """Return the exchange's date at an instant."""
        return datetime.fromtimestamp(instant_ns // SECOND_NS, ZoneInfo(self.zone)).date()

    def sessions_back(self, until_ns: int, days: int, *, regular: bool) -> tuple[int, int] | None:
        """Return the span of the last `days` sessions that had begun by an instant."""
        day, found, first, last = self.day_of(until_ns), 0, None, None
        for _ in range(days * 2 + 30):
            session = self.session(day, regular=regular)
            if session is not None and session[0] < until_ns:
                first, last = session[0], last or session[1]
                found += 1
                if found == days:
                    break
            day -= timedelta(days=1)
        return None if first is None or last is None else (first, last)

    def text(self, from_ns: int, days: int, *, regular: bool) -> str:
        """Return `tradingHours` or `liquidHours` as the gateway writes them."""
        parts = []
        for offset in range(days):
            day = self.day_of(from_ns) + timedelta(days=offset)
            session = self.session(day, regular=regular)
            if regular and day in self.announced:
                parts.append(self.announced[day])
            elif session is None:
                parts.append(f"{day:%Y%m%d}:CLOSED")
            else:
                opens, closes = (_local(instant, self.zone) for instant in session)
                parts.append(f"{opens:%Y%m%d:%H%M}-{closes:%Y%m%d:%H%M}")
        return ";".join(parts)


def edge_before(
    instant_ns: int, size_ns: int, session: tuple[int, int], zone: str, grid: str
) -> tuple[int, int]:
    """Return the bar of a size that holds an instant of a session: start and end.

    grid "clock": bars sit on the clock (09:30, 10:00, 11:00 ...), the first is a stub; "session":
    they count from the open. Either way no bar leaves its session.
    """
    opens, closes = session
    if size_ns >= DAY_NS:
        return opens, closes
    if grid == "clock":
        midnight = _local(opens, zone).replace(hour=0, minute=0, second=0)
        origin = round(midnight.timestamp()) * SECOND_NS
    else:
        origin = opens
    start = origin + (instant_ns - origin) // size_ns * size_ns
    return max(start, opens), min(start + size_ns, closes)


def window(
    duration: str, end_ns: int, hours: Hours, *, regular: bool, days_are_sessions: bool = True
) -> tuple[int, int] | None:
    """Return the span that a duration before an instant covers; None if it is no duration.

    Seconds are seconds of the clock; days are sessions, or days that begin at the exchange's
    midnight; weeks, months and years are calendar days.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    if unit == "S":
        return end_ns - number * SECOND_NS, end_ns
    if unit == "D" and days_are_sessions:
        span = hours.sessions_back(end_ns, number, regular=regular)
        return (end_ns, end_ns) if span is None else (span[0], end_ns)
    if unit == "D":
        first = hours.day_of(end_ns - 1) - timedelta(days=number - 1)
        return _instant(first, time(0, 0), hours.zone), end_ns
    days = {"W": 7, "M": 30, "Y": 365}[unit] * number
    return end_ns - days * DAY_NS, end_ns


def step_refused(duration: str, bar_size: str) -> str | None:
    """Say why a duration cannot be cut into bars of a size, by the vendor's table."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return "Historical data query duration string is invalid."
    if bar_size not in SIZES_NS:
        legal = ", ".join(SIZES_NS)
        return f"Historical data bar size setting is invalid. Legal ones are: {legal}"
    number, unit, size = int(match[1]), match[2], SIZES_NS[bar_size]
    if unit == "D" and number > 365:
        return "Historical data requests for durations longer than 365 days must be made in years."
    if unit != "S":
        shortest = SIZES_NS[_SHORTEST_OF_UNIT[unit]]
        return None if size >= shortest else f"invalid step: {duration} of {bar_size}"
    for seconds, shortest_name, longest_name in _STEPS:
        if number <= seconds:
            fits = SIZES_NS[shortest_name] <= size <= SIZES_NS[longest_name]
            return None if fits else f"invalid step: {duration} of {bar_size}"
    return "Historical data request for greater than 86400 seconds is not allowed."


def bar_date(instant_ns: int, bar_size: str, format_date: int, hours: Hours) -> str:
    """Write a bar's start as the protocol does: a day, epoch seconds, or local time and zone."""
    local = _local(instant_ns, hours.zone)
    if bar_size == "1 day":
        return f"{local:%Y%m%d}"
    if format_date == 2:
        return str(instant_ns // SECOND_NS)
    return f"{local:%Y%m%d %H:%M:%S} {hours.zone_id}"


def utc_text(instant_ns: int) -> str:
    """Write an instant as the handshake does, `20261122 13:46:06 GMT`."""
    return f"{datetime.fromtimestamp(instant_ns // SECOND_NS, UTC):%Y%m%d %H:%M:%S} GMT"


def end_instant(text: str, now_ns: int) -> int | None:
    """Read a request's `endDateTime`: empty is now; None if it cannot be read."""
    if not text:
        return now_ns
    if match := re.fullmatch(r"(\d{8})-(\d\d:\d\d:\d\d)", text):
        stamp, zone = f"{match[1]} {match[2]}", "UTC"
    else:
        stamp, _, zone = text.rpartition(" ")
    try:
        local = datetime.strptime(stamp, "%Y%m%d %H:%M:%S").replace(tzinfo=ZoneInfo(zone))
    except (ValueError, KeyError):
        return None
    return round(local.timestamp()) * SECOND_NS


def _local(instant_ns: int, zone: str) -> datetime:
    return datetime.fromtimestamp(instant_ns // SECOND_NS, ZoneInfo(zone))


@lru_cache(maxsize=4096)
def _instant(day: date, clock: time, zone: str) -> int:
    return round(datetime.combine(day, clock, ZoneInfo(zone)).timestamp()) * SECOND_NS
