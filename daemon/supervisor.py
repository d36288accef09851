"""Starts the tasks, watches them, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Any

from daemon.pipeline import Pipeline
from daemon.ports import Feed
from daemon.tasks import TaskFailedError


async def supervise(
    pipeline: Pipeline,
    feed: Feed,
    *,
    beside: Mapping[str, Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Run the tasks until the feed ends; TaskFailedError names the one that ended otherwise.

    The feed's own task plays the inputs; the others take over the turns that cannot be handled
    where they stand. `beside` are more tasks to watch, by name: none of them may end before the
    feed does. All are stopped in the reverse order of their start.
    """
    playing = asyncio.create_task(_play(pipeline, feed), name="feed")
    tasks = [
        asyncio.create_task(task.run(), name=task.name)
        for task in pipeline.tasks.values()
        if task.name != "feed"
    ]
    tasks += [asyncio.create_task(work, name=name) for name, work in (beside or {}).items()]
    try:
        await asyncio.wait([playing, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for ended in tasks:
            if ended.done():
                raise _failure_of(ended)
        await playing
    finally:
        for task in (playing, *reversed(tasks)):
            task.cancel()
        for task in (playing, *reversed(tasks)):
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


def _failure_of(ended: asyncio.Task[None]) -> BaseException:
    """What to raise for a task that ended by itself."""
    error = None if ended.cancelled() else ended.exception()
    if isinstance(error, TaskFailedError):
        return error
    return TaskFailedError(ended.get_name(), 0, error or RuntimeError("the task ended by itself"))


async def _play(pipeline: Pipeline, feed: Feed) -> None:
    try:
        await pipeline.play(feed)
    except TaskFailedError:
        raise
    except Exception as error:
        pipeline.tasks["feed"].fail(error)
        raise TaskFailedError("feed", 0, error) from error
