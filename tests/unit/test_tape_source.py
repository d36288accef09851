"""The daemon's tape: the replay's inputs one for one, and what each fault makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.config import TapeFeedConfig
from daemon.config.faults import BarFault, DropFault, QuarantineFault, ReviseFault, WithholdFault
from daemon.core.events import Action as ToldOf
from daemon.core.events import (
    CorporateAction,
    Dividend,
    Input,
    MarketSlice,
    Outcome,
    Pause,
    Resume,
    Split,
    Tick,
)
from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.clock_rules import ClockRules
from daemon.feeds.schedule import SLICE, TICK, Key
from daemon.feeds.times import iso_z
from daemon.live.recovery import Told, place_after
from replay.feed import ReplayFeed, Window
from replay.run import load_inputs
from replay.slices import Part
from replay.tape_faults import Outage
from replay.tape_source import FaultPlan, TapeDriver, check_faults, fault_plan
from tests.unit.config_files import FOUR_LINES, load
from tests.unit.tape_feeds import (
    DAYS,
    ENDS,
    RULES,
    SLOTS,
    STARTS,
    drive,
    driver_of,
    feed_of,
    inputs_of,
    told,
)

MINUTE = 60 * SECOND_NS
ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = replace(RULES, deadlines=False)


# --- without faults -------------------------------------------------------------------------------

slots = st.sets(st.sampled_from(SLOTS), min_size=1).map(sorted)


@given(
    st.lists(slots, min_size=1, max_size=3),
    st.tuples(st.sampled_from(SLOTS), st.sampled_from(SLOTS), st.sampled_from(SLOTS)),
    st.booleans(),
    st.sampled_from([RULES, AT_ONCE]),
)
def test_the_inputs_are_those_of_the_replay(
    drawn: list[list[int]], edges: tuple[int, int, int], adjoins: bool, rules: ClockRules
) -> None:
    present = dict(zip("ABC", drawn, strict=False))
    warm, start, end = sorted(edges)
    window = Window(STARTS[warm], STARTS[start], ENDS[end])
    date = DAYS[1].session.date
    options: dict[str, Any] = {
        "actions": [Split("A", date, 2, 1), Dividend("B", date + 1, date + 9, 5)],
        "quarantined": {"A": {STARTS[4]: "spike"}},
    }
    replayed = feed_of(present, window, **options)
    expected = list(replayed.inputs())
    driver = driver_of(present, rules=rules, window=window, **options)
    out = drive(driver)
    assert [emitted.input for _, emitted in out] == expected
    facts = [fact for _, emitted in out for fact in emitted.facts]
    assert [(f.symbol, f.start, f.end, f.outcome, f.detail) for f in facts] == [
        (gap.symbol, gap.start, gap.end, gap.outcome, gap.reason) for gap in replayed.played.gaps
    ]
    for at, emitted in out:
        item = emitted.input
        if isinstance(item, MarketSlice):
            assert at == max(item.end, window.start)
        else:
            assert at == item.instant


def without(part: Part, step: int) -> Part:
    """A tape without each `step`-th bar."""
    kept = [row for row in range(len(part)) if row % step]
    names = ("start", "end", "open", "high", "low", "close", "volume")
    cut = {name: [getattr(part, name)[row] for row in kept] for name in names}

    class Typed(list[Any]):
        """A list that slices as the mapped columns do."""

        def __getitem__(self, at: Any) -> Any:
            found = super().__getitem__(at)
            return Typed(found) if isinstance(at, slice) else found

        def tolist(self) -> list[Any]:
            return list(self)

    return Part(**{name: Typed(column) for name, column in cut.items()})


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = ROOT / "configs/reference/limits_two_symbols.yaml"
    return load_inputs(config, tmp_path_factory.mktemp("state"))


def sample_feed(sample: Any, *, holes: bool) -> ReplayFeed:
    columns = dict(sample.tape.columns)
    if holes:
        columns = {"NVDA": without(columns["NVDA"], 17), "AMD": without(columns["AMD"], 23)}
    size, grid = "1h", "session"
    from daemon.feeds.expected import BAR_SIZES_NS, with_bars

    days = (with_bars(session, BAR_SIZES_NS[size], grid) for session in sample.sessions)
    first, dates = sample.sessions[0].opens, [session.date for session in sample.sessions]
    actions: list[CorporateAction] = [
        Split("NVDA", dates[300], 4, 1),
        Dividend("AMD", dates[900], dates[930], 250_000),
    ]
    window = Window(0, first + 400 * 24 * 3600 * SECOND_NS, sample.sessions[-1].closes)
    return ReplayFeed(("NVDA", "AMD"), columns, days, window, actions=actions)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("rules", [RULES, AT_ONCE])
def test_the_bundled_sample_comes_as_in_a_replay(
    sample: Any, holes: bool, rules: ClockRules
) -> None:
    expected = list(sample_feed(sample, holes=holes).inputs())
    driver = TapeDriver(sample_feed(sample, holes=holes), rules, ("NVDA", "AMD"))
    assert inputs_of(driver) == expected
    slices = [item for item in expected if isinstance(item, MarketSlice)]
    assert len(slices) > 12_000
    assert sum(bool(item.missing) for item in slices) > (700 if holes else -1)
    assert sum(bool(item.actions) for item in slices) == 2
    assert slices[0].outcome is Outcome.WARMUP


def test_what_is_held_of_the_tape_does_not_grow() -> None:
    driver = driver_of({"A": SLOTS, "B": SLOTS})
    while driver.next_at() is not None:
        driver.step()
        assert len(driver._arrivals._events) <= 4
        assert len(driver._arrivals._items) <= 3
    assert driver._arrivals._feed.played.gaps == []


# --- with faults ----------------------------------------------------------------------------------


def when(instant: int) -> str:
    return iso_z(instant)


def plan_of(*faults: BarFault, outages: Sequence[Outage] = ()) -> FaultPlan:
    bars: dict[int, list[BarFault]] = {}
    for fault in faults:
        bars.setdefault(fault.start, []).append(fault)
    return FaultPlan(outages, bars)


def outage(begins: int, lasts: int, *, is_lost: bool) -> Outage:
    """Minutes since the first open."""
    at = STARTS[0] + begins * MINUTE
    return Outage(at, at + lasts * MINUTE, is_lost)


def facts_of(out: list[tuple[int, Emitted]]) -> list[str]:
    return [
        f"{fact.symbol} {STARTS.index(fact.start)} {fact.outcome}"
        for _, emitted in out
        for fact in emitted.facts
        if fact.kind == "gap" and fact.start is not None
    ]


def test_a_withheld_bar_comes_so_much_later() -> None:
    for late_s, word in ((60, "slice"), (61, "late slice")):
        plan = plan_of(WithholdFault(kind="withhold", bar=when(STARTS[1]), for_s=late_s))
        assert told(driver_of({"A": SLOTS[:3]}, plan))[:5] == [
            "0 opens", "60 slice 0:A", f"121 {word} 1:A", "180 slice 2:A", "180 closes",
        ]  # fmt: skip


def test_a_withheld_bar_of_one_symbol_leaves_the_other_alone() -> None:
    plan = plan_of(
        WithholdFault(kind="withhold", bar=when(STARTS[1]), for_s=600, symbol="B"),
    )
    driver = driver_of({"A": SLOTS[:3], "B": SLOTS[:3]}, plan)
    out = told(driver)
    assert out[:6] == [
        "0 opens", "60 slice 0:A,B", "121 slice 1:A-B", "130 late slice 1:B", "180 slice 2:A,B",
        "180 closes",
    ]  # fmt: skip
    assert driver.gap_counts() == {"backfilled": 1}


def test_a_withheld_bar_is_in_time_where_time_does_not_decide() -> None:
    plan = plan_of(WithholdFault(kind="withhold", bar=when(STARTS[1]), for_s=3000))
    assert inputs_of(driver_of({"A": SLOTS}, plan, AT_ONCE)) == list(feed_of({"A": SLOTS}).inputs())


def test_dropped_and_quarantined_bars_are_missing() -> None:
    plan = plan_of(
        DropFault(kind="drop", bar=when(STARTS[0])),
        QuarantineFault(kind="quarantine", bar=when(STARTS[1])),
    )
    driver = driver_of({"A": SLOTS[:3]}, plan)
    out = drive(driver)
    missing = [e.input.missing for _, e in out if isinstance(e.input, MarketSlice)]
    assert missing == [("A",), ("A",), ()]
    assert facts_of(out) == ["A 0 missing", "A 1 quarantined"]
    assert driver.gap_counts() == {"missing": 1, "quarantined": 1}


def test_a_revised_bar_changes_nothing_and_is_ledgered() -> None:
    plan = plan_of(ReviseFault(kind="revise", bar=when(STARTS[1]), close=7.5))
    out = drive(driver_of({"A": SLOTS[:3]}, plan))
    closes = [bar.close for _, e in out if isinstance(e.input, MarketSlice) for bar in e.input.bars]
    assert closes == [0.0, 1.0, 2.0]
    assert facts_of(out) == ["A 1 revised"]
    ((detail,),) = [{fact.detail for fact in e.facts} for _, e in out if e.facts]
    assert detail == "came again as 1 7.5 1 7.5 101"


def test_a_duplicate_is_counted() -> None:
    config = TapeFeedConfig.model_validate(
        {"kind": "tape", "faults": [{"kind": "duplicate", "bar": when(STARTS[1])}]}
    )
    driver = driver_of({"A": SLOTS}, fault_plan(config))
    assert inputs_of(driver) == list(feed_of({"A": SLOTS}).inputs())
    assert driver.clock.gaps.duplicates == 1


def test_a_lost_feed_pauses_and_bars_of_that_time_come_after_it() -> None:
    plan = FaultPlan([outage(50, 100, is_lost=True)])
    driver = driver_of({"A": SLOTS[:3]}, plan)
    assert told(driver)[:8] == [
        "0 opens", "52 Pause", "150 late slice 0:A", "150 late slice 1:A", "151 Resume",
        "180 slice 2:A", "180 closes", "1440 opens",
    ]  # fmt: skip
    assert driver.generation == 2


def test_a_silent_feed_looks_well_and_pauses_all_the_same() -> None:
    plan = FaultPlan([outage(50, 100, is_lost=False)])
    driver = driver_of({"A": SLOTS[:3]}, plan)
    states = []
    while (at := driver.next_at()) is not None and at <= STARTS[0] + 151 * MINUTE:
        driver.step()
        states.append(driver.feed_state)
    assert states[-1] == "up"
    assert "silent" in states
    assert "down" not in states
    driver = driver_of({"A": SLOTS[:3]}, plan)
    assert told(driver)[:7] == [
        "0 opens", "62 Pause", "150 late slice 0:A", "150 late slice 1:A", "151 Resume",
        "180 slice 2:A", "180 closes",
    ]  # fmt: skip
    assert driver.generation == 1


def test_a_loss_from_before_the_tape_and_one_from_after_it_take_no_time() -> None:
    year = 365 * 24 * 60
    before, after = outage(-year, year + 30, is_lost=True), outage(year, 10, is_lost=True)
    driver = driver_of({"A": SLOTS}, FaultPlan([before, after]))
    assert driver.next_at() == STARTS[0]
    out = drive(driver)
    assert out[-1][0] == ENDS[-1]
    assert [type(e.input) for _, e in out if not isinstance(e.input, (MarketSlice, Tick))] == [
        Pause, Resume,
    ]  # fmt: skip
    ended = outage(-year, 30, is_lost=True)
    driver = driver_of({"A": SLOTS}, FaultPlan([ended]))
    assert inputs_of(driver) == list(feed_of({"A": SLOTS}).inputs())
    assert driver.generation == 1


def test_an_outage_that_begins_where_another_ends_delays_what_it_lets_out() -> None:
    plan = FaultPlan([outage(50, 20, is_lost=True), outage(70, 20, is_lost=False)])
    out = told(driver_of({"A": SLOTS[:3]}, plan))
    assert "90 late slice 0:A" in out


# --- a restart ------------------------------------------------------------------------------------


def place(item: Input) -> tuple[Key, tuple[str, ...] | None] | None:
    if isinstance(item, Tick):
        return (item.instant, TICK), None
    if isinstance(item, MarketSlice):
        return (item.end, SLICE), tuple(bar.symbol for bar in item.bars)
    return None


def held_after(inputs: list[Input]) -> bool:
    commands = [item for item in inputs if isinstance(item, (Pause, Resume))]
    return bool(commands) and isinstance(commands[-1], Pause)


@st.composite
def plans(draw: st.DrawFn) -> FaultPlan:
    faults: list[BarFault] = []
    for slot in draw(st.lists(st.sampled_from(SLOTS), max_size=4)):
        bar, symbol = when(STARTS[slot]), draw(st.sampled_from([None, "A", "B"]))
        kind = draw(st.sampled_from(["withhold", "withhold", "drop", "revise", "quarantine"]))
        if kind == "withhold":
            late = draw(st.sampled_from([30.0, 61.0, 200.0, 4000.0, 90_000.0]))
            faults.append(WithholdFault(kind="withhold", bar=bar, symbol=symbol, for_s=late))
        elif kind == "drop":
            faults.append(DropFault(kind="drop", bar=bar, symbol=symbol))
        elif kind == "revise":
            faults.append(ReviseFault(kind="revise", bar=bar, symbol=symbol, close=9.0))
        else:
            faults.append(QuarantineFault(kind="quarantine", bar=bar, symbol=symbol))
    outages = [
        outage(
            draw(st.integers(-100, 4500)), draw(st.integers(1, 300)), is_lost=draw(st.booleans())
        )
        for _ in range(draw(st.integers(0, 2)))
    ]
    return plan_of(*faults, outages=sorted(outages, key=lambda one: one.begins))


@given(plans(), st.sampled_from(["backfilled", "next_bar"]), st.data())
def test_a_restart_goes_on_as_if_no_time_had_passed(
    plan: FaultPlan, after: Any, data: st.DataObject
) -> None:
    rules = replace(RULES, resume_after=after)
    present = {"A": SLOTS, "B": [slot for slot in SLOTS if slot != 5]}
    whole = drive(driver_of(present, plan, rules))
    places = [n for n, (_, emitted) in enumerate(whole) if place(emitted.input)]
    stopped = data.draw(st.sampled_from(places))
    found = place(whole[stopped][1].input)
    assert found is not None
    position, symbols = found
    held = held_after([emitted.input for _, emitted in whole[: stopped + 1]])
    driver = driver_of(present, plan, rules, held=held)
    driver.skip_to(position, symbols)
    assert drive(driver) == whole[stopped + 1 :]


def test_what_the_feed_was_told_is_told_again_at_its_instant() -> None:
    """Told an hour after the last input: what was silent until then was so again."""
    split = Split("A", 20240103, 2, 1)
    plan = plan_of(
        WithholdFault(kind="withhold", bar=when(STARTS[3]), symbol="A", for_s=5000.0),
        QuarantineFault(kind="quarantine", bar=when(STARTS[3]), symbol="B"),
    )
    present = {"A": SLOTS, "B": SLOTS}

    def lived(driver: TapeDriver) -> list[Input]:
        out: list[Input] = []
        while (due := driver.next_at()) is not None:
            if due == ENDS[4] and not any(isinstance(item, ToldOf) for item in out):
                driver.tell(ToldOf(due - SECOND_NS, "operator", "", split))
            out += [emitted.input for emitted in driver.step()]
        return out

    whole = lived(driver_of(present, plan))
    at = next(n for n, item in enumerate(whole) if isinstance(item, ToldOf))
    command = whole[at]
    assert isinstance(command, ToldOf)
    assert isinstance(whole[at - 1], Pause)
    last = next(item for item in reversed(whole[:at]) if isinstance(item, MarketSlice | Tick))
    before = Told(place_after(None, last), command)
    found = place(whole[at + 1])
    assert found is not None
    again = driver_of(present, plan, held=True)
    again.skip_to(*found, [before])
    assert inputs_of(again) == whole[at + 2 :]


def test_a_hold_that_the_journal_has_and_the_rerun_has_not_stands_until_it_is_lifted() -> None:
    driver = driver_of({"A": SLOTS}, held=True)
    driver.skip_to((ENDS[1], SLICE))
    rest = [emitted.input for _, emitted in drive(driver)]
    assert isinstance(rest[0], Resume)
    assert rest[1:] == [item for item in feed_of({"A": SLOTS}).inputs() if place(item)][3:]


def test_only_the_session_of_the_position_is_played_again() -> None:
    driver = driver_of({"A": SLOTS})
    driver.skip_to((ENDS[7], SLICE))
    assert driver.clock.gaps.ends[Outcome.RECEIVED] == 2  # slots 6 and 7
    faulty = driver_of({"A": SLOTS}, plan_of(DropFault(kind="drop", bar=when(STARTS[4]))))
    faulty.skip_to((ENDS[7], SLICE))
    assert faulty.clock.gaps.ends[Outcome.RECEIVED] == 4  # all of 3 to 7 but 4


def test_a_tape_without_the_journals_last_input_is_refused() -> None:
    driver = driver_of({"A": SLOTS})
    with pytest.raises(RefusedError, match="no input at 2024-01-02T15:31:00Z"):
        driver.skip_to((ENDS[0] + MINUTE, SLICE))


def test_another_tape_goes_on_behind_what_the_account_has_seen() -> None:
    driver = driver_of({"A": SLOTS}, held=True)
    driver.pass_by(ENDS[1] + MINUTE)
    rest = inputs_of(driver)
    assert isinstance(rest[0], Resume)
    assert rest[1:] == list(feed_of({"A": SLOTS}).inputs())[3:]


def test_a_hold_without_any_trouble_is_lifted_when_the_feed_is_stable() -> None:
    driver = driver_of({"A": SLOTS[:2]}, held=True)
    assert told(driver)[:3] == ["0 opens", "1 Resume", "60 slice 0:A"]


# --- what a plan may ask for ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def xnys(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return load_calendar(tmp_path_factory.mktemp("state"))


@pytest.mark.parametrize(
    ("bar", "said"),
    [
        ("2024-01-03 10:30", None),
        ("2024-01-03 15:30", None),
        (
            "2024-01-03 10:00",
            (
                "no bar begins at 2024-01-03 10:00: that session's begin at 09:30, 10:30, 11:30, "
                "12:30, 13:30, 14:30, 15:30"
            ),
        ),
        (
            "2024-07-03 13:30",
            "no bar begins at 2024-07-03 13:30: the exchange is closed then",
        ),
        ("2024-01-06 10:30", "no bar begins at 2024-01-06 10:30: the exchange is closed then"),
    ],
)
def test_a_fault_of_a_bar_that_never_begins_is_refused(
    tmp_path: Path, xnys: Calendar, bar: str, said: str | None
) -> None:
    text = f"tape: {{}}\nfeed:\n  kind: tape\n  faults:\n    - {{kind: drop, bar: {bar}}}\n"
    config = load(tmp_path, FOUR_LINES + text)
    assert isinstance(config.feed, TapeFeedConfig)
    if said is None:
        check_faults(config, config.feed, xnys)
        return
    with pytest.raises(RefusedError) as caught:
        check_faults(config, config.feed, xnys)
    assert caught.value.lines == (f"{tmp_path}/c.yaml:9: feed.faults[0].bar: {said}",)
