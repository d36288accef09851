"""The latch: while the file `HALT` is in the state directory, no new order exists.

It is independent of the database and of the event loop, so it can be thrown while the disk is
full, the journal is locked or a strategy blocks the loop, by whoever may write to the directory.
It is made by renaming the pre-written `HALT.armed`, which needs neither space nor an inode, and
then says in place when, by whom and why. `FLATTEN` beside it asks for the positions to be closed.

Nothing here logs, waits or allocates much: a signal handler calls it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

HALT, ARMED, FLATTEN = "HALT", "HALT.armed", "FLATTEN"
SIZE = 1024
"""Bytes of a latch file, written in advance so that throwing it needs no space."""


class Latched(NamedTuple):
    """What a latch file says; empty texts where it says nothing (`touch HALT` works as well)."""

    when: str
    source: str
    reason: str


class Latch:
    """The latch of one state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._halt = str(state / HALT)
        self._armed = str(state / ARMED)
        self._flatten = str(state / FLATTEN)

    def is_set(self) -> bool:
        """Whether trading must stop: the file is there, or it cannot be told that it is not."""
        return _may_exist(self._halt)

    def wants_flat(self) -> bool:
        """Whether positions are to be closed as well."""
        return _may_exist(self._flatten)

    def arm(self) -> None:
        """Write `HALT.armed` ahead of time; OSError where the directory cannot be written."""
        if not os.path.exists(self._armed):  # noqa: PTH110 - no Path in what a signal may call
            temporary = f"{self._armed}.{os.getpid()}"
            _write(temporary, b" " * SIZE, os.O_CREAT | os.O_TRUNC)
            os.rename(temporary, self._armed)  # noqa: PTH104 - as above
            sync_directory(self.state)

    def throw(self, source: str, reason: str, *, flatten: bool = False) -> bool:
        """Make the latch; False where it was there already, whose first reason stays.

        OSError where it could not be made; then nothing tells a restart, and the caller must say
        so. `flatten` may be added to a latch that is there.
        """
        content = _content(source, reason)
        try:
            if flatten and not self.wants_flat():
                _write(self._flatten, content, os.O_CREAT)
        finally:
            made = self._throw(content)
        return made

    def _throw(self, content: bytes) -> bool:
        if os.path.exists(self._halt):  # noqa: PTH110 - no Path in what a signal may call
            return False
        try:
            os.rename(self._armed, self._halt)  # noqa: PTH104 - as above
        except FileNotFoundError:
            try:
                _write(self._halt, content, os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                return False  # somebody else was quicker with the armed file
            return True
        with contextlib.suppress(OSError):  # it holds, even if it cannot say why
            _write(self._halt, content, 0)
        return True

    def sync(self) -> None:
        """Make a latch that was thrown survive a power cut."""
        for path in (self._halt, self._flatten):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        with contextlib.suppress(OSError):
            sync_directory(self.state)

    def read(self) -> Latched | None:
        """What the latch says; None where it is not set."""
        if not self.is_set():
            return None
        try:
            text = Path(self._halt).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            return Latched("", "latch", f"HALT cannot be read: {error.strerror}")
        rows = dict(line.partition(" ")[::2] for line in text.splitlines() if line.strip())
        return Latched(rows.get("time", ""), rows.get("source", ""), rows.get("reason", "").strip())

    def clear(self) -> None:
        """Remove latch and wish to flatten, and make that last; OSError where that fails."""
        for path in (self._flatten, self._halt):  # a crash in between leaves the halt
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - as the rest here
        sync_directory(self.state)


def sync_directory(path: Path) -> None:
    """Make what was created, renamed or removed in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _may_exist(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 - 2.8 µs for each order, Path doubles that
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _content(source: str, reason: str) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    reason = " ".join(reason.split())
    text = f"time {now}\nsource {source}\nreason {reason}".encode("utf-8", "replace")[: SIZE - 1]
    return text.ljust(SIZE - 1) + b"\n"


def _write(path: str, content: bytes, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | flags, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
