"""The expected-bar clock: from what a feed brings, and when, to the inputs of the pipeline.

It knows from a schedule which bars must exist. No tasks, no clock, no I/O: every method takes the
time, `advance` lets it pass, and `due` says when it must. Only the head of the schedule is decided
on; what lies behind waits, so inputs come out in the order of the schedule:

    the head is               it comes out when
    a tick                    its instant has come
    a slot, all known         its end has come: each bar is in hand, or declared not to be had
    a slot, some in hand      its deadline has come, without the others
    a slot, none in hand      the first slot behind it with a bar in hand comes to its deadline
    a slot, feed not up       never: from the feed's return a new deadline runs

The deadline is the end + `decide_within_s`, or as much after the first bar that came later. What
comes out by then is RECEIVED, later BACKFILLED. For bars of a closed slice see `closed_bars.py`.
An arrival lets time pass to just before its instant alone: of what comes at one instant nothing is
too late for the rest of it, and `due` is that instant until `advance` lets it pass.

When no bar comes for `pause_after_s` after one has ended, or the feed is away so long in an open
session, a Pause of source "feed" comes out. The Resume comes when the feed (`feed_health.py`) is up
for `stable_s`, and all that has ended is closed (`backfilled`) or a bar is in time (`next_bar`).

A fact for the ledger rides on the next input that comes out: one transaction stores both.
"""

from __future__ import annotations

from typing import NamedTuple

from daemon.core.events import (
    Action,
    Bar,
    ForTheFeed,
    MarketSlice,
    Outcome,
    Pause,
    Resume,
    Tick,
)
from daemon.core.units import SECOND_NS
from daemon.feeds.awaited import Awaited, Schedule, Waiting
from daemon.feeds.clock_rules import ClockRules
from daemon.feeds.closed_bars import ClosedBars, Slot
from daemon.feeds.feed_health import FeedHealth, FeedState, FeedTrigger
from daemon.feeds.gaps import Gaps
from daemon.feeds.put_aside import ComingActions, PutAside, Quarantined
from daemon.feeds.times import iso_z
from daemon.journal.ledger import LedgerRow

SOURCE = "feed"
WAKE_NS = SECOND_NS
"""So late may a timer be; who comes later has slept, and a decision would be as late."""

_NOT_IN_TIME = "not there in time"
_LATER_CAME = "a later bar came first"


class Emitted(NamedTuple):
    """An input of the pipeline, and what the ledger learns with it."""

    input: MarketSlice | Tick | Pause | Resume | ForTheFeed
    facts: tuple[LedgerRow, ...] = ()


