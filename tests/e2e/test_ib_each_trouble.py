"""A week with the whole daemon and the gateway, and in every session each class of trouble, alone.

Nothing overlaps, so each fault is met for certain and what comes of it is known beforehand. Weeks
in which all of it meets by chance are in test_ib_week.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from daemon.cli import main
from daemon.core.events import MarketSlice, Outcome
from daemon.core.outputs import Denial, Fill, OrderAccepted
from daemon.feeds.times import date_text, zone_text
from tests.fake_gateway import Kind, Step
from tests.fake_gateway.faults import (
    AnyFault,
    CompetingSession,
    DelayBar,
    Drop,
    Farm,
    Ignore,
    MissBar,
    Mute,
    Refuse,
    Restart,
    ReviseBar,
    TakeClientIds,
    Upstream,
)
from tests.ib.feeding import NEW_YORK, clock_of, market_of
from tests.ib.leading import Led

DAYS = ("2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27")
"""Thursday is Thanksgiving, Friday closes at 13:00."""
HALF_DAY = "2026-11-27"

TROUBLE: dict[str, AnyFault] = {
    "09:40": Drop(),
    "09:45": Drop(reset=True),
    "09:50": Mute(for_s=90.0),
    "09:55": Upstream(down_s=40.0, restored=1101),
    "10:00": Upstream(down_s=40.0, restored=1102),
    "10:05": Farm(farm="history", down_s=60.0),
    "10:10": Farm(farm="market", down_s=60.0),
    "10:15": TakeClientIds(client_ids=(17, 18, 19), for_s=12.0),
    "10:15:01": Drop(),
    "10:20": Restart(down_s=45.0, next_order_id=1),
    "11:29:58": Refuse(code=162, text="pacing"),
    "11:40": Drop(),  # in a bar: its first half is asked for again
    "12:29:58": CompetingSession(for_s=45.0),
    "12:59:58": Ignore(kind=Kind.HISTORY, for_s=20.0),  # the half day's last bar
    "13:29:58": Ignore(kind=Kind.HISTORY, for_s=20.0),
}
TOLD = {
    "the gateway closed the connection": 5,  # three drops, the one with its ids taken, the restart
    "the gateway gives no sign of life: no answer within 10 s": 1,
    "the gateway has lost Interactive Brokers' servers; waiting": 2,
    "Interactive Brokers' store of past bars is down; waiting": 1,
    "Interactive Brokers' market data is down; waiting": 1,
    "is used by another program": 2,
    "are all used by other programs": 1,
    "nothing listens at 127.0.0.1": 1,
    "asked too often; waiting": 1,
    "another login of this user (a phone, another computer) took the market data": 1,
}
"""What each session's ledger says, and how often; the same words twice in one outage are once."""

MORNING = [
    ("10:30", "received", 1),  # its second half came 20 s late, and was revised at 11:00
    ("11:30", "received", 1),  # refused for pacing, asked for again 15 s later
    ("12:30", "backfilled", 1),  # the market data was elsewhere for a minute
]
FULL = [
    *MORNING,
    ("13:30", "received", 1),  # the request was not answered, the next one was
    ("14:30", "received", 0),  # of half of it there is nothing
    ("15:30", "received", 0),  # half of it came five minutes late
    ("15:30", "backfilled", 1),
    ("16:00", "received", 1),
]
HALF = [*MORNING, ("13:00", "received", 1)]


def of_bars(day: str) -> list[AnyFault]:
    """Bars that come late, are revised, are never there."""

    def start(clock: str) -> str:
        return f"{day}T{clock} {NEW_YORK}"

    made: list[AnyFault] = [
        DelayBar(symbol="NVDA", start=start("10:00"), by_s=20.0),
        ReviseBar(symbol="NVDA", start=start("10:00"), at=start("11:00"), values={"volume": 1.0}),
    ]
    if day != HALF_DAY:
        made.append(MissBar(symbol="NVDA", start=start("14:00")))
        made.append(DelayBar(symbol="NVDA", start=start("15:00"), by_s=300.0))
    return made


