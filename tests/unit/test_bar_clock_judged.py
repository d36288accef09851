"""What a person tells the feed: quarantined bars released or rejected, corporate actions.

New York times of 2024-05-28 unless a date is given.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from daemon.core.events import Action, CorporateAction, Dividend, Outcome, Reject, Release, Split
from daemon.feeds.feed_health import FeedState
from daemon.feeds.put_aside import PUT_ASIDE_MAX, PutAside, Quarantined, SessionOverError
from tests.unit.clock_day import FULL, Day

TWO = ("NVDA", "AMD")
TWO_DAYS = {"2024-05-28": FULL, "2024-05-29": FULL}
SPLIT = Split("NVDA", 20240529, 10, 1)
CASH = Dividend("NVDA", 20240529, 20240628, 10_000)


def set_aside(
    day: Day, end: str, now: str, symbol: str = "NVDA", price: float = 100.0
) -> list[str]:
    bar = day.made(end, symbol, price)
    day.clock.quarantine(symbol, bar.start, day.at(now), "a spike", bar)
    return day.out()


def release(day: Day, end: str, now: str, symbol: str = "NVDA") -> Outcome | None:
    start = day.made(end, symbol).start
    return day.clock.carry_out(Release(day.at(now), "operator", "it is true", symbol, start))


def reject(day: Day, end: str, now: str) -> Outcome | None:
    start = day.made(end).start
    return day.clock.carry_out(Reject(day.at(now), "operator", "a bad print", "NVDA", start))


# --- released -------------------------------------------------------------------------------------


def test_while_its_slice_is_open_it_is_taken_into_it() -> None:
    day = Day(symbols=TWO, start="09:30")
    set_aside(day, "10:30", "10:30:05")
    assert release(day, "10:30", "10:30:20") is Outcome.RECEIVED
    assert day.out() == ["Release 10:30:20"]
    assert day.bar("10:30", "10:30:30", "AMD") == ["slice 10:30 NVDA,AMD"]
    assert day.facts == []


def test_too_late_for_deciding_it_makes_its_slice_late() -> None:
    day = Day(symbols=TWO, start="09:30")
    set_aside(day, "10:30", "10:30:05")
    assert release(day, "10:30", "10:31:01") is Outcome.RECEIVED
    assert day.out() == ["Release 10:31:01"]
    assert day.bar("10:30", "10:31:10", "AMD") == ["late slice 10:30 NVDA,AMD"]


def test_after_its_slice_it_is_a_slice_of_its_own() -> None:
    day = Day(start="09:30")
    assert set_aside(day, "10:30", "10:30:05", price=104.0) == ["slice 10:30 -NVDA"]
    assert release(day, "10:30", "10:50") is Outcome.BACKFILLED
    assert day.out() == ["Release 10:50", "late slice 10:30 NVDA"]
    assert day.slices[-1].bars[0].close == 104.0
    assert day.facts == ["NVDA 10:30 quarantined", "NVDA 10:30 backfilled"]
    ends = day.clock.gaps.ends
    assert (ends[Outcome.QUARANTINED], ends[Outcome.BACKFILLED]) == (0, 1)


def test_after_its_symbols_next_bar_it_is_noted() -> None:
    day = Day(start="09:30")
    set_aside(day, "10:30", "10:30:05")
    day.bar("11:30", "11:30:05")
    assert release(day, "10:30", "11:40") is Outcome.LATE
    assert day.out() == ["Release 11:40"]
    day.bar("12:30", "12:30:05")
    assert day.facts == ["NVDA 10:30 quarantined", "NVDA 10:30 late"]


def test_time_has_passed_before_the_command_comes_out() -> None:
    """What was due at 11:31 and nobody has asked for comes out first, late."""
    day = Day(symbols=TWO, start="09:30")
    set_aside(day, "10:30", "10:30:05")
    day.bar("10:30", "10:30:05", "AMD")
    day.bar("11:30", "11:30:05", "AMD")
    assert release(day, "10:30", "11:40") is Outcome.BACKFILLED
    assert day.out() == ["late slice 11:30 AMD-NVDA", "Release 11:40", "late slice 10:30 NVDA"]


def test_it_is_judged_once() -> None:
    day = Day(start="09:30")
    set_aside(day, "10:30", "10:30:05")
    release(day, "10:30", "10:40")
    day.out()
    with pytest.raises(LookupError, match="it was judged, or set aside before"):
        release(day, "10:30", "10:41")
    assert day.out() == []


@pytest.mark.parametrize("end", ["11:30", "10:30"])
def test_a_bar_that_was_not_set_aside(end: str) -> None:
    day = Day(start="09:30")
    day.bar("10:30", "10:30:05")
    with pytest.raises(LookupError, match="no quarantined bar begins there"):
        release(day, end, "10:40")
    assert day.out() == []


def test_a_bar_that_came_after_all_needs_no_judgement() -> None:
    day = Day(start="09:30")
    set_aside(day, "10:30", "10:30:05")
    assert day.clock.put_aside.plain() == [
        {"symbol": "NVDA", "start": "2024-05-28T13:30:00Z", "reason": "a spike"}
    ]
    assert day.bar("10:30", "10:33", price=101.0) == ["late slice 10:30 NVDA"]
    assert day.clock.put_aside.plain() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (None, "its numbers are not known (a spike)"),
        ({"high": 99.0}, "its numbers cannot be true (a spike)"),
        ({"low": float("nan")}, "its numbers cannot be true"),
        ({"low": 0.0}, "its numbers cannot be true"),
        ({"high": float("inf")}, "its numbers cannot be true"),
        ({"volume": -1}, "its numbers cannot be true"),
    ],
)
def test_numbers_that_no_venue_could_use_are_not_released(
    changes: dict[str, float] | None, words: str
) -> None:
    day = Day(start="09:30")
    bar = day.made("10:30")
    told = None if changes is None else replace(bar, **changes)
    day.clock.quarantine("NVDA", bar.start, day.at("10:30:05"), "a spike", told)
    day.out()
    with pytest.raises(LookupError) as refused:
        release(day, "10:30", "10:40")
    assert words in str(refused.value)
    assert day.out() == []
    assert reject(day, "10:30", "10:41") is Outcome.QUARANTINED  # it waits for that


def test_what_a_person_brings_is_no_sign_of_life() -> None:
    """Set aside at 10:30, silent since 11:32: a release at 11:40 leaves it so, a bar does not."""
    day = Day(start="09:30")
    set_aside(day, "10:30", "10:30:05")
    day.until("11:39")
    states = [day.clock.feed.state]
    assert release(day, "10:30", "11:40") is Outcome.BACKFILLED
    states.append(day.clock.feed.state)
    day.bar("11:30", "11:41")
    states.append(day.clock.feed.state)
    assert states == [FeedState.SILENT, FeedState.SILENT, FeedState.UP]


# --- rejected -------------------------------------------------------------------------------------


def test_rejected_it_stays_missing_and_the_ledger_says_why() -> None:
    day = Day(start="09:30")
    set_aside(day, "10:30", "10:30:05")
    assert reject(day, "10:30", "10:40") is Outcome.QUARANTINED
    assert day.out() == ["Reject 10:40"]
    day.clock.absent("NVDA", day.at("10:30"), day.at("11:30:05"), "none")
    facts = [fact for emitted in day.clock.take() for fact in emitted.facts]
    assert [(fact.start, fact.outcome, fact.detail) for fact in facts] == [
        (day.at("09:30"), "quarantined", "rejected: a bad print"),
        (day.at("10:30"), "missing", "none"),
    ]
    assert facts[0].end == day.at("10:30")
    assert day.clock.gaps.ends[Outcome.QUARANTINED] == 1


def test_rejected_while_its_slice_is_open() -> None:
    day = Day(symbols=TWO, start="09:30")
    set_aside(day, "10:30", "10:30:05")
    reject(day, "10:30", "10:30:20")
    assert day.out() == ["Reject 10:30:20"]
    assert day.bar("10:30", "10:30:30", "AMD") == ["slice 10:30 AMD-NVDA"]


def test_only_so_many_wait() -> None:
    aside = PutAside()
    for number in range(PUT_ASIDE_MAX + 1):
        aside.put(Quarantined("NVDA", number, number + 1, "odd", None))
    assert len(aside.plain()) == PUT_ASIDE_MAX
    with pytest.raises(LookupError):
        aside.judged(Reject(0, "operator", "", "NVDA", 0))


# --- corporate actions ----------------------------------------------------------------------------


def told(day: Day, now: str, action: CorporateAction = SPLIT) -> None:
    day.clock.carry_out(Action(day.at(now), "operator", "listed", action))


def play(day: Day, *ends: str) -> None:
    for end in ends:
        date, _, clock = end.rpartition(" ")
        day.bar(end, f"{date} {clock}:05".strip())


def test_an_action_rides_on_the_first_slice_of_its_session() -> None:
    day = Day(TWO_DAYS, start="09:30")
    play(day, "10:30")
    told(day, "10:40")
    assert day.out() == ["Action 10:40"]
    play(day, "11:30", "05-29 10:30", "05-29 11:30")
    assert [(item.end, item.actions) for item in day.slices if item.actions] == [
        (day.at("05-29 10:30"), (SPLIT,))
    ]


def test_told_of_during_its_session_it_rides_on_the_next_slice() -> None:
    day = Day(TWO_DAYS, start="09:30")
    play(day, "05-29 10:30", "05-29 11:30")
    told(day, "05-29 11:40")
    play(day, "05-29 12:30", "05-29 13:30")
    assert [(item.end, item.actions) for item in day.slices if item.actions] == [
        (day.at("05-29 12:30"), (SPLIT,))
    ]


def test_a_split_goes_before_a_dividend_of_its_day() -> None:
    day = Day(TWO_DAYS, start="16:00")
    told(day, "16:01", CASH)
    told(day, "16:02", SPLIT)
    play(day, "05-29 10:30")
    assert day.slices[-1].actions == (SPLIT, CASH)


@pytest.mark.parametrize("again", ["09:32", "05-29 10:40"])
def test_the_same_twice_is_once(again: str) -> None:
    day = Day(TWO_DAYS, start="09:30")
    told(day, "09:31")
    if again != "09:32":
        play(day, "05-29 10:30")
    day.out()
    with pytest.raises(LookupError, match="it is known already"):
        told(day, again)
    assert not any(word.startswith("Action") for word in day.out())
    play(day, "05-29 10:30", "05-29 11:30")
    assert sum(len(item.actions) for item in day.slices) == 1


def test_what_the_schedule_has_as_well_is_carried_once() -> None:
    day = Day(TWO_DAYS, start="09:30", actions=(SPLIT,))
    told(day, "09:31")
    play(day, "05-29 10:30", "05-29 11:30")
    assert [item.actions for item in day.slices if item.actions] == [(SPLIT,)]


def test_a_bar_of_before_a_split_is_overtaken_by_it() -> None:
    day = Day(TWO_DAYS, start="15:30")
    day.clock.absent("NVDA", day.made("16:00").start, day.at("16:00:50"), "none")
    told(day, "16:30")
    day.clock.absent("NVDA", day.at("05-29 09:30"), day.at("05-29 10:30:50"), "none")
    day.out()
    assert day.slices[-1].actions == (SPLIT,)
    assert day.bar("16:00", "05-29 10:40") == []
    day.bar("05-29 11:30", "05-29 11:30:05")
    assert "NVDA 16:00 late" in day.facts


def test_after_a_restart_what_no_slice_has_carried_comes_with_the_next() -> None:
    listed: list[CorporateAction] = [
        SPLIT,
        CASH,
        Split("NVDA", 20240528, 2, 1),
        Split("NVDA", 20240530, 3, 1),
    ]
    day = Day(TWO_DAYS, start="05-29 11:30")
    day.clock.actions.go_on(20240529, (CASH,), (), listed)
    play(day, "05-29 12:30", "05-29 13:30")
    assert [item.actions for item in day.slices] == [(SPLIT,), ()]
    with pytest.raises(LookupError, match="it is known already"):
        told(day, "05-29 13:40", CASH)


def test_what_a_tape_makes_of_an_action() -> None:
    day = Day(TWO_DAYS, start="16:00")
    half = replace(CASH, amount_micros=5_000)
    day.clock.actions.as_applied = lambda one: half if isinstance(one, Dividend) else None
    with pytest.raises(LookupError, match="the prices of this tape hold it"):
        told(day, "16:01", SPLIT)
    told(day, "16:02", CASH)
    play(day, "05-29 10:30")
    assert [item.actions for item in day.slices if item.actions] == [(half,)]


def test_warm_up_carries_nothing() -> None:
    day = Day(TWO_DAYS, start="11:30", warmup=2)
    day.clock.actions.go_on(20240528, (), (), [Split("NVDA", 20240528, 2, 1)])
    play(day, "10:30", "11:30")
    assert [item.outcome for item in day.slices] == [Outcome.WARMUP, Outcome.WARMUP]
    play(day, "12:30")
    assert [len(item.actions) for item in day.slices] == [0, 0, 1]


# --- a split that is told of late ---------------------------------------------------------------

THREE_DAYS = {**TWO_DAYS, "2024-05-30": FULL}


def late(*, released: str = "", carried: bool = False) -> Day:
    """No bar on 05-29 but what was `released`, nor the next day's first; it is 05-30, 11:00."""
    day = Day(THREE_DAYS, start="15:30")
    play(day, "16:00")
    if carried:
        told(day, "16:01")
    for hour in range(10, 16):
        start, now = f"05-29 {hour - 1:02d}:30", f"05-29 {hour}:30:50"
        day.clock.absent("NVDA", day.at(start), day.at(now), "none")
    day.clock.absent("NVDA", day.at("05-29 15:30"), day.at("05-29 16:00:50"), "none")
    if released:
        day.bar(released, "05-29 17:00")
    day.clock.absent("NVDA", day.at("05-30 09:30"), day.at("05-30 10:30:50"), "none")
    day.out()
    return day


