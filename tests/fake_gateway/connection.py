"""One client's connection: bytes in, frames out, and the ways a connection can go wrong."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, cast

from tests.fake_gateway import answers
from tests.fake_gateway.clock import SECOND_NS, Cancel
from tests.fake_gateway.requests import Kind, Request, read_request
from tests.fake_gateway.texts import words
from tests.fake_gateway.wire import ProtocolError, Unframer, fields_of, frame

if TYPE_CHECKING:
    from tests.fake_gateway.gateway import FakeGateway

_VERSIONS = re.compile(rb"v(\d+)(?:\.\.(\d+))?")


class Framing(StrEnum):
    """How frames are laid into the stream; a client must read all the same."""

    WHOLE = "whole"
    BYTEWISE = "bytewise"  # every byte is a write of its own
    JOINED = "joined"  # all answers to what came at once are one write


class Connection(asyncio.Protocol):
    """The server's end of one connection; everything happens in callbacks, nothing waits."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.number = 0
        self.client_id: int | None = None
        self.version: int | None = None
        self.is_open = False
        self.is_mute = False
        self.delay_s = 0.0
        self.framing = Framing.WHOLE
        self.open_history: set[int] = set()
        self.lost_streams: set[int] = set()  # a client may cancel what it does not know is gone
        self.cut_next = False
        self._transport: asyncio.Transport | None = None
        self._unframer = Unframer()
        self._timers: dict[int, Cancel] = {}
        self._numbers = count()
        self._free_ns = 0
        self._held: list[bytes] | None = None
        self._bytewise: deque[bytes] = deque()

    # --- the event loop calls these -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in; the gateway may close it at once."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self.gateway.joined(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; a mute connection reads and forgets."""
        self.gateway.activity += 1
        if self.framing is Framing.JOINED:
            self.send_bytes(b"".join(self.held(lambda: self._take(data))))
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            for payload in self._unframer.payloads(data):
                if not self.is_open:
                    return
                if not self.is_mute:
                    self._handle(payload)
        except ProtocolError as error:
            self.gateway.complain(f"connection {self.number}: {error}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything that belonged to the connection."""
        self.is_open = False
        for cancel in self._timers.values():
            cancel()
        self._timers.clear()
        self._transport = None
        self.gateway.left(self)

    # --- sending --------------------------------------------------------------------------------

    def send(self, fields: answers.Fields) -> None:
        """Send one message, in order, after the connection's delay."""
        self.send_bytes(frame(*fields))

    def send_error(self, code: int, message: str, request_id: int = -1) -> None:
        """Send a refusal or a notice."""
        self.send(answers.error(self.version or 0, request_id, code, message))

    def send_usual(self, code: int, request_id: int = -1) -> None:
        """Send a code with its usual text."""
        self.send_error(code, words(code, request_id=request_id), request_id)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, in order behind what was sent before."""
        if self._held is not None:
            self._held.append(data)
            return
        now_ns = self.gateway.clock.now_ns()
        due_ns = max(self._free_ns, now_ns + round(self.delay_s * SECOND_NS))
        if due_ns > now_ns:
            self._free_ns = due_ns
            self.later(due_ns, lambda: self._write(data))
        else:
            self._write(data)

    def held(self, answer: Callable[[], None]) -> list[bytes]:
        """Return what an answer would have sent, instead of sending it."""
        outer, self._held = self._held, []
        try:
            answer()
            return self._held
        finally:
            self._held = outer

    def later(self, at_ns: int, callback: Callable[[], None]) -> Cancel:
        """Call back at an instant if the connection still lives; the result takes it back."""
        number = next(self._numbers)

        def due() -> None:
            del self._timers[number]
            callback()

        self._timers[number] = self.gateway.clock.call_at(at_ns, due)

        def cancel() -> None:
            if number in self._timers:
                self._timers.pop(number)()

        return cancel

    def _write(self, data: bytes) -> None:
        if self._transport is None or not self.is_open or self.is_mute:
            return
        self.gateway.activity += 1
        if self.cut_next:
            self._transport.write(data[: len(data) // 2])
            self.close()
        elif self.framing is Framing.BYTEWISE:
            is_dripping = bool(self._bytewise)
            self._bytewise.extend(data[place : place + 1] for place in range(len(data)))
            if not is_dripping:
                self._drip()
        else:
            self._transport.write(data)

    def _drip(self) -> None:
        """Write a byte a round of the event loop, so that the client reads them one by one."""
        if self._bytewise and self._transport is not None and self.is_open:
            self._transport.write(self._bytewise[0])
            asyncio.get_running_loop().call_soon(self._dripped)

    def _dripped(self) -> None:
        self.gateway.activity += 1
        self._bytewise.popleft()
        self._drip()

    # --- ending ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Close as a program does that ends: what was written arrives, then the end."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection off, as a firewall or a killed machine does (RST)."""
        self.is_open = False
        if self._transport is not None:
            connected = self._transport.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    # --- receiving ------------------------------------------------------------------------------

    def _handle(self, payload: bytes) -> None:
        if self.version is None:
            self._greet(payload)
        else:
            self.gateway.received(self, read_request(fields_of(payload)))

    def _greet(self, payload: bytes) -> None:
        match = _VERSIONS.match(payload)
        if match is None:
            raise ProtocolError(f"expected versions, received {payload[:40]!r}")
        newest = int(match[2] or match[1])
        self.version = min(newest, self.gateway.settings.server_version)
        greeting = (payload.decode(errors="backslashreplace"),)
        self.gateway.received(self, Request(Kind.GREET, greeting))
