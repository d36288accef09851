"""What waits to be admitted, and in which order: halts, then commands, then the feed's inputs.

The live feed of the pipeline: it hands out one input at a time and the next one when the turn of
the last is closed. A command gets its instant when it is admitted, so that event time never goes
back; a halt that was found at a turn's commit carries that turn's own instant (C3).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import NamedTuple

from daemon.core.events import Commands, Input
from daemon.core.turn import Turn, instant_of
from daemon.errors import BusyError
from daemon.feeds.bar_clock import Emitted
from daemon.journal.ledger import LedgerRow

MAKES = Callable[[int], Commands]
"""A command that still lacks its instant."""

COMMANDS_MAX = 64
"""Commands that may wait; one more is refused."""


class _Waiting(NamedTuple):
    makes: MAKES
    closed: asyncio.Future[Turn]


class Inbox:
    """The inputs of a live account. `now` is event time; `last` the instant of the last turn."""

    def __init__(self, now: Callable[[], int], last: int) -> None:
        self.last = last
        self.facts: Sequence[LedgerRow] = ()
        self._now = now
        self._halts: deque[_Waiting] = deque()
        self._commands: deque[_Waiting] = deque()
        self._offered: tuple[Emitted, asyncio.Future[Turn]] | None = None
        self._arrived = asyncio.Event()
        self._open: asyncio.Future[Turn] | None = None
        self._expected: dict[int, asyncio.Future[Turn]] = {}
        self._stopping = False

    # --- putting in ---------------------------------------------------------------------------

    def halt(self, makes: MAKES) -> asyncio.Future[Turn]:
        """A halt: goes before everything else."""
        return self._wait(self._halts, makes)

    def command(self, makes: MAKES) -> asyncio.Future[Turn]:
        """A command; the future is the turn that it became, once that is committed.

        BusyError where too many wait or the daemon is stopping. One whose future is cancelled is
        not admitted any more.
        """
        if self._stopping:
            raise BusyError("the daemon is stopping: nothing was done")
        if sum(not one.closed.cancelled() for one in self._commands) >= COMMANDS_MAX:
            raise BusyError(f"{COMMANDS_MAX} commands wait already: nothing was done, try later")
        return self._wait(self._commands, makes)

    def _wait(self, queue: deque[_Waiting], makes: MAKES) -> asyncio.Future[Turn]:
        closed: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        closed.add_done_callback(_seen)
        queue.append(_Waiting(makes, closed))
        self._arrived.set()
        return closed

    async def offer(self, emitted: Emitted) -> Turn:
        """The feed's next input; returns when its turn is committed. One at a time."""
        assert self._offered is None, "the feed offers one input at a time"
        closed: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        closed.add_done_callback(_seen)
        self._offered = (emitted, closed)
        self._arrived.set()
        return await closed

    def turn_of(self, item: Input) -> asyncio.Future[Turn]:
        """The turn of an input that the feed will offer, once it is committed.

        BusyError where the daemon stops before.
        """
        if self._stopping:
            raise BusyError("the daemon is stopping: nothing was done")
        closed = self._expected.get(id(item))
        if closed is None:
            closed = self._expected[id(item)] = asyncio.get_running_loop().create_future()
            closed.add_done_callback(_seen)
        return closed

    def stop(self) -> None:
        """Admit nothing more after the turn that is open; what waits is told so."""
        self._stopping = True
        self._arrived.set()

    def give_up(self) -> None:
        """Nothing is admitted any more, nor is what is open committed; whoever waits is told so."""
        self._stopping = True
        self._refuse_waiting()
        if self._open is not None and not self._open.done():
            self._open.set_exception(
                BusyError("the daemon has ended by a fault: `papertape status` says what was done")
            )

    # --- taking out ---------------------------------------------------------------------------

    async def chunks(self) -> AsyncIterator[Iterable[Input]]:
        """One input a chunk, for as long as the daemon runs."""
        while not self._stopping:
            item = self._next()
            if item is None:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            yield (item,)
        self._refuse_waiting()

    def _next(self) -> Input | None:
        self.facts = ()
        while self._commands and self._commands[0].closed.cancelled():
            self._commands.popleft()
        waiting = self._halts or self._commands
        if waiting:
            makes, self._open = waiting.popleft()
            item: Input = makes(max(self._now(), self.last))
        elif self._offered is not None:
            (item, self.facts), self._open = self._offered
            self._offered = None
        else:
            return None
        self.last = max(self.last, instant_of(item))
        return item

    def closed(self, turn: Turn) -> None:
        """The turn that was open is committed."""
        if self._open is not None and not self._open.done():
            self._open.set_result(turn)
        self._open = None
        expected = self._expected.pop(id(turn.input), None)
        if expected is not None and not expected.done():
            expected.set_result(turn)

    def _refuse_waiting(self) -> None:
        """Whoever still waits is told that nothing was done."""
        left = [*self._halts, *self._commands]
        futures = [*(closed for _, closed in left), *self._expected.values()]
        if self._offered is not None:
            futures.append(self._offered[1])
        for future in futures:
            if not future.done():
                future.set_exception(BusyError("the daemon has stopped: nothing was done"))


def _seen(future: asyncio.Future[Turn]) -> None:
    """A command that nobody waits for any more may fail unseen."""
    if not future.cancelled():
        future.exception()
