"""The control socket: what an operator asks of a running daemon.

Whoever may open the socket (its user and group, 0660) may do all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from daemon.control.wire import LINE_BYTES_MAX, from_line, short_path, to_line
from daemon.errors import Exit, PapertapeError, one_line

Request = Mapping[str, Any]
Handler = Callable[[Request], Awaitable[dict[str, Any]]]

READ_TIMEOUT_S = 5.0
CONNECTIONS_MAX = 16
LAST_ANSWERS_WITHIN_S = 1.0
"""So long a stopping daemon waits for answers that are on their way."""


class ControlServer:
    """Answers one request a connection; a handler's PapertapeError is its answer.

    A request whose asker has gone is not begun: a reset that nobody waits for any more must not
    be carried out minutes later, when a full disk or a stopped process lets the daemon go on.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()

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
        """Take no more requests, and give those that are being answered a moment."""
        if self._server is None:
            return
        self._server.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        if self._open:
            _, left = await asyncio.wait(self._open, timeout=LAST_ANSWERS_WITHIN_S)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._open.add(task)
        try:
            if len(self._open) > CONNECTIONS_MAX:
                answer = _refusal(Exit.BUSY, f"{CONNECTIONS_MAX} requests are open already")
            else:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    line = await reader.readline()
                answer = await self._while_asked(line, reader, writer)
            writer.write(to_line(answer))
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # whoever asked has gone, or said nothing
        except asyncio.CancelledError:
            pass  # the daemon ends; asyncio would log it as an exception in a callback
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _while_asked(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        """The answer; ConnectionResetError where the asker goes before there is one."""
        if _has_gone(writer):
            raise ConnectionResetError
        answering = asyncio.ensure_future(self._answer(line))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and _has_gone(writer):
                raise ConnectionResetError
            return await answering
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

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
        except Exception as error:  # noqa: BLE001 - it is logged, and the daemon trades on
            what = {"message": f"request {request['verb']} failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(what)
            return _refusal(Exit.INTERNAL, f"the daemon could not answer: {one_line(error)}")


def _refusal(code: Exit, *lines: str) -> dict[str, Any]:
    return {"code": int(code), "lines": list(lines)}


def _has_gone(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side is closed; one that only has no more to say (`nc -N`) waits on."""
    connection = writer.get_extra_info("socket")
    if connection is None or connection.fileno() < 0:  # closed on this side already
        return True
    poll = select.poll()
    poll.register(connection.fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
