"""Reads a journal without ever writing to it, and checks its chains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from daemon.errors import RefusedError
from daemon.journal.codec import GENESIS, chained, decode_columns
from daemon.journal.readonly import ReadOnlyFile
from daemon.journal.tables import (
    CLOSINGS,
    LEDGER,
    LIVE,
    REPLAY,
    SCHEMA_VERSION,
    SEGMENTS,
    TABLES,
    TURNS,
)


class SegmentRow(NamedTuple):
    """A row of `segments`, its JSON decoded."""

    segment: int
    first_seq: int
    reason: str
    manifest: dict[str, Any]
    opening: dict[str, Any]


class TurnRow(NamedTuple):
    """A row of `turns` as it is stored."""

    seq: int
    segment: int
    instant: int
    kind: str
    input: str | None
    predictions: str | None
    gate: int | None
    equity: int | None
    outputs: str
    wall: int | None


class LedgerEntry(NamedTuple):
    """A row of `ledger` as it is stored."""

    entry: int
    segment: int
    seq: int
    kind: str
    instant: int
    symbol: str
    start: int | None
    end: int | None
    outcome: str
    detail: str


class ClosingRow(NamedTuple):
    """A row of `closings` as it is stored: the account by value at a stop, as JSON."""

    closing: int
    segment: int
    seq: int
    account: str


class Block(NamedTuple):
    """A row of `blocks`, its columns decoded by name."""

    kind: str
    symbol: str
    rows: int
    columns: dict[str, bytes]


_TURNS_WITH = (
    f"SELECT {', '.join(TURNS.columns)} FROM turns WHERE (instr(outputs, ?) "  # noqa: S608 - names from a table
    f"OR (kind = 'command' AND instr(input, ?)))"
)


class JournalReader:
    """A read-only view of a journal; RefusedError where it is not one or is damaged.

    It never holds up a daemon that writes to the journal, and sees what is committed at the time
    of each call; as of its beginning, though, while rows of an earlier call are still being read.
    `is_live` tells a daemon's journal from a replay's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = ReadOnlyFile(path)
        try:
            self.is_live = _current_kind(self._file) == LIVE
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def snapshot(self) -> None:
        """From now on read what is committed now, whatever is written meanwhile."""
        self._file.snapshot()

    # --- segments and turns ---------------------------------------------------------------------

    def segments(self) -> list[SegmentRow]:
        """All segments in order."""
        query = f"SELECT {', '.join(SEGMENTS.columns)} FROM segments ORDER BY segment"  # noqa: S608 - names from a table
        rows = list(self._file.rows(query))
        return [
            SegmentRow(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]))
            for row in rows
        ]

    def segment(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The manifest and the opening values of the first segment."""
        segments = self.segments()
        if not segments:
            raise RefusedError(f"{self.path}: the journal has no segment: it was never finished")
        return segments[0].manifest, segments[0].opening

    def turns(self, segment: int | None = None, after: int = 0) -> Iterator[TurnRow]:
        """The stored turns after number `after` in order; those of one segment, or all."""
        query = f"SELECT {', '.join(TURNS.columns)} FROM turns WHERE seq > ?"  # noqa: S608 - names from a table
        if segment is None:
            rows = self._file.rows(f"{query} ORDER BY seq", after)
        else:
            rows = self._file.rows(f"{query} AND segment = ? ORDER BY seq", after, segment)
        for row in rows:
            yield TurnRow(*row)

    def slices_from(self, instant: int) -> Iterator[TurnRow]:
        """The slices that end at an instant or later, in the order they were stored."""
        names = ", ".join(TURNS.columns)
        query = f"SELECT {names} FROM turns WHERE kind = 'slice' AND instant >= ? ORDER BY seq"  # noqa: S608 - names from a table
        for row in self._file.rows(query, instant):
            yield TurnRow(*row)

    def last_slice(self) -> TurnRow | None:
        """The last stored slice; None where there is none."""
        names = ", ".join(TURNS.columns)
        query = f"SELECT {names} FROM turns WHERE kind = 'slice' ORDER BY seq DESC LIMIT 1"  # noqa: S608 - names from a table
        row = self._file.one(query)
        return None if row is None else TurnRow(*row)

    def last_slices(self, count: int) -> list[TurnRow]:
        """The last stored slices in the order they were stored, at most so many."""
        names = ", ".join(TURNS.columns)
        query = f"SELECT {names} FROM turns WHERE kind = 'slice' ORDER BY seq DESC LIMIT ?"  # noqa: S608 - names from a table
        return [TurnRow(*row) for row in self._file.rows(query, count)][::-1]

    def reached(self) -> tuple[int, str] | None:
        """The latest instant of the feed's inputs, and of which kind is the last one there.

        The last one stored may be earlier, if a bar came late; a tick comes after a slice.
        """
        query = (
            "SELECT instant, kind FROM turns WHERE kind != 'command' "
            "ORDER BY instant DESC, kind DESC LIMIT 1"
        )
        row = self._file.one(query)
        return None if row is None else (int(row[0]), str(row[1]))

    def last_instant(self) -> int | None:
        """The latest event time there is; the last turn's may be earlier, if a bar came late."""
        (found,) = self._file.one("SELECT max(instant) FROM turns")
        return None if found is None else int(found)

    def last_turn(self) -> TurnRow | None:
        """The last stored turn; None where there is none."""
        names = ", ".join(TURNS.columns)
        row = self._file.one(f"SELECT {names} FROM turns ORDER BY seq DESC LIMIT 1")  # noqa: S608 - names from a table
        return None if row is None else TurnRow(*row)

    def last_turn_with(self, text: str) -> TurnRow | None:
        """The last turn whose input or outputs hold a text as it stands in their JSON."""
        row = self._file.one(f"{_TURNS_WITH} ORDER BY seq DESC LIMIT 1", text, text)
        return None if row is None else TurnRow(*row)

    def turns_with(self, text: str, segment: int) -> Iterator[TurnRow]:
        """The turns of a segment whose command or outputs hold a text, in order."""
        query = f"{_TURNS_WITH} AND segment = ? ORDER BY seq"
        for row in self._file.rows(query, text, text, segment):
            yield TurnRow(*row)

    def slice_before(self, seq: int, slices: int) -> int | None:
        """The turn that was the last but `slices` - 1 of the slices with bars before turn `seq`.

        The first of them where there are fewer, None where there is none.
        """
        query = (
            "SELECT min(seq) FROM (SELECT seq FROM turns WHERE seq < ? AND kind = 'slice' "
            "AND json_array_length(input, '$.bars') > 0 ORDER BY seq DESC LIMIT ?)"
        )
        (found,) = self._file.one(query, seq, slices)
        return None if found is None else int(found)

    def closing(self, seq: int) -> Any:
        """The account by value as it was stored at a stop after turn `seq`; None: it was not."""
        query = "SELECT account FROM closings WHERE seq = ? ORDER BY closing DESC LIMIT 1"
        row = self._file.one(query, seq)
        return None if row is None else json.loads(row[0])

    def closings(self) -> list[ClosingRow]:
        """The account by value at each orderly stop, in order."""
        query = f"SELECT {', '.join(CLOSINGS.columns)} FROM closings ORDER BY closing"  # noqa: S608 - names from a table
        return [ClosingRow(*row) for row in self._file.rows(query)]

    def rows_of(self, view: str, **equal: object) -> list[dict[str, Any]]:
        """The rows of a flat view by column name; all of them, or those with these values."""
        named = self._file.rows("SELECT name FROM pragma_table_info(?)", view)
        columns = [name for (name,) in named]
        assert columns, f"no view {view}"
        where = " AND ".join(f"{name} = ?" for name in equal) or "TRUE"
        query = f"SELECT * FROM {view} WHERE {where}"  # noqa: S608 - names from the schema
        rows = self._file.rows(query, *equal.values())
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def ledger(self) -> Iterator[LedgerEntry]:
        """Gaps and feed events in the order they were stored."""
        query = f"SELECT {', '.join(LEDGER.columns)} FROM ledger ORDER BY entry"  # noqa: S608 - names from a table
        for row in self._file.rows(query):
            yield LedgerEntry(*row)

    def blocks(self, kind: str) -> Iterator[Block]:
        """The blocks of one kind in order."""
        query = "SELECT kind, symbol, count, columns FROM blocks WHERE kind = ? ORDER BY block"
        for row in self._file.rows(query, kind):
            yield Block(row[0], row[1], row[2], decode_columns(row[3]))

    # --- storage --------------------------------------------------------------------------------

    def check_chains(self, seal: dict[str, Any] | None) -> list[str]:
        """What is wrong with the stored rows, one line each; nothing: the storage is intact.

        `seal` holds the ends of the chains of a finished run, `TABLE_hash` for each table that has
        rows.
        """
        problems = []
        for table in TABLES[SCHEMA_VERSION]:
            previous, last = GENESIS, None
            for row in self._file.rows(table.select):
                previous = chained(previous, *row[:-1])
                if previous != row[-1]:
                    problems.append(
                        f"{table.name}: row {table.key} {row[0]} is not what was written"
                    )
                    break
                last = row[0]
            else:
                sealed = (seal or {}).get(f"{table.name}_hash", GENESIS.hex())
                if seal is not None and sealed != previous.hex():
                    problems.append(
                        f"{table.name}: rows after {table.key} {last} are missing or were added"
                    )
        return problems


def version_of(file: ReadOnlyFile) -> tuple[int, int]:
    """Version and application_id of a journal; RefusedError where it is none that is known."""
    path = file.path
    (version,) = file.one("PRAGMA user_version")
    (kind,) = file.one("PRAGMA application_id")
    if version == 0:
        raise RefusedError(f"{path}: not a journal (it is empty): restore it from a copy")
    if version > SCHEMA_VERSION:
        raise RefusedError(
            f"{path}: journal version {version}, this papertape reads {SCHEMA_VERSION}: run the "
            f"newer one that wrote it"
        )
    if version not in TABLES or (version > 1 and kind not in (LIVE, REPLAY)):
        raise RefusedError(f"{path}: not a journal (another program's database)")
    return version, kind


def _current_kind(file: ReadOnlyFile) -> int:
    version, kind = version_of(file)
    if version < SCHEMA_VERSION:
        raise RefusedError(
            f"{file.path}: journal version {version}, this papertape reads {SCHEMA_VERSION}: "
            f"replay the run again (`papertape run` brings a daemon's journal up to date)"
        )
    return kind
