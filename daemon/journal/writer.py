"""Writes a journal: segments, turns and blocks, each row chained to the one before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.core.turn import Turn
from daemon.journal.codec import GENESIS, chained, encode_columns, encode_input, kind_of
from daemon.journal.tables import BLOCKS, SCHEMA, SEGMENTS, TURNS


class JournalWriter:
    """The one writing connection to a journal file that does not exist yet.

    A replay's journal is written in batches and is worth nothing before the run directory is
    renamed into place, so nothing is synced here.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            self._connection.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA.read_text("utf-8")
            )
        except sqlite3.Error:
            self.close()
            raise
        self._segment = 0
        self._turns_hash = self._blocks_hash = self._segments_hash = GENESIS
        self._turns = self._blocks = 0
        self._waiting: list[tuple[Any, ...]] = []

    def open_segment(
        self, first_seq: int, reason: str, manifest: Mapping[str, Any], opening: Mapping[str, Any]
    ) -> None:
        """Begin a segment: everything that decides what its turns will do."""
        self._segment += 1
        row = (self._segment, first_seq, reason, json.dumps(manifest), json.dumps(opening))
        self._segments_hash = chained(self._segments_hash, *row)
        self._connection.execute(SEGMENTS.insert, (*row, self._segments_hash))

    def add_turn(self, turn: Turn, outputs: str) -> int:
        """Chain a turn with its encoded outputs; returns how many turns wait to be stored."""
        self._waiting.append(self._turn_row(turn, outputs))
        return len(self._waiting)

    def store_turns(self) -> None:
        """Store the turns that wait in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(TURNS.insert, self._waiting)
        self._connection.execute("COMMIT")
        self._turns += len(self._waiting)
        self._waiting.clear()

    def _turn_row(self, turn: Turn, outputs: str) -> tuple[Any, ...]:
        kind, item = kind_of(turn.input), None
        if kind == "command":  # slices and ticks are in the blocks
            _, item = encode_input(turn.input)
        row = (
            turn.seq, self._segment, turn.instant, kind, item, None, None, None, outputs, None,
        )  # fmt: skip
        self._turns_hash = chained(self._turns_hash, *row)
        return (*row, self._turns_hash)

    def add_block(self, kind: str, symbol: str, count: int, columns: Mapping[str, bytes]) -> None:
        """Append a block of columns."""
        self._blocks += 1
        row = (self._blocks, self._segment, kind, symbol, count, encode_columns(columns))
        self._blocks_hash = chained(self._blocks_hash, *row)
        self._connection.execute(BLOCKS.insert, (*row, self._blocks_hash))

    def seal(self) -> dict[str, Any]:
        """The ends of the chains, for the manifest: a shortened journal does not match them."""
        return {
            "turns": self._turns,
            "turns_hash": self._turns_hash.hex(),
            "blocks": self._blocks,
            "blocks_hash": self._blocks_hash.hex(),
            "segments_hash": self._segments_hash.hex(),
        }

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
