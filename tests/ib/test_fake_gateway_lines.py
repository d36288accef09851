"""Faults of the connection, the login and the servers behind, lived through by ib_async."""

from __future__ import annotations

import asyncio

import pytest

from tests.fake_gateway import FakeGateway, Kind, Settings, VirtualTimeLoop
from tests.fake_gateway.connection import Framing
from tests.fake_gateway.faults import (
    Babble,
    ClosePort,
    Cut,
    CutOff,
    Delay,
    Drop,
    Frame,
    Garbage,
    HalfStart,
    Ignore,
    Mute,
    NightlyReset,
    Restart,
    Say,
    TakeClientIds,
    Upstream,
)
from tests.ib.library import library
from tests.ib.talking import client, history, morning, play


def told(ib: library.IB) -> list[int]:
    """Collect the codes of what a client is told from now on."""
    codes: list[int] = []
    ib.errorEvent += lambda *error: codes.append(error[1])
    return codes


@pytest.mark.parametrize("version", [157, 163, 164, 166, 170, 176, 177, 178])
def test_every_server_version_is_understood(version: int) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            assert ib.client.serverVersion() == min(version, ib.client.MaxClientVersion)
            found = await ib.reqContractDetailsAsync(library.Stock("NVDA", "SMART", "USD"))
            assert found[0].stockType == "COMMON"
            assert len(await history(ib)) == 4

    play(scenario, market, settings=Settings(server_version=version))


def test_the_whole_start_of_a_client_is_answered() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        ib = library.IB()
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=3, timeout=4)
        assert loop.time() == 0  # nothing ran into a time-out
        assert ib.managedAccounts() == ["DU1234567"]
        assert {value.tag for value in ib.accountValues()} == {"NetLiquidation", "TotalCashValue"}
        assert ib.client.getReqId() >= 1
        ib.disconnect()
        await asyncio.sleep(0.1)

    gateway = play(scenario, market, settings=Settings(read_only=False))
    assert gateway.complaints == []


def test_read_only_orders_are_refused_and_remembered() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            codes = told(ib)
            trade = ib.placeOrder(
                library.Stock("NVDA", "SMART", "USD"), library.MarketOrder("BUY", 1)
            )
            await asyncio.sleep(0.1)
            assert codes == [321]
            assert trade.orderStatus.filled == 0

    gateway = play(scenario, market)
    assert [entry.kind for entry in gateway.log.orders] == ["place_order"]
    assert "sent place_order" in gateway.complaints[0]


@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_is_noticed_at_once(reset: bool) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Ignore())
            gateway.at(loop.wall_ns() + 2 * 10**9, Drop(reset=reset))
            with pytest.raises(ConnectionError):
                await history(ib)
            assert loop.time() == pytest.approx(2)
            assert not ib.isConnected()

    play(scenario, market)


def test_a_mute_connection_looks_alive() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Mute())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ib.reqCurrentTimeAsync(), 10)
            assert ib.isConnected()
            codes = told(ib)
            gateway.do(Say(code=1100))
            assert await history(ib) == []
            assert gateway.log.of("history") == []  # never read
            assert codes == []  # never sent
        async with client(gateway, client_id=18) as ib:
            assert await history(ib)

    play(scenario, market)


def test_a_mute_connection_can_come_back() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Mute(for_s=20))
            for market_data_type in (1, 2, 3):
                ib.reqMarketDataType(market_data_type)  # three messages in one piece
            assert await history(ib) == []
            await asyncio.sleep(15)
            assert await history(ib)

    # of what came meanwhile nothing is read later
    gateway = play(scenario, market)
    assert gateway.log.of("market_data_type") == []
    assert len(gateway.log.of("history")) == 1


@pytest.mark.parametrize("framing", [Framing.BYTEWISE, Framing.JOINED])
def test_frames_may_be_split_or_joined(framing: Framing) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Frame(framing=framing))
        async with client(gateway) as ib:
            assert len(await history(ib)) == 4

    play(scenario, market)


