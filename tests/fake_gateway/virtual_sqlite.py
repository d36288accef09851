"""Let virtual time wait for SQLite, whose work aiosqlite does in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import aiosqlite

from tests.fake_gateway.virtual_loop import VirtualTimeLoop

# Everything that a connection lets its thread do goes through one of these.
_METHODS = ("_connect", "_execute", "close")


@contextmanager
def sqlite_holds(loop: VirtualTimeLoop) -> Iterator[None]:
    """Let time stand still while a statement is under way; nothing of aiosqlite is replaced."""
    with patch.multiple(aiosqlite.Connection, **{name: _held(loop, name) for name in _METHODS}):
        yield


def _held(loop: VirtualTimeLoop, name: str) -> Any:
    real = getattr(aiosqlite.Connection, name)

    @wraps(real)
    async def held(*arguments: Any, **named: Any) -> Any:
        with loop.holding():
            return await real(*arguments, **named)

    return held
