"""Steer a gateway in another process: one JSON object a line, one answer a line.

    {"advance_s": 3600}                     move virtual time on        (a clock that stands still)
    {"advance_to": "2026-11-23T10:00:05 America/New_York"}
    {"fault": {"do": "drop"}}               let a fault happen now
    {"step": {"at": ..., "fault": {...}}}   or later, or after requests
    {"tell": "log" | "violations" | "complaints" | "connections"}
    {"stop": true}                          end the process

Every answer holds `now`, the virtual instant in nanoseconds, or `error`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.fake_gateway.clock import ManualClock
from tests.fake_gateway.faults import AnyFault
from tests.fake_gateway.gateway import HOST, FakeGateway
from tests.fake_gateway.pacing import violations
from tests.fake_gateway.steps import Step

LINE_BYTES_MAX = 1_000_000


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a controlling process; what is given is done in this order."""

    fault: AnyFault | None = None
    step: Step | None = None
    advance_s: float | None = None
    advance_to: str | int | None = None
    tell: Literal["log", "violations", "complaints", "connections"] | None = None
    stop: bool = False


class Control:
    """The control port of a gateway: `port` is where it is once `open` has returned."""

    def __init__(self, gateway: FakeGateway, stop: Callable[[], None]) -> None:
        self._gateway = gateway
        self._stop = stop
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, port: int = 0) -> None:
        """Listen on loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Line(self), HOST, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Take no further connections."""
        if self._server is not None:
            self._server.close()

    def answer(self, line: bytes) -> bytes:
        """Do what a line wishes and say what came of it."""
        try:
            told = self._do(msgspec.json.decode(line, type=Wish))
        except (msgspec.DecodeError, ValueError, AssertionError) as error:
            told = {"error": str(error)}
        return msgspec.json.encode({"now": self._gateway.clock.now_ns(), **told}) + b"\n"

    def _do(self, wish: Wish) -> dict[str, Any]:
        gateway, clock = self._gateway, self._gateway.clock
        if wish.fault is not None:
            gateway.do(wish.fault)
        if wish.step is not None:
            wish.step.arm(gateway)
        if wish.advance_s is not None or wish.advance_to is not None:
            if not isinstance(clock, ManualClock):
                raise ValueError("this gateway's clock moves by itself")
            if wish.advance_s is not None:
                clock.advance(wish.advance_s)
            if wish.advance_to is not None:
                clock.advance_to(wish.advance_to)
        if wish.stop:
            self._stop()
        return {} if wish.tell is None else {wish.tell: self._tell(wish.tell)}

    def _tell(self, what: str) -> list[Any]:
        gateway = self._gateway
        told: dict[str, Callable[[], list[Any]]] = {
            "log": lambda: [msgspec.to_builtins(entry) for entry in gateway.log.entries],
            "violations": lambda: list(violations(gateway.log)),
            "complaints": lambda: gateway.complaints,
            "connections": lambda: [one.client_id for one in gateway.ready()],
        }
        return told[what]()


class _Line(asyncio.Protocol):
    """A controlling connection: lines in, lines out."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._transport: asyncio.WriteTransport | None = None
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._bytes += data
        *lines, self._bytes = self._bytes.split(b"\n")
        for line in lines:
            self._transport.write(self._control.answer(line))
        if len(self._bytes) > LINE_BYTES_MAX:
            self._transport.close()
