"""Two things at once: what one fault alone does not show."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from daemon.core.events import Tick
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, Facts, known_facts
from daemon.feeds.closed_bars import Slot
from daemon.feeds.ib.source import _schedule
from daemon.feeds.schedule import TICK
from tests.fake_gateway import After, Kind, Step
from tests.fake_gateway.faults import DelayBar, Drop, Farm, Restart, Say
from tests.ib.feeding import at, feed, market_of
from tests.ib.test_ib_faults import after_start, bar, day, step
from tests.replay.workshop import _built_state

EUROPE = Say(code=2103, text="Market data farm connection is broken:eufarm")


def test_a_bar_that_has_only_just_ended_is_not_taken_along() -> None:
    # 2 s after the bar of 10:30 ended the farm is back, and the one before is asked for; the
    # service knows bars whole 3 s after their end
    market = market_of(("NVDA",), "1m")
    market["NVDA"].lag_s = 3.0
    farm = Farm(farm="history", down_s=62)
    fed = day(step("10:30:00", farm), market=market, size="1m", until="10:40")
    assert ("10:31", "received", "10:31:05") in fed.told()


def test_a_pause_is_short_again_after_a_good_connection() -> None:
    fed = day(step("10:00", Restart(down_s=600)), step("12:00:30", Drop()), until="12:31")
    lost, *_, back = [row for row in after_start(fed) if row[0].startswith("12:00:3")]
    assert (lost[1], back[1]) == ("lost", "restored")


def test_what_a_feed_in_trouble_lacks_is_not_given_up() -> None:
    late = DelayBar(symbol="NVDA", start=bar("10:00"), by_s=90.0)
    fed = day(step("09:00", late), step("10:29", EUROPE))
    # the answers show the next bar from 10:30:52 on, and no bar that is over
    assert fed.told()[0] == ("10:30", "backfilled", "10:31:52")
    assert len(fed.slices[0].bars) == 1


def test_servers_that_go_while_symbols_are_looked_up() -> None:
    steps = [
        Step(fault=Say(code=1100), after=After(requests=2, kind=Kind.CONTRACT)),
        step("10:10", Drop()),
        step("10:12", Say(code=1102)),
    ]
    fed = day(*steps)
    assert [outcome for _, outcome, _ in fed.told()] == ["received", "received"]


def test_trouble_of_one_connection_is_not_the_next_one_s() -> None:
    fed = day(step("10:10", EUROPE), step("10:11", Drop()), until="10:31")
    rows = [row for row in after_start(fed) if row[0] < "10:12"]
    assert [row[1] for row in rows] == ["lost", "down", "sync", "backfill", "restored"]


def until(date: int) -> Calendar:
    """What is known up to a date."""
    facts: Facts = known_facts(_built_state())
    kept = [row for row in zip(facts.dates, facts.opens, facts.closes, strict=True)
            if row[0] <= date]  # fmt: skip
    dates, opens, closes = (list(column) for column in zip(*kept, strict=True))
    return Calendar(
        replace(facts, last_date=date, dates=dates, opens=opens, closes=closes, sha256="")
    )


def test_a_schedule_goes_on_where_the_calendar_was_made_longer() -> None:
    fed = feed(until="09:01")
    loads = iter([until(20261124), until(20261127), until(20261127)])
    assert fed.config is not None
    found: list[Slot | Tick] = []
    with pytest.raises(RefusedError, match="the calendar XNYS ends with 2026-11-27"):
        found.extend(_schedule(lambda: next(loads), fed.config, (at("09:00"), TICK), 2, ()))
    slots = [item for item in found if isinstance(item, Slot)]
    assert [slot.warmup for slot in slots] == [True] * 2 + [False] * (7 + 7 + 4)
    starts = [slot.start for slot in slots]
    assert sorted(set(starts)) == starts
    assert sum(isinstance(item, Tick) for item in found) == 6