def steps() -> list[Step]:
    made = [
        Step(at=f"{day}T{clock} {NEW_YORK}", fault=fault)
        for day in DAYS
        for clock, fault in TROUBLE.items()
    ]
    bars = [
        Step(at=f"{day}T08:30 {NEW_YORK}", fault=fault) for day in DAYS for fault in of_bars(day)
    ]
    return sorted([*made, *bars], key=lambda step: str(step.at))


@dataclass
class Week:
    """What came of it: the daemon's folder, its feed at the end, every broken invariant.

    `asked` are the instants at which bars were asked for.
    """

    led: Led
    feed: dict[str, Any]
    broken: list[str]
    asked: list[int]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    market = market_of(("NVDA",), "1h", DAYS[0], 10)
    with Led(tmp_path_factory.mktemp("week"), market, f"{DAYS[0]}T09:00", steps=steps()) as led:
        led.run_until("2026-11-30T09:25")
        feed = led.status()["feed"]
        assert led.stop() == 0
        asked = led.threaded.call(lambda gateway: [one.at_ns for one in gateway.log.of("history")])
        return Week(led, feed, led.broken(), asked)


def test_it_ends_connected_and_nothing_is_broken(week: Week) -> None:
    assert week.broken == []
    assert week.feed["connection"] == "live"
    assert week.led.log("task_failed") == []
    assert week.led.log("library_message") == []


@pytest.mark.parametrize("day", DAYS)
def test_each_trouble_was_met_in_each_session(week: Week, day: str) -> None:
    told = [
        row.detail
        for row in week.led.rows
        if row.kind == "feed" and zone_text(row.instant, NEW_YORK)[:10] == day
    ]
    assert {words: sum(words in detail for detail in told) for words in TOLD} == TOLD
    silence = "13:00" if day == HALF_DAY else "13:30"
    minute = [one for one in week.asked if zone_text(one, NEW_YORK)[:16] == f"{day} {silence}"]
    assert len(minute) == 2  # the first was not answered
    revised = [
        row
        for row in week.led.rows
        if row.outcome == "revised" and zone_text(row.start or 0, NEW_YORK) == f"{day} 09:30"
    ]
    assert len(revised) == 1


@pytest.mark.parametrize("day", DAYS)
def test_each_expected_bar_is_there_once_or_in_the_ledger(week: Week, day: str) -> None:
    slices = [one for one in week.led.slices if date_text(one.session.date) == day]
    told = [(clock_of(one.end), one.outcome.value, len(one.bars)) for one in slices]
    assert told == (HALF if day == HALF_DAY else FULL)
    missing = [
        (clock_of(row.end or 0), row.outcome)
        for row in week.led.rows
        if row.kind == "gap" and zone_text(row.start or 0, NEW_YORK)[:10] == day
    ]
    assert missing[:2] == [("10:30", "revised"), ("12:30", "backfilled")]
    later = [("14:30", "missing"), ("15:30", "missing"), ("15:30", "backfilled")]
    assert missing[2:] == ([] if day == HALF_DAY else later)


def test_late_bars_fill_and_decide_nothing(week: Week) -> None:
    late = [
        turn
        for turn in week.led.turns
        if isinstance(turn.input, MarketSlice) and turn.input.outcome is Outcome.BACKFILLED
    ]
    outputs = [output for turn in late for output in turn.outputs]
    assert len(late) == 7
    assert not any(isinstance(output, OrderAccepted) for output in outputs)
    assert any(isinstance(output, Fill) for output in outputs)
    assert {one.reason.name for one in outputs if isinstance(one, Denial)} == {"TOO_LATE"}


def test_decisions_are_those_of_a_replay_of_the_journal(week: Week) -> None:
    accepted = [
        output
        for turn in week.led.turns
        for output in turn.outputs
        if isinstance(output, OrderAccepted)
    ]
    assert len(accepted) >= 5
    assert main(["verify", "--state", str(week.led.state)]) == 0
