"""What the gateway shows of its market at an instant, read by ib_async over a real socket."""

from __future__ import annotations

import asyncio

import pytest

from tests.fake_gateway import FakeGateway, Settings, VirtualTimeLoop, violations
from tests.ib.library import library
from tests.ib.talking import NEW_YORK, TUESDAY, client, history, morning, play, rows, stock


def test_bars_appear_as_time_passes_and_the_last_is_partial() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            # 10:05: a sixth of the second bar has passed, half way from its open to its low
            assert rows(await history(ib)) == [
                ("14:30", 100.0, 101.0, 99.0, 100.5, 1_000),
                ("15:00", 100.5, 100.5, 100.25, 100.25, 333),
            ]
            await asyncio.sleep(25 * 60)
            assert rows(await history(ib)) == [
                ("14:30", 100.0, 101.0, 99.0, 100.5, 1_000),
                ("15:00", 100.5, 103.0, 100.0, 102.0, 2_000),
            ]

    play(scenario, market, at=f"{TUESDAY}T10:05 {NEW_YORK}")


def test_a_bar_is_whole_only_after_the_publication_lag() -> None:
    market, _ = morning(lag_s=3)
    whole = ("14:30", 100.0, 101.0, 99.0, 100.5, 1_000)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            early = rows(await history(ib))
            assert [row[0] for row in early] == ["14:30"]
            assert early != [whole]
            await asyncio.sleep(2)
            assert rows(await history(ib, duration="2 D"))[0] == whole

    play(scenario, market, at=f"{TUESDAY}T10:00:01 {NEW_YORK}")


def test_hour_bars_sit_on_the_clock_and_the_first_is_a_stub() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            found = rows(await history(ib, "1 hour"))
            assert found[:2] == [
                ("14:30", 100.0, 101.0, 99.0, 100.5, 1_000),
                ("15:00", 100.5, 103.0, 98.0, 99.0, 5_000),
            ]
            assert found[2][0] == "16:00"

    play(scenario, market)


def test_the_grid_can_count_from_the_open() -> None:
    market, _ = morning(grid="session")

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            found = rows(await history(ib, "1 hour"))
            assert found[0] == ("14:30", 100.0, 103.0, 99.0, 102.0, 3_000.0)
            assert found[1][0] == "15:30"

    play(scenario, market)


def test_a_request_is_cut_at_its_end() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            found = rows(await history(ib, end="20261124 15:30:00 UTC"))
            assert [row[0] for row in found] == ["14:30", "15:00"]
            assert found[-1] == ("15:00", 100.5, 103.0, 100.0, 102.0, 2_000.0)

    play(scenario, market)


def test_missing_late_and_revised_bars() -> None:
    market, nvda = morning(lag_s=0)
    nvda.miss(f"{TUESDAY}T09:30 {NEW_YORK}")
    nvda.delay(f"{TUESDAY}T10:00 {NEW_YORK}", by_s=3_600)
    nvda.revise(f"{TUESDAY}T10:30 {NEW_YORK}", f"{TUESDAY}T11:20 {NEW_YORK}", close=99.5)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            first = rows(await history(ib))
            assert [(row[0], row[4]) for row in first[:-1]] == [("15:30", 99.0)]
            await asyncio.sleep(20 * 60)  # 11:30
            second = rows(await history(ib))
            assert [(row[0], row[4]) for row in second] == [
                ("15:00", 102.0),
                ("15:30", 99.5),
                ("16:00", 103.0),
            ]

    play(scenario, market)


def test_after_a_split_older_bars_come_in_new_shares() -> None:
    market, nvda = morning()
    nvda.split(f"{TUESDAY}T10:30 {NEW_YORK}", 10)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            found = rows(await history(ib))
            assert found[0] == ("14:30", 100.0, 101.0, 99.0, 100.5, 1_000.0)
            await asyncio.sleep(3_600)
            found = rows(await history(ib))
            assert found[0] == ("14:30", 10.0, 10.1, 9.9, 10.05, 10_000.0)
            assert found[2] == ("15:30", 102.0, 102.5, 98.0, 99.0, 3_000.0)

    play(scenario, market, at=f"{TUESDAY}T10:10 {NEW_YORK}")


def test_bars_smaller_than_the_table_s_are_never_made_up() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            with pytest.raises(library.RequestError):
                await history(ib, "5 mins")

    assert "no bars as small as 5 mins" in play(scenario, market).complaints[0]


def test_quotes_have_no_volume() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            first = (await history(ib, what="MIDPOINT"))[0]
            assert (first.volume, first.average, first.barCount) == (-1, -1, -1)

    play(scenario, market)


def test_hours_are_told_in_the_exchange_s_words() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            (found,) = await ib.reqContractDetailsAsync(stock())
            assert found.timeZoneId == "US/Eastern"
            days = found.liquidHours.split(";")
            assert days[0] == "20261124:0930-20261124:1600"
            assert days[2:4] == ["20261126:CLOSED", "20261127:0930-20261127:1300"]
            assert found.tradingHours.startswith("20261124:0400-20261124:2000;")
            assert found.contract is not None
            assert found.contract.conId == 4815747

    play(scenario, market)


@pytest.mark.parametrize(
    ("duration", "size", "end", "code"),
    [
        ("1 W", "1 min", "", 321),
        ("1 D", "7 mins", "", 321),
        ("90000 S", "1 hour", "", 321),
        ("one day", "1 hour", "", 321),
        ("1 D", "1 hour", "20261399 10:00:00 UTC", 10314),
        ("1 D", "1 hour", "20261121 10:00:00 UTC", 162),
    ],
)
def test_what_is_not_legal_is_refused(duration: str, size: str, end: str, code: int) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            ib.errorEvent += lambda *told: codes.append(told[1])
            try:
                found = await history(ib, size, duration, end=end)
            except library.RequestError as error:
                codes.append(error.code)
            else:
                # ib_async takes 321 for a warning and lets the request run into its time-out
                assert (code, found) == (321, [])

    codes: list[int] = []
    play(scenario, market)
    assert code in codes


def test_a_client_that_asks_too_often_is_paced() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            await history(ib)
            with pytest.raises(library.RequestError, match="pacing violation"):
                await history(ib)
            await asyncio.sleep(15)
            assert await history(ib)

    gateway = play(scenario, market)
    assert len(violations(gateway.log)) == 1
    assert "asked 2 times within 15 s" in violations(gateway.log)[0]


def test_pacing_need_not_be_enforced_to_be_judged() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            for _ in range(6):
                assert await history(ib)

    gateway = play(scenario, market, settings=Settings(enforce_pacing=False))
    assert len(violations(gateway.log)) == 5
