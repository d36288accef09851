"""Ends tasks that use a library which may lose a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 1.0


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they are done; what they raise is of no interest any more.

    Once is not enough: before Python 3.12 `asyncio.wait_for` forgets a cancellation that comes
    together with what it waits for.
    """
    given = list(tasks)
    while left := [task for task in given if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=AGAIN_S)
    for task in given:
        if not task.cancelled():
            task.exception()  # seen
