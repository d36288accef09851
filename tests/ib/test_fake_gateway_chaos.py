"""Seeded trouble: repeatable, of every class, and over by itself."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date

import pytest

from tests.fake_gateway import (
    FakeGateway,
    Market,
    Settings,
    VirtualTimeLoop,
    run_virtually,
    session_starts,
    walk,
)
from tests.fake_gateway.chaos import CLASSES, trouble
from tests.fake_gateway.market import Instrument
from tests.ib.library import library
from tests.ib.talking import client, history

MONDAY = date(2026, 11, 23)


def week() -> tuple[Market, Instrument]:
    """Return a market of Thanksgiving week."""
    market = Market()
    nvda = market.add("NVDA", 4815747)
    nvda.add(walk(session_starts(nvda.hours, f"{MONDAY}", 7, "30 mins"), "30 mins", seed=1))
    return market, nvda


def test_the_same_seed_makes_the_same_trouble() -> None:
    _, nvda = week()
    first, second = trouble(7, nvda, MONDAY, 5), trouble(7, nvda, MONDAY, 5)
    assert first == second
    assert trouble(8, nvda, MONDAY, 5) != first
    # four sessions (Thursday is Thanksgiving), 21 classes and 3 of bars; two steps a night
    assert len(CLASSES) == 21
    assert len(first) == 4 * 24 + 5 * 2


async def poll(gateway: FakeGateway, loop: VirtualTimeLoop, minutes: int) -> list[str]:
    """Ask for bars once a minute, connecting anew when anything goes wrong: a crude client."""
    came: list[str] = []
    for _ in range(minutes):
        with contextlib.suppress(ConnectionError, TimeoutError, OSError, library.RequestError):
            async with client(gateway, client_id=18) as ib:
                came += [f"{bar.date} {bar.close}" for bar in await history(ib, duration="2 D")]
        await asyncio.sleep(60)
    return came


@pytest.mark.parametrize("seed", range(2))
def test_a_day_of_trouble_is_over_by_itself_and_the_same_each_time(seed: int) -> None:
    def run() -> tuple[list[str], list[str]]:
        market, nvda = week()

        async def main(loop: VirtualTimeLoop) -> tuple[list[str], list[str]]:
            steps = trouble(seed, nvda, MONDAY, 1)
            settings = Settings(enforce_pacing=False)
            async with FakeGateway(market, loop.clock, settings, steps=steps) as gateway:
                came = await poll(gateway, loop, minutes=200)
                await asyncio.sleep(43_200)  # past midnight
                gateway.rules.clear()
                async with client(gateway) as ib:
                    assert await history(ib)
                return came, list(gateway.log.lines())

        return run_virtually(main, "2026-11-23T09:25 America/New_York")

    first = run()
    assert len(first[0]) > 500
    assert run() == first
