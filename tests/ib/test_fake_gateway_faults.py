"""Each fault of an answer, as the real client library lives through it."""

from __future__ import annotations

import asyncio

import pytest

from tests.fake_gateway import FakeGateway, VirtualTimeLoop
from tests.fake_gateway.faults import (
    CompetingSession,
    Cut,
    CutOff,
    Delay,
    Empty,
    Farm,
    Fault,
    Ignore,
    Mangle,
    Refuse,
    Skew,
    Slow,
    Upstream,
)
from tests.fake_gateway.mangling import Mangling
from tests.ib.library import library
from tests.ib.talking import client, history, morning, play, rows, stock

REFUSALS = [
    (Refuse(code=162, text="pacing"), 162, "Historical data request pacing violation"),
    (Refuse(code=162, text="no_data"), 162, "HMDS query returned no data: NVDA@SMART Trades"),
    (Refuse(code=162, text="no_permission"), 162, "No market data permissions for SMART STK"),
    (Refuse(code=162, text="other_address"), 162, "connected from a different IP address"),
    (Refuse(code=200), 200, "No security definition has been found"),
    (Refuse(code=354), 354, "Requested market data is not subscribed"),
    (Refuse(code=366), 366, "No historical data query found"),
    (Refuse(code=420), 420, "Invalid Real-time Query"),
    (Refuse(code=10089), 10089, "requires additional subscription for API"),
    (Refuse(code=10090), 10090, "Part of requested market data is not subscribed"),
    (Refuse(code=10197), 10197, "No market data during competing live session"),
    (CompetingSession(for_s=60), 10197, "competing live session"),
    (Farm(farm="history"), 162, "HMDS server disconnect occurred"),
    (Upstream(), 162, "HMDS server disconnect occurred"),
]


@pytest.mark.parametrize(("fault", "code", "text"), REFUSALS)
def test_a_request_is_refused_in_the_gateway_s_words(fault: Fault, code: int, text: str) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(fault)
            with pytest.raises(library.RequestError, match=text) as refused:
                await history(ib)
            assert refused.value.code == code
            await asyncio.sleep(61)  # longer than any of the faults lasts
            assert await history(ib)

    gateway = play(scenario, market)
    assert [one.code for one in gateway.log.answered] == [code, 0]
    assert gateway.complaints == []


def test_a_refusal_can_be_for_one_symbol_and_wait_for_a_request() -> None:
    market, _ = morning()
    market.add("AMD", 4_391).add(market["NVDA"].bars)

    async def asks(ib: library.IB, symbol: str, duration: str) -> bool:
        try:
            return bool(await history(ib, contract=stock(symbol), duration=duration))
        except library.RequestError:
            return False

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Refuse(code=162, symbol="AMD", times=2))
            asked = [await asks(ib, symbol, "1 D") for symbol in ("NVDA", "AMD")]
            asked += [await asks(ib, "AMD", "2 D"), await asks(ib, "AMD", "3 D")]
            assert asked == [True, False, False, True]
            gateway.after(2, "history", Refuse(code=200), symbol="NVDA")
            asked = [await asks(ib, "AMD", "4 D"), await asks(ib, "NVDA", "4 D")]
            await asyncio.sleep(2)
            asked += [await asks(ib, "AMD", "5 D"), await asks(ib, "NVDA", "5 D")]
            assert asked == [True, True, True, False]

    play(scenario, market)


def test_no_answer_runs_into_the_client_s_time_out() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Ignore())
        async with client(gateway) as ib:
            before = loop.time()
            assert await history(ib) == []
            assert loop.time() - before == pytest.approx(10)
            await asyncio.sleep(0.1)
            # the library has cancelled what was not answered, which the gateway confirms
            assert len(gateway.log.of("cancel_history")) == 1

    assert play(scenario, market).complaints == []


def test_a_late_answer_comes_after_the_cancel_and_breaks_nothing() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Delay(by_s=12))
        async with client(gateway) as ib:
            assert await history(ib) == []
            await asyncio.sleep(5)
            assert len(await history(ib)) == 4

    assert play(scenario, market).complaints == []


