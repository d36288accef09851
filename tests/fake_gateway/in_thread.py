"""A fake gateway in a thread of its own, for clients that block: the vendor's, and commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self, TypeVar

from tests.fake_gateway.clock import ManualClock, instant_ns
from tests.fake_gateway.gateway import FakeGateway
from tests.fake_gateway.lockstep import TimeKeeper
from tests.fake_gateway.market import Market
from tests.fake_gateway.settings import Settings

if TYPE_CHECKING:
    from tests.fake_gateway.faults import Fault

_T = TypeVar("_T")
WAIT_S = 20.0  # real seconds within which the thread must have answered


class ThreadedGateway:
    """Run a gateway beside the test; time stands still until `advance` is called.

    Use it as `with ThreadedGateway(market, start) as threaded:`. What touches the gateway goes
    through `call`, which runs a function in the gateway's thread and returns its result. A daemon
    in another process may share its time: see lockstep, `keeper.port` and `run_until`.
    """

    def __init__(
        self, market: Market, start: str | int, settings: Settings | None = None, port: int = 0
    ) -> None:
        self.clock = ManualClock(start)
        self.gateway = FakeGateway(market, self.clock, settings, port)
        self.keeper = TimeKeeper(self.gateway, self.clock)
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fake-gateway", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(WAIT_S), "the fake gateway did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the fake gateway did not stop"

    @property
    def port(self) -> int:
        """Where the gateway listens."""
        return self.gateway.port

    def call(self, function: Callable[[FakeGateway], _T]) -> _T:
        """Run a function of the gateway in its thread and return what it returns."""
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(function(self.gateway))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
                future.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return future.result(WAIT_S)

    def wait_until(self, true: Callable[[FakeGateway], bool]) -> None:
        """Let the gateway read what is under way until something is true of it."""

        async def wait() -> None:
            async with asyncio.timeout(WAIT_S):
                while not true(self.gateway):  # noqa: ASYNC110 - any fact, not one event
                    await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(wait(), self._loop).result(WAIT_S * 2)

    def advance(self, seconds: float) -> None:
        """Move virtual time on, running what falls due."""
        self.call(lambda _gateway: self.clock.advance(seconds))

    def run_until(self, instant: str | int, within_s: float = WAIT_S) -> None:
        """Let a led daemon run to an instant; returns when it has nothing left to do before it."""

        async def run() -> None:
            self.keeper.run_to(instant_ns(instant))
            async with asyncio.timeout(within_s):
                await self.keeper.held.wait()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(within_s * 2)

    def do(self, fault: Fault) -> None:
        """Let a fault happen now."""
        self.call(lambda gateway: gateway.do(fault))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with self.gateway:
            await self.keeper.open()
            self._started.set()
            await self._ending.wait()
            self.keeper.close()
