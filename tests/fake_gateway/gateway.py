"""The fake gateway: a server on loopback that answers the client library's own protocol.

Everything runs in callbacks of one event loop, in the order in which bytes come; no task waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self

from tests.fake_gateway import answers
from tests.fake_gateway.account import AccountDesk
from tests.fake_gateway.clock import SECOND_NS, Cancel, Clock, LoopClock, instant_ns, wall_ns
from tests.fake_gateway.connection import Connection, Framing
from tests.fake_gateway.history import HistoryDesk
from tests.fake_gateway.market import Market
from tests.fake_gateway.request_log import Answered, Entry, RequestLog
from tests.fake_gateway.requests import ORDER_KINDS, Kind, Request
from tests.fake_gateway.rules import Countdown, RuleBook
from tests.fake_gateway.settings import Settings
from tests.fake_gateway.streams import StreamDesk
from tests.fake_gateway.texts import Text, words

if TYPE_CHECKING:
    from tests.fake_gateway.faults import Fault
    from tests.fake_gateway.steps import Step

HOST = "127.0.0.1"


class FakeGateway:
    """Speak for a market to every client that connects, at the time of a clock.

    Use it as `async with FakeGateway(market, clock) as gateway:`; `gateway.port` is where it is.
    """

    def __init__(
        self,
        market: Market,
        clock: Clock | None = None,
        settings: Settings | None = None,
        port: int = 0,
        steps: Iterable[Step] = (),
    ) -> None:
        self.market = market
        self.settings = settings or Settings()
        self.port = port
        self.log = RequestLog()
        self.complaints: list[str] = []
        self.connections: list[Connection] = []
        self.rules = RuleBook()
        self.next_order_id = self.settings.first_order_id
        self.skew_ns = 0
        self.delay_s = 0.0
        self.framing = Framing.WHOLE
        self.activity = 0  # counts what was read and written, for whoever waits until all is quiet
        self.is_upstream = True  # whether the gateway itself reaches the vendor's servers
        self.history_farm_ok = True
        self.streams = StreamDesk(self)
        self.desk = HistoryDesk(self)
        self._clock = clock
        self._steps = tuple(steps)
        self._taken_until_ns: dict[int, int] = {}
        self._accepted = 0
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timers: list[Cancel] = []
        self._all_left = asyncio.Event()
        self._all_left.set()
        self._desks: dict[Kind, Callable[[Connection, Request], None]] = {
            Kind.GREET: self._greet,
            Kind.START: self._start,
            Kind.CONTRACT: self._contract,
            Kind.HISTORY: self.desk.history,
            Kind.CANCEL_HISTORY: self.desk.cancel,
            Kind.HEAD_TIMESTAMP: self.desk.head_timestamp,
            Kind.REAL_TIME_BARS: self.streams.real_time_bars,
            Kind.CANCEL_REAL_TIME_BARS: self.streams.cancel_real_time_bars,
            **AccountDesk(self).kinds,
        }

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._clock is None:
            self._clock = LoopClock(asyncio.get_running_loop(), wall_ns())
        await self.listen()
        for step in self._steps:
            step.arm(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def clock(self) -> Clock:
        """The gateway's time."""
        assert self._clock is not None, "the gateway has not been started"
        return self._clock

    async def listen(self) -> None:
        """Open the port, the same one each time."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), HOST, self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def close_port(self, for_s: float | None = None) -> None:
        """Close the port, for a while or for good: the operating system refuses clients."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if for_s is not None:
            self.later(for_s, self._open_again)

    def _open_again(self) -> None:
        opens = self._opening is not None and not self._opening.done()
        if self._server is None and not opens:  # two faults may end at one instant
            self._opening = asyncio.get_running_loop().create_task(self.listen())

    async def stop(self) -> None:
        """Close the port and every connection, and wait until they are gone."""
        for cancel in self._timers:
            cancel()
        if self._opening is not None:
            await self._opening
        self.close_port()
        for connection in list(self.connections):
            connection.close()
        await self._all_left.wait()

    # --- scripting ------------------------------------------------------------------------------

    def do(self, fault: Fault) -> None:
        """Let a fault happen now."""
        fault.apply(self)

    def at(self, instant: str | int, fault: Fault) -> None:
        """Let a fault happen at an instant of virtual time."""
        self._timers.append(self.clock.call_at(instant_ns(instant), lambda: fault.apply(self)))

    def after(
        self, requests: int, kind: Kind | str, fault: Fault, symbol: str | None = None
    ) -> None:
        """Let a fault happen when the n-th request of a kind from now comes, before its answer."""
        countdown = Countdown(Kind(kind), requests, lambda: fault.apply(self), symbol)
        self.rules.countdowns.append(countdown)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back after virtual seconds, unless the gateway was stopped."""
        at_ns = self.clock.now_ns() + round(seconds * SECOND_NS)
        self._timers.append(self.clock.call_at(at_ns, callback))

    def say(self, code: int, text: str | None = None, request_id: int = -1) -> None:
        """Send a notice to every client."""
        for connection in self.ready():
            message = words(code, text, port=self.port, request_id=request_id)
            connection.send_error(code, message, request_id)

    def ready(self) -> list[Connection]:
        """Return the connections of clients that have said who they are."""
        return [one for one in self.connections if one.is_open and one.client_id is not None]

    def complain(self, text: str) -> None:
        """Keep what a client should not have done; tests assert that there is nothing."""
        self.complaints.append(text)

    def take_client_id(self, client_id: int, for_s: float) -> None:
        """Let a client id be in use by somebody else for a while."""
        self._taken_until_ns[client_id] = self.clock.now_ns() + round(for_s * SECOND_NS)

    def now_told_ns(self) -> int:
        """Return the time that the gateway tells its clients, which may be wrong."""
        return self.clock.now_ns() + self.skew_ns

    # --- what connections tell ------------------------------------------------------------------

    def joined(self, connection: Connection) -> None:
        """Take in a connection that was just made."""
        self._accepted += 1
        self.activity += 1
        connection.number = self._accepted
        connection.delay_s = self.delay_s
        connection.framing = self.framing
        self.connections.append(connection)
        self._all_left.clear()
        self.received(connection, Request(Kind.ACCEPT, ()))

    def left(self, connection: Connection) -> None:
        """Let a connection go; its client id may stay taken for a while."""
        self.activity += 1
        self.log.lost_ns.append(self.clock.now_ns())
        self.connections.remove(connection)
        self.streams.left(connection)
        if connection.client_id is not None and self.settings.client_id_linger_s:
            self.take_client_id(connection.client_id, self.settings.client_id_linger_s)
        if not self.connections:
            self._all_left.set()

    def received(self, connection: Connection, request: Request) -> None:
        """Log a request, let what waits for it happen, and answer it."""
        now_ns, opened = self.clock.now_ns(), 0
        if request.kind is Kind.HISTORY:
            opened = 1 + sum(len(one.open_history) for one in self.connections)
        entry = Entry(now_ns, connection.number, connection.client_id, request, opened)
        self.log.add(entry)
        self.rules.count(request)
        if not connection.is_open or connection.is_mute:
            return  # what waited for the request has ended the connection
        if request.kind is Kind.HISTORY and not self._opens(connection, request):
            return
        if not self.rules.treat(connection, request, now_ns):
            self.answer(connection, request)

    def answer(self, connection: Connection, request: Request) -> None:
        """Answer a request as a gateway in good health does."""
        if connection.client_id is None and request.kind not in _BEFORE_START:
            self.complain(f"connection {connection.number} sent {request.kind} before its start")
        elif request.kind in ORDER_KINDS:
            self._order(connection, request)
        elif desk := self._desks.get(request.kind):
            desk(connection, request)
        elif request.kind is Kind.UNKNOWN:
            self.complain(f"unknown message {request.fields}")

    def refused(self, connection: Connection, request: Request, code: int, message: str) -> None:
        """End a request with an error and remember that."""
        self.finished(connection, request, code)
        connection.send_error(code, message, request.request_id)

    def finished(self, connection: Connection, request: Request, code: int = 0) -> None:
        """Remember how a request ended."""
        if request.kind is Kind.HISTORY:
            connection.open_history.discard(request.request_id)
        ended = Answered(self.clock.now_ns(), connection.number, request.request_id, code)
        self.log.answered.append(ended)

    # --- answers --------------------------------------------------------------------------------

    def _greet(self, connection: Connection, request: Request) -> None:
        assert connection.version is not None
        connection.send(answers.handshake(connection.version, self.clock.now_ns()))

    def _start(self, connection: Connection, request: Request) -> None:
        client_id = int(request.fields[2])
        if self.is_taken(client_id):
            connection.send_usual(326)
            if self.settings.close_on_326:
                connection.close()
            return
        connection.client_id = client_id
        connection.send(answers.managed_accounts(self.settings.accounts))
        connection.send(answers.next_valid_id(self.next_order_id))
        for code in self.settings.notices:
            connection.send_usual(code)

    def is_taken(self, client_id: int) -> bool:
        """Whether a client id is in use, or was until a moment ago."""
        in_use = any(one.client_id == client_id for one in self.connections)
        return in_use or self._taken_until_ns.get(client_id, 0) > self.clock.now_ns()

    def _opens(self, connection: Connection, request: Request) -> bool:
        """Take a request for bars as open; False: its number is that of another open one."""
        if request.request_id in connection.open_history:
            connection.send_usual(322, request.request_id)
            self.complain(f"connection {connection.number} used {request.request_id} twice")
            return False
        connection.open_history.add(request.request_id)
        return True

    def _contract(self, connection: Connection, request: Request) -> None:
        assert request.contract is not None
        if not self.is_upstream:
            self.refused(connection, request, 504, Text.NOT_CONNECTED)
            return
        found = self.market.matching(request.contract)
        if not found:
            self.refused(connection, request, 200, Text.NO_SECURITY)
            return
        version, now_ns = connection.version or 0, self.clock.now_ns()
        for instrument in found:
            details = answers.contract_details(version, request.request_id, instrument, now_ns)
            connection.send(details)
        connection.send(answers.contract_details_end(request.request_id))
        self.finished(connection, request)

    def _order(self, connection: Connection, request: Request) -> None:
        """Refuse loudly: papertape's orders exist on paper alone."""
        self.complain(f"connection {connection.number} sent {request.kind}: {request.fields}")
        self.refused(connection, request, 321, Text.READ_ONLY)


_BEFORE_START = frozenset({Kind.ACCEPT, Kind.GREET, Kind.START})
