"""Faults of single answers: refused, missing, late, empty, wrong or cut off."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.faults.base import RequestFault
from tests.fake_gateway.mangling import Mangling
from tests.fake_gateway.requests import HistoryQuery, Kind, Request
from tests.fake_gateway.texts import words

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection
    from tests.fake_gateway.gateway import FakeGateway

Treat = Callable[["Connection", Request], bool]


class Refuse(RequestFault, frozen=True, kw_only=True):
    """Answer with an error: a code, and a text or the name of one (texts.Text)."""

    code: int
    text: str | None = None

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Refuse, with the request's own symbol in the text; 326 may also close the connection."""

        def treat(connection: Connection, request: Request) -> bool:
            contract, what = request.contract, "Trades"
            if isinstance(request.query, HistoryQuery):
                what = request.query.what.title()
            text = words(
                self.code,
                self.text,
                symbol=contract.label if contract else "",
                exchange=(contract.exchange if contract else "") or "SMART",
                what=what,
                request_id=request.request_id,
                cause="refused by a script",
            )
            gateway.refused(connection, request, self.code, text)
            if self.code == 326 and gateway.settings.close_on_326:
                connection.close()
            return True

        return treat


class Ignore(RequestFault, frozen=True, kw_only=True):
    """Never answer; a connection that is only accepted (kind ACCEPT) stays mute."""

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Do nothing at all."""

        def treat(connection: Connection, request: Request) -> bool:
            connection.is_mute = request.kind is Kind.ACCEPT
            return True

        return treat


class Delay(RequestFault, frozen=True, kw_only=True):
    """Answer what is true now, but only after `by_s`, though the request be cancelled by then."""

    by_s: float

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Hold the answer; requests that come after it are not held up."""

        def treat(connection: Connection, request: Request) -> bool:
            held = connection.held(lambda: gateway.answer(connection, request))
            if request.kind is Kind.HISTORY:
                connection.open_history.add(request.request_id)

            def send() -> None:
                connection.open_history.discard(request.request_id)
                for data in held:
                    connection.send_bytes(data)

            connection.later(gateway.clock.now_ns() + round(self.by_s * SECOND_NS), send)
            return True

        return treat


class Empty(RequestFault, frozen=True, kw_only=True):
    """Answer a request for bars with none, without an error."""

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Send an answer of no bars."""

        def treat(connection: Connection, request: Request) -> bool:
            gateway.finished(connection, request)
            connection.send((17, request.request_id, "", "", 0))
            return True

        return treat


class Mangle(RequestFault, frozen=True, kw_only=True):
    """Answer a request for bars with something wrong in it."""

    how: Mangling

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Let the history service answer, through the mangling."""

        def treat(connection: Connection, request: Request) -> bool:
            gateway.desk.history(connection, request, self.how)
            return True

        return treat


class Cut(StrEnum):
    """Where a connection breaks."""

    BEFORE = "before"  # the answer is never sent
    WITHIN = "within"  # half of it arrives
    AFTER = "after"  # right behind it


class CutOff(RequestFault, frozen=True, kw_only=True):
    """Break the connection over a request: before its answer, in the middle of it, or after."""

    where: Cut = Cut.WITHIN
    reset: bool = False  # break off (RST) instead of closing

    def treatment(self, gateway: FakeGateway) -> Treat:
        """End the connection; with WITHIN the next frame ends it half way."""

        def treat(connection: Connection, request: Request) -> bool:
            if self.where is Cut.WITHIN:
                connection.cut_next = True
                return False
            if self.where is Cut.AFTER:
                gateway.answer(connection, request)
            (connection.reset if self.reset else connection.close)()
            return True

        return treat


class HalfStart(RequestFault, frozen=True, kw_only=True):
    """Start a client without the number it waits for, or without any account."""

    kind: Kind = Kind.START
    without: str = "next_valid_id"  # or "accounts"

    def treatment(self, gateway: FakeGateway) -> Treat:
        """Send the start, less one message."""

        def treat(connection: Connection, request: Request) -> bool:
            held = connection.held(lambda: gateway.answer(connection, request))
            left_out = {"accounts": 0, "next_valid_id": 1}[self.without]
            for place, data in enumerate(held):
                if place != left_out:
                    connection.send_bytes(data)
            return True

        return treat
