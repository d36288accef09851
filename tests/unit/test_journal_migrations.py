"""A daemon's journal of an older version is brought up to date, whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import RefusedError
from daemon.journal import migrations
from daemon.journal.codec import GENESIS, chained
from daemon.journal.integrity import check_file, check_state
from daemon.journal.mark import End, MarkFile
from daemon.journal.migrations import migrate
from daemon.journal.reader import JournalReader
from daemon.journal.tables import LIVE, MARKED
from tests.live_journals import change, names, rows, turn, write

SCHEMA_1 = """
PRAGMA user_version = 1;
PRAGMA application_id = 1885433189; -- "pape"

CREATE TABLE segments (
    segment   INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    manifest  TEXT    NOT NULL, -- JSON: config, hashes of everything that decides, versions
    opening   TEXT    NOT NULL, -- JSON: the account's opening values
    hash      BLOB    NOT NULL
) STRICT;

CREATE TABLE turns (
    seq     INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segments (segment),
    instant INTEGER NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind = 'slice' OR kind = 'tick' OR kind = 'command'),
    input   TEXT,               -- JSON; NULL where the input is in the blocks
    outputs TEXT    NOT NULL,   -- JSON: a list, in the order they came about
    hash    BLOB    NOT NULL
) STRICT;

CREATE TABLE blocks (
    block   INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL REFERENCES segments (segment),
    kind    TEXT    NOT NULL CHECK (kind IN ('sessions', 'bars', 'predictions', 'equity', 'gaps')),
    symbol  TEXT    NOT NULL,   -- '' where the block is not about one symbol
    count   INTEGER NOT NULL,
    columns BLOB    NOT NULL,   -- msgpack: {name: little-endian array}
    hash    BLOB    NOT NULL
) STRICT;

CREATE VIEW outputs AS
SELECT t.seq, t.instant, json_extract(e.value, '$.type') AS type, e.value AS body
FROM turns AS t, json_each(t.outputs) AS e;

CREATE VIEW commands AS
SELECT seq, json_extract(input, '$.reason') AS reason FROM turns WHERE kind = 'command';
"""
"""What version 1 was, less most of its views."""

DENIAL = (
    '[{"type":"Denial","instant":20,"symbol":"NVDA","reason":"PAUSED","quantity":5,'
    '"origin":"target","detail":""}]'
)
NOTE = '{"type":"Note","instant":25,"source":"operator","reason":"hello"}'
TURNS: list[tuple[Any, ...]] = [
    (1, 1, 20, "slice", "{}", DENIAL),
    (2, 1, 25, "command", NOTE, "[]"),
    (3, 1, 80, "tick", "{}", "[]"),
]
SEGMENT = (1, 1, "start", '{"a": 1}', '{"cash_usd": 5}')


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a daemon's journal of version 1 with three turns and no mark."""
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA_1)
        insert_all(connection, "segments", [SEGMENT])
        insert_all(connection, "turns", TURNS)
    return path


def insert_all(connection: sqlite3.Connection, table: str, stored: list[tuple[Any, ...]]) -> None:
    """Insert rows with their hashes."""
    link = GENESIS
    for row in stored:
        link = chained(link, *row)
        marks = ", ".join("?" * (len(row) + 1))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", (*row, link))  # noqa: S608 - names from above


def test_every_row_is_there_afterwards_and_chained_anew(journal: Path) -> None:
    assert check_state(journal.parent)[:1] == (3,)
    assert migrate(journal) == 1
    link = GENESIS
    for was, now in zip(TURNS, rows(journal, "SELECT * FROM turns ORDER BY seq"), strict=True):
        assert now[:-1] == (*was[:-1], None, None, None, was[-1], None)
        link = chained(link, *now[:-1])
        assert now[-1] == link
    assert rows(journal, "SELECT * FROM segments") == [(*SEGMENT, chained(GENESIS, *SEGMENT))]
    for table in ("ledger", "closings", "blocks"):
        assert rows(journal, f"SELECT * FROM {table}") == []  # noqa: S608 - names from above
    assert rows(journal, "PRAGMA user_version") == [(2,)]
    assert rows(journal, "PRAGMA application_id") == [(LIVE,)]
    assert rows(journal, "PRAGMA integrity_check") == [("ok",)]
    assert rows(journal, "SELECT text FROM notes") == [("hello",)]
    assert rows(journal, "SELECT reason FROM denials") == [("PAUSED",)]
    assert check_state(journal.parent) == (3, link, 1, None)  # its mark is there as well


