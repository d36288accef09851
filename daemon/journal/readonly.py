"""Reads a journal's file without ever writing beside it where that can be helped.

A journal that is closed (no write-ahead log) is opened as immutable: SQLite then makes no file
and takes no lock, so whoever may read the file can. With a log it must be opened as shared, which
needs the log's index: it is there while a daemon runs, and after a crash.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.errors import NotPermittedError, PapertapeError, RefusedError
from daemon.journal.faults import JournalFullError, storage_error

_OF_THE_DISK = frozenset({
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED
})  # fmt: skip
RESTORE = "restore it from a copy"
_CANNOT_SHARE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})


class ReadOnlyFile:
    """A read-only view of one SQLite file; RefusedError where it is none or is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            is_file = path.is_file()
        except OSError as error:
            raise _not_permitted(path, error.strerror) from None
        if not is_file:
            raise RefusedError(f"{path}: no journal here")
        if not os.access(path, os.R_OK):
            raise _not_permitted(path, "Permission denied")
        self._fixed = False
        self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._immutable = not self._has_log()
        self._stamp = self._stamped()
        if not self._stamp[1]:  # SQLite would take it for a new file, and remove its log
            raise RefusedError(f"{self.path}: not a journal (it is empty): {RESTORE}")
        options = "mode=ro&immutable=1" if self._immutable else "mode=ro"
        try:
            return sqlite3.connect(
                f"{self.path.resolve().as_uri()}?{options}", uri=True, isolation_level=None
            )
        except sqlite3.Error as error:
            raise RefusedError(f"{self.path}: cannot be opened ({error})") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def rows(self, query: str, *values: object) -> Iterator[Any]:
        """The rows of a query, as they are read."""
        self._follow()
        try:
            for row in self._connection.execute(query, values):  # noqa: UP028 - it would be closed
                yield row
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._refused(error) from None
        if self._immutable and self._stamped() != self._stamp:
            raise RefusedError(f"{self.path}: it was written to while it was read: read it again")

    def one(self, query: str, *values: object) -> Any:
        """The first row of a query; None where there is none."""
        return next(iter(list(self.rows(query, *values))), None)

    def snapshot(self) -> None:
        """From now on read one state of the file, whatever is written meanwhile."""
        self._follow()
        self._fixed = True
        try:
            self._connection.execute("BEGIN")
        except sqlite3.DatabaseError as error:
            raise self._refused(error) from None

    def backup(self, target: sqlite3.Connection) -> None:
        """Copy the whole file, as of one moment, into another.

        RefusedError where this one is damaged, sqlite3.Error where the other cannot be written.
        """
        self._follow()
        try:
            self._connection.backup(target)
        except sqlite3.DatabaseError as error:
            if _primary(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise self._refused(error) from None
            raise

    def _follow(self) -> None:
        """A daemon has begun to write since: share its log."""
        if self._immutable and not self._fixed and self._has_log():
            self._connection.close()
            self._connection = self._connect()

    def _has_log(self) -> bool:
        try:
            return os.stat(f"{self.path}-wal").st_size > 0  # noqa: PTH116 - the name is not a suffix
        except FileNotFoundError:
            return False

    def _stamped(self) -> tuple[int, int, int]:
        found = self.path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _refused(self, error: Exception) -> PapertapeError:
        code = _primary(error)
        if code in _OF_THE_DISK:
            meaning = storage_error(self.path, error)
            if isinstance(meaning, JournalFullError):
                return JournalFullError(f"{self.path}: cannot be read now ({error})")
            return RefusedError(f"{self.path}: cannot be read ({error}): look after the disk")
        if code in _CANNOT_SHARE:
            return _not_permitted(
                self.path, "it was not closed and its log cannot be read from here"
            )
        if code == sqlite3.SQLITE_NOTADB:
            return RefusedError(f"{self.path}: not a journal ({error}): {RESTORE}")
        return RefusedError(f"{self.path}: damaged ({error}): {RESTORE}")


def _primary(error: Exception) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _not_permitted(path: Path, why: str | None) -> NotPermittedError:
    return NotPermittedError(f"{path}: this user may not read it ({why}): ask as the daemon's user")
