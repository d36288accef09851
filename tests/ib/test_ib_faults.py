"""Each way in which the gateway fails: what becomes of the bar and the hold, and what is told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from daemon.core.events import Pause
from tests.fake_gateway import Kind, Step
from tests.fake_gateway.connection import Framing
from tests.fake_gateway.faults import (
    AnyFault,
    Babble,
    CompetingSession,
    Cut,
    CutOff,
    DelayBar,
    Drop,
    Empty,
    Farm,
    Frame,
    Garbage,
    HalfStart,
    Ignore,
    Mangle,
    MissBar,
    Mute,
    Refuse,
    Restart,
    ReviseBar,
    Say,
    Skew,
    Slow,
    TakeClientIds,
    Upstream,
)
from tests.fake_gateway.mangling import Mangling
from tests.ib.feeding import NEW_YORK, TUESDAY, Fed, clock_of, feed

CLOSED = "the gateway closed the connection"
PHONE = (
    "another login of this user (a phone, another computer) took the market data; waiting until "
    "it gives it back"
)


def step(clock: str, fault: AnyFault) -> Step:
    return Step(at=bar(clock), fault=fault)


def bar(clock: str) -> str:
    return f"{TUESDAY}T{clock} {NEW_YORK}"


def day(*steps: Step, until: str = "12:00", **more: Any) -> Fed:
    fed = feed(until=until, steps=steps, **more)
    assert fed.broken() == []
    assert fed.standing["connection"] == "live"
    return fed


def after_start(fed: Fed) -> list[tuple[str, str, str]]:
    """What happened to the feed once it was live."""
    rows = fed.feed_rows()
    return rows[[row[1] for row in rows].index("restored") + 1 :]


BEFORE = "10:28:30"
"""A minute and a half before the bar of 09:30 ends."""


# --- the bar is in time all the same ----------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Drop(),
        Drop(reset=True),
        Mute(),
        Garbage(),
        Babble(),
        Slow(by_s=3.0, for_s=600),
        Frame(framing=Framing.BYTEWISE, for_s=600),
        Frame(framing=Framing.JOINED, for_s=600),
        Empty(),
        Ignore(),
        Ignore(times=2),
        Refuse(code=162, text="pacing"),
        Refuse(code=162, text="no_data"),
        Refuse(code=200, times=2),
        Refuse(code=366),
        Refuse(code=1, text="nobody knows what this is"),
        CutOff(where=Cut.WITHIN),
        CutOff(where=Cut.BEFORE, reset=True),
        CutOff(where=Cut.AFTER),
        Restart(down_s=20),
        Upstream(down_s=30, restored=1101),
        Upstream(down_s=30, restored=1102),
        Farm(farm="history", down_s=30),
        Farm(farm="market", down_s=30),
        CompetingSession(for_s=30),
        Skew(seconds=1.5, for_s=600),
        Skew(seconds=-1.5, for_s=600),
        *(Mangle(how=how) for how in Mangling),
    ],
    ids=repr,
)
def test_a_short_fault_costs_no_decision(fault: AnyFault) -> None:
    fed = day(step(BEFORE, fault))
    assert [(end, outcome) for end, outcome, _ in fed.told()] == [
        ("10:30", "received"),
        ("11:30", "received"),
    ]
    assert fed.holds() == []
    assert fed.gaps() == []


# --- connections ------------------------------------------------------------------------------


def test_a_lost_connection_is_made_again_at_once() -> None:
    fed = day(step(BEFORE, Drop(reset=True)))
    assert [row[1:] for row in after_start(fed)] == [
        ("lost", CLOSED),
        ("sync", "connected for the 2nd time"),
        ("backfill", "connected, fetching what was missed"),
        ("restored", ""),
    ]
    lost_at, back_at = after_start(fed)[0][0], after_start(fed)[-1][0]
    assert (lost_at, back_at) in (("10:28:30", "10:28:30"), ("10:28:30", "10:28:31"))
    assert fed.standing["generation"] == 2


def test_a_mute_socket_is_noticed_by_the_heartbeat() -> None:
    fed = day(step("10:10:01", Mute()))
    lost = after_start(fed)[0]
    # the next heartbeat goes out at 10:10:30 and is given 10 s
    assert lost == (
        "10:10:40",
        "lost",
        "the gateway gives no sign of life: no answer within 10 s",
    )


def test_a_restart_pauses_trading_and_the_missed_bar_is_fetched() -> None:
    fed = day(step("10:25", Restart(down_s=600, next_order_id=1)))
    late, following = fed.slices
    assert (late.outcome, following.outcome) == ("backfilled", "received")
    assert fed.gaps() == [("NVDA", "09:30", "backfilled")]
    (paused, by), (resumed, by_whom) = fed.holds()
    assert (by, by_whom) == ("pause feed", "resume feed")
    assert paused == "10:27"  # pause_after_s
    came = fed.told()[0][2]
    assert "10:35" <= came <= "10:36:15"  # the port is open from 10:35, a pause is 60 s + 20 %
    assert resumed > came  # stable_s later
    assert [row[1:] for row in after_start(fed)][:2] == [
        ("lost", CLOSED),
        ("down", f"nothing listens at 127.0.0.1:{fed.gateway.port}"),
    ]


def test_pauses_between_connections_grow_and_are_uneven() -> None:
    taken = TakeClientIds(client_ids=(17, 18, 19), for_s=900)
    fed = day(step("10:00:01", taken), step("10:01", Drop()), until="11:00")
    asked = [one.at_ns / 1e9 for one in fed.gateway.log.of("accept")][1:]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    for pause, expected in zip(pauses, (2, 4, 8, 16, 32, 60, 60, 60), strict=False):
        assert expected * 0.79 <= pause <= expected * 1.21
    assert len(set(pauses)) == len(pauses) > 10


def test_a_client_id_in_use_is_left_for_the_next() -> None:
    fed = day(step("10:10", TakeClientIds(client_ids=(17, 18), for_s=3600)), step("10:11", Drop()))
    assert fed.standing["client_id"] == 19
    assert [row[2] for row in after_start(fed) if row[1] == "down"] == [
        "client id 17 is used by another program; trying 18",
        "client id 18 is used by another program; trying 19",
    ]


def test_a_single_client_id_in_use_says_what_to_do() -> None:
    steps = (step("10:10", TakeClientIds(client_ids=(17,), for_s=600)), step("10:11", Drop()))
    fed = day(*steps, options={"client_ids": "[17]"})
    assert (
        "down",
        "client id 17 is used by another program: add ids to feed.client_ids",
    ) in [row[1:] for row in after_start(fed)]


def test_client_ids_that_are_in_use_one_after_the_other_are_not_all_in_use() -> None:
    steps = [
        step(f"10:{minute}:{second:02d}", fault)
        for minute, taken in ((10, 17), (15, 18), (20, 19))
        for second, fault in (
            (0, TakeClientIds(client_ids=(taken,), for_s=60)),
            (1, Drop()),
        )
    ]
    fed = day(*steps)
    assert [row[2][-9:] for row in after_start(fed) if row[1] == "down"] == [
        "trying 18",
        "trying 19",
        "trying 17",
    ]


def test_client_ids_that_are_all_in_use_say_what_to_do() -> None:
    taken = TakeClientIds(client_ids=(17, 18, 19), for_s=90)
    fed = day(step("10:10", taken), step("10:10:01", Drop()))
    words = "client ids 17, 18, 19 are all used by other programs: add to feed.client_ids"
    assert ("down", words) in [row[1:] for row in after_start(fed)]


def test_request_numbers_begin_anew_with_each_connection() -> None:
    fed = day(step("10:25", Restart(down_s=20, next_order_id=1)))
    numbers = [one.request.request_id for one in fed.gateway.log.of(Kind.HISTORY)]
    assert min(numbers) > 100_000
    assert {number // 100_000 for number in numbers} == {1, 2}
    assert len(set(numbers)) == len(numbers)


def test_a_login_that_stays_half_is_given_up() -> None:
    fed = day(step("10:10", HalfStart(without="accounts")), step("10:10:01", Drop()))
    place = f"127.0.0.1:{fed.gateway.port}"
    assert ("down", f"{place} does not answer as a gateway does") in [
        row[1:] for row in after_start(fed)
    ]


# --- servers, farms, logins ---------------------------------------------------------------------


@pytest.mark.parametrize("restored", [1101, 1102])
@pytest.mark.parametrize("lost", [1100, 2110])
def test_lost_servers_are_waited_for(lost: Any, restored: Any) -> None:
    fed = day(step("10:29", Upstream(lost=lost, down_s=130, restored=restored)))
    assert fed.told()[0] == ("10:30", "backfilled", "10:31:10")
    waits = "the gateway has lost Interactive Brokers' servers; waiting"
    assert after_start(fed)[0] == ("10:29", "lost", waits)
    assert fed.standing["generation"] == 1
    # nothing was asked while they were away
    asked = [clock_of(one.at_ns) for one in fed.gateway.log.of(Kind.HISTORY)]
    assert [one for one in asked if "10:29" <= one < "10:31:10"] == []


def test_servers_that_stay_away_are_looked_for_with_a_new_connection() -> None:
    fed = day(step("10:20", Upstream(down_s=800)))
    assert fed.standing["generation"] > 1
    assert ("10:25", "down") in [row[:2] for row in after_start(fed)]  # five minutes later


def test_a_broken_history_farm_holds_the_bar_until_it_is_back() -> None:
    fed = day(step("10:29", Farm(farm="history", down_s=300)))
    assert fed.told()[0] == ("10:30", "backfilled", "10:34")
    assert after_start(fed)[0] == (
        "10:29",
        "lost",
        "Interactive Brokers' store of past bars is down; waiting",
    )
    assert [hold for _, hold in fed.holds()] == ["pause feed", "resume feed"]


def test_bars_that_come_prove_a_farm_well() -> None:
    # 2103 of a farm that none of our bars come from, and its 2104 never comes
    notice = Say(code=2103, text="Market data farm connection is broken:eufarm")
    fed = day(step("10:29", notice))
    assert after_start(fed) == [
        ("10:29", "lost", "Interactive Brokers' market data is down; waiting"),
        ("10:30:05", "backfill", "connected, fetching what was missed"),
        ("10:30:05", "restored", ""),
    ]
    assert fed.told()[0] == ("10:30", "received", "10:30:05")


def test_a_login_elsewhere_is_told_and_waited_for() -> None:
    fed = day(step("10:25", CompetingSession(for_s=700)))
    assert after_start(fed)[0] == ("10:30:05", "lost", PHONE)
    (pause,) = fed.of(Pause)
    assert PHONE in pause.reason
    assert fed.told()[0][:2] == ("10:30", "backfilled")
    asked = [one.at_ns for one in fed.gateway.log.of(Kind.HISTORY)][2:]
    waits = [round((b - a) / 1e9) for a, b in pairwise(asked)]
    assert waits[:6] == [60] * 6  # each minute


def test_pacing_errors_double_the_pause() -> None:
    fed = day(step("10:25", Refuse(code=162, text="pacing", times=4)), until="12:00")
    asked = [clock_of(one.at_ns) for one in fed.gateway.log.of(Kind.HISTORY)][2:7]
    assert asked == ["10:30:05", "10:30:20", "10:30:50", "10:31:50", "10:33:50"]
    assert fed.told()[0] == ("10:30", "backfilled", "10:33:50")


def test_the_hold_of_a_feed_ends_when_it_has_been_stable() -> None:
    fed = day(step("10:29", Farm(farm="history", down_s=300)))
    assert fed.holds() == [("10:31", "pause feed"), ("10:36", "resume feed")]


def test_trading_goes_on_at_the_next_bar_if_the_config_says_so() -> None:
    options = {"resume": "{stable_s: 120, after: next_bar}"}
    fed = day(step("10:29", Farm(farm="history", down_s=300)), options=options)
    assert fed.holds() == [("10:31", "pause feed"), ("11:30:05", "resume feed")]


# --- bars ---------------------------------------------------------------------------------------


def test_a_late_bar_is_waited_for_and_decides() -> None:
    fed = day(step("09:00", DelayBar(symbol="NVDA", start=bar("10:00"), by_s=40.0)))
    assert fed.told()[0] == ("10:30", "received", "10:30:52")


def test_a_bar_that_comes_after_its_slice_is_a_slice_of_its_own() -> None:
    fed = day(step("09:00", DelayBar(symbol="NVDA", start=bar("10:00"), by_s=90.0)))
    assert fed.told() == [
        ("10:30", "received", "10:30:52"),  # without it
        ("10:30", "backfilled", "11:30:05"),
        ("11:30", "received", "11:30:05"),
    ]
    assert fed.slices[0].missing == ("NVDA",)
    assert fed.gaps() == [("NVDA", "09:30", "missing"), ("NVDA", "09:30", "backfilled")]


def test_a_part_that_never_comes_makes_the_whole_bar_missing() -> None:
    fed = day(step("09:00", MissBar(symbol="NVDA", start=bar("10:00"))))
    assert fed.told()[0] == ("10:30", "received", "10:30:52")
    assert fed.slices[0].bars == ()
    details = [row.detail for row in fed.rows if row.kind == "gap"]
    assert details == ["a part of it is missing"]


def test_a_last_bar_that_never_comes_is_silence_before_it_is_a_gap() -> None:
    fed = day(step("09:00", MissBar(symbol="NVDA", start=bar("15:30"))), until="16:30")
    assert fed.holds()[0] == ("16:02", "pause feed")
    assert fed.told()[-1] == ("16:00", "backfilled", "16:10:52")
    assert fed.gaps() == [("NVDA", "15:30", "missing")]


def test_a_revised_bar_is_written_down_and_traded_once() -> None:
    revise = ReviseBar(symbol="NVDA", start=bar("10:00"), at=bar("11:00"), values={"volume": 1.0})
    fed = day(step("09:00", revise))
    assert fed.gaps() == [("NVDA", "09:30", "revised")]
    assert len(fed.slices) == 2


def test_a_bar_that_cannot_be_true_twice_is_quarantined() -> None:
    fed = day(step("15:59", Mangle(how=Mangling.CROSSED, times=2)), until="16:30")
    assert fed.told()[-1] == ("16:00", "received", "16:00:07")
    assert fed.slices[-1].missing == ("NVDA",)
    assert fed.gaps() == [("NVDA", "15:30", "quarantined")]
    (aside,) = fed.standing["quarantined"]
    assert aside["reason"] == "open or close lies outside low and high"


def test_a_bar_that_cannot_be_true_once_is_asked_for_again() -> None:
    fed = day(step("15:59", Mangle(how=Mangling.ZERO)), until="16:30")
    assert fed.told()[-1] == ("16:00", "received", "16:00:07")
    assert fed.gaps() == []


def test_silence_of_a_gateway_that_answers_ends_the_connection() -> None:
    missing = [MissBar(symbol="NVDA", start=bar(clock)) for clock in
               ("10:00", "10:30", "11:00", "11:30", "12:00", "12:30", "13:00")]  # fmt: skip
    fed = feed(until="14:00", steps=[step("09:00", fault) for fault in missing])
    assert fed.standing["generation"] == 2
    assert "bars have not come though the gateway answers" in str(fed.feed_rows())
