"""The fake gateway: a server on loopback that answers the client library's own protocol.

Everything runs in callbacks of one event loop, in the order in which bytes come; no task waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from tests.fake_gateway import answers
from tests.fake_gateway.account import AccountDesk
from tests.fake_gateway.clock import SECOND_NS, Clock, LoopClock, wall_ns
from tests.fake_gateway.connection import Connection
from tests.fake_gateway.history import HistoryDesk
from tests.fake_gateway.market import Market
from tests.fake_gateway.request_log import Answered, Entry, RequestLog
from tests.fake_gateway.requests import ORDER_KINDS, Kind, Request
from tests.fake_gateway.settings import Settings
from tests.fake_gateway.texts import Text

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
    ) -> None:
        self.market = market
        self.settings = settings or Settings()
        self.port = port
        self.log = RequestLog()
        self.complaints: list[str] = []
        self.connections: list[Connection] = []
        self.next_order_id = self.settings.first_order_id
        self._clock = clock
        self._lingering: dict[int, int] = {}
        self._numbers = 0
        self._all_left = asyncio.Event()
        self._all_left.set()
        self._server: asyncio.Server | None = None
        self.desk = HistoryDesk(self)
        self._desks: dict[Kind, Callable[[Connection, Request], None]] = {
            Kind.CONTRACT: self._contract,
            Kind.HISTORY: self.desk.history,
            Kind.CANCEL_HISTORY: self.desk.cancel,
            Kind.HEAD_TIMESTAMP: self.desk.head_timestamp,
            **AccountDesk(self).kinds,
        }

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._clock is None:
            self._clock = LoopClock(asyncio.get_running_loop(), wall_ns())
        await self.listen()
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

    def refuse(self) -> None:
        """Close the port: the next client is refused by the operating system."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def stop(self) -> None:
        """Close the port and every connection, and wait until they are gone."""
        self.refuse()
        for connection in list(self.connections):
            connection.close()
        await self._all_left.wait()

    # --- what connections tell ------------------------------------------------------------------

    def joined(self, connection: Connection) -> None:
        """Take in a connection that was just made."""
        self._numbers += 1
        connection.number = self._numbers
        self.connections.append(connection)
        self._all_left.clear()
        self.log.connected_ns.append(self.clock.now_ns())

    def left(self, connection: Connection, *, was_open: bool) -> None:
        """Let a connection go; its client id may stay taken for a while."""
        now_ns = self.clock.now_ns()
        self.log.lost_ns.append(now_ns)
        self.connections.remove(connection)
        if not self.connections:
            self._all_left.set()
        linger_ns = round(self.settings.client_id_linger_s * SECOND_NS)
        if connection.client_id is not None and linger_ns:
            self._lingering[connection.client_id] = now_ns + linger_ns

    def greeted(self, connection: Connection) -> None:
        """Answer the version handshake."""
        assert connection.version is not None
        connection.send(answers.handshake(connection.version, self.clock.now_ns()))

    def received(self, connection: Connection, request: Request) -> None:
        """Log a request and answer it."""
        entry = Entry(self.clock.now_ns(), connection.number, connection.client_id, request)
        self.log.entries.append(entry)
        self.answer(connection, request)

    def answer(self, connection: Connection, request: Request) -> None:
        """Answer a request as a gateway in good health does."""
        if request.kind is Kind.START:
            self._start(connection, request)
        elif connection.client_id is None:
            self.complain(f"connection {connection.number} sent {request.kind} before its start")
        elif request.kind in ORDER_KINDS:
            self._order(connection, request)
        elif desk := self._desks.get(request.kind):
            desk(connection, request)
        elif request.kind is Kind.UNKNOWN:
            self.complain(f"unknown message {request.fields}")

    def complain(self, text: str) -> None:
        """Keep what a client should not have done; tests assert that there is nothing."""
        self.complaints.append(text)

    def refused(self, connection: Connection, request: Request, code: int, message: str) -> None:
        """End a request with an error and remember that."""
        self.finished(connection, request, code)
        connection.send_error(code, message, request.request_id)

    def finished(self, connection: Connection, request: Request, code: int = 0) -> None:
        """Remember how a request ended."""
        ended = Answered(self.clock.now_ns(), connection.number, request.request_id, code)
        self.log.answered.append(ended)

    # --- answers --------------------------------------------------------------------------------

    def _start(self, connection: Connection, request: Request) -> None:
        client_id = int(request.fields[2])
        if self.is_taken(client_id):
            connection.send_usual(326)
            if self.settings.close_on_326:
                connection.close()
            return
        connection.client_id = client_id
        self.welcome(connection)

    def is_taken(self, client_id: int) -> bool:
        """Whether a client id is in use, or was until a moment ago."""
        in_use = any(one.client_id == client_id for one in self.connections)
        return in_use or self._lingering.get(client_id, 0) > self.clock.now_ns()

    def welcome(self, connection: Connection) -> None:
        """Say what makes a client ready, and how the data farms are."""
        connection.send(answers.managed_accounts(self.settings.accounts))
        connection.send(answers.next_valid_id(self.next_order_id))
        for code in self.settings.notices:
            connection.send_usual(code)

    def _contract(self, connection: Connection, request: Request) -> None:
        assert request.contract is not None
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

    def now_told_ns(self) -> int:
        """Return the time that the gateway tells its clients."""
        return self.clock.now_ns()
