"""A bit of a stored row flips, which SQLite's own check does not see -> the chain names the row and
the start is refused with exit 78; a flip that changes nothing stored changes nothing at all.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import RefusedError
from daemon.journal.integrity import check_state
from tests.faults.trouble import Patient, contents, journal_of, refusal

TABLES = ("segments", "turns", "ledger", "closings", "blocks")
COLUMNS = [
    ("turns", "input", 7),
    ("turns", "outputs", 12),
    ("turns", "instant", 1),
    ("turns", "equity", 8),
    ("turns", "wall", 20),
    ("turns", "kind", 3),
    ("turns", "hash", 15),
    ("segments", "manifest", 1),
    ("segments", "opening", 1),
    ("closings", "account", 1),
]


def flip_stored(path: Path, table: str, column: str, key: int) -> None:
    """Flip the lowest bit of a stored value's last byte or digit, as its type has it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        name = {"turns": "seq", "segments": "segment", "closings": "closing"}[table]
        query = f"SELECT {column} FROM {table} WHERE {name} = ?"  # noqa: S608 - names of ours
        (value,) = connection.execute(query, (key,)).fetchone()
        update = f"UPDATE {table} SET {column} = ? WHERE {name} = ?"  # noqa: S608 - names of ours
        connection.execute(update, (flipped(value), key))
        assert connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",) or column == "kind"
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def flipped(value: Any) -> Any:
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    digit = next(place for place in range(len(value) - 1, -1, -1) if value[place].isalnum())
    return value[:digit] + chr(ord(value[digit]) ^ 1) + value[digit + 1 :]


@pytest.mark.parametrize(("table", "column", "key"), COLUMNS)
def test_each_column_is_watched(
    tmp_path: Path, stopped_state: Path, table: str, column: str, key: int
) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    with closing(sqlite3.connect(daemon.journal)) as connection:
        empty = connection.execute(
            f"SELECT {column} IS NULL FROM {table} LIMIT 1 OFFSET {key - 1}"  # noqa: S608 - as above
        ).fetchone()
    assert empty == (0,), "another row must be chosen"
    flip_stored(daemon.journal, table, column, key)
    with pytest.raises(RefusedError) as caught:
        check_state(daemon.state)
    (line,) = caught.value.lines
    assert f"{table}: " in line
    assert f" {key} is not what was written" in line or "damaged pages" in line


def test_the_daemon_names_the_turn(tmp_path: Path, stopped_state: Path) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    flip_stored(daemon.journal, "turns", "outputs", 12)
    before = contents(daemon.state)
    assert "turns: seq 12 is not what was written" in refusal(daemon)
    assert contents(daemon.state) == before


@pytest.mark.parametrize("flips", [150, pytest.param(5000, marks=pytest.mark.soak)])
def test_single_bits_anywhere_in_the_file(tmp_path: Path, stopped_state: Path, flips: int) -> None:
    """Every flip that changes what is read is refused; the rest may be taken either way."""
    shutil.copy2(stopped_state / "journal.mark", tmp_path)
    path, rng = tmp_path / "journal.db", random.Random(7)
    good = (stopped_state / "journal.db").read_bytes()
    path.write_bytes(good)
    stored = everything_in(path)
    assert stored is not None
    check_state(tmp_path)
    changed = 0
    for _ in range(flips):
        content = bytearray(good)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        if everything_in(path) != stored:
            changed += 1
            with pytest.raises(RefusedError):
                check_state(tmp_path)
    assert changed > flips // 3, "the flips have missed the rows"


def everything_in(path: Path) -> list[Any] | None:
    """All that is stored, by a reader of its own; None where it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
            return [
                connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - names of ours
                for table in TABLES
            ]
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def test_the_check_is_what_refuses(tmp_path: Path, stopped_state: Path) -> None:
    """The same copy without a flip starts: it is not refused for being a copy."""
    daemon: Patient = journal_of(stopped_state, tmp_path)
    daemon.start(wait=False)
    assert daemon.wait() == 0
