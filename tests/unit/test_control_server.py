"""The control socket: answers for whoever waits for them, nothing done for whoever has gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from daemon.control.client import ask
from daemon.control.server import ControlServer, Request
from daemon.control.wire import from_line, to_line
from daemon.core.events import Note
from daemon.errors import BusyError
from daemon.live.inbox import Inbox
from daemon.state_directory import SOCKET

GIVE_UP_S = 10.0


class Asked:
    """One handler, which takes a command into an inbox that nobody empties yet."""

    def __init__(self, tmp_path: Path) -> None:
        self.calls = 0
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.inbox = Inbox(lambda: 500, 0)
        self.path = tmp_path / "control.sock"
        self.server = ControlServer(self.path, {"note": self._note, "broken": self._broken})

    async def _note(self, request: Request) -> dict[str, Any]:
        self.calls += 1
        self.begun.set()
        try:
            await self.inbox.command(lambda now: Note(now, "operator", str(request["reason"])))
        finally:
            self.ended.set()
        return {"code": 0, "lines": ["noted"]}

    async def _broken(self, request: Request) -> dict[str, Any]:
        raise ValueError("a fault of its own")

    def says(self, document: Mapping[str, Any]) -> socket.socket:
        """Somebody who has connected and asked; the daemon has not looked yet."""
        asker = socket.socket(socket.AF_UNIX)
        asker.connect(str(self.path))
        asker.sendall(to_line(dict(document)))
        asker.setblocking(False)
        return asker


NOTE = {"verb": "note", "reason": "x"}


async def _answer(asker: socket.socket) -> dict[str, Any]:
    async with asyncio.timeout(GIVE_UP_S):
        return from_line(await asyncio.get_running_loop().sock_recv(asker, 65_536))


async def test_what_was_asked_while_the_daemon_stood_still_is_not_done_once_the_asker_has_gone(
    tmp_path: Path,
) -> None:
    asked = Asked(tmp_path)
    await asked.server.start()
    with asked.says({**NOTE, "reason": "gone"}):
        pass  # gave up before the loop came to it
    with asked.says(NOTE) as other:  # served after it
        await asked.begun.wait()
        assert asked.calls == 1
        asked.inbox.stop()
        assert [item async for chunk in asked.inbox.chunks() for item in chunk] == []
        assert "the daemon has stopped: nothing was done" in (await _answer(other))["lines"]
    await asked.server.stop()


async def test_a_command_whose_asker_goes_before_it_is_admitted_is_not_admitted(
    tmp_path: Path,
) -> None:
    asked = Asked(tmp_path)
    await asked.server.start()
    with asked.says(NOTE):
        await asked.begun.wait()
    async with asyncio.timeout(GIVE_UP_S):
        await asked.ended.wait()
    stays = asked.inbox.command(lambda now: Note(now, "operator", "stays"))
    async for chunk in asked.inbox.chunks():
        assert [item.reason for item in chunk if isinstance(item, Note)] == ["stays"]
        break
    assert not stays.done()
    await asked.server.stop()


async def test_an_asker_who_only_has_no_more_to_say_gets_the_answer(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    await asked.server.start()
    with asked.says(NOTE) as asker:
        asker.shutdown(socket.SHUT_WR)
        await asked.begun.wait()
        asked.inbox.give_up()
        answer = await _answer(asker)
    assert (answer["code"], answer["lines"]) == (
        75,
        ["the daemon has stopped: nothing was done"],
    )
    await asked.server.stop()


async def test_a_stop_lets_answers_out_that_are_on_their_way(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    await asked.server.start()
    with asked.says(NOTE) as asker:
        await asked.begun.wait()
        asked.inbox.give_up()
        await asked.server.stop()
        assert (await _answer(asker))["code"] == BusyError.code
    assert not asked.path.exists()


async def test_a_fault_of_a_handler_is_told_to_the_asker_and_logged(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    heard: list[Mapping[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    await asked.server.start()
    with asked.says({"verb": "broken"}) as asker:
        answer = await _answer(asker)
    await asked.server.stop()
    assert answer["code"] == 70
    assert answer["lines"][0].startswith(
        "the daemon could not answer: ValueError: a fault of its own (test_control_server.py:"
    )
    assert [context["message"] for context in heard] == ["request broken failed"]


def test_a_daemon_too_busy_to_take_another_asker_is_told_to_be_busy(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, ExitStack() as waiting:
        listening.bind(str(tmp_path / SOCKET))
        listening.listen(0)
        asker = waiting.enter_context(_asker())
        while asker.connect_ex(str(tmp_path / SOCKET)) == 0:
            asker = waiting.enter_context(_asker())
        with pytest.raises(BusyError, match="the daemon did not answer within 5 s"):
            ask(tmp_path, "status")


def _asker() -> socket.socket:
    asker = socket.socket(socket.AF_UNIX)
    asker.setblocking(False)
    return asker
