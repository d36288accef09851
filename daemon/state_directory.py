"""The state directory of a daemon: its files, and the lock of the one process that owns it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from daemon.control.latch import FLATTEN, HALT, Latch
from daemon.errors import BusyError, PapertapeError, RefusedError
from daemon.paths import as_owner

JOURNAL, MARK, LOCK, SOCKET = "journal.db", "journal.mark", "daemon.lock", "control.sock"
MODE = 0o750
LOCK_TRIES, LOCK_WAIT_S = 10, 0.02
"""Whoever asks `owner_of` holds the lock for an instant, which must not stop a start."""

__all__ = [
    "FLATTEN", "HALT", "JOURNAL", "LOCK", "MARK", "SOCKET", "StateDirectory", "owner_of",
]  # fmt: skip


class StateDirectory:
    """One state directory, held by this process from `hold` on until it ends or `release`.

    The lock is the kernel's (flock), so it is free the moment its holder has died, however.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.latch = Latch(path)
        self._descriptor: int | None = None

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / JOURNAL

    @property
    def socket(self) -> Path:
        """Where the control socket is."""
        return self.path / SOCKET

    def make(self) -> None:
        """Create the directory; RefusedError where it cannot be used."""
        try:
            self.path.mkdir(mode=MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(
                f"{self.path}: the state directory cannot be made ({error.strerror}): choose "
                f"another with --state, or make it yours"
            ) from None

    def hold(self) -> None:
        """Take the lock; BusyError names its holder, RefusedError where it cannot be written."""
        try:
            descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:
            is_ours = self.path.stat().st_uid == os.geteuid()
            to_do = "make it writable" if is_ours else f"type: {as_owner(self.path)}"
            raise RefusedError(
                f"{self.path}: the state directory cannot be written, nothing was done: it must "
                f"belong to the user that runs the daemon; {to_do}"
            ) from None
        except OSError as error:
            raise RefusedError(
                f"{self.path}: the state directory cannot be written ({error.strerror})"
            ) from None
        try:
            _lock(descriptor)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(descriptor)
            raise BusyError(
                f"{self.path}: held by process {holder}: one daemon owns a state directory "
                f"(`papertape status --state {self.path}` shows it)"
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise RefusedError(
                f"{self.path}: cannot be locked ({error.strerror}): a state directory needs a "
                f"local file system"
            ) from None
        self._write_owner(descriptor)
        if os.geteuid() == 0:  # what root makes must stay usable for the daemon's user
            owner = self.path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        self._descriptor = descriptor

    def _write_owner(self, descriptor: int) -> None:
        text = f"{os.getpid()}\n".encode().ljust(16)
        try:
            os.pwrite(descriptor, text, 0)
        except OSError as error:  # a full disk: the lock holds all the same
            os.close(descriptor)
            raise PapertapeError(
                f"{self.path / LOCK}: cannot be written ({error.strerror}); is the disk full?"
            ) from None

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(descriptor: int) -> None:
    for left in reversed(range(LOCK_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(LOCK_WAIT_S)
        else:
            return


def owner_of(state: Path) -> int | None:
    """The process that holds a state directory; None where nobody does.

    PermissionError where this user may not look.
    """
    try:
        descriptor = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None