def test_garbage_leaves_the_client_waiting_for_ever() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Garbage())
            assert await history(ib) == []
            assert ib.isConnected()

    play(scenario, market)


def test_an_unknown_message_is_passed_by() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Babble())
            assert len(await history(ib)) == 4

    play(scenario, market)


def test_a_closed_port_refuses_and_opens_again() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(ClosePort(for_s=60))
        with pytest.raises(ConnectionRefusedError):
            async with client(gateway):
                pass
        await asyncio.sleep(61)
        async with client(gateway) as ib:
            assert await history(ib)

    play(scenario, market)


def test_a_restart_refuses_for_a_while_and_begins_numbers_anew() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            assert 500 <= ib.client.getReqId() < 510
            gateway.do(Restart(down_s=90, next_order_id=1))
            await asyncio.sleep(1)
            assert not ib.isConnected()
        with pytest.raises(ConnectionRefusedError):
            async with client(gateway):
                pass
        await asyncio.sleep(90)
        async with client(gateway) as ib:
            assert ib.client.getReqId() < 10

    play(scenario, market, settings=Settings(first_order_id=500))


@pytest.mark.parametrize("close", [False, True])
def test_a_client_id_in_use_is_told_at_once(close: bool) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway, 17):
            second = library.IB()
            codes = told(second)
            connecting = asyncio.ensure_future(
                second.connectAsync("127.0.0.1", gateway.port, clientId=17, timeout=4)
            )
            await asyncio.sleep(1)
            assert codes == [326]
            assert len(gateway.connections) == (1 if close else 2)
            with pytest.raises(TimeoutError):
                await connecting

    play(scenario, market, settings=Settings(close_on_326=close))


def test_a_client_id_stays_taken_after_a_drop_or_by_somebody_else() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway, 17):
            gateway.do(Drop())
            await asyncio.sleep(1)
        gateway.do(TakeClientIds(client_ids=(18,), for_s=60))
        for client_id in (17, 18):
            with pytest.raises(TimeoutError):
                async with client(gateway, client_id):
                    pass
        await asyncio.sleep(61)
        for client_id in (17, 18):
            async with client(gateway, client_id) as ib:
                assert await history(ib, duration=f"{client_id} D")

    play(scenario, market, settings=Settings(client_id_linger_s=30))


@pytest.mark.parametrize(
    "fault",
    [
        Ignore(kind=Kind.ACCEPT),
        Ignore(kind=Kind.GREET),
        Ignore(kind=Kind.START),
        CutOff(kind=Kind.ACCEPT, where=Cut.BEFORE),
        CutOff(kind=Kind.GREET, where=Cut.WITHIN),
        HalfStart(without="next_valid_id"),
        HalfStart(without="accounts"),
        Delay(kind=Kind.GREET, by_s=11),
    ],
)
def test_a_start_that_fails_ends_in_the_client_s_time_out(fault: Ignore) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(fault)
        with pytest.raises(TimeoutError):
            async with client(gateway):
                pass
        assert loop.time() == pytest.approx(10, abs=0.2)
        async with client(gateway) as ib:
            assert await history(ib)

    play(scenario, market)


def test_the_connection_breaks_while_the_client_starts() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(CutOff(kind=Kind.POSITIONS, where=Cut.BEFORE))
        with pytest.raises(ConnectionError):
            async with client(gateway):
                pass

    play(scenario, market)


def test_notices_of_lost_servers_and_a_night() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            codes = told(ib)
            gateway.do(Upstream(down_s=60, restored=1101))
            await asyncio.sleep(61)
            assert codes == [1100, 1101, 2104, 2106, 2158]
            codes.clear()
            gateway.do(NightlyReset(down_s=60))
            await asyncio.sleep(61)
            assert codes == [2103, 2105, 1100, 2104, 2106, 1102, 2104, 2106, 2158]
            codes.clear()
            gateway.do(Say(code=1300))
            await asyncio.sleep(0.1)
            assert codes == [1300]
            assert ib.isConnected()

    play(scenario, market)