def test_what_was_there_stays_beside_it(journal: Path) -> None:
    before = rows(journal, "SELECT * FROM turns")
    migrate(journal)
    assert names(journal.parent) == ["journal.db", "journal.db.v1", "journal.mark"]
    kept = journal.with_name("journal.db.v1")
    assert rows(kept, "SELECT * FROM turns") == before
    assert rows(kept, "PRAGMA user_version") == [(1,)]
    assert check_file(kept)["turns"].key == 3


def test_it_is_done_once(journal: Path) -> None:
    assert migrate(journal) == 1
    content = journal.read_bytes()
    assert migrate(journal) is None
    assert journal.read_bytes() == content


def test_opening_for_writing_brings_it_up_to_date(journal: Path) -> None:
    asyncio.run(write(journal.parent, 4, 5))
    assert check_state(journal.parent)[:1] == (5,)
    with closing(JournalReader(journal)) as reader:
        assert reader.is_live
        assert [row.seq for row in reader.turns()] == [1, 2, 3, 4, 5]
        assert [row.wall is None for row in reader.turns()] == [True] * 3 + [False] * 2


def test_a_reader_does_not_bring_it_up_to_date(journal: Path) -> None:
    before = journal.read_bytes()
    with pytest.raises(RefusedError, match="journal version 1, this papertape reads 2"):
        JournalReader(journal)
    assert journal.read_bytes() == before


def test_an_interruption_leaves_it_as_it_was(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(journal, "SELECT * FROM turns")

    def interrupted(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if row[0] == 3:
            raise KeyboardInterrupt
        return upgrade(table, row)

    upgrade = migrations.UPGRADES[1]
    monkeypatch.setitem(migrations.UPGRADES, 1, interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrate(journal)
    assert rows(journal, "SELECT * FROM turns") == before
    assert rows(journal, "PRAGMA user_version") == [(1,)]
    assert check_state(journal.parent)[:1] == (3,)
    monkeypatch.undo()
    assert migrate(journal) == 1
    assert check_state(journal.parent)[:1] == (3,)


def test_an_interruption_before_the_mark_is_written_is_no_loss(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = check_file(journal)
    mark = {table.name: ends.get(table.name, End()) for table in MARKED}
    MarkFile(journal.with_name("journal.mark"), mark).close()
    assert check_state(journal.parent).mark_note is None

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "MarkFile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        migrate(journal)
    found = check_state(journal.parent)
    assert found.last_seq == 3
    assert found.mark_note is not None
    assert "missing; it is written anew" in found.mark_note


def test_a_damaged_one_is_not_touched(journal: Path) -> None:
    change(journal, "UPDATE turns SET instant = 26 WHERE seq = 2")
    before = journal.read_bytes()
    with pytest.raises(RefusedError, match="turns: seq 2 is not what was written"):
        migrate(journal)
    assert journal.read_bytes() == before
    assert names(journal.parent) == ["journal.db"]


def test_the_journal_of_a_replay_is_not_touched(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        insert_all(connection, "blocks", [(1, 1, "equity", "", 0, b"\x80")])
    before = journal.read_bytes()
    with pytest.raises(RefusedError, match="not the journal of a daemon"):
        migrate(journal)
    assert journal.read_bytes() == before


def test_a_newer_one_is_refused_in_one_line(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 3")
    before = journal.read_bytes()
    with pytest.raises(RefusedError) as caught:
        asyncio.run(write(journal.parent, 4, 4))
    assert caught.value.lines == (
        f"{journal}: journal version 3, this papertape reads 2: run the newer one that wrote it",
    )
    assert journal.read_bytes() == before
    assert names(journal.parent) == ["journal.db"]


def test_turns_go_on_after_those_that_were_there(journal: Path) -> None:
    asyncio.run(write(journal.parent, 4, 4))
    ((instant,),) = rows(journal, "SELECT instant FROM turns WHERE seq = 4")
    assert instant == turn(4).instant
