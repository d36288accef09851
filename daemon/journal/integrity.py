"""Is a daemon's journal whole: pages, tables, chains, numbers, and no shorter than its mark.

`integrity_check` sees 7 of 400 flipped bits; the chains see every change of a stored value, and
the mark what is missing at the end. Nothing here changes a file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from daemon.errors import RefusedError
from daemon.journal.codec import GENESIS, chained
from daemon.journal.mark import DamagedMarkError, End, Ends, read_mark
from daemon.journal.reader import JournalReader, version_of
from daemon.journal.readonly import RESTORE, ReadOnlyFile
from daemon.journal.tables import (
    CLOSINGS,
    LIVE,
    MARKED,
    SCHEMA,
    SCHEMA_VERSION,
    SEGMENTS,
    TABLES,
    TURNS,
    Table,
)  # fmt: skip
from daemon.state_directory import JOURNAL, MARK

WHAT_TO_DO = "`papertape verify` says more, `papertape restore` puts a copy in its place"


UNREADABLE = (
    ArithmeticError, AssertionError, LookupError, TypeError, ValueError, msgspec.MsgspecError
)  # fmt: skip
"""What stored rows that are not those that were written may raise."""


class JournalEnds(NamedTuple):
    """A journal that is whole: its last turn, how many segments, and what is odd about its mark."""

    last_seq: int = 0
    hash: bytes = GENESIS
    segments: int = 0
    mark_note: str | None = None


def check_state(state: Path) -> JournalEnds:
    """Check the journal of a state directory; RefusedError says what is wrong with it.

    A directory without journal and mark is one of a daemon that has not run yet.
    """
    path = state / JOURNAL
    marked, note = known_mark(state / MARK)
    if not path.exists():
        refuse_missing(path)
        return JournalEnds()
    try:
        ends = check_file(path, marked)
    except RefusedError as error:
        raise RefusedError(str(error).replace(RESTORE, WHAT_TO_DO)) from None
    segments, turns = ends[SEGMENTS.name], ends[TURNS.name]
    return JournalEnds(turns.key, turns.hash, segments.key, note)


def check_file(path: Path, marked: Ends | None = None) -> dict[str, End]:
    """The ends of the chains of a daemon's journal; RefusedError where it is not whole."""
    with closing(ReadOnlyFile(path)) as file:
        version = _live_version(file)
        file.snapshot()
        _check_pages(file)
        if version == SCHEMA_VERSION:
            _check_tables(file)
        ends = {
            table.name: _check_chain(file, table, marked.get(table.name) if marked else None)
            for table in TABLES[version]
        }
    refuse_behind(path, ends, marked)
    return ends


# --- the mark -----------------------------------------------------------------------------------


def known_mark(path: Path) -> tuple[Ends | None, str | None]:
    """What the mark says, and what is odd about it; None where it says nothing of use."""
    try:
        marked = read_mark(path)
    except (DamagedMarkError, OSError) as error:
        return None, f"{path}: not used, {error}; it is written anew"
    if marked is None and path.with_name(JOURNAL).exists():
        return None, f"{path}: missing; it is written anew"
    return marked, None


@contextmanager
def told_if_damaged(state: Path) -> Iterator[None]:
    """RefusedError in place of what a damaged journal raises while it is read."""
    try:
        yield
    except UNREADABLE:
        check_state(state)
        raise  # it is whole: the fault is ours


def open_journal(state: Path) -> JournalReader:
    """A daemon's journal, to be read; RefusedError says why there is none."""
    path = state / JOURNAL
    if not path.exists():
        refuse_missing(path)
        raise RefusedError(f"{state}: there is no account yet: `papertape run` begins one")
    return JournalReader(path)


def refuse_missing(path: Path) -> None:
    """RefusedError where a journal that is not there has been there."""
    for left in (MARK, f"{path.name}-wal"):
        if path.with_name(left).exists():
            raise RefusedError(
                f"{path}: missing, though {left} is there: `papertape restore` puts a copy in its "
                f"place, `papertape account new` begins afresh"
            )


def refuse_behind(path: Path, ends: Ends, marked: Ends | None) -> None:
    """RefusedError where a journal ends before its mark."""
    if marked is None:
        return
    for table in (TURNS, SEGMENTS, CLOSINGS, *MARKED):
        was, now = marked[table.name], ends.get(table.name, End())
        if was.key > now.key:
            what = "turn" if table is TURNS else f"{table.name} row"
            raise RefusedError(
                f"{path}: the mark says {what} {was.key} was committed, the journal ends at "
                f"{now.key}: it was truncated, lost its -wal or is an older copy: {WHAT_TO_DO}"
            )
        if was.key == now.key and was.hash != now.hash:
            raise RefusedError(_replaced(path, table, was.key))


def _replaced(path: Path, table: Table, key: int) -> str:
    return (
        f"{path}: {table.name} {table.key} {key} is not the one the mark tells of: this is "
        f"another journal: {WHAT_TO_DO}"
    )


# --- the file -----------------------------------------------------------------------------------


def _live_version(file: ReadOnlyFile) -> int:
    """Version 1 did not say whose journal it is."""
    version, kind = version_of(file)
    if version > 1 and kind != LIVE:
        raise RefusedError(f"{file.path}: not the journal of a daemon (a replay wrote it)")
    return version


def _check_pages(file: ReadOnlyFile) -> None:
    found = [row[0] for row in file.rows("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        words = " ".join(found[0].split())
        raise RefusedError(f"{file.path}: damaged pages ({words}): {WHAT_TO_DO}")


def _check_tables(file: ReadOnlyFile) -> None:
    """A changed definition would change what the rows mean."""
    query = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name"
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA.read_text("utf-8"))
        expected = connection.execute(query).fetchall()
    if list(file.rows(query)) != expected:
        raise RefusedError(f"{file.path}: its tables are not those of a journal: {WHAT_TO_DO}")


def _check_chain(file: ReadOnlyFile, table: Table, marked: End | None) -> End:
    link, last = GENESIS, 0
    for row in file.rows(table.select):
        key = row[0]
        if key != last + 1:
            raise RefusedError(
                f"{file.path}: {table.name}: {table.key} {key} follows {last}: {WHAT_TO_DO}"
            )
        link = chained(link, *row[:-1])
        if link != row[-1]:
            raise RefusedError(
                f"{file.path}: {table.name}: {table.key} {key} is not what was written: "
                f"{WHAT_TO_DO}"
            )
        last = key
        if marked is not None and marked.key == key and marked.hash != link:
            raise RefusedError(_replaced(file.path, table, key))
    return End(last, link)
