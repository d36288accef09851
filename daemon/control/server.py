"""The control socket: what an operator asks of a running daemon.

Whoever may open the socket (its user and group, 0660) may do all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from daemon.control.wire import LINE_BYTES_MAX, from_line, short_path, to_line
from daemon.errors import Exit, PapertapeError

Request = Mapping[str, Any]
Handler = Callable[[Request], Awaitable[dict[str, Any]]]

READ_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 16


class ControlServer:
    """Answers one request a connection; a handler's PapertapeError is its answer."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; a socket that a dead process has left is replaced (the lock is ours)."""
        self._path.unlink(missing_ok=True)
        with short_path(self._path) as short:
            before = os.umask(0o117)  # 0660 from the first moment
            try:
                self._server = await asyncio.start_unix_server(
                    self._serve, short, limit=LINE_BYTES_MAX
                )
            finally:
                os.umask(before)

    async def stop(self) -> None:
        """Take no more requests; those that are being answered end with their turns."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > CONNECTIONS_MAX:
                answer = _refusal(Exit.BUSY, f"{CONNECTIONS_MAX} requests are open already")
            else:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    line = await reader.readline()
                answer = await self._answer(line)
            writer.write(to_line(answer))
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # whoever asked has gone, or said nothing
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = from_line(line)
            handler = self._handlers[request["verb"]]
        except (msgspec.MsgspecError, KeyError, TypeError):
            return _refusal(Exit.USAGE, "the daemon does not know this request: another version?")
        try:
            return await handler(request)
        except PapertapeError as error:
            return _refusal(error.code, *error.lines)


def _refusal(code: Exit, *lines: str) -> dict[str, Any]:
    return {"code": int(code), "lines": list(lines)}
