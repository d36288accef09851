"""Copies of a daemon's journal: made while it runs, put back, put away.

Whatever is interrupted here leaves a journal that is whole, or a mark without one, which a start
refuses: never a state directory that looks new.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from daemon.control.latch import sync_directory
from daemon.errors import RefusedError, UsageError
from daemon.journal.creation import sync_file
from daemon.journal.integrity import JournalEnds, check_file
from daemon.journal.mark import End, MarkFile
from daemon.journal.readonly import ReadOnlyFile
from daemon.journal.tables import MARKED, SEGMENTS, TURNS
from daemon.state_directory import JOURNAL, MARK
from daemon.writing import give_to_owner

ARCHIVE = "archive"
REASON = "reason.txt"
_MODE = 0o640
_FILES = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm", MARK)
"""In the order in which they are removed: the mark goes last."""


def backup(state: Path, file: Path) -> JournalEnds:
    """Copy the journal, whether a daemon is writing to it or not, and check the copy.

    `file` must not exist: a copy is never written over another.
    """
    source = state / JOURNAL
    if not source.exists():
        raise RefusedError(f"{source}: no journal here, so nothing to copy")
    if file.exists():
        raise UsageError(f"{file}: exists, and a copy is never written over another")
    return _told(copy_journal(source, file))


def restore(
    file: Path, state: Path, *, now: datetime | None = None
) -> tuple[JournalEnds, Path | None]:
    """Put a copy in the journal's place; the folder with what was there is returned as well.

    The caller holds the state directory's lock. A copy that is not whole changes nothing.
    """
    check_file(file)
    target, incoming = state / JOURNAL, state / f"{JOURNAL}.new"
    incoming.unlink(missing_ok=True)
    ends = copy_journal(file, incoming)
    give_to_owner(incoming, state)
    place = _put_away(state, f"restore of {file}", now)
    # With the copy's mark in place, a journal is missed until the copy is there as well.
    _replace_mark(state, ends)
    _remove(state, _FILES[:-1])
    incoming.rename(target)
    sync_directory(state)
    return _told(ends), place


def archive(state: Path, reason: str, *, now: datetime | None = None) -> Path:
    """Put the journal away for good, so that the next start begins with a new account.

    The caller holds the state directory's lock. Returns the folder with what was there.
    """
    place = _put_away(state, reason, now)
    if place is None:
        raise RefusedError(f"{state / JOURNAL}: no journal here, so nothing to put away")
    _remove(state, _FILES)
    return place


def copy_journal(source: Path, file: Path) -> dict[str, End]:
    """Copy a journal as of one moment into one durable file that is whole or not there at all.

    RefusedError where it cannot be written, or where the copy is not a whole journal.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with closing(ReadOnlyFile(source)) as reading, closing(sqlite3.connect(temporary)) as copy:
            reading.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whatever the journal is
        ends = check_file(temporary)
        temporary.chmod(_MODE)
        sync_file(temporary)
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, _MODE))  # nobody else's from here on
        temporary.replace(file)
        sync_directory(file.parent)
    except (sqlite3.Error, OSError) as error:
        raise RefusedError(f"{file}: the copy cannot be written ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return ends


def _put_away(state: Path, reason: str, now: datetime | None) -> Path | None:
    """Link all there is into a new folder of the archive; None where there is nothing."""
    there = [name for name in _FILES if (state / name).exists()]
    if not there:
        return None
    stamp = f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    folder = state / ARCHIVE
    place, number = folder / stamp, 1
    while place.exists():
        number += 1
        place = folder / f"{stamp}-{number}"
    try:
        place.mkdir(parents=True, mode=0o750)
        for name in there:
            os.link(state / name, place / name)
        (place / REASON).write_text(f"{reason}\n", "utf-8")
        sync_file(place / REASON)
        for made in (folder, place, place / REASON):
            give_to_owner(made, state)
        for changed in (place, folder, state):
            sync_directory(changed)
    except OSError as error:
        raise RefusedError(f"{place}: the journal cannot be put away ({error})") from error
    return place


def _replace_mark(state: Path, ends: dict[str, End]) -> None:
    """A new file: the old one is in the archive as well."""
    incoming = state / f"{MARK}.new"
    MarkFile(incoming, {table.name: ends.get(table.name, End()) for table in MARKED}).close()
    give_to_owner(incoming, state)
    incoming.replace(state / MARK)
    sync_directory(state)


def _remove(state: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (state / name).unlink(missing_ok=True)
    sync_directory(state)


def _told(ends: dict[str, End]) -> JournalEnds:
    turns = ends[TURNS.name]
    return JournalEnds(turns.key, turns.hash, ends[SEGMENTS.name].key)
