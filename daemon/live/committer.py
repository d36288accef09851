"""The live sink: each turn in one transaction, and the kill switch looked at just before COMMIT.

An order exists when its turn is committed. If the latch turns out to be set by then, the halt is
put before everything else that waits, at that turn's own instant, so that the turn's orders are
cancelled before any bar can meet them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from daemon.control.killswitch import KillSwitch
from daemon.control.latch import Latch
from daemon.core.events import Command, Commands, Flatten, Halt, Reset
from daemon.core.outputs import CommandRefused
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.errors import BusyError
from daemon.journal.codec import encode_outputs
from daemon.journal.faults import JournalFullError
from daemon.live.inbox import Inbox
from daemon.live.recovery import Rerun

if TYPE_CHECKING:
    from daemon.journal.store import LiveJournal

RETRY_S = 1.0
"""Between two tries to commit a turn on a full disk or a locked journal."""

OnTurn = Callable[[Turn, float], None]
"""Told of each committed turn, with the seconds its commit took."""


class Committer:
    """Commits turns and keeps account, latch and journal of one mind: HALTED <=> `HALT` exists.

    `blocked` says why the open turn cannot be committed, None while all is well.
    """

    every_turn = True

    def __init__(
        self,
        journal: LiveJournal,
        inbox: Inbox,
        switch: KillSwitch,
        latch: Latch,
        live: Rerun,
        log: Any,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.blocked: str | None = None
        self.committed = 0
        self.on_turn: list[OnTurn] = []
        self._journal = journal
        self._inbox = inbox
        self._switch = switch
        self._latch = latch
        self._live = live
        self._log = log
        self._sleep = sleep
        self._turn: Turn | None = None
        self._halting: asyncio.Future[Turn] | None = None
        self._flattened = _has_heard_flatten(live)
        self._kills_at_reset = 0
        self._lifting = False

    # --- the sink -----------------------------------------------------------------------------

    def keep(self, turn: Turn) -> None:
        """Take the turn that is to be committed."""
        assert self._turn is None, "a turn before the last one was committed"
        self._turn = turn
        self._lifting = isinstance(turn.input, Reset) and not _is_refused(turn)

    def flush(self) -> Awaitable[None] | None:
        """Commit the turn."""
        return None if self._turn is None else self._commit(self._turn)

    def require_storable(self) -> None:
        """BusyError while the open turn cannot be stored: what is asked for now would wait."""
        if self.blocked is not None:
            raise BusyError(f"nothing was done, since no turn can be stored: {self.blocked}")

    async def _commit(self, turn: Turn) -> None:
        started = time.perf_counter()
        while True:
            try:
                await self._journal.commit(
                    turn, self._inbox.facts, time.time_ns(), lambda: self.look(turn.instant)
                )
                break
            except JournalFullError as error:
                self._stay_open(str(error))
                await self._sleep(RETRY_S)
        if self.blocked is not None:
            self._log.info("journal_writable_again", turn=turn.seq)
            self.blocked = None
        self.look(turn.instant)
        self._turn = None
        self._after(turn, time.perf_counter() - started)

    def _stay_open(self, problem: str) -> None:
        """The turn cannot be stored: nothing is admitted, and a restart must be halted as well."""
        if self.blocked is None:
            self._switch.throw(HoldSource.FAULT, problem)
            self._latch.sync()
            self._log.critical("turn_not_committed", problem=problem, retry_s=RETRY_S)
        self.blocked = problem

    def _after(self, turn: Turn, seconds: float) -> None:
        self.committed += 1
        live = self._live
        live.turns += 1
        live.last_instant = max(live.last_instant, turn.instant)
        if turn.outputs or isinstance(turn.input, Command):
            live.digest.add(encode_outputs(turn.outputs))
        if self._lifting:
            self._after_reset(turn)
        self.agree()
        for told in self.on_turn:
            told(turn, seconds)
        self._inbox.closed(turn)

    # --- the kill switch ----------------------------------------------------------------------

    def look(self, instant: int | None = None) -> None:
        """If the latch is set and the account does not know yet, let a halt be admitted next.

        It has that turn's instant: `instant`, else that of the turn that is being committed, since
        a signal may wake the loop before the look at COMMIT; without a turn, that of its admission.
        While a reset is being committed the latch is still there, and what it says is over; a kill
        that comes meanwhile is found after it.
        """
        if instant is None and self._turn is not None:
            instant = self._turn.instant
        waits = self._halting is not None and not self._halting.done()
        if self._lifting or waits or not self._switch.closed():
            return
        control = self._live.account.control
        flatten = self._switch.flatten or self._latch.wants_flat()
        if flatten and not (self._flattened or control.flattening):
            self._flattened = True
            kind: type[Halt | Flatten] = Flatten
        elif control.state < TradingState.HALTED:
            kind = Halt
        else:
            return
        self._switch.thrown = True  # the file may have been made by hand
        said = self._latch.read()
        source = said.source if said and said.source else HoldSource.LATCH
        reason = said.reason if said and said.reason else "the file HALT is there"
        self._latch.sync()

        def make(now: int) -> Commands:
            return kind(now if instant is None else instant, source, reason)

        self._halting = self._inbox.halt(make)

    def making_reset(self, source: str, reason: str, accept: str | None) -> Callable[[int], Reset]:
        """A reset that remembers the kills before it: one that comes later is not lifted."""

        def make(now: int) -> Reset:
            self._kills_at_reset = self._switch.kills
            return Reset(now, source, reason, accept)

        return make

    def _after_reset(self, turn: Turn) -> None:
        self._lifting = self._flattened = False
        if not self._switch.release(self._kills_at_reset):
            self.look(turn.instant)

    def agree(self) -> None:
        """A limit or a fault has halted the account: the latch says so to whoever starts next."""
        control = self._live.account.control
        flatten = control.flattening and not self._latch.wants_flat()
        if control.state < TradingState.HALTED or (self._latch.is_set() and not flatten):
            return
        hold = next(iter(control.holds.halts()))
        self._switch.throw(hold.source, hold.reason, flatten=control.flattening)
        self._flattened = self._flattened or control.flattening
        self._latch.sync()


def _is_refused(turn: Turn) -> bool:
    return any(isinstance(output, CommandRefused) for output in turn.outputs)


def _has_heard_flatten(live: Rerun) -> bool:
    """Whether a wish to flatten, found at the start, is being fulfilled or has been before."""
    account = live.account
    flat = all(position.quantity == 0 for position in account.portfolio.positions.values())
    halted = account.control.state is TradingState.HALTED
    return account.control.flattening or (halted and flat and not account.venue.book.working)
