"""A journal that is not whole is refused, by name, and left as it is."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from daemon.errors import PapertapeError, RefusedError
from daemon.journal.codec import GENESIS, chained
from daemon.journal.integrity import check_file, check_state
from daemon.journal.mark import MARK_BYTES, End, read_mark
from daemon.journal.tables import LEDGER, LIVE, SCHEMA_VERSION, SEGMENTS, TABLES, TURNS, Table
from daemon.journal.writer import JournalWriter
from tests.live_journals import CONNECTED, GAP, change, rows, turn, write, written

REPAIR = "`papertape restore` puts a copy in its place"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory whose daemon stopped in order after turn 6."""
    return written(tmp_path, 6, [GAP, CONNECTED]).parent


@pytest.fixture
def journal(state: Path) -> Path:
    return state / "journal.db"


def refused(state: Path) -> str:
    """The one line of the refusal, which has changed nothing."""
    before = {path: path.read_bytes() for path in state.iterdir()}
    with pytest.raises(RefusedError) as caught:
        check_state(state)
    after = {path: path.read_bytes() for path in state.iterdir() if not path.match("*-shm")}
    assert after == {path: before[path] for path in before if not path.match("*-shm")}
    (line,) = caught.value.lines
    assert line.startswith(f"{state / 'journal.db'}: ")
    return line


