"""Changes what is stored in a run or a state directory, with or without covering the traces."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from daemon.journal.codec import (
    GENESIS,
    chained,
    decode_columns,
    encode_columns,
    from_bytes,
    to_bytes,
)
from daemon.journal.mark import End, encode_mark
from daemon.journal.tables import MARKED, SCHEMA_VERSION, TABLES


def execute(run: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """One statement on the run's journal."""
    with closing(sqlite3.connect(run / "journal.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


def reseal(run: Path) -> None:
    """Recompute all chains and the manifest's seal, so that the storage looks untouched."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    for name, end in rechain(run).items():
        if f"{name}_hash" in manifest["journal"]:
            manifest["journal"][f"{name}_hash"] = end.hash.hex()
    path.write_text(json.dumps(manifest), encoding="utf-8")


def remark(state: Path) -> None:
    """Recompute all chains of a daemon's journal and its mark, as if it had been written so."""
    ends = rechain(state)
    mark = state / "journal.mark"
    mark.write_bytes(encode_mark({table.name: ends[table.name] for table in MARKED}))


def rechain(folder: Path) -> dict[str, End]:
    """Recompute all chains of a journal; their ends."""
    ends = {}
    with closing(sqlite3.connect(folder / "journal.db")) as connection, connection:
        for table in TABLES[SCHEMA_VERSION]:
            previous, key = GENESIS, 0
            for row in connection.execute(table.select).fetchall():
                previous, key = chained(previous, *row[:-1]), row[0]
                update = f"UPDATE {table.name} SET hash = ? WHERE {table.key} = ?"  # noqa: S608 - names from a table
                connection.execute(update, (previous, key))
            ends[table.name] = End(key, previous)
    return ends


def change_bar(run: Path, column: str, place: int, change: float) -> None:
    """Add to one value of the first block of bars."""
    edit_block(run, "bars", column, "d", lambda values: _added(values, place, change))


def edit_block(
    run: Path, kind: str, column: str, code: str, edit: Callable[[array[Any]], None]
) -> None:
    """Change a column of the first block of a kind."""
    ((block, blob),) = execute(
        run, "SELECT block, columns FROM blocks WHERE kind = ? ORDER BY block LIMIT 1", kind
    )
    columns = decode_columns(blob)
    values = from_bytes(columns[column], code)
    edit(values)
    columns[column] = to_bytes(values, code)
    execute(run, "UPDATE blocks SET columns = ? WHERE block = ?", encode_columns(columns), block)


def _added(values: array[Any], place: int, change: float) -> None:
    values[place] = round(values[place] + change, 4)


def replace_outputs(run: Path, seq: int, old: str, new: str) -> None:
    """Replace text in the outputs of a turn."""
    ((text,),) = execute(run, "SELECT outputs FROM turns WHERE seq = ?", seq)
    assert old in text
    execute(run, "UPDATE turns SET outputs = ? WHERE seq = ?", text.replace(old, new), seq)


def replace_text(path: Path, old: str, new: str) -> None:
    """Replace text in a file, where it must stand."""
    text = path.read_text("utf-8")
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
