"""The supervised tasks: each has a name, a mailbox of one, health, and what it cost.

A turn that finds every task idle is handled where it stands and never enters a mailbox. One that
does not is taken along by the tasks: each step waits in its task's mailbox until the task is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from time import perf_counter_ns
from typing import Any


class Health(StrEnum):
    """What a task is doing."""

    IDLE = "idle"
    BUSY = "busy"
    FAILED = "failed"


Job = Callable[[], Any]
"""What a task is asked to do; may return an awaitable, which the task then awaits."""


class TaskFailedError(Exception):
    """A task raised: a bug, never a refusal. The open turn is not committed."""

    def __init__(self, task: str, instant: int, cause: BaseException) -> None:
        super().__init__(f"task {task} failed: {type(cause).__name__}: {cause}")
        self.task = task
        self.instant = instant
        self.cause = cause


class Busy:
    """How many tasks are not idle: the one integer that tells whether turns must use mailboxes."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class StageTask:
    """One of feed, strategy, risk, execution.

    `handled` counts the steps it took from its mailbox; `timed_ns` and `timed` are the cost of
    the steps that were timed (a sample), wherever they ran; `observe` is told of each of them.
    """

    def __init__(self, name: str, busy: Busy) -> None:
        self.name = name
        self.health = Health.IDLE
        self.handled = 0
        self.failures = 0
        self.last_failure: str | None = None
        self.timed = 0
        self.timed_ns = 0
        self.observe: Callable[[int], None] | None = None
        self._busy = busy
        self._mailbox: asyncio.Queue[tuple[Job, asyncio.Future[Any]]] = asyncio.Queue(maxsize=1)

    @property
    def depth(self) -> int:
        """How many jobs wait in the mailbox."""
        return self._mailbox.qsize()

    async def run(self) -> None:
        """Take jobs from the mailbox for ever; a job that raises marks the task as failed."""
        while True:
            job, done = await self._mailbox.get()
            self.health = Health.BUSY
            started = perf_counter_ns()
            try:
                result = job()
                if isinstance(result, Awaitable):
                    result = await result
            except Exception as error:  # noqa: BLE001 - handed to whoever waits for the job
                self.fail(error)
                done.set_exception(error)
            else:
                self.health = Health.IDLE
                done.set_result(result)
            finally:
                self._busy.count -= 1
                self.handled += 1
                self.took(perf_counter_ns() - started)

    async def ask(self, job: Job) -> Any:
        """Put a job into the mailbox, waiting while it is full, and wait for the result."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._busy.count += 1
        await self._mailbox.put((job, done))
        return await done

    def took(self, nanoseconds: int) -> None:
        """Book the time of one step."""
        self.timed += 1
        self.timed_ns += nanoseconds
        if self.observe is not None:
            self.observe(nanoseconds)

    def fail(self, error: BaseException) -> None:
        """Attribute a failure to this task."""
        self.health = Health.FAILED
        self.failures += 1
        self.last_failure = f"{type(error).__name__}: {error}"
