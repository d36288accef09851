"""Live bars as ib_async sees them: how they run, and how they die while it believes in them."""

from __future__ import annotations

import asyncio

import pytest

from tests.fake_gateway import FakeGateway, Settings, VirtualTimeLoop
from tests.fake_gateway.faults import Empty, Farm, Fault, KillStreams, Upstream
from tests.ib.library import library
from tests.ib.talking import NEW_YORK, TUESDAY, client, morning, play, rows, stock

SOON = f"{TUESDAY}T10:59 {NEW_YORK}"


async def follow(ib: library.IB) -> library.BarDataList:
    """Ask for bars that are kept up to date."""
    return await ib.reqHistoricalDataAsync(
        stock(), "", "1 D", "30 mins", "TRADES", useRTH=True, formatDate=2, keepUpToDate=True,
        timeout=10,
    )  # fmt: skip


def test_a_running_bar_is_updated_and_the_next_one_begins() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            bars = await follow(ib)
            fresh: list[bool] = []
            bars.updateEvent += lambda _bars, is_new: fresh.append(is_new)
            await asyncio.sleep(61)
            assert rows(list(bars))[-1] == ("15:30", 102.0, 102.5, 98.0, 99.0, 3_000.0)
            assert fresh == [False] * 12  # every five seconds
            await asyncio.sleep(5)
            last = rows(list(bars))[-1]
            assert last[:2] == ("16:00", 99.0)
            assert last[5] == 11  # 5 of 1800 seconds of 4,000 shares
            assert fresh[12:] == [True]
            ib.cancelHistoricalData(bars)
            await asyncio.sleep(60)
            assert len(fresh) == 13

    gateway = play(scenario, market, at=SOON)
    assert gateway.complaints == []
    assert gateway.streams.streams == []


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (KillStreams(code=10182), [10182]),
        (KillStreams(code=None), []),
        (Farm(farm="market", down_s=3), [2103, 2104]),
        (Upstream(down_s=3, restored=1101), [1100, 1101, 2104, 2106, 2158]),
        (Upstream(down_s=3, streams="die"), [1100, 1102, 2104, 2106, 2158]),
    ],
)
def test_a_stream_dies_while_the_client_lists_it(fault: Fault, codes: list[int]) -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            bars = await follow(ib)
            told: list[int] = []
            ib.errorEvent += lambda *error: told.append(error[1])
            gateway.do(fault)
            before = rows(list(bars))
            await asyncio.sleep(600)
            assert rows(list(bars)) == before
            assert bars in ib.realtimeBars()
            assert told == codes

    play(scenario, market, at=SOON)


def test_a_stream_goes_on_after_servers_were_away() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            bars = await follow(ib)
            gateway.do(Upstream(down_s=60))
            before = rows(list(bars))
            await asyncio.sleep(59)
            assert rows(list(bars)) == before
            await asyncio.sleep(61)
            assert rows(list(bars))[-1][0] == "16:00"

    play(scenario, market, at=SOON)


def test_after_a_bust_the_library_asks_again_by_itself() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            bars = await follow(ib)
            gateway.do(KillStreams(code=10225))
            await asyncio.sleep(120)
            asked = gateway.log.of("history")
            assert len({entry.request.request_id for entry in asked}) == 1  # the same number again
            assert len(asked) == 2
            assert rows(list(bars))[-1][0] == "16:00"

    play(scenario, market, at=SOON, settings=Settings(enforce_pacing=False))


def test_updates_after_an_empty_answer_are_lost_on_the_client() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Empty())
            bars = await follow(ib)
            await asyncio.sleep(120)
            assert list(bars) == []

    play(scenario, market, at=f"2026-11-24T09:29 {NEW_YORK}")


def test_five_second_bars_while_the_market_is_open() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            bars = ib.reqRealTimeBars(stock(), 5, "TRADES", useRTH=True)
            await asyncio.sleep(40)
            # nothing before the open at 09:30; then a bar for every five seconds of it
            assert [f"{bar.time:%H:%M:%S}" for bar in bars] == ["14:30:00", "14:30:05"]
            assert bars[0].open_ == 100.0
            assert bars[1].open_ == bars[0].close
            assert bars[0].volume == 2  # 5 of 1800 seconds of 1,000 shares
            ib.cancelRealTimeBars(bars)
            await asyncio.sleep(10)
            assert len(bars) == 2

    gateway = play(scenario, market, at=f"{TUESDAY}T09:29:31 {NEW_YORK}")
    assert gateway.complaints == []
