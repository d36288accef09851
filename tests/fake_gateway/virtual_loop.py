"""An event loop whose time jumps: as soon as nothing is left to do, to the next timer.

What runs on it is real (sockets over loopback, the client's own timeouts), but no second passes.
Bytes sent over loopback can be read at once, so a loop that holds both ends and finds nothing
readable knows that nothing is under way. Work in other threads is seen where it goes through
`run_in_executor`; for other threads say so with `busy_when`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any, Protocol, TypeVar

from tests.fake_gateway.clock import SECOND_NS, LoopClock, instant_ns

_T = TypeVar("_T")


class Moved(Protocol):
    """Where time is, as whoever leads a loop says; held: it stands still there."""

    @property
    def now(self) -> int:
        """The instant, UTC nanoseconds."""
        ...

    @property
    def held(self) -> bool:
        """Whether the loop is to wait for the real world."""
        ...


# Asked when a loop has nothing to do before an instant (None: at all).
Lead = Callable[[int | None], Moved]
STUCK_AFTER_S = 30.0  # real seconds with neither timer nor event: nothing will ever happen
BUSY_LOOK_S = 0.05  # real seconds to wait for another thread before looking again


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Run callbacks as usual; when idle, move `time()` to the next timer instead of waiting."""

    def __init__(
        self,
        start: str | int,
        lead: Lead | None = None,
        when_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._lead = lead
        self._when_closed = when_closed
        self._seconds = 0.0
        self._pending = 0
        self._busy: list[Callable[[], bool]] = []
        self.failures: list[Exception] = []
        super().__init__(_Jumping(self))
        # Timers that differ by less than a float can tell apart run together.
        self._clock_resolution = 1e-6
        self.start_ns = instant_ns(start)
        self.clock = LoopClock(self, self.start_ns)
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._seconds

    def wall_ns(self) -> int:
        """Return virtual time as a clock on the wall would show it, UTC nanoseconds."""
        return self.clock.now_ns()

    def wall_s(self) -> float:
        """Return what `time.time()` would."""
        return self.wall_ns() / SECOND_NS

    def close(self) -> None:
        """As every loop; whoever leads it is let go."""
        super().close()
        self._when_closed()

    def pass_time(self, timeout: float | None) -> float:
        """Let time pass while there is nothing to do: the selector alone calls this.

        Returns how many real seconds it may wait for something to happen before it asks again.
        """
        if self._lead is None:
            if timeout is None:
                return STUCK_AFTER_S
            self._seconds += timeout
            return 0
        until_ns = None
        if timeout is not None:
            until_ns = self.start_ns + ceil((self._seconds + timeout) * SECOND_NS)
        moved = self._lead(until_ns)
        self._seconds = max(self._seconds, (moved.now - self.start_ns) / SECOND_NS)
        return BUSY_LOOK_S if moved.held else 0

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let time stand still while the block runs, as for work that another thread does."""
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    def busy_when(self, busy: Callable[[], bool]) -> None:
        """Let time stand still while another thread, as told by `busy`, still works for us."""
        self._busy.append(busy)

    @property
    def is_busy(self) -> bool:
        """Whether work in other threads is under way."""
        return self._pending > 0 or any(busy() for busy in self._busy)

    def run_in_executor(  # type: ignore[override]  # one signature for functions of every shape
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Count what threads do, so that time waits for them."""
        self._pending += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._executed)
        return future

    async def shutdown_default_executor(self, *arguments: Any, **named: Any) -> None:
        """Wait for the threads in real time; since Python 3.12 the loop gives them a time-out."""
        with self.holding():
            await super().shutdown_default_executor(*arguments, **named)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what a callback raised: a test that ends well in spite of it has not."""
        error = context.get("exception")
        if isinstance(error, Exception):
            self.failures.append(error)
        self.default_exception_handler(context)

    def _executed(self, _: asyncio.Future[Any]) -> None:
        self._pending -= 1


class _Jumping(selectors.BaseSelector):
    """The platform's selector, asked without waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, let the asked time pass without waiting for it."""
        if (ready := self._real.select(0)) or timeout == 0:
            return ready
        if self._loop.is_busy:
            return self._real.select(BUSY_LOOK_S)
        wait_s = self._loop.pass_time(timeout)
        ready = self._real.select(wait_s)
        if not ready and wait_s >= STUCK_AFTER_S:
            raise RuntimeError("nothing is scheduled and nothing came: the test waits for ever")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        """As the real selector."""
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """As the real selector."""
        return self._real.get_map()


def run_virtually(
    main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, _T]], start: str | int
) -> _T:
    """Run a coroutine function on a new virtual loop that starts at an instant.

    The loop is also made the thread's current one, as ib_async's events look it up there.
    """

    def make() -> VirtualTimeLoop:
        loop = VirtualTimeLoop(start)
        asyncio.set_event_loop(loop)
        return loop

    async def whole() -> _T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        result = await main(loop)
        if loop.failures:
            raise RuntimeError("a callback failed") from loop.failures[0]
        return result

    try:
        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(whole())
    finally:
        asyncio.set_event_loop(None)
