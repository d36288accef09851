"""Starts the tasks, watches them, and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib

from daemon.pipeline import Pipeline
from daemon.ports import Feed
from daemon.tasks import TaskFailedError


async def supervise(pipeline: Pipeline, feed: Feed) -> None:
    """Run the tasks until the feed ends; TaskFailedError names the one that ended otherwise.

    The feed's own task plays the inputs; the others take over the turns that cannot be handled
    where they stand.
    """
    playing = asyncio.create_task(_play(pipeline, feed), name="feed")
    stages = [
        asyncio.create_task(task.run(), name=task.name)
        for task in pipeline.tasks.values()
        if task.name != "feed"
    ]
    try:
        done, _ = await asyncio.wait([playing, *stages], return_when=asyncio.FIRST_COMPLETED)
        for ended in done:
            if ended is not playing:
                error = ended.exception() or RuntimeError("the task ended by itself")
                raise TaskFailedError(ended.get_name(), 0, error)
        await playing
    finally:
        for task in (playing, *stages):
            task.cancel()
        for task in (playing, *stages):
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _play(pipeline: Pipeline, feed: Feed) -> None:
    try:
        await pipeline.play(feed)
    except TaskFailedError:
        raise
    except Exception as error:
        pipeline.tasks["feed"].fail(error)
        raise TaskFailedError("feed", 0, error) from error
