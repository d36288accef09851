"""What can go wrong with a live journal, sorted by whether the same call may be repeated."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path

from daemon.errors import Exit, PapertapeError

PROBE_BYTES = 65_536
"""More than the 32 KiB by which SQLite's shared memory grows."""

_WAITS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another process is writing to it",
    sqlite3.SQLITE_LOCKED: "another process is writing to it",
}
_NEEDS_SPACE = frozenset({
    sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP,
})  # fmt: skip
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class JournalFullError(PapertapeError):
    """Nothing was stored, for want of space or because another writes: the call may be repeated."""

    code = Exit.BUSY


class JournalBrokenError(PapertapeError):
    """It cannot be known what the disk holds: never repeat the call, recover at the next start."""


def storage_error(path: Path, error: Exception) -> JournalFullError | JournalBrokenError:
    """What an error of SQLite, or of a file beside it, means for the caller."""
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    reason = None if code is None else _WAITS.get(code & 0xFF)
    is_full = isinstance(error, OSError) and error.errno in _NO_SPACE
    if is_full or (code in _NEEDS_SPACE and lacks_space(path.parent)):
        reason = _WAITS[sqlite3.SQLITE_FULL]
    if reason is not None:
        return JournalFullError(f"{path}: not written, {reason} ({name})")
    return JournalBrokenError(f"{path}: cannot be written ({name}: {error})")


def lacks_space(folder: Path) -> bool:
    """Whether a small file cannot be written for want of space.

    SQLite keeps the errno of a failed write to itself, and free blocks are not all that can be
    short (inodes, quotas), so this tries.
    """
    probe = folder / f".journal-probe-{os.getpid()}"
    try:
        with probe.open("wb", buffering=0) as file:
            file.write(bytes(PROBE_BYTES))
            os.fsync(file.fileno())  # some file systems find out only then
    except OSError as error:
        return error.errno in _NO_SPACE
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return False
