"""`papertape reset`: asked of the running daemon, or carried out here under its lock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from daemon.control.client import NotListeningError
from daemon.control.killswitch import KillSwitch
from daemon.control.status import told_changes
from daemon.control.status_text import local
from daemon.control.verbs import tell
from daemon.core.events import Reset
from daemon.core.outputs import CommandRefused
from daemon.core.trading_state import HoldSource
from daemon.core.turn import Turn
from daemon.core.values import values_of
from daemon.endings import say
from daemon.errors import Exit, UsageError
from daemon.live.opening import Opened, open_as_recorded
from daemon.state_directory import StateDirectory

CAUSES = ("loss", "drawdown", "mismatch")


def reset(state: Path, *, reason: str, accept: str | None) -> int:
    """Lift the halts and the latch; 1 where it was refused because a cause persists."""
    wrong = [cause for cause in (accept or CAUSES[0]).split(",") if cause not in CAUSES]
    if wrong:
        raise UsageError(f"--accept {accept}: {', '.join(CAUSES)}, or several with commas between")
    if not reason.strip():
        raise UsageError("--reason: say why trading may go on")
    try:
        return tell(state, "reset", reason=reason, accept=accept)
    except NotListeningError:
        return _reset_here(state, reason, accept)


def _reset_here(path: Path, reason: str, accept: str | None) -> int:
    """Under the lock, the chain checked: one turn more in the journal of a daemon that is down."""
    state = StateDirectory(path)
    with KillSwitch().obeying() as switch, state:
        opened = open_as_recorded(path)
        switch.attach(state.latch)
        turn = asyncio.run(_commit_reset(state, opened, reason, accept))
        refused = any(isinstance(output, CommandRefused) for output in turn.outputs)
        account = opened.rerun.account
        lines = map(local, told_changes(turn, account) if turn.outputs else ())
        if refused:
            return say(Exit.CHECK_FAILED, *lines)
        for line in lines:
            print(line)
        if switch.release(0):
            print(f"the latch is lifted: the daemon will start {account.control.state.name}")
        else:
            print("a kill came during the reset: the daemon will start HALTED")
    return Exit.OK


async def _commit_reset(
    state: StateDirectory, opened: Opened, reason: str, accept: str | None
) -> Turn:
    from daemon.journal.store import LiveJournal

    again = opened.rerun
    kept = _Kept()
    again.pipeline.go_live(kept, KillSwitch())
    journal = await LiveJournal.open(state.journal)
    try:
        new = opened.new_segment
        if new is not None:
            await journal.open_segment(new.first_seq, new.reason, new.manifest, new.opening)
        command = Reset(again.last_instant, HoldSource.OPERATOR, reason, accept)
        again.pipeline.play_through([command])
        assert kept.turn is not None, "a command is always kept"
        await journal.commit(kept.turn, (), time.time_ns())
        # As at a stop: with other code, the next start must not have to play this segment again.
        await journal.write_closing(kept.turn.seq, values_of(again.account))
    finally:
        await journal.close()
    return kept.turn


class _Kept:
    """Keeps the one turn."""

    every_turn = True

    def __init__(self) -> None:
        self.turn: Turn | None = None

    def keep(self, turn: Turn) -> None:
        """Take it."""
        self.turn = turn

    def flush(self) -> None:
        """It is committed by whoever made it."""
