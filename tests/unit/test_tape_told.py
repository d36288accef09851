"""A tape feed that is told something while it waits for its next bar."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daemon.config.faults import QuarantineFault
from daemon.core.events import Action, Dividend, MarketSlice, Outcome, Reject, Release, Split
from daemon.core.turn import Turn, instant_of
from daemon.core.units import MINUTE_NS
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.times import iso_z
from replay.live_feed import TapeSource
from replay.tape_faults import FaultPlan
from replay.tape_source import TapeDriver
from tests.unit.tape_feeds import ENDS, SLOTS, STARTS, driver_of, word


class Waiting:
    """A tape source whose waits end when the test says so; a second of its time is a minute."""

    def __init__(self, driver: TapeDriver) -> None:
        self.driver = driver
        self.seconds = 0.0
        self.offered: list[Any] = []
        self._due = asyncio.Event()
        self.source = TapeSource(driver, 60.0, None, self._sleep, lambda: self.seconds)
        self.running = asyncio.create_task(self.source.run(self._offer))

    async def _sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        await self._due.wait()
        self._due.clear()
        self.seconds = until

    async def _offer(self, emitted: Emitted) -> Turn:
        self.offered.append(emitted.input)
        return Turn(len(self.offered), instant_of(emitted.input), emitted.input, ())

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def to_slot(self, slot: int) -> None:
        """Let time pass until the tape waits for what comes after this slot's end."""
        while self.driver.now < ENDS[slot]:
            self._due.set()
            await self.settle()
        await self.settle()


def quarantine(slot: int) -> FaultPlan:
    fault = QuarantineFault(kind="quarantine", bar=iso_z(STARTS[slot]), symbol=None)
    return FaultPlan((), {STARTS[slot]: [fault]})


@pytest.fixture
async def tape() -> Any:
    """Slot 1 is quarantined."""
    made = Waiting(driver_of({"A": SLOTS}, quarantine(1)))
    yield made
    made.running.cancel()
    await asyncio.gather(made.running, return_exceptions=True)


async def test_what_it_is_told_comes_out_at_once_and_time_goes_on(tape: Waiting) -> None:
    await tape.to_slot(1)
    before = len(tape.offered)
    tape.seconds += 7.0  # seven minutes into the next bar
    told = tape.source.now()
    assert told == ENDS[1] + 7 * MINUTE_NS
    carried = tape.source.tell(lambda now: Release(now, "operator", "", "A", STARTS[1]))
    assert (carried.command.instant, carried.ends) == (told, Outcome.BACKFILLED)
    await tape.settle()
    assert carried.last is tape.offered[-1]
    assert [word(item) for item in tape.offered[before:]] == ["Release", "late slice 1:A"]
    assert tape.source.standing()["quarantined"] == []
    assert tape.source.now() == told
    await tape.to_slot(2)
    assert word(tape.offered[-1]) in ("slice 2:A", "closes")


async def test_what_cannot_be_is_refused_and_nothing_comes_out(tape: Waiting) -> None:
    await tape.to_slot(1)
    before = len(tape.offered)
    assert [one["start"] for one in tape.source.standing()["quarantined"]] == [iso_z(STARTS[1])]
    with pytest.raises(RefusedError, match="no quarantined bar begins there"):
        tape.source.tell(lambda now: Reject(now, "operator", "", "A", STARTS[0]))
    await tape.settle()
    assert len(tape.offered) == before


async def test_a_split_told_while_it_waits_rides_on_the_next_slice(tape: Waiting) -> None:
    split = Split("A", 20240102, 2, 1)
    await tape.to_slot(0)
    tape.source.tell(lambda now: Action(now, "operator", "listed", split))
    await tape.to_slot(2)
    slices = [item for item in tape.offered if isinstance(item, MarketSlice)]
    assert [item.actions for item in slices] == [(), (split,), ()]


async def test_an_adjusted_tape_refuses_what_its_prices_hold() -> None:
    driver = driver_of({"A": SLOTS})
    driver.clock.actions.as_applied = lambda one: one if isinstance(one, Dividend) else None
    made = Waiting(driver)
    await made.to_slot(0)
    with pytest.raises(RefusedError, match="the prices of this tape hold it"):
        made.source.tell(lambda now: Action(now, "operator", "", Split("A", 20240103, 2, 1)))
    made.running.cancel()
    await asyncio.gather(made.running, return_exceptions=True)
