"""The hours that a contract states, held against the calendar.

`liquidHours` is a list of days, `20261123:0930-20261123:1600;20261124:CLOSED` (older gateways
leave the second date out), in the contract's own zone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from daemon.feeds.times import date_text, wall_instant, wall_ns, zone_text

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar, Hours

_DAY = re.compile(r"(\d{8}):(?:(CLOSED)|(.+))")
_SPAN = re.compile(r"(\d{4})-(?:(\d{8}):)?(\d{4})")

ZONES = {
    "EST": "America/New_York",
    "EST5EDT": "America/New_York",
    "US/Eastern": "America/New_York",
}
"""What gateways call New York; hosts without legacy names know only the last part of each row."""

Span = tuple[int, int]


class HoursDiffer(NamedTuple):
    """A day whose hours the gateway states otherwise than the calendar, and what to do about it."""

    date: int
    text: str


def stated_hours(liquid_hours: str, zone: str, otherwise: str) -> dict[int, Span | None]:
    """Each stated day's open and close (UTC ns), None where it is closed; ValueError if unread.

    A zone is an IANA name, or one with a remark behind it; one that nobody knows is `otherwise`.
    """
    found: dict[int, Span | None] = {}
    for part in liquid_hours.split(";"):
        if not part:
            continue
        day = _DAY.fullmatch(part)
        if day is None:
            raise ValueError(f"{part!r} is not a day's hours")
        date = int(day[1])
        found[date] = None if day[2] else _span(date, day[3], _known_zone(zone, otherwise))
    return found


def _span(date: int, text: str, zone: str) -> Span:
    """From the first open to the last close of a day."""
    edges: list[int] = []
    for part in text.split(","):
        span = _SPAN.fullmatch(part.removeprefix(f"{date}:"))
        if span is None:
            raise ValueError(f"{part!r} is not an open and a close")
        edges.append(_instant(date, span[1], zone))
        edges.append(_instant(int(span[2] or date), span[3], zone))
    return min(edges), max(edges)


def _instant(date: int, clock: str, zone: str) -> int:
    return wall_instant(wall_ns(date, f"{clock[:2]}:{clock[2:]}"), zone)


def _known_zone(zone: str, otherwise: str) -> str:
    name = zone.split(" ", maxsplit=1)[0]
    name = ZONES.get(name, name)
    try:
        zone_text(0, name)
    except ValueError:
        return otherwise
    return name


def differences(calendar: Calendar, stated: dict[int, Span | None]) -> list[HoursDiffer]:
    """The stated days that differ from the calendar, earliest first."""
    found = []
    for date, span in sorted(stated.items()):
        if not calendar.first_date <= date <= calendar.last_date:
            continue
        known = calendar.session(date)
        text = _difference(calendar, date, known, span)
        if text is not None:
            found.append(HoursDiffer(date, text))
    return found


def _difference(
    calendar: Calendar, date: int, known: Hours | None, span: Span | None
) -> str | None:
    day = date_text(date)
    if known is None and span is None:
        return None
    if span is None:
        return (
            f"Interactive Brokers says that the exchange is closed on {day}: if so, "
            f"`papertape calendar add {day}`, then restart"
        )
    opens, closes = (zone_text(edge, calendar.zone)[11:] for edge in span)
    if known is None:
        return (
            f"Interactive Brokers says that {day} is open from {opens} to {closes}, calendar "
            f"{calendar.name} has no session: a newer exchange_calendars may know it"
        )
    if span == (known.opens, known.closes):
        return None
    if span[0] == known.opens and span[1] < known.closes:
        return (
            f"Interactive Brokers says that the exchange closes at {closes} on {day}: if so, "
            f"`papertape calendar add {day} --early-close {closes}`, then restart"
        )
    ours = " to ".join(zone_text(edge, calendar.zone)[11:] for edge in (known.opens, known.closes))
    return (
        f"Interactive Brokers says that {day} is open from {opens} to {closes}, calendar "
        f"{calendar.name} {ours}: a newer exchange_calendars may know it"
    )
