"""Brings a daemon's journal of an older version up to date, in one transaction.

A version is a row of `TABLES`; a step of `UPGRADES` turns a row of one version into one of the
next. The tables are built anew from the schema and chained again, since a row's hash covers its
columns. What was there stays beside it as `journal.db.vN`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError
from daemon.journal.backup import copy_journal
from daemon.journal.codec import GENESIS, chained
from daemon.journal.integrity import check_file, known_mark
from daemon.journal.mark import End, MarkFile
from daemon.journal.reader import version_of
from daemon.journal.readonly import ReadOnlyFile
from daemon.journal.tables import LIVE, MARKED, SCHEMA, SCHEMA_VERSION, TABLES
from daemon.state_directory import MARK

Row = tuple[Any, ...]


def _from_1(table: str, row: Row) -> Row:
    """Predictions, the gate, equity and the clock were not kept."""
    if table != "turns":
        return row
    *first, outputs = row
    return (*first, None, None, None, outputs, None)


UPGRADES: dict[int, Callable[[str, Row], Row]] = {1: _from_1}


def migrate(path: Path) -> int | None:
    """Bring a daemon's journal up to date; the version it had, None where it is of this one.

    RefusedError where it is damaged, of a replay or of a version that is not known: it is not
    touched then.
    """
    with closing(ReadOnlyFile(path)) as file:
        version, _ = version_of(file)
        if version == SCHEMA_VERSION:
            return None
        if file.one("SELECT 1 FROM blocks LIMIT 1") is not None:
            raise RefusedError(f"{path}: not the journal of a daemon (a replay wrote it)")
    marked, _ = known_mark(path.with_name(MARK))
    check_file(path, marked)
    kept = path.with_name(f"{path.name}.v{version}")
    kept.unlink(missing_ok=True)  # of a try that was interrupted
    copy_journal(path, kept)
    # The mark's hashes are of the old rows: without one, an interruption is not taken for a loss.
    path.with_name(MARK).unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            ends = _rebuild(connection, version)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise RefusedError(
            f"{path}: cannot be brought up to version {SCHEMA_VERSION} ({error}); it is unchanged"
        ) from error
    MarkFile(path.with_name(MARK), {table.name: ends[table.name] for table in MARKED}).close()
    return version


def _rebuild(connection: sqlite3.Connection, version: int) -> dict[str, End]:
    old = {table.name: table for table in TABLES[version]}
    for (view,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'"):
        connection.execute(f'DROP VIEW "{view}"')
    for name in old:
        connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for statement in _statements(SCHEMA.read_text("utf-8")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {LIVE}")
    ends = {}
    for table in TABLES[SCHEMA_VERSION]:
        link, last = GENESIS, 0
        for row in _old_rows(connection, old, table.name, version):
            link, last = chained(link, *row), row[0]
            connection.execute(table.insert, (*row, link))
        ends[table.name] = End(last, link)
    for name in old:
        connection.execute(f"DROP TABLE old_{name}")
    return ends


def _old_rows(
    connection: sqlite3.Connection, old: dict[str, Any], name: str, version: int
) -> Iterator[Row]:
    if name not in old:
        return
    columns, key = ", ".join(old[name].columns), old[name].key
    query = f"SELECT {columns} FROM old_{name} ORDER BY {key}"  # noqa: S608 - names from a table
    for row in connection.execute(query):
        for step in range(version, SCHEMA_VERSION):
            row = UPGRADES[step](name, row)  # noqa: PLW2901 - step by step
        yield row


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would commit first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
