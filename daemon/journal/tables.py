"""What every version of the journal holds: its tables, and the columns their chains run over."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_VERSION = 2

LIVE = int.from_bytes(b"papl", "big")
REPLAY = int.from_bytes(b"papr", "big")
"""The application_id of a live journal and of a replay's, from version 2 on."""


class Table(NamedTuple):
    """A table whose rows are chained in the order of `columns[0]`, its key.

    `columns` are all but the hash, in the order in which they are hashed.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The column that numbers the rows."""
        return self.columns[0]

    @property
    def select(self) -> str:
        """The rows with their hashes, in the order of the chain."""
        return f"SELECT {', '.join(self.columns)}, hash FROM {self.name} ORDER BY {self.key}"  # noqa: S608 - the names stand in this file

    @property
    def last(self) -> str:
        """The key and the hash of the last row."""
        return f"SELECT {self.key}, hash FROM {self.name} ORDER BY {self.key} DESC LIMIT 1"  # noqa: S608 - the names stand in this file

    @property
    def insert(self) -> str:
        """A new row with its hash."""
        marks = ", ".join("?" * (len(self.columns) + 1))
        return f"INSERT INTO {self.name} VALUES ({marks})"  # noqa: S608 - the names stand in this file


SEGMENTS = Table("segments", ("segment", "first_seq", "reason", "manifest", "opening"))
TURNS = Table(
    "turns",
    (
        "seq", "segment", "instant", "kind", "input", "predictions", "gate", "equity", "outputs",
        "wall",
    ),
)  # fmt: skip
LEDGER = Table(
    "ledger",
    (
        "entry", "segment", "seq", "kind", "instant", "symbol", "start", "end", "outcome",
        "detail",
    ),
)  # fmt: skip
CLOSINGS = Table("closings", ("closing", "segment", "seq", "account"))
BLOCKS = Table("blocks", ("block", "segment", "kind", "symbol", "count", "columns"))

TABLES: dict[int, tuple[Table, ...]] = {
    1: (
        SEGMENTS,
        Table("turns", ("seq", "segment", "instant", "kind", "input", "outputs")),
        BLOCKS,
    ),
    2: (SEGMENTS, TURNS, LEDGER, CLOSINGS, BLOCKS),
}
"""The chained tables of each version that is known."""

MARKED = (SEGMENTS, TURNS, LEDGER, CLOSINGS)
"""The tables of a live journal, whose ends the mark remembers."""
