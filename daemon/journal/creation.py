"""Makes a live journal's file, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.control.latch import sync_directory
from daemon.errors import RefusedError
from daemon.journal.mark import NO_ENDS, MarkFile
from daemon.journal.tables import LIVE, SCHEMA
from daemon.state_directory import MARK


def create_journal(path: Path) -> None:
    """Make an empty live journal with its mark; RefusedError where it cannot be made.

    It comes into being by a rename: a journal that is there has its schema, so that an empty file
    always means a loss.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        temporary.touch(0o640)
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.executescript(
                f"PRAGMA synchronous = OFF; BEGIN; {SCHEMA.read_text('utf-8')};"
                f"PRAGMA application_id = {LIVE}; COMMIT"
            )
        sync_file(temporary)
        temporary.rename(path)
        sync_directory(path.parent)
        MarkFile(path.with_name(MARK), NO_ENDS).close()
    except (sqlite3.Error, OSError) as error:
        raise RefusedError(f"{path}: the journal cannot be made ({error})") from error


def sync_file(path: Path) -> None:
    """Make durable what a file holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
