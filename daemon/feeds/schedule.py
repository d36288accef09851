"""What must come, from the calendar: the slots and ticks that the expected-bar clock waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from daemon.core.events import CorporateAction, Tick, TickKind
from daemon.errors import RefusedError
from daemon.feeds.closed_bars import Slot
from daemon.feeds.expected import ExpectedSession, expected_session
from daemon.feeds.times import date_text

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar, Hours

SLICE, TICK = 0, 1
"""The second half of a key: at one instant a slice comes before a tick."""

Key = tuple[int, int]
"""The place of a slice or tick in event time: (its end or instant, SLICE or TICK)."""


def key_of(item: Slot | Tick) -> Key:
    """The place of an item; a schedule's keys strictly increase."""
    return (item.instant, TICK) if isinstance(item, Tick) else (item.end, SLICE)


def calendar_schedule(
    calendar: Calendar,
    symbols: tuple[str, ...],
    size_ns: int,
    grid: str,
    after: Key,
    *,
    warmup: int = 0,
    actions: Sequence[CorporateAction] = (),
) -> Iterator[Slot | Tick]:
    """What is expected after `after`, without end; before it, the last `warmup` slots up to there.

    A corporate action goes with the first slot of the first session that begins on its date or
    later; one whose slot lies before `after` has been applied. RefusedError, when it comes to that,
    where the calendar ends.
    """
    hours = _session_at(calendar, after[0])
    yield from _warmup(calendar, hours, symbols, size_ns, grid, after, warmup)
    previous = calendar.previous_session(hours.date).date
    while True:
        session = _expected(calendar, hours, size_ns, grid)
        due = tuple(one for one in actions if previous < one.effective <= hours.date)
        for item in session_schedule(session, symbols, due):
            if key_of(item) > after:
                yield item
        previous = hours.date
        hours = _next(calendar, hours)


def session_schedule(
    expected: ExpectedSession, symbols: tuple[str, ...], actions: tuple[CorporateAction, ...] = ()
) -> Iterator[Slot | Tick]:
    """A whole session: its open, its slots, its close."""
    session = expected.session
    yield Tick(session.opens, TickKind.OPENS, session)
    for index, (start, end) in enumerate(zip(expected.starts, expected.ends, strict=True)):
        yield Slot(start, end, symbols, session, index, () if index else actions)
    yield Tick(session.closes, TickKind.CLOSES, session)


def _warmup(
    calendar: Calendar,
    hours: Hours,
    symbols: tuple[str, ...],
    size_ns: int,
    grid: str,
    after: Key,
    count: int,
) -> Iterator[Slot]:
    found: list[Slot] = []
    while len(found) < count:
        expected = _expected(calendar, hours, size_ns, grid)
        edges = list(enumerate(zip(expected.starts, expected.ends, strict=True)))
        for index, (start, end) in reversed(edges):
            if (end, SLICE) <= after and len(found) < count:
                found.append(Slot(start, end, symbols, expected.session, index, (), warmup=True))
        if len(found) < count:
            hours = calendar.previous_session(hours.date)
    yield from reversed(found)


def _next(calendar: Calendar, hours: Hours) -> Hours:
    try:
        return calendar.next_session(hours.date)
    except RefusedError as error:
        raise RefusedError(
            f"the calendar {calendar.name} ends with {date_text(calendar.last_date)}: restart "
            f"papertape, which makes it longer"
        ) from error


def _session_at(calendar: Calendar, instant: int) -> Hours:
    """The session of an instant's date, else the next one."""
    date = calendar.exchange_date(instant)
    return calendar.session(date) or calendar.next_session(date)


def _expected(calendar: Calendar, hours: Hours, size_ns: int, grid: str) -> ExpectedSession:
    return expected_session(hours, calendar.opens_after(hours.date), size_ns, grid)
