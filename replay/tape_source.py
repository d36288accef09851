"""The daemon's tape, without its pace: what arrives when, and what the clock makes of it.

A `ReplayFeed` says which slices and ticks there are; each bar of a slice arrives at its end unless
the plan of faults has it otherwise, and the expected-bar clock turns the arrivals into inputs
again. Without faults these are the inputs of the replay, one for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import chain
from typing import NamedTuple

from daemon.core.events import Action, ForTheFeed, Input, MarketSlice, Outcome, Tick, TickKind
from daemon.core.turn import instant_of
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import BarClock, Emitted
from daemon.feeds.clock_rules import ClockRules
from daemon.feeds.closed_bars import Slot
from daemon.feeds.schedule import SLICE, TICK, Key
from daemon.feeds.times import iso_z
from daemon.live.recovery import Place, Told
from replay.feed import ReplayFeed
from replay.tape_faults import (
    NO_FAULTS,
    FaultPlan,
    Outage,
    Tell,
    absent,
    check_faults,
    fault_plan,
    quarantined,
)

__all__ = ["FaultPlan", "TapeDriver", "check_faults", "fault_plan"]

_RESTORED, _LOST, _ARRIVED = range(3)


class TapeEvent(NamedTuple):
    """Something happens at `at`; at one instant in the order of `rank`, then of `number`."""

    at: int
    rank: int
    number: int
    tell: Tell


class TapeArrivals:
    """What a feed's slices are to the clock: a schedule, and events in order of time.

    It reads ahead as far as the next event needs, so memory does not grow with the tape.
    """

    def __init__(self, feed: ReplayFeed, plan: FaultPlan, symbols: Sequence[str]) -> None:
        self._feed = feed
        self._plan = plan
        self._symbols = symbols
        self._inputs = feed.inputs()
        self._items: deque[Slot | Tick] = deque()
        self._events: list[TapeEvent] = []
        self._losses: deque[Outage] = deque()
        self._number = 0
        self._read_until = 0

    def begin(self, position: Key | None) -> int | None:
        """Leave out what is certain to be over at `position`; the instant at which time begins.

        None where the tape holds nothing.
        """
        if position is not None:
            self._leave_out(position)
        first = next(self._inputs, None)
        if first is None:
            return None
        self._inputs = chain((first,), self._inputs)
        begins = first.start if isinstance(first, MarketSlice) else first.instant
        begins = max(begins, self._feed.window.start)
        for outage in self._plan.outages:
            if outage.is_lost and outage.ends > begins:
                self._losses.append(replace(outage, begins=max(outage.begins, begins)))
        return begins

    def schedule(self) -> Iterator[Slot | Tick]:
        """What must come."""
        while self._items or self._read():
            yield self._items.popleft()

    def next_at(self) -> int | None:
        """The instant of the next event; None where no more will come."""
        while not self._events or self._events[0].at >= self._read_until:
            if not self._read():
                break
        return self._events[0].at if self._events else None

    def pop(self) -> TapeEvent:
        """The next event."""
        return heappop(self._events)

    # --- reading --------------------------------------------------------------------------------

    def _leave_out(self, position: Key) -> None:
        """Pass over whole sessions in which nothing went wrong."""
        limit = position[0] if self._plan.first is None else min(position[0], self._plan.first)
        session: list[Input] = []
        for item in self._inputs:
            instant = instant_of(item)
            if isinstance(item, Tick) and item.kind is TickKind.OPENS and instant <= limit:
                session.clear()
            session.append(item)
            if instant > limit:
                break
        self._inputs = chain(session, self._inputs)

    def _read(self) -> bool:
        item = next(self._inputs, None)
        if isinstance(item, Tick):
            self._items.append(item)
        elif isinstance(item, MarketSlice):
            self._read_slice(item)
        return item is not None

    def _read_slice(self, market: MarketSlice) -> None:
        here = {bar.symbol for bar in market.bars}
        expected = tuple(one for one in self._symbols if one in here or one in market.missing)
        slot = Slot(
            market.start, market.end, expected, market.session, market.index, market.actions,
            warmup=market.outcome is Outcome.WARMUP,
        )  # fmt: skip
        self._items.append(slot)
        at = max(market.end, self._feed.window.start)  # warm-up is all there at the start
        while self._losses and self._losses[0].begins < at:
            self._lose(self._losses.popleft())
        for bar in market.bars:
            for comes, tell in self._plan.arrivals(bar, at):
                self._add(comes, _ARRIVED, tell)
        self._declare_missing(market, self._plan.after_outages(at))
        self._read_until = at

    def _declare_missing(self, market: MarketSlice, at: int) -> None:
        """Say of each bar that the tape lacks why it does; the feed has just noted it."""
        gaps = self._feed.played.gaps
        rows = {row.symbol: row for row in gaps if row.start == market.start}
        gaps[:] = [row for row in gaps if row.start > market.start]
        for symbol in market.missing:
            row = rows.get(symbol)
            says = quarantined if row and row.outcome is Outcome.QUARANTINED else absent
            reason = row.reason if row else "not in the tape"  # no row in warm-up
            self._add(at, _ARRIVED, says(symbol, market.start, reason))

    def _lose(self, outage: Outage) -> None:
        self._add(outage.begins, _LOST, lose)
        self._add(outage.ends, _RESTORED, restore)

    def _add(self, at: int, rank: int, tell: Tell) -> None:
        self._number += 1
        heappush(self._events, TapeEvent(at, rank, self._number, tell))


class TapeDriver:
    """Steps from one instant at which something happens to the next: `next_at`, then `step`.

    `now` is the instant of the last step. Whoever drives it waits in between, as its pace has it.
    """

    def __init__(
        self,
        feed: ReplayFeed,
        rules: ClockRules,
        symbols: tuple[str, ...],
        plan: FaultPlan = NO_FAULTS,
        *,
        held: bool = False,
    ) -> None:
        self._arrivals = TapeArrivals(feed, plan, symbols)
        self.clock = BarClock(self._arrivals.schedule(), rules, symbols, held=held)
        self.now = 0
        self.restorations = 0
        self._kept: list[Emitted] = []
        self._early: Told | None = None
        self._begun = False

    def skip_to(
        self, position: Key, symbols: tuple[str, ...] | None = None, told: Sequence[Told] = ()
    ) -> None:
        """Go on after the journal's last slice or tick as if no time had passed since.

        `symbols` are those of the slice's bars: an instant may have had several slices. What came
        out until then is made again and left out, also that of the commands that the feed was
        `told`; the hold is as the account has it. RefusedError where the tape has no such input.
        """
        held, self.clock.held = self.clock.held, False
        places = [one.place for one in told]
        begins = [position, *((place.instant, place.rank) for place in places if place)]
        self._begin(None if None in places else min(begins))
        waiting, last = deque(told), None
        while (due := self.next_at()) is not None:
            self._tell_again(waiting, last, due)
            emitted = self.step()
            found = [_is_at(item, position, symbols) for item, _ in emitted]
            inputs = [item for item, _ in emitted if isinstance(item, MarketSlice | Tick)]
            last = inputs[-1] if inputs else last
            if any(found):
                rest = [*emitted[found.index(True) + 1 :], *self._told_since(waiting, last)]
                self._kept = [one for one in rest if not isinstance(one.input, ForTheFeed)]
                self.clock.held = held
                return
        raise RefusedError(
            f"the tape has no input at {iso_z(position[0])}, where the journal ends: play the tape "
            f"and the faults it was played with, or begin with a new state directory"
        )

    def _told_since(self, waiting: deque[Told], last: MarketSlice | Tick | None) -> list[Emitted]:
        """What the commands bring about that were told after the journal's last slice or tick."""
        while waiting and _is_after(waiting[0].place, last):
            due = self.next_at()
            if due is None:
                break
            self._tell_again(waiting, last, due)
            if waiting and not self.clock.emitted:
                self.step()  # a Pause or Resume: the journal has it
        return self.clock.take()

    def _tell_again(self, waiting: deque[Told], last: MarketSlice | Tick | None, due: int) -> None:
        """What the feed was told after this input and by the time of the next event."""
        if waiting and waiting[0] is self._early and not _is_after(waiting[0].place, last):
            waiting.popleft()  # the tape has changed: it is about nothing now
        while waiting and _is_after(waiting[0].place, last):
            command = waiting[0].command
            if command.instant > due:
                return
            try:
                self.tell(command)
            except LookupError:
                if command.instant == due and not isinstance(command, Action):
                    self._early = waiting[0]  # what it is about may come at the same instant
                    return
            waiting.popleft()

    def tell(self, command: ForTheFeed) -> Outcome | None:
        """A command for the feed, at its instant; see `BarClock.carry_out`."""
        self.now = max(self.now, command.instant)
        return self.clock.carry_out(command)

    def pass_by(self, instant: int) -> None:
        """Leave out what another tape holds up to an instant that the account has seen."""
        held, self.clock.held = self.clock.held, False
        self._begin((instant, TICK))
        while (due := self.next_at()) is not None and due <= instant:
            self.step()
        self.clock.held = held

    def next_at(self) -> int | None:
        """When something happens next; None where the tape has ended."""
        if self._kept or self.clock.emitted:
            return self.now
        if not self._begun:
            self._begin(None)
        found = (self._arrivals.next_at(), self.clock.due())
        return min((at for at in found if at is not None), default=None)

    def step(self) -> list[Emitted]:
        """Let that happen; what comes out of it, in the order in which it must be admitted."""
        if self._kept:
            kept, self._kept = self._kept, []
            return kept
        if self.clock.emitted:  # by a command
            return self.clock.take()
        at, comes_at = self.next_at(), self._arrivals.next_at()
        assert at is not None, "the tape has ended"
        self.now = at
        if comes_at == at:
            event = self._arrivals.pop()
            self.restorations += event.rank == _RESTORED
            event.tell(self.clock, at)
        else:
            self.clock.advance(at)
        return self.clock.take()

    def _begin(self, position: Key | None) -> None:
        self._begun = True
        begins = self._arrivals.begin(position)
        if begins is not None:
            self.now = begins
            self.clock.advance(begins - 1)  # what happens at that instant is still to come

    # --- for status -----------------------------------------------------------------------------

    def next_bar(self) -> int | None:
        """The end of the next expected bar."""
        return self.clock.next_bar()

    @property
    def feed_state(self) -> str:
        """Up, silent or down."""
        return self.clock.feed.state.value

    @property
    def generation(self) -> int:
        """How often the feed has come up."""
        return 1 + self.restorations

    def gap_counts(self) -> dict[str, int]:
        """How many bars ended in each way but received, of those that did."""
        ends = self.clock.gaps.ends
        quiet = (Outcome.RECEIVED, Outcome.WARMUP)
        return {end.value: n for end, n in ends.items() if n > 0 and end not in quiet}


def _is_after(place: Place | None, last: MarketSlice | Tick | None) -> bool:
    """Whether the last input is the one at this place."""
    if place is None or last is None:
        return place is None and last is None
    return _is_at(last, (place.instant, place.rank), None if place.rank else place.symbols)


def _is_at(item: Input, position: Key, symbols: tuple[str, ...] | None) -> bool:
    if isinstance(item, Tick):
        return (item.instant, TICK) == position
    if not isinstance(item, MarketSlice) or (item.end, SLICE) != position:
        return False
    return symbols is None or symbols == tuple(bar.symbol for bar in item.bars)


def lose(clock: BarClock, now: int) -> None:
    """The feed goes."""
    clock.lost(now, "by the fault plan")


def restore(clock: BarClock, now: int) -> None:
    """The feed comes back."""
    clock.restored(now)