def rechain(path: Path) -> None:
    """Compute all hashes anew, as somebody would who knows how."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in TABLES[SCHEMA_VERSION]:
            link = GENESIS
            for row in connection.execute(table.select).fetchall():
                link = chained(link, *row[:-1])
                connection.execute(
                    f"UPDATE {table.name} SET hash = ? WHERE {table.key} = ?",  # noqa: S608 - names from a table
                    (link, row[0]),
                )


# --- what is in order ---------------------------------------------------------------------------


def test_a_state_directory_before_its_first_start(tmp_path: Path) -> None:
    assert check_state(tmp_path) == (0, GENESIS, 0, None)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_journal(state: Path, journal: Path) -> None:
    ((last,),) = rows(journal, "SELECT hash FROM turns WHERE seq = 6")
    assert check_state(state) == (6, last, 1, None)
    ends = check_file(journal)
    assert {name: end.key for name, end in ends.items()} == {
        "segments": 1, "turns": 6, "ledger": 12, "closings": 0, "blocks": 0
    }  # fmt: skip


async def test_a_journal_in_use(tmp_path: Path) -> None:
    running = await write(tmp_path, 1, 3, closes=False)
    assert check_state(tmp_path).last_seq == 3
    await running.commit(turn(4), [], 1)
    assert check_state(tmp_path).last_seq == 4
    await running.close()


def test_a_mark_that_lags_behind(state: Path) -> None:
    mark = (state / "journal.mark").read_bytes()
    asyncio.run(write(state, 7, 9))
    (state / "journal.mark").write_bytes(mark)
    assert check_state(state)[:1] == (9,)
    assert check_state(state).mark_note is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda mark: mark.unlink(), "missing; it is written anew"),
        (lambda mark: mark.write_bytes(b""), "not used, its checksum is wrong"),
        (lambda mark: mark.write_bytes(mark.read_bytes()[:-1] + b"\0"), "its checksum is wrong"),
        (
            lambda mark: mark.write_bytes(mark.read_bytes().replace(b"6 ", b"7 ", 1)),
            "its checksum is wrong",
        ),
        (lambda mark: (mark.unlink(), mark.mkdir()), "not used, "),
    ],
)
def test_a_mark_that_says_nothing_is_reported(
    state: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(state / "journal.mark")
    ends = check_state(state)
    assert ends.last_seq == 6
    assert ends.mark_note is not None
    assert ends.mark_note.startswith(f"{state / 'journal.mark'}: ")
    assert words in ends.mark_note


def test_a_mark_has_one_size_whatever_it_says(state: Path) -> None:
    assert (state / "journal.mark").stat().st_size == MARK_BYTES == 475
    marked = read_mark(state / "journal.mark")
    assert marked is not None
    assert {name: end.key for name, end in marked.items()} == {
        "segments": 1, "turns": 6, "ledger": 12, "closings": 0
    }  # fmt: skip


def test_a_damaged_mark_is_written_anew_at_the_next_start(state: Path) -> None:
    (state / "journal.mark").write_bytes(b"x" * 3_000)
    asyncio.run(write(state, 7, 7))
    assert check_state(state) == (7, *check_state(state)[1:3], None)
    assert (state / "journal.mark").stat().st_size == MARK_BYTES


# --- what is missing ----------------------------------------------------------------------------


def test_a_journal_that_is_gone(state: Path, journal: Path) -> None:
    journal.unlink()
    assert "missing, though journal.mark is there" in refused(state)


def test_an_empty_journal(state: Path, journal: Path) -> None:
    journal.write_bytes(b"")
    assert "not a journal (it is empty): `papertape verify` says more" in refused(state)


@pytest.mark.parametrize("kept", [50, 100, 4_096, 10_000, 20_480, 40_000])
def test_a_truncated_journal(state: Path, journal: Path, kept: int) -> None:
    content = journal.read_bytes()
    assert len(content) > kept
    journal.write_bytes(content[:kept])
    refused(state)


def test_an_older_copy(state: Path, journal: Path) -> None:
    old = journal.read_bytes()
    asyncio.run(write(state, 7, 9))
    journal.write_bytes(old)
    line = refused(state)
    assert "the mark says turn 9 was committed, the journal ends at 6: it was truncated" in line
    assert REPAIR in line
    assert "`papertape verify`" in line


async def test_a_lost_write_ahead_log(tmp_path: Path) -> None:
    await write(tmp_path, 1, 3)
    running = await write(tmp_path, 4, 8, closes=False)
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path, crashed)
    await running.close()
    assert check_state(crashed).last_seq == 8
    (crashed / "journal.db-wal").unlink()
    (crashed / "journal.db-shm").unlink()
    assert "the mark says turn 8 was committed, the journal ends at 3" in refused(crashed)


async def test_a_write_ahead_log_that_is_cut_anywhere(tmp_path: Path) -> None:
    running = await write(tmp_path, 1, 8, closes=False)
    crashed = tmp_path / "crashed"
    shutil.copytree(tmp_path, crashed)
    await running.close()
    log = crashed / "journal.db-wal"
    content = log.read_bytes()
    draw = random.Random(5)
    for kept in [*(draw.randrange(len(content)) for _ in range(25)), len(content) - 1]:
        log.write_bytes(content[:kept])
        (crashed / "journal.db-shm").unlink(missing_ok=True)
        assert "was committed, the journal ends at" in refused(crashed)
    log.write_bytes(content)
    assert check_state(crashed).last_seq == 8


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["DELETE FROM turns WHERE seq = 6"], "mark says turn 6 was committed, the journal ends a"),
        (["DELETE FROM turns WHERE seq = 3"], "turns: seq 4 follows 2"),
        (["DELETE FROM turns"], "the mark says turn 6 was committed, the journal ends at 0"),
        (["DELETE FROM ledger WHERE entry = 12"], "the mark says ledger row 12 was committed"),
        (["DELETE FROM segments"], "the mark says segments row 1 was committed"),
    ],
)
@pytest.mark.parametrize("chain_is_mended", [False, True])
def test_rows_that_are_missing(
    state: Path, journal: Path, statements: list[str], words: str, chain_is_mended: bool
) -> None:
    for statement in statements:
        change(journal, statement)
    if chain_is_mended:
        rechain(journal)
    assert words in refused(state)


# --- what is damaged ----------------------------------------------------------------------------


COLUMNS = [
    (table, column)
    for table in (SEGMENTS, TURNS, LEDGER)
    for column in (*table.columns[1:], "hash")
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_every_column_of_every_row_is_chained(
    state: Path, journal: Path, table: Table, column: str
) -> None:
    number = 1 if table is SEGMENTS else 3
    other = {"hash": "zeroblob(32)", "kind": "'tick'" if table is TURNS else "'feed'"}
    more = f"iif(typeof({column}) = 'integer', {column} + 1, {column} || '7')"
    value = other.get(column, more)
    statement = f"UPDATE {table.name} SET {column} = {value} WHERE {table.key} = ?"  # noqa: S608 - names from a table
    change(journal, statement, number)
    line = refused(state)
    assert f"{table.name}: {table.key} {number} is not what was written" in line
    assert REPAIR in line


def test_another_journal_with_a_chain_of_its_own(state: Path, journal: Path) -> None:
    change(journal, "UPDATE turns SET wall = 1 WHERE seq = 6")
    rechain(journal)
    assert "turns seq 6 is not the one the mark tells of" in refused(state)
    change(journal, "UPDATE turns SET wall = 2 WHERE seq = 3")
    rechain(journal)
    assert "turns seq 6 is not the one the mark tells of" in refused(state)


def test_another_journal_that_is_longer(state: Path, journal: Path) -> None:
    mark = (state / "journal.mark").read_bytes()
    asyncio.run(write(state, 7, 9))
    (state / "journal.mark").write_bytes(mark)
    change(journal, "UPDATE turns SET wall = 2 WHERE seq = 3")
    rechain(journal)
    assert "turns seq 6 is not the one the mark tells of" in refused(state)


def test_pages_of_zeros(state: Path, journal: Path) -> None:
    whole, ends = journal.read_bytes(), check_file(journal)
    pages = len(whole) // 4_096
    assert pages > 8
    hits = 0
    for page in range(pages):
        content = bytearray(whole)
        content[page * 4_096 : (page + 1) * 4_096] = bytes(4_096)
        journal.write_bytes(content)
        hits += refused_or_equal(state, journal, ends)
    assert hits == pages


def test_the_header_of_the_file(state: Path, journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    content[:16] = b"SQLite formal 3\0"
    journal.write_bytes(content)
    assert "not a journal (file is not a database)" in refused(state)


def test_a_page_whose_rows_can_all_be_read(state: Path, journal: Path) -> None:
    ((page,),) = rows(journal, "SELECT rootpage FROM sqlite_schema WHERE name = 'turns'")
    content = bytearray(journal.read_bytes())
    content[(page - 1) * 4_096 + 7] ^= 1  # how many bytes of it are lost between cells
    journal.write_bytes(content)
    assert "damaged pages (" in refused(state)


def test_single_bits(state: Path, journal: Path, tmp_path: Path) -> None:
    whole, ends = journal.read_bytes(), check_file(journal)
    draw = random.Random(11)
    places = [*range(0, 100, 9), *(draw.randrange(len(whole)) for _ in range(250))]
    hits = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << draw.randrange(8)
        journal.write_bytes(content)
        hits += refused_or_equal(state, journal, ends)
    assert hits > 40  # the others hit bytes that hold nothing, and views
    journal.write_bytes(whole)
    assert check_state(state).last_seq == 6


def refused_or_equal(state: Path, journal: Path, ends: Mapping[str, End]) -> bool:
    """Whether it was refused; if not, every chain must end as it did, so every value is right."""
    try:
        check_state(state)
    except PapertapeError:
        return True
    assert check_file(journal) == ends
    return False


def test_a_table_with_another_definition(state: Path, journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("ALTER TABLE ledger ADD COLUMN more TEXT")
    assert "its tables are not those of a journal" in refused(state)


# --- what is no journal of a daemon -------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "words"),
    [
        ("user_version = 3", "journal version 3, this papertape reads 2: run the newer one"),
        ("user_version = -1", "not a journal (another program's database)"),
        ("application_id = 7", "not a journal (another program's database)"),
    ],
)
def test_another_version_or_program(state: Path, journal: Path, pragma: str, words: str) -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA {pragma}")
    assert words in refused(state)


def test_the_journal_of_a_replay(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.db")
    writer.open_segment(1, "start", {}, {})
    writer.close()
    assert "not the journal of a daemon (a replay wrote it)" in refused(tmp_path)


def test_a_daemons_journal_says_so(journal: Path) -> None:
    assert rows(journal, "PRAGMA application_id") == [(LIVE,)]
    assert LIVE.to_bytes(4, "big") == b"papl"
