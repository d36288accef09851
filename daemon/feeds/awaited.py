"""The slots and ticks that have not come out yet: the head, and what waits behind it.

The schedule has no end, so it is read only as far as bars have come or are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from daemon.core.events import Bar, Outcome, Tick
from daemon.feeds.closed_bars import Slot

Schedule = Iterator[Slot | Tick]
"""What is expected, in order; a tick stands behind the slot that ends at its instant."""

SLOTS_WAITING_MAX = 4096
"""Slots that may wait behind one that does not close; one more closes it."""


class Waiting:
    """A slot that is not closed: its bars in hand, what else came of them, and who will not come.

    `on_time` is the instant until which it may decide, `first` and `last` when bars came (ns).
    """

    __slots__ = ("bars", "first", "last", "on_time", "others", "slot", "why")

    def __init__(self, slot: Slot, decide_ns: int) -> None:
        self.slot = slot
        self.on_time = slot.end + decide_ns
        self.bars: dict[str, Bar] = {}
        self.others: dict[str, Bar] = {}
        self.why: dict[str, tuple[Outcome, str]] = {}
        self.first: int | None = None
        self.last = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is expected of any symbol."""
        return len(self.bars) + len(self.why) == len(self.slot.symbols)

    def lacks(self, symbol: str) -> bool:
        """Whether this symbol's bar is expected, not in hand and not given up."""
        known = symbol in self.bars or symbol in self.why
        return not known and symbol in self.slot.symbols

    def put(self, bar: Bar, now: int) -> None:
        """A bar has come, perhaps after it was declared absent."""
        self.why.pop(bar.symbol, None)
        self.bars[bar.symbol] = bar
        self.first = now if self.first is None else self.first
        self.last = now


class Awaited:
    """The queue between the schedule and what comes out."""

    def __init__(self, schedule: Schedule, decide_ns: int) -> None:
        self._schedule = schedule
        self._decide_ns = decide_ns
        self._queue: deque[Waiting | Tick] = deque()
        self._slots: dict[int, Waiting] = {}
        self._newest: Slot | None = None

    @property
    def head(self) -> Waiting | Tick | None:
        """What comes out next; None where the schedule has ended."""
        if not self._queue:
            self._pull()
        return self._queue[0] if self._queue else None

    @property
    def is_full(self) -> bool:
        """Whether so much waits that the head must go."""
        return len(self._slots) > SLOTS_WAITING_MAX

    @property
    def oldest(self) -> Slot | None:
        """The first slot that waits."""
        return next(iter(self._slots.values())).slot if self._slots else None

    @property
    def following(self) -> Slot | None:
        """The next slot that will close."""
        while not self._slots and self._pull():
            pass
        return self.oldest

    def pop(self) -> None:
        """The head has come out."""
        item = self._queue.popleft()
        if isinstance(item, Waiting):
            del self._slots[item.slot.start]

    def get(self, start: int) -> Waiting | None:
        """The slot that begins there, if it waits."""
        return self._slots.get(start)

    def read_to(self, start: int, now: int) -> bool:
        """Read one item of the schedule, if a slot that begins at `start` may still be in it."""
        newest = self._newest
        if newest is not None and (newest.start >= start or newest.end > now):
            return False
        return self._pull()

    def read_ended(self, until: int, limit: int) -> Iterator[Waiting]:
        """The slots that ended by `until`, the first `limit` of them."""
        while len(self._slots) < limit and (self._newest is None or self._newest.end <= until):
            if not self._pull():
                break
        for waiting in self._slots.values():
            if waiting.slot.end > until:
                return
            yield waiting

    def first_in_hand(self) -> Waiting | None:
        """The first slot of which a bar is here."""
        for waiting in self._slots.values():
            if waiting.first is not None:
                return waiting
        return None

    def _pull(self) -> bool:
        item = next(self._schedule, None)
        if item is None:
            return False
        if isinstance(item, Slot):
            self._newest = item
            waiting = self._slots[item.start] = Waiting(item, self._decide_ns)
            self._queue.append(waiting)
        else:
            self._queue.append(item)
        return True
