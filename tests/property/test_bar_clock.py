"""The expected-bar clock holds its promises for every order, delay, loss and repetition of bars."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.core.events import Bar, MarketSlice, Outcome, Pause, Resume, Tick
from daemon.core.units import SECOND_NS
from daemon.feeds.bar_clock import BarClock, Emitted
from daemon.feeds.clock_rules import ClockRules
from daemon.feeds.closed_bars import Slot
from daemon.feeds.schedule import SLICE, TICK, Key, session_schedule
from tests.harness import sessions

SYMBOLS = ("B", "A", "C")
WITHIN_S, PAUSE_S, STABLE_S = 60, 120, 90
ITEMS = [item for day in sessions(2, 4) for item in session_schedule(day, SYMBOLS)]
SLOTS = [item for item in ITEMS if isinstance(item, Slot)]
BEGIN = SLOTS[0].start
END = SLOTS[-1].end + 7200 * SECOND_NS

# seconds after the bar's end: in time, at the limit, late, hours late
delays = st.sampled_from([0, 1, 30, 59, 60, 61, 100, 120, 121, 1800, 3600, 3700, 10_000, 80_000])
bar_keys = st.tuples(st.integers(0, len(SLOTS) - 1), st.sampled_from(SYMBOLS))
moments = st.integers(0, (END - BEGIN) // SECOND_NS)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, str, Any]]:
    """What happens when: (instant, what, of which bar), in order of time, ties in any order."""
    events: list[tuple[int, str, Any]] = []
    for number, slot in enumerate(SLOTS):
        for symbol in SYMBOLS:
            fate = draw(st.sampled_from(["bar"] * 8 + ["absent", "quarantine", "nothing"]))
            if fate != "nothing":
                late = draw(st.one_of(st.just(3), delays))
                events.append((slot.end + late * SECOND_NS, fate, (number, symbol)))
    for _ in range(draw(st.integers(0, 6))):
        (number, symbol), late = draw(bar_keys), draw(delays)
        again = draw(st.sampled_from(["bar", "other", "absent", "early", "strange"]))
        when = -1 if again == "early" else late
        events.append((SLOTS[number].end + when * SECOND_NS, again, (number, symbol)))
    for _ in range(draw(st.integers(0, 3))):
        begin, length = draw(moments), draw(st.sampled_from([1, 100, 130, 4000, 30_000]))
        events.append((BEGIN + begin * SECOND_NS, "lost", None))
        events.append((BEGIN + (begin + length) * SECOND_NS, "restored", None))
    return sorted(draw(st.permutations(events)), key=lambda event: event[0])


def bar_of(number: int, symbol: str, price: float = 1.0) -> Bar:
    slot = SLOTS[number]
    return Bar(symbol, slot.start, slot.end, price, price, price, price, 1)


@dataclass
class Told:
    """A story told to a clock, what came out, and when each bar first came."""

    clock: BarClock
    out: list[Emitted] = field(default_factory=list)
    emitted_at: list[int] = field(default_factory=list)
    came: dict[tuple[str, int], int] = field(default_factory=dict)
    arrivals: int = 0

    def take(self, now: int) -> None:
        new = self.clock.take()
        self.out += new
        self.emitted_at += [now] * len(new)
        due = self.clock.due()
        assert due is None or due >= now

    def happen(self, now: int, what: str, of: Any) -> None:
        clock = self.clock
        if what == "lost":
            clock.lost(now, "x")
        elif what == "restored":
            clock.restored(now)
        elif what in ("absent", "quarantine"):
            number, symbol = of
            getattr(clock, what)(symbol, SLOTS[number].start, now, "x")
        else:
            self._bar(now, what, *of)
        self.take(now)

    def _bar(self, now: int, what: str, number: int, symbol: str) -> None:
        bar = bar_of(number, symbol, 2.0 if what == "other" else 1.0)
        self.arrivals += 1
        if what == "strange":
            self.clock.bar(replace(bar, end=bar.end - SECOND_NS), now)
        else:
            self.clock.bar(bar, now)
        if what in ("bar", "other"):
            self.came.setdefault((symbol, bar.start), now)


def tell(story: list[tuple[int, str, Any]], rules: ClockRules, *, sleeps: bool) -> Told:
    told = Told(BarClock(iter(ITEMS), rules, SYMBOLS, held=False))
    told.clock.advance(BEGIN)
    for now, what, of in story:
        while not sleeps and (due := told.clock.due()) is not None and due < now:
            told.clock.advance(due)
            told.take(due)
        told.happen(now, what, of)
    last = max([END, *(event[0] for event in story)])
    told.happen(last, "restored", None)
    while wanted := told.clock.wanted(last, 100):
        symbol, slot = wanted[0]
        told.clock.absent(symbol, slot.start, last, "the end")
        told.take(last)
    told.clock.advance(last)
    told.take(last)
    return told


rules = st.builds(
    ClockRules,
    grace_s=st.just(0.0),
    decide_within_s=st.just(float(WITHIN_S)),
    pause_after_s=st.just(float(PAUSE_S)),
    stable_s=st.just(float(STABLE_S)),
    resume_after=st.sampled_from(["backfilled", "next_bar"]),
    deadlines=st.booleans(),
)


def slices_of(told: Told) -> list[MarketSlice]:
    return [item for item, _ in told.out if isinstance(item, MarketSlice)]


def is_own(market: MarketSlice, seen: set[int]) -> bool:
    """Whether the slice of this instant has come before."""
    own = market.start in seen
    seen.add(market.start)
    return own


@given(stories(), rules, st.booleans())
def test_slices_and_ticks_come_once_in_order_and_each_symbol_goes_forward(
    story: list[tuple[int, str, Any]], rules: ClockRules, sleeps: bool
) -> None:
    told = tell(story, rules, sleeps=sleeps)
    keys: list[Key] = []
    seen: set[int] = set()
    starts: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
    for item, _ in told.out:
        if isinstance(item, Tick):
            keys.append((item.instant, TICK))
        if not isinstance(item, MarketSlice):
            continue
        for bar in item.bars:
            starts[bar.symbol].append(bar.start)
            assert (bar.start, bar.end) == (item.start, item.end)
        if is_own(item, seen):
            assert (len(item.bars), item.missing, item.actions) == (1, (), ())
            assert item.outcome is Outcome.BACKFILLED
        else:
            keys.append((item.end, SLICE))
            names = [bar.symbol for bar in item.bars]
            assert names == [symbol for symbol in SYMBOLS if symbol in names]
            assert sorted([*names, *item.missing]) == sorted(SYMBOLS)
    expected = [(i.end, SLICE) if isinstance(i, Slot) else (i.instant, TICK) for i in ITEMS]
    assert keys == expected
    assert all(before < after for row in starts.values() for before, after in pairwise(row))


@given(stories(), rules, st.booleans())
def test_every_expected_bar_ends_in_one_way_and_every_arrival_is_counted(
    story: list[tuple[int, str, Any]], rules: ClockRules, sleeps: bool
) -> None:
    told = tell(story, rules, sleeps=sleeps)
    ends: dict[tuple[str, int], str] = {}
    for item, facts in told.out:
        if isinstance(item, MarketSlice):
            for bar in item.bars:
                if item.outcome is Outcome.RECEIVED:
                    assert (bar.symbol, bar.start) not in ends
                    ends[bar.symbol, bar.start] = "received"
        for fact in facts:
            if fact.kind == "gap" and fact.outcome != "unexpected":
                assert fact.start is not None
                ends[fact.symbol, fact.start] = fact.outcome
    # what is revised after the last input has no row yet
    told.clock.gaps.take()
    assert set(ends) == {(symbol, slot.start) for slot in SLOTS for symbol in SYMBOLS}
    gaps = told.clock.gaps
    with_numbers = (Outcome.RECEIVED, Outcome.BACKFILLED, Outcome.LATE, Outcome.REVISED)
    without = (Outcome.MISSING, Outcome.QUARANTINED)
    had = sum(gaps.ends[outcome] for outcome in with_numbers)
    assert had + sum(gaps.ends[outcome] for outcome in without) == len(ends)
    surplus = gaps.duplicates + gaps.revisions + gaps.old + gaps.ends[Outcome.UNEXPECTED]
    assert had + surplus == told.arrivals
    counted = Counter(ends.values())
    for outcome in (*without, Outcome.BACKFILLED, Outcome.RECEIVED):
        # a revision of a closed bar moves the count at once, and its row rides on the next input
        assert gaps.ends[outcome] <= counted[outcome.value]


@given(stories(), rules, st.booleans())
def test_only_what_came_in_time_decides(
    story: list[tuple[int, str, Any]], rules: ClockRules, sleeps: bool
) -> None:
    told = tell(story, rules, sleeps=sleeps)
    for (item, _), emitted_at in zip(told.out, told.emitted_at, strict=True):
        if not isinstance(item, MarketSlice):
            continue
        assert all(told.came[bar.symbol, bar.start] <= emitted_at for bar in item.bars)
        assert emitted_at >= item.end
        limit = item.end + WITHIN_S * SECOND_NS
        if item.outcome is Outcome.RECEIVED and rules.deadlines:
            assert emitted_at <= limit + SECOND_NS
            assert all(told.came[bar.symbol, bar.start] <= limit for bar in item.bars)


@given(stories(), rules, st.booleans())
def test_pauses_and_resumes_take_turns(
    story: list[tuple[int, str, Any]], rules: ClockRules, sleeps: bool
) -> None:
    told = tell(story, rules, sleeps=sleeps)
    commands = [item for item, _ in told.out if isinstance(item, (Pause, Resume))]
    kinds = [type(command) for command in commands]
    assert kinds == [Pause, Resume] * (len(kinds) // 2) + [Pause] * (len(kinds) % 2)
    assert told.clock.held is bool(len(kinds) % 2)
    assert all(a.instant <= b.instant for a, b in pairwise(commands))
    for paused, resumed in zip(commands[::2], commands[1::2], strict=False):
        assert resumed.instant >= paused.instant
    if not rules.deadlines:
        assert commands == []


@given(st.data())
@pytest.mark.parametrize("deadlines", [True, False])
def test_bars_that_come_in_time_give_the_same_slices_in_every_order(
    deadlines: bool, data: st.DataObject
) -> None:
    rules = ClockRules(0, WITHIN_S, PAUSE_S, STABLE_S, "backfilled", deadlines)
    told = []
    for _ in range(2):
        story: list[tuple[int, str, Any]] = []
        for number, slot in enumerate(SLOTS):
            for symbol in data.draw(st.permutations(SYMBOLS)):
                late = data.draw(st.one_of(st.integers(0, WITHIN_S), st.just(WITHIN_S)))
                story.append((slot.end + late * SECOND_NS, "bar", (number, symbol)))
        story.sort(key=lambda event: event[0])
        told.append(tell(story, rules, sleeps=False))
    assert [item for item, _ in told[0].out] == [item for item, _ in told[1].out]
    assert all(market.outcome is Outcome.RECEIVED for market in slices_of(told[0]))
    assert all(not facts for _, facts in told[0].out)
