"""The adapter of the gateway's library: on uvloop too, and what it makes of failures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from daemon.feeds.ib.client import IbClient
from daemon.feeds.ib.messages import (
    AnsweredError,
    ClientIdTakenError,
    GatewayError,
    HistoryAsk,
    LinkLostError,
    NoAnswerError,
)
from tests.fake_gateway import FakeGateway, Kind, LoopClock, Settings
from tests.fake_gateway.faults import Drop, HalfStart, Ignore, Mangle, Refuse, Say, TakeClientIds
from tests.fake_gateway.mangling import Mangling
from tests.faults.free_ports import free_port
from tests.ib.feeding import at, market_of

ASK = HistoryAsk(None, "1 D", "30 mins")


class Heard:
    """What the client tells unasked."""

    def __init__(self) -> None:
        self.notices: list[tuple[int, bool]] = []
        self.lost: list[str] = []
        self.client = IbClient(self._notice, self.lost.append)

    def _notice(self, code: int, text: str, is_answer: bool) -> None:
        self.notices.append((code, is_answer))


async def scenario(gateway: FakeGateway) -> None:
    """Everything the feed does with a connection, once."""
    heard = Heard()
    client = heard.client
    await client.connect("127.0.0.1", gateway.port, 17, first_request_id=500_000)
    (contract,) = await client.contracts("NVDA", 5)
    assert (contract.symbol, contract.con_id) == ("NVDA", 4_815_747)
    assert await client.current_time(5) == at("11:10")
    bars = await client.history(contract, ASK, 5)
    assert bars[0].start == at("09:30")
    asked = gateway.log.of(Kind.HISTORY)[-1].request
    assert asked.request_id >= 500_000

    gateway.do(Refuse(code=354))
    with pytest.raises(AnsweredError, match="error 354: Requested market data is not subscribed"):
        await client.history(contract, ASK, 5)
    gateway.do(Ignore())
    with pytest.raises(NoAnswerError, match=r"no answer within 0\.2 s"):
        await client.history(contract, ASK, 0.2)
    gateway.do(Ignore(kind=Kind.CURRENT_TIME))
    with pytest.raises(NoAnswerError):
        await client.current_time(0.2)
    # the library takes these for warnings; the request would hang
    gateway.do(Refuse(code=321, kind=Kind.CONTRACT))
    with pytest.raises(AnsweredError, match="error 321"):
        await client.contracts("NVDA", 0.2)
    gateway.do(Mangle(how=Mangling.NAIVE_DATE))
    assert len(await client.history(contract, ASK, 5)) == len(bars) - 1

    gateway.do(Say(code=1100))
    await _until(lambda: (1100, False) in heard.notices)
    other = Heard().client
    with pytest.raises(ClientIdTakenError, match="client id 17 is in use"):
        await other.connect("127.0.0.1", gateway.port, 17)

    asked_so_far = len(gateway.log.of(Kind.HISTORY))
    gateway.do(Ignore())
    waiting = asyncio.ensure_future(client.history(contract, ASK, 5))
    await _until(lambda: len(gateway.log.of(Kind.HISTORY)) > asked_so_far)
    gateway.do(Drop())
    with pytest.raises(LinkLostError, match="the gateway closed the connection"):
        await waiting
    assert heard.lost == ["the gateway closed the connection"]
    with pytest.raises(LinkLostError):
        await client.history(contract, ASK, 5)
    client.disconnect()
    client.disconnect()  # twice is once


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - any fact, not one event
            await asyncio.sleep(0)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_on_either_loop(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        clock = LoopClock(asyncio.get_running_loop(), at("11:10"), 0.0001)  # it all but stands
        settings = Settings(enforce_pacing=False)  # no time passes between two requests
        async with FakeGateway(market_of(), clock, settings) as gateway:
            await scenario(gateway)
            assert gateway.log.orders == []

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    finally:
        asyncio.set_event_loop(None)


async def test_what_fails_at_connecting_is_told_in_words() -> None:
    port = free_port()
    with pytest.raises(LinkLostError, match=f"nothing listens at 127.0.0.1:{port}"):
        await Heard().client.connect("127.0.0.1", port, 17)
    with pytest.raises(LinkLostError, match=r"nobody\.invalid:7497: "):
        await Heard().client.connect("nobody.invalid", 7497, 17)


async def test_who_accepts_and_says_nothing_is_no_gateway() -> None:
    async with FakeGateway(market_of()) as gateway:
        for without in ("accounts", "next_valid_id"):
            gateway.do(HalfStart(without=without))
            with pytest.raises(NoAnswerError, match="does not answer as a gateway does"):
                await Heard().client.connect("127.0.0.1", gateway.port, 17, timeout_s=0.2)
        gateway.do(TakeClientIds(client_ids=(17,), for_s=60))
        with pytest.raises(ClientIdTakenError):
            await Heard().client.connect("127.0.0.1", gateway.port, 17)
        late = Heard()
        await late.client.connect("127.0.0.1", gateway.port, 18)
        late.client.disconnect()
        await _until(lambda: not gateway.connections)
        assert late.lost == []  # nobody is told of what he did himself


def test_it_has_no_way_to_trade() -> None:
    public = {name for name in vars(IbClient) if not name.startswith("_")}
    assert public == {"connect", "disconnect", "current_time", "contracts", "history"}
    assert issubclass(AnsweredError, GatewayError)
