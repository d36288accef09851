"""`papertape backup`, `restore` and `account new`: the journal as a thing to keep.

A copy may be made at any time. What replaces the journal needs the daemon to be down, and holds
the state directory meanwhile; what was there is put into its archive, never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from daemon.control.killswitch import KillSwitch
from daemon.control.latch import Latch
from daemon.errors import BusyError, RefusedError, UsageError
from daemon.feeds.times import iso_z
from daemon.journal import backup as copies
from daemon.journal.integrity import check_file
from daemon.journal.reader import JournalReader
from daemon.state_directory import JOURNAL, MARK, StateDirectory, owner_of

RESTORE = "restore"
"""The source of the halt that a restored account starts with."""


def backup(state: Path, file: Path) -> int:
    """Copy the journal into a file that must not exist, whether the daemon runs or not."""
    print(f"state     {state}")
    if not (state / JOURNAL).exists():
        raise UsageError(f"{state}: nothing to copy: there is no {JOURNAL} here")
    file = file.absolute()
    if file.exists():
        what = "is a folder: name a file" if file.is_dir() else "exists: choose another name"
        raise RefusedError(f"{file}: {what}")
    ends = copies.backup(state, file)
    print(f"copied    {_turns(ends.last_seq, ends.segments)} to {file}, and checked the copy")
    print(f"next      `papertape restore {file}` puts it back")
    return 0


def restore(state: Path, file: Path) -> int:
    """Put a copy in the journal's place; the account will start HALTED."""
    print(f"state     {state}")
    file = file.absolute()
    check_file(file)
    if (state / JOURNAL).exists() and file.samefile(state / JOURNAL):
        raise RefusedError(f"{file}: this is the journal itself: name a copy of it")
    directory = StateDirectory(state)
    directory.make()
    with _held(directory, "put a copy in its place"):
        # First of all: whatever is interrupted from here on, nothing trades before a person says so
        already = not directory.latch.throw(RESTORE, f"the journal was restored from {file}")
        directory.latch.sync()
        try:
            ends, archived = copies.restore(file, state)
        except RefusedError as error:
            raise RefusedError(
                *error.lines, f"{state}: the latch stays: the daemon will start HALTED"
            ) from error
    print(f"restored  {_turns(ends.last_seq, ends.segments)}{_until(state)} from {file}")
    if archived is not None:
        print(f"archived  {archived}: the journal that was here")
    print(f"latched{' already' if already else ''}   the daemon will start HALTED")
    _say_flatten(directory.latch)
    print(
        f"next      `papertape verify --state {state}`, start the daemon, look at `papertape "
        f"status`, then `papertape reset --reason TEXT`"
    )
    return 0


def new_account(state: Path, reason: str) -> int:
    """Put the journal into the archive, so that the next start begins with the configured cash."""
    if not reason.strip():
        raise UsageError("--reason: say why the account is given up")
    print(f"state     {state}")
    directory = StateDirectory(state)
    with _held(directory, "put its journal away"):
        if not (state / JOURNAL).exists() and not (state / MARK).exists():
            raise UsageError(f"{state}: there is no account yet: the next start begins one")
        held = _positions(state)
        archived = copies.archive(state, reason)
    copy = archived / JOURNAL
    back = f"`papertape restore {copy}` brings it back" if copy.exists() else f"it is in {archived}"
    print(f"archived  {held}; {back}")
    print("next      the next start begins a new account with the cash of its config")
    said = directory.latch.read()
    if said is not None:
        why = f" ({said.source}: {said.reason})" if said.source else ""
        print(
            f"latched   the latch stays{why}: the new account will start HALTED, and `papertape "
            f"reset --reason TEXT` lifts it then"
        )
    return 0


@contextmanager
def _held(directory: StateDirectory, to_do: str) -> Iterator[None]:
    """Hold the state directory; BusyError where a daemon does."""
    process = owner_of(directory.path)
    try:
        directory.hold()
    except BusyError:
        raise BusyError(
            f"{directory.path}: a daemon runs on it (process {process or '?'}): stop it first, to "
            f"{to_do} (`systemctl stop papertape@NAME`, or `kill -TERM {process or 'PROCESS'}`); "
            f"nothing was changed"
        ) from None
    try:
        with KillSwitch().obeying():
            yield
    finally:
        directory.release()


def _turns(last_seq: int, segments: int) -> str:
    return f"{last_seq:,} turns in {segments} segment{'' if segments == 1 else 's'}"


def _until(state: Path) -> str:
    with closing(JournalReader(state / JOURNAL)) as reader:
        last = reader.last_instant()
    return "" if last is None else f" (until {iso_z(last)})"


def _positions(state: Path) -> str:
    """What the account holds, as far as its journal can be read: a damaged one may be put away."""
    with suppress(RefusedError), closing(JournalReader(state / JOURNAL)) as reader:
        held = [
            f"{row['quantity']:+d} {row['symbol']}"
            for row in reader.rows_of("positions")
            if row["quantity"]
        ]
        return f"the account, which held {', '.join(held)}" if held else "the account, flat"
    return "what was left of the journal"


def _say_flatten(latch: Latch) -> None:
    if latch.wants_flat():
        print("flatten   FLATTEN is set: the positions will be closed once the daemon runs")
