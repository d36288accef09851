"""Which bars must exist: the edges of every bar of a session.

Pure arithmetic on UTC nanoseconds. Clock-hour edges are cut in UTC, which is right as long as the
exchange's offset is whole hours and no session spans a change of it: both hold for every session
of the calendars that `calendar_build.py` accepts (clocks change on a Sunday).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from daemon.core.events import Session
from daemon.core.units import HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.feeds.calendar import Calendar, Hours

BAR_SIZES_NS = {
    "1h": HOUR_NS,
    "30m": 30 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "1m": MINUTE_NS,
}
GRIDS = ("session", "clock")


class ExpectedSession(Struct, frozen=True, gc=False):
    """A session and the starts and ends of the bars expected in it, in order."""

    session: Session
    starts: list[int]
    ends: list[int]


def bar_edges(opens: int, closes: int, size_ns: int, grid: str) -> tuple[list[int], list[int]]:
    """The starts and ends of the bars of a session that lasts from `opens` to `closes`.

    Grid `session` steps from the open (09:30, 10:30 …); `clock` cuts at whole multiples of the
    size (09:30, 10:00, 11:00 …). Each bar ends where the next one starts, the last at the close,
    so the first and the last may be shorter than `size_ns`.
    """
    if grid == "session":
        starts = list(range(opens, closes, size_ns))
    elif grid == "clock":
        starts = [opens, *range(opens - opens % size_ns + size_ns, closes, size_ns)]
    else:
        raise ValueError(f"grid {grid!r} is neither session nor clock")
    return starts, [*starts[1:], closes]


def expected_sessions(
    calendar: Calendar, first_date: int, last_date: int, size_ns: int, grid: str
) -> list[ExpectedSession]:
    """The sessions dated `first_date` to `last_date` (inclusive) with their bars.

    A million 1-minute edges weigh some 50 MB: whoever passes through them once uses
    `each_expected_session`. RefusedError for dates outside the calendar.
    """
    return list(each_expected_session(calendar, first_date, last_date, size_ns, grid))


def each_expected_session(
    calendar: Calendar, first_date: int, last_date: int, size_ns: int, grid: str
) -> Iterator[ExpectedSession]:
    """As `expected_sessions`, one at a time."""
    hours = calendar.sessions(first_date, last_date)
    following = [each.opens for each in hours[1:]]
    if hours:
        following.append(calendar.opens_after(hours[-1].date))
    for each, next_opens in zip(hours, following, strict=True):
        yield expected_session(each, next_opens, size_ns, grid)


def with_bars(session: Session, size_ns: int, grid: str) -> ExpectedSession:
    """A session with its bars again: a million edges are made when they are played, not kept."""
    starts, ends = bar_edges(session.opens, session.closes, size_ns, grid)
    return ExpectedSession(session, starts, ends)


def expected_session(hours: Hours, next_opens: int, size_ns: int, grid: str) -> ExpectedSession:
    """One session's bars; `next_opens` is the following session's open, 0 where there is none."""
    starts, ends = bar_edges(hours.opens, hours.closes, size_ns, grid)
    session = Session(hours.date, hours.opens, hours.closes, len(starts), starts[-1], next_opens)
    return ExpectedSession(session, starts, ends)
