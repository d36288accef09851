"""Commands that the feed carries out: a restart at any input goes on as if it had not happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.config.faults import DropFault, QuarantineFault, WithholdFault
from daemon.core.events import (
    Action,
    CorporateAction,
    Dividend,
    ForTheFeed,
    Input,
    MarketSlice,
    Outcome,
    Pause,
    Reject,
    Release,
    Resume,
    Split,
    Tick,
)
from daemon.core.units import SECOND_NS
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.times import iso_z
from daemon.live.recovery import Place, Told, place_after
from replay.tape_faults import FaultPlan
from replay.tape_source import TapeDriver
from tests.unit.tape_feeds import SLOTS, STARTS, driver_of

SYMBOLS = ("A", "B")
PRESENT = {"A": SLOTS, "B": SLOTS}
ACTIONS: tuple[CorporateAction, ...] = (
    Split("A", 20240103, 2, 1), Split("B", 20240103, 1, 4), Dividend("A", 20240104, 20240108, 10),
    Split("A", 20240105, 3, 1),
)  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> FaultPlan:
    bars: dict[int, list[Any]] = {}
    for slot in draw(st.lists(st.sampled_from(SLOTS), min_size=1, max_size=5)):
        named: dict[str, Any] = {"bar": iso_z(STARTS[slot]), "symbol": draw(st.sampled_from("AB"))}
        kinds = ["quarantine", "quarantine", "quarantine", "drop", "withhold"]
        kind = draw(st.sampled_from(kinds))
        fault: Any = QuarantineFault(kind="quarantine", **named)
        if kind == "drop":
            fault = DropFault(kind="drop", **named)
        elif kind == "withhold":
            fault = WithholdFault(
                kind="withhold", for_s=draw(st.sampled_from([61.0, 5000.0])), **named
            )
        bars.setdefault(STARTS[slot], []).append(fault)
    return FaultPlan((), bars)


@st.composite
def commands(draw: st.DrawFn) -> list[tuple[int, Callable[[int], ForTheFeed]]]:
    """Commands by the number of the step before which they are told."""
    found: list[tuple[int, Callable[[int], ForTheFeed]]] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([Release, Release, Reject, Action]))
        symbol, start = draw(st.sampled_from("AB")), draw(st.sampled_from(STARTS))
        action = draw(st.sampled_from(ACTIONS))

        def make(
            now: int, kind: Any = kind, named: Any = (symbol, start), action: Any = action
        ) -> ForTheFeed:
            if kind is Action:
                return Action(now, "operator", "", action)
            told: ForTheFeed = kind(now, "operator", "", *named)
            return told

        found.append((draw(st.integers(0, 24)), make))
    return sorted(found, key=lambda one: one[0])


def live(
    driver: TapeDriver, told: Sequence[tuple[int, Callable[[int], ForTheFeed]]]
) -> list[Emitted]:
    """Everything that comes out; a command is told a second before something would happen."""
    out: list[Emitted] = []
    waiting = list(told)
    step = 0
    while (due := driver.next_at()) is not None:
        while waiting and waiting[0][0] <= step:
            command = waiting.pop(0)[1](max(driver.now, due - SECOND_NS))
            try:
                driver.tell(command)
            except LookupError:
                continue
        out += driver.step()
        step += 1
    return out


def begun(plan: FaultPlan, actions: Sequence[CorporateAction], *, held: bool = False) -> TapeDriver:
    return driver_of(PRESENT, plan, held=held, actions=actions)


def is_held(inputs: Sequence[Input]) -> bool:
    commands = [item for item in inputs if isinstance(item, Pause | Resume)]
    return bool(commands) and isinstance(commands[-1], Pause)


@given(plans(), commands(), st.data())
def test_a_restart_goes_on_as_if_no_time_had_passed(
    plan: FaultPlan, told: list[tuple[int, Callable[[int], ForTheFeed]]], data: st.DataObject
) -> None:
    inputs = [emitted.input for emitted in live(begun(plan, ()), told)]
    places = [n for n, item in enumerate(inputs) if isinstance(item, MarketSlice | Tick)]
    stopped = data.draw(st.sampled_from(places))
    follows = inputs[stopped + 1 : stopped + 2]
    if follows and isinstance(follows[0], ForTheFeed) and data.draw(st.booleans()):
        stopped += 1  # the command is committed, and what it brings about is not
    place: Place | None = None
    before: list[Told] = []
    for item in inputs[: stopped + 1]:
        if isinstance(item, ForTheFeed):
            before.append(Told(place, item))
            if isinstance(item, Action) and place is not None:
                place = place.told(item.action)
        elif isinstance(item, MarketSlice | Tick):
            place = place_after(place, item)
    assert place is not None
    # The table has whatever was told of by now: so has the tape that is read again.
    listed = tuple(one.command.action for one in before if isinstance(one.command, Action))
    again = begun(plan, tuple(dict.fromkeys(listed)), held=is_held(inputs[: stopped + 1]))
    symbols = None if place.rank else place.symbols
    again.skip_to((place.instant, place.rank), symbols, before)
    again.clock.actions.go_on(place.session, place.actions, place.coming, listed, place.seen)
    rest = inputs[stopped + 1 :]
    assert resumed(again, rest) == rest


def resumed(driver: TapeDriver, lived: Sequence[Input]) -> list[Input]:
    """What comes out after the restart, told the same commands at the same places."""
    out: list[Input] = []
    while (due := driver.next_at()) is not None:
        following = lived[len(out)] if len(out) < len(lived) else None
        if isinstance(following, ForTheFeed) and following.instant <= due:
            with suppress(LookupError):  # the bar is not set aside yet
                driver.tell(following)
        out += [emitted.input for emitted in driver.step()]
    return out


@given(plans(), commands())
def test_whatever_is_told_each_symbols_bars_only_go_on(
    plan: FaultPlan, told: list[tuple[int, Callable[[int], ForTheFeed]]]
) -> None:
    inputs = [emitted.input for emitted in live(begun(plan, ()), told)]
    reached: dict[str, int] = {}
    for item in inputs:
        if isinstance(item, MarketSlice):
            for bar in item.bars:
                assert bar.start > reached.get(bar.symbol, 0)
                reached[bar.symbol] = bar.start


@given(plans(), commands())
def test_an_action_is_carried_once_and_not_before_its_session(
    plan: FaultPlan, told: list[tuple[int, Callable[[int], ForTheFeed]]]
) -> None:
    inputs = [emitted.input for emitted in live(begun(plan, ()), told)]
    carried: list[CorporateAction] = []
    known: set[CorporateAction] = set()
    for item in inputs:
        if isinstance(item, Action):
            known.add(item.action)
        elif isinstance(item, MarketSlice):
            for action in item.actions:
                assert action in known
                assert action.effective <= item.session.date
                assert item.outcome is not Outcome.WARMUP
            carried += item.actions
    assert len(carried) == len(set(carried))
