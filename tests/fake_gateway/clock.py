"""Where the fake gateway takes its time from: moved by hand, by an event loop, or by the wall."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Protocol
from zoneinfo import ZoneInfo

SECOND_NS = 1_000_000_000

Cancel = Callable[[], None]


class Clock(Protocol):
    """UTC nanoseconds since 1970, and callbacks at instants of that time."""

    def now_ns(self) -> int:
        """Return the instant it is now."""
        ...

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Cancel:
        """Call back once at an instant, at once if it has passed; the result takes it back."""
        ...


class _Timers:
    """Callbacks in the order of their instants, equal ones in the order in which they came."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._cancelled: set[int] = set()

    def add(self, at_ns: int, callback: Callable[[], None]) -> Cancel:
        """Remember a callback; the result takes it back."""
        number = next(self._numbers)
        heapq.heappush(self._heap, (at_ns, number, callback))
        return lambda: self._cancelled.add(number)

    def next_ns(self) -> int | None:
        """Return the earliest instant that something waits for."""
        while self._heap and self._heap[0][1] in self._cancelled:
            self._cancelled.discard(heapq.heappop(self._heap)[1])
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Callable[[], None]:
        """Take the callback that `next_ns` spoke of."""
        return heapq.heappop(self._heap)[2]


class ManualClock:
    """Time stands still until `advance` or `advance_to` moves it; due callbacks run on the way.

    It belongs to one thread: the one that runs the gateway's event loop.
    """

    def __init__(self, start: str | int) -> None:
        self._now_ns = instant_ns(start)
        self._timers = _Timers()

    def now_ns(self) -> int:
        """Return the instant that was last moved to."""
        return self._now_ns

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Cancel:
        """Remember a callback; one that is due already runs with the next move."""
        return self._timers.add(at_ns, callback)

    def next_ns(self) -> int | None:
        """Return the earliest instant that something waits for."""
        return self._timers.next_ns()

    def advance(self, seconds: float) -> None:
        """Move on by seconds, running what falls due in order of its instant."""
        self.advance_to(self._now_ns + round(seconds * SECOND_NS))

    def advance_to(self, to: str | int) -> None:
        """Move on to an instant; a callback sees the instant it asked for, never a later one."""
        to_ns = instant_ns(to)
        assert to_ns >= self._now_ns, "time does not run backwards"
        while (at_ns := self._timers.next_ns()) is not None and at_ns <= to_ns:
            self._now_ns = max(self._now_ns, at_ns)
            self._timers.pop()()
        self._now_ns = to_ns


class LoopClock:
    """The time of an event loop, counted from a start; with a virtual loop it is virtual.

    It has timers of its own, since a loop calls what is due at one instant in no certain order.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, start: str | int, pace: float = 1) -> None:
        self._loop = loop
        self._pace = pace
        self._start_ns = instant_ns(start)
        self._started_s = loop.time()
        self._floor_ns = self._start_ns
        self._timers = _Timers()
        self._armed: tuple[int, asyncio.TimerHandle] | None = None

    def now_ns(self) -> int:
        """Return the instant, rounded to microseconds, since the loop counts in floats."""
        passed_us = round((self._loop.time() - self._started_s) * self._pace * 1e6)
        self._floor_ns = max(self._floor_ns, self._start_ns + passed_us * 1_000)
        return self._floor_ns

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Cancel:
        """Let the loop call back; the callback never sees an instant before the one asked for."""
        cancel = self._timers.add(at_ns, callback)
        self._arm()
        return cancel

    def _arm(self) -> None:
        next_ns = self._timers.next_ns()
        if next_ns is None or (self._armed is not None and self._armed[0] <= next_ns):
            return
        if self._armed is not None:
            self._armed[1].cancel()
        after_s = (next_ns - self._start_ns) / SECOND_NS / self._pace
        handle = self._loop.call_at(self._started_s + after_s, self._due, next_ns)
        self._armed = (next_ns, handle)

    def _due(self, armed_ns: int) -> None:
        self._armed = None
        self._floor_ns = max(self._floor_ns, armed_ns)
        while (at_ns := self._timers.next_ns()) is not None and at_ns <= self.now_ns():
            self._timers.pop()()
        self._arm()


def instant_ns(value: str | int) -> int:
    """Read an instant: nanoseconds, or ISO-8601 with an offset or followed by a zone's name.

    >>> instant_ns("2026-11-23T09:30 America/New_York") // SECOND_NS
    1795444200
    """
    if isinstance(value, int):
        return value
    text, _, zone = value.partition(" ") if "T" in value else (value, "", "")
    moment = datetime.fromisoformat(text)
    if zone:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    assert moment.tzinfo is not None, f"{value!r} has no zone"
    return round(moment.timestamp()) * SECOND_NS + moment.microsecond * 1_000


def wall_ns() -> int:
    """Return the machine's time, for a gateway that a person started."""
    return time.time_ns()
