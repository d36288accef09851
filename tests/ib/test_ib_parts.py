"""The pure parts of the feed: states, budget, pauses, windows, joining, hours, ratios."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan
from random import Random

import pytest

from daemon.core.events import Bar, Session
from daemon.core.units import MINUTE_NS, SECOND_NS
from daemon.feeds.closed_bars import Slot
from daemon.feeds.ib.asking import Asking
from daemon.feeds.ib.contracts import differences, stated_hours
from daemon.feeds.ib.history import BarMaker, Made, ask_for, reaches
from daemon.feeds.ib.messages import HistoryAsk, RawBar
from daemon.feeds.ib.pacing import Backoff, RequestBudget, requests_needed
from daemon.feeds.ib.resets import planned_reset
from daemon.feeds.ib.split import SplitWatch, constant_ratio
from daemon.feeds.ib.state import (
    CONNECTED,
    TRANSITIONS,
    IbMachine,
    IbState,
    IbTrigger,
    IllegalMoveError,
)
from tests.ib.feeding import NEW_YORK, TUESDAY, at
from tests.replay.workshop import calendar

S, T = IbState, IbTrigger

# --- states ---------------------------------------------------------------------------------------

ROUND = [
    (S.DOWN, T.CONNECT, S.CONNECTING),
    (S.CONNECTING, T.LOST, S.DOWN),
    (S.DOWN, T.WAIT, S.BACKOFF),
    (S.BACKOFF, T.CONNECT, S.CONNECTING),
    (S.CONNECTING, T.CONNECTED, S.SYNC),
    (S.SYNC, T.SYNCED, S.BACKFILL),
    (S.BACKFILL, T.CAUGHT_UP, S.LIVE),
    (S.LIVE, T.TROUBLED, S.DEGRADED),
    (S.DEGRADED, T.CLEARED, S.BACKFILL),
    (S.LIVE, T.UPSTREAM_LOST, S.UPSTREAM_DOWN),
    (S.UPSTREAM_DOWN, T.UPSTREAM_BACK, S.SYNC),
    (S.LIVE, T.LOST, S.DOWN),
    (S.LIVE, T.STOP, S.STOPPING),
]


def machine(state: IbState) -> IbMachine:
    made = IbMachine(1)
    made.state = state
    return made


@pytest.mark.parametrize(("before", "trigger", "after"), ROUND)
def test_the_feed_s_way_through_its_states(
    before: IbState, trigger: IbTrigger, after: IbState
) -> None:
    one = machine(before)
    assert one.move(trigger, 7) is True
    assert (one.state, one.since) == (after, 7)


@pytest.mark.parametrize("state", IbState)
@pytest.mark.parametrize("trigger", IbTrigger)
def test_a_move_is_in_the_table_or_changes_nothing(state: IbState, trigger: IbTrigger) -> None:
    one = machine(state)
    if (state, trigger) in TRANSITIONS:
        assert one.move(trigger, 7) is (one.state is not state)
        assert one.since == (1 if one.state is state else 7)
        return
    with pytest.raises(IllegalMoveError, match=f"{trigger} in state {state}"):
        one.move(trigger, 7)
    assert (one.state, one.since) == (state, 1)


def test_only_a_backfill_leads_to_live() -> None:
    assert {before for (before, _), after in TRANSITIONS.items() if after is S.LIVE} == {S.BACKFILL}
    assert {before for (before, _), after in TRANSITIONS.items() if after is S.BACKFILL} == {
        S.SYNC,
        S.DEGRADED,
    }


def test_every_connection_can_be_lost_and_stopped() -> None:
    assert all(TRANSITIONS[state, T.LOST] is S.DOWN for state in CONNECTED)
    assert all(TRANSITIONS[state, T.STOP] is S.STOPPING for state in S)
    assert [state for state in S if machine(state).is_connected] == list(CONNECTED)


# --- budget and pauses ----------------------------------------------------------------------------


def test_fifty_requests_in_ten_minutes_and_no_more() -> None:
    budget = RequestBudget()
    for second in range(50):
        assert budget.free_at("NVDA", second, second) == second
        budget.take("NVDA", second, second)
        budget.give_back()
    assert budget.left(49) == 0
    assert budget.free_at("NVDA", "new", 60) == 600  # the first one is ten minutes old then
    assert budget.left(599.9) == 0
    assert budget.left(600) == 1
    assert budget.left(649) == 50


def test_the_same_request_waits_fifteen_seconds() -> None:
    budget = RequestBudget()
    budget.take("NVDA", "a", 100)
    assert budget.free_at("NVDA", "a", 101) == 115
    assert budget.free_at("NVDA", "b", 101) == 101
    assert budget.free_at("NVDA", "a", 115) == 115


def test_five_requests_for_a_symbol_in_two_seconds() -> None:
    budget = RequestBudget()
    for number in range(5):
        budget.take("NVDA", number, 100 + number / 10)
    assert budget.free_at("NVDA", "next", 100.5) == 102
    assert budget.free_at("AMD", "next", 100.5) == 100.5


def test_six_requests_are_under_way_at_most() -> None:
    budget = RequestBudget()
    for number in range(6):
        assert not budget.is_full
        budget.take("NVDA", number, number)
    assert budget.is_full
    budget.give_back()
    assert not budget.is_full


def test_pauses_double_up_to_a_limit_and_begin_anew() -> None:
    exact = Backoff(1, 60, Random(1))
    assert [exact.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    exact.reset()
    assert exact.next_s() == 1
    uneven = Backoff(10, 10, Random(1), 0.2)
    pauses = [uneven.next_s() for _ in range(200)]
    assert 8 <= min(pauses) < 8.5
    assert 11.5 < max(pauses) <= 12


def test_requests_that_symbols_need() -> None:
    assert requests_needed(5, MINUTE_NS) == 50
    assert requests_needed(50, 10 * MINUTE_NS) == 50


# --- windows --------------------------------------------------------------------------------------


def slot(start: int, end: int) -> Slot:
    session = Session(20261124, at("09:30"), at("16:00"), 7, at("15:30"), at("2026-11-25T09:30"))
    return Slot(start, end, ("NVDA",), session, 0)


@pytest.mark.parametrize(
    ("size", "first", "now", "ask"),
    [
        # seconds: from the first bar, and 65 minutes more
        ("1h", "09:30", "10:30:05", HistoryAsk(None, "7505 S", "30 mins")),
        ("1m", "15:59", "16:00:05", HistoryAsk(None, "3965 S", "1 min")),
        ("1m", "09:30", "16:00:05", HistoryAsk(None, "27305 S", "1 min")),
        # beyond eight hours: days, a calendar day more than there are
        ("1h", "09:30", "2026-11-25T10:30:05", HistoryAsk(None, "3 D", "30 mins")),
        ("5m", "09:30", "2026-11-29T12:00", HistoryAsk(None, "7 D", "5 mins")),
        # beyond what one may ask for: up to an end
        ("1m", "09:30", "2026-11-25T10:30:05", HistoryAsk(at("16:00"), "1 D", "1 min")),
        ("5m", "09:30", "2026-12-20T12:00", HistoryAsk(at("2026-11-30T16:00"), "7 D", "5 mins")),
        ("1h", "09:30", "2027-02-20T12:00", HistoryAsk(at("2026-12-23T16:00"), "30 D", "30 mins")),
    ],
)
def test_what_is_asked_for(size: str, first: str, now: str, ask: HistoryAsk) -> None:
    start = at(first)
    assert ask_for(size, slot(start, start + MINUTE_NS), at(now)) == ask


def test_an_answer_reaches_as_far_as_it_was_asked_for() -> None:
    assert reaches(HistoryAsk(None, "1 D", "1 min"), 7) == 7
    assert reaches(HistoryAsk(5, "1 D", "1 min"), 7) == 5


# --- joining and finality -------------------------------------------------------------------------


def raw(clock: str, low: float = 1.0, close: float = 2.0, volume: float = 10.0) -> RawBar:
    return RawBar(at(clock), 2.0, 3.0, low, close, volume)


def make(*bars: RawBar, size: str = "1h", grid: str = "session", until: str = "16:05") -> Made:
    return BarMaker(calendar(), size, grid).make("NVDA", bars, at(until))


def test_halves_are_joined_in_any_order_and_once() -> None:
    made = make(raw("10:00", 0.5, 2.5, 7.4), raw("09:30"), raw("09:30"), until="10:30")
    assert made.bars == [Bar("NVDA", at("09:30"), at("10:30"), 2.0, 3.0, 0.5, 2.5, 17)]


def test_a_bar_before_its_end_is_none() -> None:
    made = make(raw("09:30"), raw("10:00"), raw("10:30"), until="10:29:59")
    assert (made.bars, made.bad, made.incomplete) == ([], [], [])
    assert made.last == at("10:30")


def test_a_part_that_lacks_makes_a_bar_incomplete() -> None:
    made = make(raw("10:00"), raw("10:30"), raw("11:00"), until="11:30")
    assert [bar.start for bar in made.bars] == [at("10:30")]
    assert made.incomplete == [at("09:30")]


def test_the_last_hour_of_a_session_is_half_an_hour() -> None:
    made = make(raw("15:30"))
    assert [(bar.start, bar.end) for bar in made.bars] == [(at("15:30"), at("16:00"))]


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (RawBar(at("15:30"), 2.0, 1.9, 1.0, 1.5, 1.0), "open or close lies outside low and high"),
        (RawBar(at("15:30"), 2.0, 3.0, 2.1, 2.5, 1.0), "open or close lies outside low and high"),
        (RawBar(at("15:30"), nan, 3.0, 1.0, 2.0, 1.0), "a price or the volume is not a number"),
        (RawBar(at("15:30"), 2.0, inf, 1.0, 2.0, 1.0), "a price or the volume is not a number"),
        (RawBar(at("15:30"), 0.0, 0.0, 0.0, 0.0, 1.0), "a price is not above 0"),
        (RawBar(at("15:30"), 2.0, 3.0, 1.0, 2.0, -1.0), "the volume is below 0"),
    ],
)
def test_bars_that_cannot_be_true(one: RawBar, reason: str) -> None:
    made = make(one)
    assert made.bars == []
    assert made.bad == [(at("15:30"), reason)]


def test_what_begins_where_no_bar_does_is_a_stray() -> None:
    made = make(raw("09:45"), raw("17:00"), raw("2026-11-26T10:00"), until="2026-11-27T09:00")
    assert made.bars == []
    assert [bar.start for bar in made.strays] == [
        at("09:45"),
        at("17:00"),
        at("2026-11-26T10:00"),  # a holiday
    ]


def test_a_date_that_no_calendar_knows_is_a_stray() -> None:
    made = make(RawBar(0, 2.0, 3.0, 1.0, 2.0, 1.0))
    assert [bar.start for bar in made.strays] == [0]


# --- asking again ---------------------------------------------------------------------------------


def test_a_bar_is_asked_for_again_ever_later() -> None:
    asking, waits = Asking("NVDA", Random(1)), []
    one = slot(at("09:30"), at("10:30"))
    now_s = 0.0
    asking.lacks(one, now_s, 0)
    for _ in range(7):
        asking.conclude([one], now_s)
        waits.append(asking.not_before_s - now_s)
        now_s = asking.not_before_s
    assert waits == [2, 5, 10, 30, 60, 60, 60]


def test_an_answer_that_brought_something_is_followed_up_at_once() -> None:
    asking = Asking("NVDA", Random(1))
    asking.lacks(slot(at("09:30"), at("10:30")), 0, 0)
    asking.conclude([slot(at("09:30"), at("10:30"))], 0)
    asking.conclude([slot(at("10:30"), at("11:30"))], 2)
    assert (asking.not_before_s, asking.tries) == (2, 0)


@pytest.mark.parametrize(
    ("tries", "last", "final", "asked", "known"),
    [
        (0, "11:00", "10:30", "11:35", False),  # asked for once
        (1, "11:00", "10:30", "11:35", True),  # a later bar that is over
        (3, "10:30", None, "10:30:30", False),  # a later bar that has begun
        (4, "10:30", None, "10:30:52", True),
        (4, "09:30", None, "10:30:52", False),  # silence
        (9, "09:30", None, "16:09:59", False),
        (9, "09:30", None, "16:10", True),  # the session is over
    ],
)
def test_when_it_is_known_that_there_is_no_bar(
    tries: int, last: str, final: str | None, asked: str, known: bool
) -> None:
    asking = Asking("NVDA", Random(1))
    asking.tries = tries
    bars = [] if final is None else [Bar("NVDA", at(final), at("11:30"), 1, 1, 1, 1, 1)]
    made = Made(bars, [], [], [], at(last))
    assert asking.knows_absent(slot(at("09:30"), at("10:30")), made, at(asked)) is known


# --- hours ----------------------------------------------------------------------------------------


def test_hours_are_read_in_both_forms_and_in_their_zone() -> None:
    new = stated_hours("20261124:0930-20261124:1600;20261126:CLOSED", "US/Eastern", NEW_YORK)
    assert new == {20261124: (at("09:30"), at("16:00")), 20261126: None}
    assert stated_hours("20261124:0930-1600", "EST5EDT", NEW_YORK) == {
        20261124: (at("09:30"), at("16:00"))
    }
    assert stated_hours("20261124:0830-20261124:1500", "America/Chicago", NEW_YORK) == {
        20261124: (at("09:30"), at("16:00"))
    }
    assert stated_hours("20261124:0930-1200,1300-1600;", "EST (Eastern Standard Time)", "UTC") == {
        20261124: (at("09:30"), at("16:00"))
    }


def test_hours_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(ValueError, match="'today' is not a day's hours"):
        stated_hours("today", NEW_YORK, NEW_YORK)
    with pytest.raises(ValueError, match="'25:00' is not an open and a close"):
        stated_hours("20261124:25:00", NEW_YORK, NEW_YORK)


def test_days_that_agree_differ_in_nothing() -> None:
    hours = "20261124:0930-20261124:1600;20261126:CLOSED;20261127:0930-20261127:1300"
    assert differences(calendar(), stated_hours(hours, NEW_YORK, NEW_YORK)) == []
    late = differences(calendar(), stated_hours("20261124:0930-1700", NEW_YORK, NEW_YORK))
    assert [one.date for one in late] == [20261124]
    assert "open from 09:30 to 17:00, calendar XNYS 09:30 to 16:00" in late[0].text


# --- resets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "word"),
    [
        (f"{TUESDAY}T23:44", None),
        (f"{TUESDAY}T23:45", "nightly"),
        ("2026-11-25T01:44", "nightly"),
        ("2026-11-25T01:45", None),
        ("2026-11-27T22:59", None),
        ("2026-11-27T23:00", "weekend"),
        ("2026-11-28T02:59", "weekend"),
        ("2026-11-28T03:00", None),
        ("2026-11-29T00:59", "nightly"),
        ("2026-11-29T01:00", "weekly login"),
        ("2026-11-30T00:30", "nightly"),
        ("2026-11-30T09:30", None),
    ],
)
def test_resets_that_are_planned(clock: str, word: str | None) -> None:
    found = planned_reset(at(clock), NEW_YORK)
    assert (found is None) == (word is None)
    assert word is None or word in str(found)


# --- ratios ---------------------------------------------------------------------------------------


def bars(ratio: float, count: int = 4, noise: float = 0.0) -> list[tuple[Bar, Bar]]:
    pairs = []
    for number in range(count):
        start = at("09:30") + number * 3_600 * SECOND_NS
        old = [price + number for price in (101.37, 102.11, 100.02, 101.98)]
        new = [round(price / ratio, 2) for price in old]
        new[3] += noise * number
        pairs.append((_bar(start, old), _bar(start, new)))
    return pairs


def _bar(start: int, prices: list[float]) -> Bar:
    first, high, low, last = prices
    return Bar("NVDA", start, start + 1, first, high, low, last, 1)


@pytest.mark.parametrize(
    ("ratio", "split"),
    [(10, (10, 1)), (2, (2, 1)), (1.5, (3, 2)), (1 / 8, (1, 8)), (1.05, (21, 20)), (4, (4, 1))],
)
def test_a_constant_ratio_is_a_split(ratio: float, split: tuple[int, int]) -> None:
    assert constant_ratio(bars(ratio)) == Fraction(*split)


def test_other_changes_are_none() -> None:
    assert constant_ratio(bars(1.0)) is None
    assert constant_ratio(bars(1.02)) is None
    assert constant_ratio(bars(10, count=2)) is None  # too few to prove anything
    assert constant_ratio(bars(10, noise=1.0)) is None
    assert constant_ratio([]) is None


def test_the_watch_forgets_the_oldest_bars() -> None:
    watch = SplitWatch()
    for number in range(200):
        watch.remember(Bar("NVDA", number, number + 1, 1, 1, 1, 1, 1))
    assert len(watch._bars["NVDA"]) == 128
    assert watch.last("NVDA") == Bar("NVDA", 199, 200, 1, 1, 1, 1, 1)
    assert watch.last("AMD") is None
