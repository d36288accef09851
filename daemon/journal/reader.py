"""Reads a journal without ever writing to it, and checks its chains."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from daemon.errors import RefusedError
from daemon.journal.codec import GENESIS, chained, decode_columns

SCHEMA_VERSION = 1


class TurnRow(NamedTuple):
    """A row of `turns` as it is stored."""

    seq: int
    segment: int
    instant: int
    kind: str
    input: str | None
    outputs: str


class Block(NamedTuple):
    """A row of `blocks`, its columns decoded by name."""

    kind: str
    symbol: str
    rows: int
    columns: dict[str, bytes]


class JournalReader:
    """A read-only view of a journal; RefusedError where it is not one or is damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise RefusedError(f"{path}: no journal here")
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            self._check_version()
        except RefusedError:
            self.close()
            raise

    def _check_version(self) -> None:
        path = self.path
        try:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise RefusedError(f"{path}: not a journal ({error}): restore it from a copy") from None
        if version == 0:
            raise RefusedError(f"{path}: not a journal (it is empty): restore it from a copy")
        if version != SCHEMA_VERSION:
            raise RefusedError(
                f"{path}: journal version {version}, this papertape reads {SCHEMA_VERSION}"
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def segment(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The manifest and the opening values of the first segment."""
        row = self._one("SELECT manifest, opening FROM segments ORDER BY segment LIMIT 1")
        if row is None:
            raise RefusedError(f"{self.path}: the journal has no segment: it was never finished")
        return json.loads(row[0]), json.loads(row[1])

    def turns(self) -> Iterator[TurnRow]:
        """The stored turns in order."""
        query = "SELECT seq, segment, instant, kind, input, outputs FROM turns ORDER BY seq"
        for row in self._all(query):
            yield TurnRow(*row)

    def blocks(self, kind: str) -> Iterator[Block]:
        """The blocks of one kind in order."""
        query = "SELECT kind, symbol, count, columns FROM blocks WHERE kind = ? ORDER BY block"
        for row in self._all(query, kind):
            yield Block(row[0], row[1], row[2], decode_columns(row[3]))

    def check_chains(self, seal: dict[str, Any] | None) -> list[str]:
        """What is wrong with the stored rows, one line each; nothing: the storage is intact."""
        problems = []
        tables = (
            ("segments", "segment, first_seq, reason, manifest, opening", "segment"),
            ("turns", "seq, segment, instant, kind, input, outputs", "seq"),
            ("blocks", "block, segment, kind, symbol, count, columns", "block"),
        )
        for table, columns, key in tables:
            previous, last = GENESIS, None
            for row in self._all(f"SELECT {columns}, hash FROM {table} ORDER BY {key}"):  # noqa: S608 - the names stand above
                previous = chained(previous, *row[:-1])
                if previous != row[-1]:
                    problems.append(f"{table}: row {key} {row[0]} is not what was written")
                    break
                last = row[0]
            else:
                if seal is not None and seal[f"{table}_hash"] != previous.hex():
                    problems.append(f"{table}: rows after {key} {last} are missing or were added")
        return problems

    def _all(self, query: str, *values: object) -> Iterator[Any]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise RefusedError(f"{self.path}: damaged ({error}): restore it from a copy") from None

    def _one(self, query: str) -> Any:
        return next(self._all(query), None)