def test_a_split_is_carried_late_where_nothing_of_its_session_was_traded() -> None:
    day = late()
    told(day, "05-30 11:00")
    play(day, "05-30 11:30", "05-30 12:30")
    assert [item.actions for item in day.slices[-2:]] == [(SPLIT,), ()]


def test_it_is_too_late_once_a_bar_of_since_was_traded() -> None:
    day = late(released="05-29 14:30")
    assert [item.outcome for item in day.slices[-2:]] == [Outcome.BACKFILLED, Outcome.RECEIVED]
    with pytest.raises(SessionOverError, match="its session is over"):
        told(day, "05-30 11:00")


def test_what_was_carried_without_a_bar_is_not_carried_again() -> None:
    day = late(carried=True)
    assert [len(item.actions) for item in day.slices] == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    with pytest.raises(SessionOverError):
        told(day, "05-30 11:00")


def test_a_dividend_is_never_late() -> None:
    day = late()
    with pytest.raises(SessionOverError):
        told(day, "05-30 11:00", CASH)


def test_after_a_restart_a_late_split_that_is_listed_comes_with_the_next_slice() -> None:
    for seen, comes in (((("NVDA", 20240528),), 1), ((("NVDA", 20240529),), 0), ((), 0)):
        day = Day(THREE_DAYS, start="05-30 09:30")
        day.clock.actions.go_on(20240530, (), (), [SPLIT, CASH], seen)
        play(day, "05-30 10:30")
        assert len(day.slices[0].actions) == comes
