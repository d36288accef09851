"""Nights, weekends, wrong clocks, and a gateway that is not there at the start."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fake_gateway import Kind, Step
from tests.fake_gateway.faults import Ignore, NightlyReset, Restart, Skew
from tests.ib.feeding import NEW_YORK, Fed, clock_of, feed
from tests.ib.test_ib_faults import after_start, bar, day, step

# --- nights -------------------------------------------------------------------------------------


def test_the_nightly_reset_pauses_nothing_and_is_told_as_such() -> None:
    night = [
        Step(at=bar("23:46"), fault=Restart(down_s=90)),
        Step(at=f"2026-11-25T00:20 {NEW_YORK}", fault=NightlyReset(down_s=300)),
    ]
    fed = day(*night, until="2026-11-25T10:31")
    assert fed.holds() == []
    assert fed.told()[-1] == ("10:30", "received", "10:30:05")
    reset = "(Interactive Brokers' nightly reset, 23:45 to 01:45)"
    assert any(detail.endswith(reset) for _, _, detail in after_start(fed))
    assert fed.standing["generation"] >= 2  # counted all the same


def test_a_weekend_without_a_gateway_pauses_nothing() -> None:
    fed = day(
        Step(at=f"2026-11-27T23:10 {NEW_YORK}", fault=Restart(down_s=2 * 86_400)),
        start="2026-11-27T12:00",
        until="2026-11-30T10:31",
    )
    assert fed.holds() == []
    assert fed.told()[-1] == ("10:30", "received", "10:30:05")
    # two days of trying, and the ledger is not full of it
    assert len(fed.gateway.log.of("accept")) == 2
    assert len(fed.feed_rows()) < 12


# --- the clock ----------------------------------------------------------------------------------


def test_a_wrong_clock_is_told_once() -> None:
    fed = day(step("10:10", Skew(seconds=75.0)))
    told = [row[2] for row in after_start(fed) if row[1] == "clock_skew"]
    # the gateway tells whole seconds: half a second is added
    assert told == ["this machine's clock is 76 s behind the gateway's: set up NTP"]
    assert str(fed.standing["state"]).startswith(f"live; {told[0]}; ")
    assert fed.standing["why"] == "live"  # which is a line of the log whenever it changes


def test_a_gateway_whose_clock_is_behind_is_asked_later() -> None:
    fed = day(step("10:10", Skew(seconds=-8.0)))
    (asked,) = [
        one.at_ns
        for one in fed.gateway.log.of(Kind.HISTORY)
        if clock_of(one.at_ns).startswith("10:30")
    ]
    assert clock_of(asked) in ("10:30:12", "10:30:13")  # 5 s after the end by its own clock


# --- a gateway that is not there at the start -----------------------------------------------------


def test_a_start_without_a_gateway_is_ready_and_waits() -> None:
    async def open_later(fed: Fed, loop: Any) -> None:
        assert fed.source is not None
        assert str(fed.source.standing()["state"]).startswith("connecting: nothing listens at 127")
        assert fed.source.health() == ("down", 0)
        await asyncio.sleep(300)
        await fed.gateway.listen()

    fed = feed(until="11:00", listens=False, script=open_later)
    assert fed.broken() == []
    assert len(fed.warmup) == 2
    assert fed.told() == [("10:30", "received", "10:30:05")]


def test_a_port_that_does_not_answer_as_a_gateway_is_named() -> None:
    async def look(fed: Fed, loop: Any) -> None:
        assert fed.source is not None
        words = f"connecting: 127.0.0.1:{fed.gateway.port} does not answer as a gateway does; "
        assert str(fed.source.standing()["state"]).startswith(words)

    day(step("09:00", Ignore(kind=Kind.GREET, for_s=60)), script=look)
