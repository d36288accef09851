"""The live journal: one transaction a turn, by the only connection that may write.

One task owns the connection and does one job after the other; callers wait for its answer. A
caller that is cancelled stops waiting, and the transaction goes on: cancelled between INSERT and
COMMIT, an aiosqlite connection would carry half a turn into the next transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite

from daemon.core.turn import Turn
from daemon.errors import PapertapeError, RefusedError
from daemon.journal.codec import (
    chained,
    encode_input,
    encode_outputs,
    encode_predictions,
    encode_values,
)
from daemon.journal.creation import create_journal
from daemon.journal.faults import JournalBrokenError, JournalFullError, storage_error
from daemon.journal.integrity import known_mark, refuse_behind, refuse_missing
from daemon.journal.ledger import LedgerRow
from daemon.journal.mark import End, Ends, MarkFile
from daemon.journal.migrations import migrate
from daemon.journal.tables import CLOSINGS, LEDGER, MARKED, SEGMENTS, TURNS, Table
from daemon.state_directory import MARK

__all__ = ["JournalBrokenError", "JournalFullError", "LedgerRow", "LiveJournal"]

JOBS_MAX = 8
"""Calls that may wait for the owner; one turn is in flight, so more is a fault of the caller."""
BUSY_TIMEOUT_MS = 2_000
CLOSE_TIMEOUT_S = 5.0
LOG_BYTES_MAX = 1 << 24
"""What the write-ahead log is cut back to once a reader that made it grow has gone."""

Row = tuple[Any, ...]
Statement = tuple[str, Row]
Job = Callable[[], Awaitable[None]]


class LiveJournal:
    """The journal of a daemon, open for writing.

    `mark_failure` says why the mark could not be written last time; None: it could. That stops
    nothing: a mark that lags behind the journal is in order.
    """

    def __init__(
        self, path: Path, connection: aiosqlite.Connection, ends: Mapping[str, End], mark: MarkFile
    ) -> None:
        self.path = path
        self.mark_failure: str | None = None
        self._connection = connection
        self._ends = dict(ends)
        self._mark = mark
        self._files = _identity(path)
        self._broken = False
        self._closed = False
        self._open_calls: set[asyncio.Future[None]] = set()
        self._jobs: asyncio.Queue[tuple[Job, asyncio.Future[None]]] = asyncio.Queue(JOBS_MAX)
        self._owner = asyncio.create_task(self._own(), name="journal")

    @classmethod
    async def open(cls, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> LiveJournal:
        """Create the journal, or go on with the one that is there.

        RefusedError where it is no live journal of a version that is known, and where it ends
        before its mark; JournalFullError where the same may work later. Its rows are not
        checked here: `check_state` does that.
        """
        marked = _prepared(path)
        connecting = aiosqlite.connect(path, isolation_level=None)
        # A connection that nobody closed, or whose disk hangs, must not keep the process alive.
        connecting._thread.daemon = True  # noqa: SLF001 - there is no public way
        try:
            connection = await connecting
        except sqlite3.Error as error:
            raise _not_opened(path, error) from error
        try:
            await _configure(connection, path, busy_timeout_ms)
            ends = {table.name: await _end(connection, table) for table in MARKED}
            refuse_behind(path, ends, marked)
            mark = MarkFile(path.with_name(MARK), ends)
            # An fsync may take long, so the connection's thread does it: there is no other of ours.
            await connection.create_function("sync_mark", 0, mark.sync)
        except BaseException as error:
            await connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise _not_opened(path, error) from error
            raise
        return cls(path, connection, ends, mark)

    # --- what is there --------------------------------------------------------------------------

    @property
    def segment(self) -> int:
        """The number of the open segment; 0 before the first."""
        return self._ends[SEGMENTS.name].key

    @property
    def last_seq(self) -> int:
        """The number of the last stored turn; 0 before the first."""
        return self._ends[TURNS.name].key

    @property
    def turns(self) -> int:
        """How many turns are stored: they are numbered from 1, without gaps."""
        return self.last_seq

    @property
    def wal_bytes(self) -> int:
        """The size of the write-ahead log, which grows while a reader holds a snapshot."""
        try:
            return _log_of(self.path).stat().st_size
        except OSError:
            return 0

    # --- writing --------------------------------------------------------------------------------

    async def open_segment(
        self, first_seq: int, reason: str, manifest: object, opening: object
    ) -> None:
        """Begin a segment: everything that decides what its turns will do."""
        rest = (first_seq, reason, encode_values(manifest), encode_values(opening))
        await self._do(partial(self._open_segment, rest))

    async def commit(
        self,
        turn: Turn,
        facts: Sequence[LedgerRow],
        wall: int,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        """Store a turn and the facts that go with it, durably, or nothing.

        `before_commit` is called just before the statement that commits; what it raises undoes
        the transaction. JournalFullError: nothing was stored, the same call may be repeated.
        JournalBrokenError: it must not be. A turn that is stored already is left as it is.
        """
        kind, item = encode_input(turn.input)
        row = (
            turn.seq, self.segment, turn.instant, kind, item,
            encode_predictions(turn.predictions), turn.gate, turn.equity,
            encode_outputs(turn.outputs), wall,
        )  # fmt: skip
        await self._do(partial(self._commit, row, facts, before_commit))

    async def write_closing(self, seq: int, values: object) -> None:
        """The account by value at an orderly stop after turn `seq`."""
        await self._do(partial(self._write_closing, seq, encode_values(values)))

    async def sync_mark(self) -> None:
        """Make the mark durable: each minute, and at a stop."""
        await self._do(self._sync_mark)

    async def close(self) -> None:
        """Finish the jobs that wait, empty the write-ahead log, close; in bounded time."""
        if self._closed:
            return
        self._closed = True
        stopping = asyncio.create_task(self._stop(), name="journal stops")
        stopping.add_done_callback(_seen)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(stopping)
        except TimeoutError:
            stopping.cancel()
            self._abandon()

    # --- the owner ------------------------------------------------------------------------------

    async def _do(self, job: Job) -> None:
        if self._closed or self._owner.done():
            raise JournalBrokenError(f"{self.path}: the journal is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_seen)
        self._jobs.put_nowait((job, done))
        self._open_calls.add(done)
        done.add_done_callback(self._open_calls.discard)
        await asyncio.shield(done)

    async def _own(self) -> None:
        try:
            while True:
                job, done = await self._jobs.get()
                try:
                    if self._broken:
                        raise JournalBrokenError(f"{self.path}: not written, it failed before")
                    await job()
                except Exception as error:  # noqa: BLE001 - it is the caller's
                    self._broken = self._broken or isinstance(error, JournalBrokenError)
                    done.set_exception(error)
                else:
                    done.set_result(None)
                self._jobs.task_done()
        finally:
            if not self._closed:  # the loop is being closed around us
                self._abandon()

    async def _stop(self) -> None:
        await self._jobs.join()
        self._owner.cancel()
        if not self._broken:
            await self._sync_mark()
            with contextlib.suppress(sqlite3.Error):  # what is committed is in the log already
                await self._run("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            await self._connection.close()
        self._mark.close()

    def _abandon(self) -> None:
        """Let the thread end by itself, or with the process."""
        self._closed = True
        self._owner.cancel()
        for done in list(self._open_calls):
            done.set_exception(JournalBrokenError(f"{self.path}: the disk did not answer"))
        self._connection.stop()
        self._mark.close()

    # --- jobs: each runs alone ------------------------------------------------------------------

    async def _open_segment(self, rest: Row) -> None:
        assert rest[0] == self.last_seq + 1, "a segment begins with the next turn"
        await self._store([(SEGMENTS, (self.segment + 1, *rest))])

    async def _write_closing(self, seq: int, values: str) -> None:
        assert seq == self.last_seq, "an account is closed after its last turn"
        number = self._ends[CLOSINGS.name].key + 1
        await self._store([(CLOSINGS, (number, self.segment, seq, values))])

    async def _commit(
        self, row: Row, facts: Sequence[LedgerRow], before_commit: Callable[[], None] | None
    ) -> None:
        assert self.segment, "a turn needs a segment"
        seq = row[0]
        if seq == self.last_seq:
            await self._check_stored(row)
            return
        assert seq == self.last_seq + 1, f"turn {seq} after turn {self.last_seq}"
        first = self._ends[LEDGER.name].key + 1
        ledger = [
            (LEDGER, (entry, self.segment, seq, *fact)) for entry, fact in enumerate(facts, first)
        ]
        await self._store([(TURNS, row), *ledger], before_commit)

    async def _check_stored(self, row: Row) -> None:
        """A turn given again must be the one that is stored; the clock may have gone on."""
        try:
            found = await self._run(f"{TURNS.select} DESC LIMIT 1")
        except sqlite3.Error as error:
            raise storage_error(self.path, error) from error
        ((*stored, _),) = found
        assert tuple(stored[:-1]) == row[:-1], f"turn {row[0]} is stored and was another"

    async def _sync_mark(self) -> None:
        self._write_mark()
        try:
            await self._run("SELECT sync_mark()")
        except sqlite3.Error as error:
            self.mark_failure = f"{self._mark.path}: cannot be synced ({error})"

    def _write_mark(self) -> None:
        try:
            self._mark.write(self._ends)
            self.mark_failure = None
        except OSError as error:
            self.mark_failure = f"{self._mark.path}: cannot be written ({error})"

    # --- the transaction ------------------------------------------------------------------------

    async def _store(
        self, rows: Iterable[tuple[Table, Row]], before_commit: Callable[[], None] | None = None
    ) -> None:
        if _identity(self.path) != self._files:
            raise JournalBrokenError(f"{self.path}: it or its -wal was replaced while in use")
        ends = dict(self._ends)
        chain: list[Statement] = []
        for table, row in rows:
            link = chained(ends[table.name].hash, *row)
            ends[table.name] = End(row[0], link)
            chain.append((table.insert, (*row, link)))
        if len(chain) > 1:  # one row commits itself: a wait for the connection's thread less
            chain = [("BEGIN IMMEDIATE", ()), *chain, ("COMMIT", ())]
        *first, last = chain
        try:
            for statement, values in first:
                await self._run(statement, values)
            if before_commit is not None:
                before_commit()
        except BaseException as error:
            await self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise storage_error(self.path, error) from error
            raise
        try:
            await self._run(*last)
        except sqlite3.Error as error:
            await self._roll_back()
            if not await self._holds(ends):
                raise storage_error(self.path, error) from error
        self._ends = ends
        self._write_mark()

    async def _roll_back(self) -> None:
        """Undo what is open; SQLite has done it itself after some errors."""
        if not self._connection.in_transaction:
            return
        try:
            await self._run("ROLLBACK")
        except sqlite3.Error as error:
            raise JournalBrokenError(f"{self.path}: cannot be rolled back ({error})") from error

    async def _holds(self, ends: Mapping[str, End]) -> bool:
        """Whether a COMMIT that reported an error has been carried out all the same."""
        try:
            found = {table.name: await _end(self._connection, table) for table in MARKED}
        except sqlite3.Error as error:
            raise JournalBrokenError(f"{self.path}: cannot be read ({error})") from error
        return found == ends

    async def _run(self, statement: str, values: Row = ()) -> list[Any]:
        return list(await self._connection.execute_fetchall(statement, values))


def _prepared(path: Path) -> Ends | None:
    """What the mark says of the journal, which is there afterwards."""
    if path.exists():
        if not os.access(path, os.W_OK):  # SQLite would open it for reading, and fail at a turn
            raise RefusedError(
                f"{path}: this user may not write to it: it must belong to the user that runs the "
                f"daemon"
            )
        migrate(path)
    else:
        refuse_missing(path)
        create_journal(path)
    return known_mark(path.with_name(MARK))[0]


def _not_opened(path: Path, error: Exception) -> PapertapeError:
    """What may pass by itself is worth another start."""
    meaning = storage_error(path, error)
    if isinstance(meaning, JournalFullError):
        return meaning
    return RefusedError(f"{path}: cannot be opened for writing ({error})")


async def _configure(connection: aiosqlite.Connection, path: Path, busy_timeout_ms: int) -> None:
    """Set and check what durability rests on: neither is kept in the file for sure."""
    await connection.execute_fetchall(f"PRAGMA busy_timeout = {busy_timeout_ms}")
    ((mode,),) = await connection.execute_fetchall("PRAGMA journal_mode = WAL")
    if mode != "wal":
        raise RefusedError(
            f"{path}: SQLite cannot keep a write-ahead log here (journal mode {mode}): a state "
            f"directory needs a local file system"
        )
    await connection.execute_fetchall(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
    await connection.execute_fetchall("PRAGMA synchronous = FULL")
    ((synchronous,),) = await connection.execute_fetchall("PRAGMA synchronous")
    assert synchronous == 2, "commits are not synced"


async def _end(connection: aiosqlite.Connection, table: Table) -> End:
    rows = await connection.execute_fetchall(table.last)
    for key, link in rows:
        return End(key, link)
    return End()


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _identity(path: Path) -> tuple[int, ...]:
    """Which files these are: SQLite goes on writing to one that was removed or replaced."""
    try:
        return tuple(file.stat().st_ino for file in (path, _log_of(path)))
    except OSError:
        return ()


def _seen(future: asyncio.Future[Any]) -> None:
    """Take notice of a result that nobody may be waiting for any more."""
    if not future.cancelled():
        future.exception()
