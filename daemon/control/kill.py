"""`papertape kill`: the latch first, then the signal, then wait until the halt is in the journal.

It works whether the daemon runs, hangs or is down, and says which of these it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from daemon.control.latch import Latch
from daemon.core.outputs import StateChanged
from daemon.core.trading_state import TradingState
from daemon.errors import BusyError, Exit, NotPermittedError, PapertapeError, RefusedError
from daemon.feeds.times import zone_text
from daemon.journal.codec import decode_outputs
from daemon.journal.reader import JournalReader
from daemon.paths import as_owner
from daemon.state_directory import JOURNAL, owner_of
from daemon.text_table import EXCHANGE_ZONE

ACKNOWLEDGED_WITHIN_S = 5.0
LOOK_EVERY_S = 0.05
_RESET = '"type":"Reset"'


def kill(state: Path, *, reason: str, flatten: bool) -> int:
    """Throw the latch and say what came of it; 0 once no order can come any more.

    NotPermittedError where the latch could not be made, BusyError where a running daemon has not
    acknowledged in time (it is latched all the same).
    """
    print(f"state   {state}")
    latch, reason = Latch(state), reason or "papertape kill"
    already = latch.is_set() and (latch.wants_flat() or not flatten)
    process = _thrown(latch, reason, flatten=flatten)
    if process is None:
        print("the daemon is down: it will start HALTED (`papertape reset --reason TEXT` lifts it)")
        return Exit.OK
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGUSR2 if flatten else signal.SIGUSR1)
    deadline = time.monotonic() + ACKNOWLEDGED_WITHIN_S
    while time.monotonic() < deadline:
        found = acknowledged(state, flatten=flatten)
        if found is not None:
            seq, instant = found
            word = "HALTED already since" if already else "HALTED at"
            when = zone_text(instant, EXCHANGE_ZONE)
            print(f"{word} turn {seq} ({when}), acknowledged by process {process}")
            _say_positions(state, flatten=flatten)
            return Exit.OK
        if owner_of(state) is None:
            return _ended(latch, reason, flatten=flatten)
        time.sleep(LOOK_EVERY_S)
    done = "latched" if latch.is_set() else "told"
    raise BusyError(
        f"{state}: {done}, not acknowledged by process {process} within "
        f"{ACKNOWLEDGED_WITHIN_S:g} s: no order is accepted, but {_what_keeps(state, process)}"
    )


def _thrown(latch: Latch, reason: str, *, flatten: bool) -> int | None:
    """Make the latch; the process that is to be told, None where no daemon runs.

    Where it cannot be made (a full disk without `HALT.armed`), a running daemon's own flag is all.
    """
    already, problem = latch.is_set(), "it is not there, though it was made"
    try:
        latch.throw("operator", reason, flatten=flatten)
    except PermissionError:
        raise NotPermittedError(
            f"{latch.state}: you may not write there, NOTHING was stopped; "
            f"type: {as_owner(latch.state)}"
        ) from None
    except OSError as error:
        problem = str(error.strerror)
    latch.sync()
    process = owner_of(latch.state)
    if latch.is_set():  # also where it could be made and not written
        print("latched" + (" already" if already else "") + ": no new order is accepted")
    elif process is None:
        raise RefusedError(
            f"{latch.state}: the latch cannot be made ({problem}): NOTHING was stopped"
        )
    else:
        print(f"NOT latched ({problem}): the daemon is told, which holds for as long as it runs")
    return process


def _ended(latch: Latch, reason: str, *, flatten: bool) -> int:
    """Whoever held the directory is gone; it may have been a reset that has lifted the latch."""
    with contextlib.suppress(OSError):
        latch.throw("operator", reason, flatten=flatten)
        latch.sync()
    if not latch.is_set():
        raise RefusedError(
            f"{latch.state}: the daemon has ended, but the latch cannot be made: make room and "
            f"type it again, or it will not start HALTED"
        )
    print("the daemon has ended: it will start HALTED")
    return Exit.OK


def _what_keeps(state: Path, process: int) -> str:
    """Why a daemon has not acknowledged, from itself if it answers."""
    from daemon.control.client import ask

    with contextlib.suppress(BusyError, NotPermittedError):
        blocked = ask(state, "status", within_s=1.0)["status"]["daemon"]["blocked"]
        if blocked is not None:
            return f"no turn can be stored: {blocked}"
    return f"the daemon is busy or hangs (`kill -QUIT {process}` writes where into its log)"


def acknowledged(state: Path, *, flatten: bool) -> tuple[int, int] | None:
    """The turn that halted the account (and told it to flatten) for good, and its instant.

    None also where the journal cannot be read: the latch needs no journal.
    """
    try:
        reader = JournalReader(state / JOURNAL)
    except PapertapeError:
        return None
    try:
        changed = reader.last_turn_with('"type":"StateChanged"')
        if changed is None or _state_after(changed.outputs) != TradingState.HALTED.name:
            return None
        if not flatten:
            return changed.seq, changed.instant
        told, lifted = reader.last_turn_with('"type":"Flatten"'), reader.last_turn_with(_RESET)
        if told is None or (lifted is not None and lifted.seq > told.seq):
            return None
        return told.seq, told.instant
    finally:
        reader.close()


def _state_after(outputs: str) -> str | None:
    changes = [one for one in decode_outputs(outputs) if isinstance(one, StateChanged)]
    return changes[-1].state if changes else None


def _say_positions(state: Path, *, flatten: bool) -> None:
    """What is left on, from the daemon if it answers."""
    from daemon.control.client import ask
    from daemon.control.status_text import flatten_lines, left_open_lines

    with contextlib.suppress(BusyError, NotPermittedError):
        document = ask(state, "status", within_s=1.0)["status"]
        lines = flatten_lines(document) if flatten else left_open_lines(document)
        for line in lines:
            print(line)