def test_a_delayed_answer_tells_what_was_true_when_it_was_asked() -> None:
    market, _ = morning(lag_s=0)

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Delay(by_s=8))
        async with client(gateway) as ib:
            before = loop.time()
            late = rows(await history(ib))
            assert loop.time() - before == pytest.approx(8)
            # 11:10: a third of the bar has passed, which is where its low is
            assert late[-1] == ("16:00", 99.0, 99.0, 98.5, 98.5, 1_333.0)

    play(scenario, market)


def test_an_empty_answer_is_no_error() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Empty())
        async with client(gateway) as ib:
            assert await history(ib) == []
            assert loop.time() == 0

    play(scenario, market)


@pytest.mark.parametrize(
    ("how", "starts"),
    [
        (Mangling.DUPLICATE, ["14:30", "15:00", "15:30", "16:00", "16:00"]),
        (Mangling.OUT_OF_ORDER, ["14:30", "15:00", "16:00", "15:30"]),
        (Mangling.REVERSED, ["16:00", "15:30", "15:00", "14:30"]),
        (Mangling.FUTURE, ["14:30", "15:00", "15:30", "16:00", "17:00"]),
    ],
)
def test_bars_come_in_a_wrong_order(how: Mangling, starts: list[str]) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Mangle(how=how))
        async with client(gateway) as ib:
            assert [row[0] for row in rows(await history(ib))] == starts

    play(scenario, market)


@pytest.mark.parametrize(
    "how", [Mangling.BAD_FIELD, Mangling.SHORT, Mangling.UNKNOWN_ZONE, Mangling.NAIVE_DATE]
)
def test_an_unreadable_answer_is_no_answer(how: Mangling) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Mangle(how=how))
        async with client(gateway) as ib:
            found = await history(ib)
            assert found == [] or how is Mangling.NAIVE_DATE
            await asyncio.sleep(15)
            assert len(await history(ib)) == 4

    play(scenario, market)


@pytest.mark.parametrize(
    ("how", "field", "value"),
    [
        (Mangling.CROSSED, "low", 99.0),
        (Mangling.ZERO, "close", 0.0),
        (Mangling.NEGATIVE_VOLUME, "volume", -5.0),
    ],
)
def test_a_bar_has_impossible_values(how: Mangling, field: str, value: float) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Mangle(how=how))
        async with client(gateway) as ib:
            assert getattr((await history(ib))[-1], field) == value

    play(scenario, market)


@pytest.mark.parametrize("where", list(Cut))
@pytest.mark.parametrize("reset", [False, True])
def test_the_connection_breaks_over_a_request(where: Cut, reset: bool) -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(CutOff(where=where, reset=reset))
        async with client(gateway) as ib:
            if where is Cut.AFTER:
                assert len(await history(ib)) == 4
            else:
                with pytest.raises(ConnectionError):
                    await history(ib)
            await asyncio.sleep(0.1)
            assert not ib.isConnected()

    play(scenario, market)


def test_a_slow_connection_keeps_the_order() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        async with client(gateway) as ib:
            gateway.do(Slow(by_s=3, for_s=60))
            before = loop.time()
            assert await history(ib)
            assert loop.time() - before == pytest.approx(3)
            await asyncio.sleep(60)
            before = loop.time()
            assert await history(ib)
            assert loop.time() == before
            # what is sent at once must still not overtake what was sent late
            codes: list[int] = []
            ib.errorEvent += lambda *told: codes.append(told[1])
            for by_s, code in ((5, 2103), (0, 2104)):
                gateway.do(Slow(by_s=by_s))
                gateway.say(code)
            await asyncio.sleep(6)
            assert codes == [2103, 2104]

    play(scenario, market)


def test_the_gateway_s_clock_can_be_wrong() -> None:
    market, _ = morning()

    async def scenario(gateway: FakeGateway, loop: VirtualTimeLoop) -> None:
        gateway.do(Skew(seconds=-90, for_s=30))
        async with client(gateway) as ib:
            assert (await ib.reqCurrentTimeAsync()).timestamp() == loop.wall_s() - 90
            await asyncio.sleep(30)
            assert (await ib.reqCurrentTimeAsync()).timestamp() == loop.wall_s()

    play(scenario, market)