class BarClock:
    """See the module. `symbols` are those of the config, in its order.

    `held`: the account carries the feed's hold, from before a restart. `gaps` counts what the
    bars ended as, `emitted` is what `take` would give.
    """

    def __init__(
        self, schedule: Schedule, rules: ClockRules, symbols: tuple[str, ...], *, held: bool
    ) -> None:
        self.held = held
        self.feed = FeedHealth()
        self.gaps = Gaps()
        self.put_aside = PutAside()
        self.actions = ComingActions()
        self.emitted: list[Emitted] = []
        self._rules = rules
        self._symbols = symbols
        self._decide_ns = round(rules.decide_within_s * SECOND_NS)
        self._pause_ns = round(rules.pause_after_s * SECOND_NS)
        self._stable_ns = round(rules.stable_s * SECOND_NS)
        self._awaited = Awaited(schedule, self._decide_ns)
        self._closed = ClosedBars()
        self._now = 0
        self._passed = 0

    # --- what the feed says -------------------------------------------------------------------

    def bar(self, bar: Bar, now: int) -> None:
        """A bar has come that its source calls complete."""
        now = self._before(now)
        if bar.end > now:
            self.gaps.unexpected(bar, now, "it came before its end")
        else:
            self._place(bar, now)
        self._pass(now, now, now - 1)

    def absent(self, symbol: str, start: int, now: int, reason: str) -> None:
        """A healthy source has asked for this bar as often as it does: there is none."""
        self._declare(symbol, start, now, (Outcome.MISSING, reason))

    def quarantine(
        self, symbol: str, start: int, now: int, reason: str, bar: Bar | None = None
    ) -> None:
        """This bar has come and cannot be believed; with its numbers a person may release it."""
        slot = self._declare(symbol, start, now, (Outcome.QUARANTINED, reason))
        if slot is not None:
            self.put_aside.put(Quarantined(symbol, start, slot.end, reason, bar))

    def carry_out(self, command: ForTheFeed) -> Outcome | None:
        """A person has judged a quarantined bar, or told of a corporate action.

        The command comes out, then what follows from it. For a judgement, what the bar ends as
        (RECEIVED: its slice is not closed yet). LookupError where nothing comes of it.
        """
        now, ends, one = self._before(command.instant), None, None
        if isinstance(command, Action):
            self.actions.add(command.action)
        else:
            one = self.put_aside.judged(command)
        self._emit(command)
        if one is not None and one.bar is None:
            ends = self.gaps.rejected(one, now, command.reason)
        elif one is not None and one.bar is not None:
            ends = self._place(one.bar, now, alive=False)  # a person brings it
        self._pass(now, now, now - 1)
        return ends

    def lost(self, now: int, reason: str) -> None:
        """The feed is away: that a bar does not come means nothing from here on."""
        now = self._before(now)
        self._move_feed(FeedTrigger.LOSE, now, "lost", reason)
        self.advance(now)

    def restored(self, now: int) -> None:
        """The feed is back."""
        self._move_feed(FeedTrigger.RESTORE, self._before(now), "restored")
        self.advance(now)

    # --- time and what comes out ----------------------------------------------------------------

    def advance(self, now: int) -> None:
        """Time has come this far. It never goes back: an earlier `now` counts as the latest."""
        now = self._at(now)
        self._pass(now, now, now)

    def due(self) -> int | None:
        """The next instant at which `advance` must be called; None: nothing to wait for."""
        head = self._awaited.head
        found = [self._alarm_at(head), self._stable_at()]
        if isinstance(head, Tick):
            found.append(head.instant)
        elif head is not None:
            found.append(head.slot.end if head.is_complete else self._deadline())
        return min((at for at in found if at is not None and at > self._passed), default=None)

    def next_bar(self) -> int | None:
        """The end of the next slice; None where the schedule has ended."""
        slot = self._awaited.following
        return None if slot is None else slot.end

    def take(self) -> list[Emitted]:
        """What has come out since the last time, in the order in which it must be admitted."""
        taken, self.emitted = self.emitted, []
        return taken

    def wanted(self, now: int, limit: int) -> list[tuple[str, Slot]]:
        """What a source must ask for, oldest first, at most `limit`.

        Bars that ended `grace_s` ago and are neither in hand nor declared not to be had.
        """
        until = now - round(self._rules.grace_s * SECOND_NS)
        found = [
            (symbol, waiting.slot)
            for waiting in self._awaited.read_ended(until, limit)
            for symbol in waiting.slot.symbols
            if waiting.lacks(symbol)
        ]
        return found[:limit]

    # --- arrivals -----------------------------------------------------------------------------

    def _before(self, now: int) -> int:
        """Let time pass to just before an arrival."""
        now = self._at(now)
        self._pass(now, now - 1, now - 1)
        return now

    def _at(self, now: int) -> int:
        if not self._now:
            self.feed.begin(now)
        self._now = max(self._now, now)
        return self._now

    def _find(self, start: int, now: int) -> Waiting | None:
        while self._awaited.read_to(start, now):
            while self._awaited.is_full:
                self._come_out(now, "too many bars came after it")
        return self._awaited.get(start)

    def _place(self, bar: Bar, now: int, *, alive: bool = True) -> Outcome | None:
        """Take a bar in; how it ends (RECEIVED: open yet), None where it changes nothing."""
        waiting = self._find(bar.start, now)
        slot = self._closed.get(bar.start) if waiting is None else waiting.slot
        if slot is None:
            return self._place_unknown(bar, now)
        if bar.symbol not in slot.symbols or bar.end != slot.end:
            words = f"the bar from there is of {', '.join(slot.symbols)} and ends {iso_z(slot.end)}"
            self.gaps.unexpected(bar, now, words)
            return Outcome.UNEXPECTED
        if alive:
            self._move_feed(FeedTrigger.SHOW_LIFE, now, "alive")
        self.put_aside.forget(bar.symbol, bar.start)
        if waiting is None:
            return self._come_to_closed(slot, bar, now)
        self._take_in(waiting, bar, now)
        return Outcome.RECEIVED

    def _place_unknown(self, bar: Bar, now: int) -> Outcome | None:
        oldest = self._closed.oldest or self._awaited.oldest
        if oldest is None or bar.start < oldest.start:
            self.gaps.old += 1
            return None
        self.gaps.unexpected(bar, now, "no bar begins there")
        return Outcome.UNEXPECTED

    def _take_in(self, waiting: Waiting, bar: Bar, now: int) -> None:
        known = waiting.others.get(bar.symbol) or waiting.bars.get(bar.symbol)
        if known is None:
            waiting.put(bar, now)
        elif known == bar:
            self.gaps.duplicates += 1
        else:
            self.gaps.revisions += 1
            waiting.others[bar.symbol] = bar

    def _come_to_closed(self, slot: Slot, bar: Bar, now: int) -> Outcome | None:
        if slot.warmup:
            self.gaps.old += 1
            return None
        before, after = self._closed.come(bar)
        self.gaps.came_after(bar, now, before, after)
        if after is Outcome.BACKFILLED:
            self.actions.saw((bar.symbol,), slot.session.date)
            self._emit(
                MarketSlice(slot.start, slot.end, (bar,), (), slot.session, slot.index, after)
            )
        return after

    def _declare(self, symbol: str, start: int, now: int, why: tuple[Outcome, str]) -> Slot | None:
        """Expect this bar no more; the slot it was expected in, if it still was."""
        now = self._before(now)
        waiting = self._find(start, now)
        lacked = waiting is not None and waiting.lacks(symbol)
        if waiting is not None and lacked:
            self._move_feed(FeedTrigger.SHOW_LIFE, now, "alive")
            waiting.why[symbol] = why
        self._pass(now, now, now - 1)
        return waiting.slot if waiting is not None and lacked else None

    # --- what comes out -------------------------------------------------------------------------

    def _pass(self, now: int, by: int, until: int) -> None:
        """Let out what is complete by `by`, and what time decides on by `until`; it is `now`."""
        self._passed = max(self._passed, until)
        while (why := self._ready(self._awaited.head, by, until)) is not None:
            self._come_out(now, why)
        self._watch(now, until)

    def _ready(self, head: Waiting | Tick | None, by: int, until: int) -> str | None:
        """Why bars may be missing from the head, which may come out; None while it may not."""
        if isinstance(head, Tick):
            return "" if head.instant <= by else None
        if head is None or head.slot.end > by:
            return None
        if head.is_complete:
            return ""
        nearest, deadline = self._awaited.first_in_hand(), self._deadline()
        if nearest is None or deadline is None:
            return None
        if until >= deadline:
            return _NOT_IN_TIME if nearest is head else _LATER_CAME
        return _LATER_CAME if nearest is not head and self._goes_on_at(nearest, until) else None

    def _deadline(self) -> int | None:
        """When the first slot with a bar in hand closes, and all before it; None: not by time."""
        nearest = self._awaited.first_in_hand()
        if nearest is None or nearest.first is None or not self._time_decides:
            return None
        came = max(nearest.first, self.feed.since)
        return nearest.on_time if came <= nearest.on_time else came + self._decide_ns

    @property
    def _time_decides(self) -> bool:
        return self._rules.deadlines and self.feed.is_up

    def _come_out(self, now: int, why: str) -> None:
        head = self._awaited.head
        self._awaited.pop()
        if isinstance(head, Tick):
            self._emit(head)
        elif head is not None:
            self._close(head, now, why)

    def _close(self, waiting: Waiting, now: int, why: str) -> None:
        slot = waiting.slot = self.actions.joined(waiting.slot, waiting.bars)
        in_time = waiting.last <= waiting.on_time and now <= waiting.on_time + WAKE_NS
        outcome = Outcome.BACKFILLED
        if slot.warmup:
            outcome = Outcome.WARMUP
        elif in_time or not self._rules.deadlines:
            outcome = Outcome.RECEIVED
        if outcome is Outcome.RECEIVED and waiting.bars and self._is_stable(now):
            self._resume(now)
        ends = self.gaps.closed(waiting, outcome, now, why)
        self._closed.close(slot, ends, waiting.bars)
        bars = [waiting.bars[symbol] for symbol in self._symbols if symbol in waiting.bars]
        missing = [symbol for symbol in slot.symbols if symbol not in waiting.bars]
        self._emit(
            MarketSlice(
                slot.start, slot.end, tuple(bars), tuple(missing), slot.session, slot.index,
                outcome, slot.actions,
            )
        )  # fmt: skip

    def _emit(self, item: MarketSlice | Tick | Pause | Resume | ForTheFeed) -> None:
        self.emitted.append(Emitted(item, self.gaps.take()))

    # --- the feed's health and its hold ---------------------------------------------------------

    def _move_feed(self, trigger: FeedTrigger, now: int, event: str, reason: str = "") -> None:
        if self.feed.move(trigger, now, reason):
            self.gaps.feed(event, now, reason)

    def _watch(self, now: int, until: int) -> None:
        head = self._awaited.head
        alarm_at = self._alarm_at(head)
        if alarm_at is not None and alarm_at <= until:
            assert isinstance(head, Waiting), "only a bar can fail to come"
            self._raise_alarm(head.slot, now)
        overdue = isinstance(head, Waiting) and head.slot.end <= now
        if self._rules.resume_after == "backfilled" and not overdue and self._is_stable(until):
            self._resume(now)

    def _alarm_at(self, head: Waiting | Tick | None) -> int | None:
        """When the feed must be thought silent, or the hold set; None: no bar is lacking."""
        if not isinstance(head, Waiting) or head.slot.warmup or not self._rules.deadlines:
            return None
        slot, since = head.slot, self.feed.since
        if self.feed.state is FeedState.UP:
            if self._awaited.first_in_hand() is not None:
                return None
            if not self.held:
                return slot.end + self._pause_ns
            if self._rules.resume_after == "next_bar":
                return None  # a bar in time is all that is asked for
            return max(slot.end, self.feed.heard) + self._pause_ns
        if self.held:
            return None
        away_at = max(since, slot.session.opens) + self._pause_ns
        lacks_at = slot.end + self._pause_ns
        return min(away_at, lacks_at) if away_at < slot.session.closes else lacks_at

    def _raise_alarm(self, slot: Slot, now: int) -> None:
        if self.feed.state is FeedState.DOWN:
            reason = f"the feed is lost since {iso_z(self.feed.since)}: {self.feed.reason}"
        else:
            reason = f"nothing has come of what ended at {iso_z(slot.end)}"
            self._move_feed(FeedTrigger.FALL_SILENT, now, "silent", reason)
        if not self.held:
            self.held = True
            self._emit(Pause(now, SOURCE, reason))

    def _stable_at(self) -> int | None:
        counts = self.held and self.feed.is_up and self._now
        return self.feed.since + self._stable_ns if counts else None

    def _is_stable(self, until: int) -> bool:
        """Whether there is a hold, and its feed has been up for long enough."""
        stable_at = self._stable_at()
        return stable_at is not None and stable_at <= until

    def _goes_on_at(self, nearest: Waiting, until: int) -> bool:
        """Whether trading goes on at this bar and what is missing before it is given up."""
        return (
            self._rules.resume_after == "next_bar"
            and not nearest.slot.warmup
            and until <= nearest.on_time
            and self._is_stable(until)
        )

    def _resume(self, now: int) -> None:
        self.held = False
        reason = f"the feed has been up since {iso_z(self.feed.since)}"
        self._emit(Resume(now, SOURCE, reason))
