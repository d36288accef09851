"""One virtual time for two processes: a daemon on its own, and the gateway it talks to.

The daemon runs on `led_loop(port)`. Whenever it has nothing left to do it says until when, and time
moves on to whatever comes first: what it waits for, or a timer of the gateway. Nothing is asked to
sleep, and neither side is ever ahead. Where the gateway's side has set a limit, time stops there
and the daemon is left to the real world (signals, its control socket) until the limit is lifted.

    the daemon's side -> {"until": 1795444200000000000} or {"until": null}
    the gateway's side -> {"now": 1795444200000000000, "held": false}
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec
from msgspec import Struct

from tests.fake_gateway.clock import ManualClock
from tests.fake_gateway.gateway import HOST, FakeGateway
from tests.fake_gateway.virtual_loop import VirtualTimeLoop

# So many rounds of the event loop without anything to read: all that was sent has been seen. A new
# connection alone takes five, from its being accepted to its first bytes.
QUIET_ROUNDS = 20
ANSWER_WITHIN_S = 60.0


class Idle(Struct, frozen=True):
    """The daemon has nothing to do before an instant, or at all."""

    until: int | None


class Moved(Struct, frozen=True):
    """The instant it is now; held: time stands still until somebody lifts the limit."""

    now: int
    held: bool


class TimeKeeper:
    """The gateway's side: moves the gateway's clock when the daemon is idle.

    `limit_ns` is as far as time may run, None for ever; `held` is set while the daemon waits there.
    """

    def __init__(self, gateway: FakeGateway, clock: ManualClock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._server: asyncio.Server | None = None
        self.port = 0
        self.limit_ns: int | None = clock.now_ns()
        self._told_activity = -1
        self.held = asyncio.Event()

    async def open(self) -> None:
        """Listen on loopback; `port` is where."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Led(self), HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Lead nobody any more."""
        if self._server is not None:
            self._server.close()

    def run_to(self, limit_ns: int | None) -> None:
        """Let time run as far as an instant, or freely."""
        self.limit_ns = limit_ns
        self.held.clear()

    def idle(self, until_ns: int | None, answer: Callable[[Moved], None]) -> None:
        """Move on, as far as the daemon, the gateway's timers and the limit let time run."""
        self._when_quiet(lambda: self._move(until_ns, answer))

    def _move(self, until_ns: int | None, answer: Callable[[Moved], None]) -> None:
        now_ns = self._clock.now_ns()
        if self._gateway.activity != self._told_activity:
            # The gateway has spoken since the daemon last looked, so it may not be idle at all.
            self._tell(answer, held=False)
            return
        known = [one for one in (until_ns, self._clock.next_ns(), self.limit_ns) if one is not None]
        if not known or (self.limit_ns is not None and now_ns >= self.limit_ns):
            self.held.set()
            self._tell(answer, held=True)
            return
        self._clock.advance_to(max(now_ns, min(known)))
        self._when_quiet(lambda: self._tell(answer, held=False))

    def _tell(self, answer: Callable[[Moved], None], *, held: bool) -> None:
        self._told_activity = self._gateway.activity
        answer(Moved(self._clock.now_ns(), held=held))

    def _when_quiet(self, then: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()

        def look(rounds: int, activity: int) -> None:
            if activity != self._gateway.activity:
                rounds, activity = 0, self._gateway.activity
            if rounds < QUIET_ROUNDS:
                loop.call_soon(look, rounds + 1, activity)
            else:
                then()

        look(0, self._gateway.activity)


class _Led(asyncio.Protocol):
    """A daemon that is led: it waits for each answer before it says anything more."""

    def __init__(self, keeper: TimeKeeper) -> None:
        self._keeper = keeper
        self._bytes = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._answer(Moved(self._keeper._clock.now_ns(), held=False))

    def data_received(self, data: bytes) -> None:
        *lines, self._bytes = (self._bytes + data).split(b"\n")
        for line in lines:
            self._keeper.idle(msgspec.json.decode(line, type=Idle).until, self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def _answer(self, moved: Moved) -> None:
        if self._transport is not None:
            self._transport.write(msgspec.json.encode(moved) + b"\n")


class Leader:
    """The daemon's side: asks for the time, blocking, since it has nothing else to do."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection((HOST, port), ANSWER_WITHIN_S)
        self._file = self._line.makefile("rwb")
        self.start_ns = self._read().now

    def idle(self, until_ns: int | None) -> Moved:
        """Say until when there is nothing to do, and learn what time it is."""
        self._file.write(msgspec.json.encode(Idle(until_ns)) + b"\n")
        self._file.flush()
        return self._read()

    def close(self) -> None:
        """Be led no more."""
        self._file.close()
        self._line.close()

    def _read(self) -> Moved:
        return msgspec.json.decode(self._file.readline(), type=Moved)


def led_loop(port: int) -> VirtualTimeLoop:
    """Make an event loop whose time a TimeKeeper leads, and make it the thread's current one.

    `asyncio.Runner(loop_factory=lambda: led_loop(port))`; `loop.wall_ns` is the time of the world.
    """
    leader = Leader(port)
    loop = VirtualTimeLoop(leader.start_ns, leader.idle, leader.close)
    asyncio.set_event_loop(loop)
    return loop
