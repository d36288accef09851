"""The live journal: what is committed is there, whole, once, whatever else goes on."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.core.turn import Turn
from daemon.errors import RefusedError
from daemon.journal import store
from daemon.journal.codec import GENESIS, chained
from daemon.journal.integrity import check_state
from daemon.journal.ledger import LedgerRow
from daemon.journal.mark import End, encode_mark, read_mark
from daemon.journal.reader import JournalReader
from daemon.journal.store import JournalBrokenError, JournalFullError, LiveJournal
from tests.live_journals import (
    CONNECTED,
    GAP,
    MANIFEST,
    OPENING,
    OPENS,
    WALL,
    names,
    rows,
    turn,
    write,
    written,
)

ALL = "SELECT * FROM turns ORDER BY seq"


# --- what is stored -----------------------------------------------------------------------------


def test_every_column_of_every_kind_of_turn(tmp_path: Path) -> None:
    tick, slice_, denied, note = (row[:-1] for row in rows(written(tmp_path, 4, []), ALL))
    session = (
        '"session":{"date":20240102,"opens":1704205800000000000,"closes":1704229200000000000,'
        '"bars":7,"last_start":1704227400000000000,"next_opens":1704292200000000000}'
    )
    market = (
        '{"start":1704213000000000000,"end":1704216600000000000,"bars":[{"symbol":"NVDA",'
        '"start":1704213000000000000,"end":1704216600000000000,"open":10.0,"high":11.0,'
        f'"low":9.75,"close":10.5,"volume":1002}}],"missing":[],{session},"index":2,'
        '"outcome":"received","actions":[]}'
    )
    assert tick == (
        1, 1, OPENS, "tick",
        f'{{"type":"Tick","instant":1704205800000000000,"kind":"opens",{session}}}',
        None, None, None, "[]", WALL + 1,
    )  # fmt: skip
    assert slice_ == (
        2, 1, 1_704_216_600 * 10**9, "slice", market,
        '[{"type":"Prediction","symbol":"NVDA","value":0.25,"failure":null}]',
        None, 2_000_000, "[]", WALL + 2,
    )  # fmt: skip
    assert denied[0] == 3
    assert denied[6:8] == (0, 3_000_000)
    assert denied[8] == (
        '[{"type":"Denial","instant":1704220200000000000,"symbol":"NVDA","reason":"PAUSED",'
        '"quantity":3,"origin":"target","detail":""}]'
    )
    assert note == (
        4, 1, OPENS + 4, "command",
        '{"type":"Note","instant":1704205800000000004,"source":"operator","reason":"note 4"}',
        None, None, None, "[]", WALL + 4,
    )  # fmt: skip


async def test_segments_facts_and_closings(tmp_path: Path) -> None:
    journal = await LiveJournal.open(tmp_path / "journal.db")
    assert (journal.segment, journal.last_seq, journal.turns) == (0, 0, 0)
    await journal.open_segment(1, "start", MANIFEST, '{"cash":1}')
    await journal.commit(turn(1), [GAP, CONNECTED], WALL)
    await journal.commit(turn(2), [], WALL)
    await journal.write_closing(2, {"cash": 7})
    await journal.open_segment(3, "config changed", MANIFEST, OPENING)
    await journal.commit(turn(3), [GAP], WALL)
    await journal.write_closing(3, '{"cash":8}')
    assert (journal.segment, journal.last_seq, journal.turns) == (2, 3, 3)
    await journal.close()

    path = journal.path
    assert [row[:-1] for row in rows(path, "SELECT * FROM ledger")] == [
        (1, 1, 1, "gap", OPENS, "NVDA", OPENS, OPENS + 3_600 * 10**9, "missing", "not sent"),
        (2, 1, 1, "feed", OPENS, "", None, None, "connected", "127.0.0.1"),
        (3, 2, 3, "gap", OPENS, "NVDA", OPENS, OPENS + 3_600 * 10**9, "missing", "not sent"),
    ]
    assert [row[:-1] for row in rows(path, "SELECT * FROM closings")] == [
        (1, 1, 2, '{"cash":7}'),
        (2, 2, 3, '{"cash":8}'),
    ]
    with closing(JournalReader(path)) as reader:
        assert reader.is_live
        first, second = reader.segments()
        assert first == (1, 1, "start", MANIFEST, {"cash": 1})
        assert second == (2, 3, "config changed", MANIFEST, OPENING)
        assert reader.segment() == (MANIFEST, {"cash": 1})
        assert [row.seq for row in reader.turns()] == [1, 2, 3]
        assert [row.seq for row in reader.turns(1)] == [1, 2]
        assert [row.seq for row in reader.turns(after=1)] == [2, 3]
        assert [row.seq for row in reader.turns(1, after=1)] == [2]
        last = reader.last_turn()
        assert last is not None
        assert (last.seq, last.segment, last.wall) == (3, 2, WALL)
        assert [reader.closing(seq) for seq in (1, 2, 3)] == [None, {"cash": 7}, {"cash": 8}]
        assert [row.seq for row in reader.ledger()] == [1, 1, 3]
        assert reader.check_chains(None) == []
    assert check_state(tmp_path)[2] == 2


def test_a_row_is_chained_to_the_one_before(tmp_path: Path) -> None:
    first, second = rows(written(tmp_path, 2), ALL)
    assert first[-1] == chained(GENESIS, *first[:-1])
    assert second[-1] == chained(first[-1], *second[:-1])


async def test_an_empty_journal_has_a_last_turn_of_none(tmp_path: Path) -> None:
    await (await LiveJournal.open(tmp_path / "journal.db")).close()
    with closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert reader.last_turn() is None
        assert reader.segments() == []
        assert reader.slice_before(5, 1) is None


def test_from_which_turn_there_are_so_many_slices(tmp_path: Path) -> None:
    path = written(tmp_path, 12, [])  # slices are 2, 3, 6, 7, 10, 11
    with closing(JournalReader(path)) as reader:
        assert [reader.slice_before(11, count) for count in (1, 2, 3)] == [10, 7, 6]
        assert reader.slice_before(11, 9) == 2
        assert reader.slice_before(2, 1) is None


# --- opening ------------------------------------------------------------------------------------


async def test_durability_is_asked_for_at_each_opening(tmp_path: Path) -> None:
    for _ in range(2):
        journal = await LiveJournal.open(tmp_path / "journal.db")
        run = journal._connection.execute_fetchall
        assert list(await run("PRAGMA journal_mode")) == [("wal",)]
        assert list(await run("PRAGMA synchronous")) == [(2,)]  # FULL
        assert list(await run("PRAGMA busy_timeout")) == [(2_000,)]
        await journal.close()


async def test_a_new_journal_has_its_mark_at_once(tmp_path: Path) -> None:
    journal = await LiveJournal.open(tmp_path / "journal.db")
    nothing = End(0, GENESIS)
    tables = ("segments", "turns", "ledger", "closings")
    assert read_mark(tmp_path / "journal.mark") == dict.fromkeys(tables, nothing)
    await journal.close()
    assert names(tmp_path) == ["journal.db", "journal.mark"]


async def test_a_journal_goes_on_where_it_ended(tmp_path: Path) -> None:
    await write(tmp_path, 1, 3, [GAP])
    journal = await write(tmp_path, 4, 6, [GAP])
    assert (journal.segment, journal.last_seq) == (1, 6)
    assert check_state(tmp_path)[:1] == (6,)
    assert [row[0] for row in rows(journal.path, "SELECT entry FROM ledger")] == [*range(1, 7)]


async def test_a_half_made_journal_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "journal.db.new").write_bytes(b"half")
    journal = await LiveJournal.open(tmp_path / "journal.db")
    await journal.close()
    assert names(tmp_path) == ["journal.db", "journal.mark"]


@pytest.mark.parametrize("left", ["journal.mark", "journal.db-wal"])
async def test_what_tells_of_a_journal_keeps_a_new_one_from_being_made(
    tmp_path: Path, left: str
) -> None:
    (tmp_path / left).write_bytes(b"anything")
    with pytest.raises(RefusedError, match=f"missing, though {left} is there"):
        await LiveJournal.open(tmp_path / "journal.db")
    assert names(tmp_path) == [left]


async def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the journal cannot be made"):
        await LiveJournal.open(tmp_path / "nowhere" / "journal.db")


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "it is empty"), (b"x" * 9_000, "file is not a database")]
)
async def test_what_is_no_journal_is_not_opened(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=words):
        await LiveJournal.open(path)
    assert path.read_bytes() == content


async def test_a_journal_that_ends_before_its_mark_is_not_opened(tmp_path: Path) -> None:
    await write(tmp_path, 1, 3)
    old = (tmp_path / "journal.db").read_bytes()
    await write(tmp_path, 4, 5)
    (tmp_path / "journal.db").write_bytes(old)
    with pytest.raises(RefusedError, match="turn 5 was committed, the journal ends at 3"):
        await LiveJournal.open(tmp_path / "journal.db")


async def test_another_journal_of_the_same_length_is_not_opened(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await write(tmp_path, 1, 3, [CONNECTED])
    await write(other, 1, 3, [GAP])
    (other / "journal.db").rename(tmp_path / "journal.db")
    with pytest.raises(RefusedError, match="ledger entry 3 is not the one the mark tells of"):
        await LiveJournal.open(tmp_path / "journal.db")


# --- a turn is whole or not there ---------------------------------------------------------------


async def test_the_last_look_is_after_the_inserts_and_before_the_commit(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    seen: list[Any] = []
    changes = journal._connection.total_changes

    def look() -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        seen.append(journal._connection.total_changes - changes)
        seen.append(rows(journal.path, "SELECT max(seq) FROM turns"))

    await journal.commit(turn(3), [GAP], WALL, look)
    assert seen == [True, 2, [(2,)]]
    assert rows(journal.path, "SELECT max(seq) FROM turns") == [(3,)]
    await journal.close()


async def test_what_the_last_look_raises_undoes_the_turn(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)

    def look() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await journal.commit(turn(3), [GAP], WALL, look)
    assert journal.last_seq == 2
    await journal.commit(turn(3), [GAP], WALL)
    await journal.close()
    assert check_state(tmp_path)[:1] == (3,)
    assert rows(journal.path, "SELECT count(*) FROM ledger") == [(1,)]


async def test_a_turn_that_cannot_be_written_down_leaves_nothing(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    with pytest.raises(OverflowError):
        await journal.commit(turn(3), [GAP, LedgerRow("gap", 1 << 70)], WALL)
    await journal.commit(turn(3), [GAP], WALL)
    await journal.close()
    assert rows(journal.path, "SELECT entry, seq FROM ledger") == [(1, 3)]
    assert check_state(tmp_path)[:1] == (3,)


async def test_a_turn_is_stored_once(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 3, [GAP], closes=False)
    stored = rows(journal.path, ALL)
    await journal.commit(turn(3), [GAP], WALL + 99)
    assert rows(journal.path, ALL) == stored
    assert rows(journal.path, "SELECT count(*) FROM ledger") == [(3,)]
    other = Turn(3, 1, turn(4).input, ())
    with pytest.raises(AssertionError, match="turn 3 is stored and was another"):
        await journal.commit(other, [], WALL)
    await journal.close()


async def test_turns_and_segments_leave_no_gap(tmp_path: Path) -> None:
    journal = await LiveJournal.open(tmp_path / "journal.db")
    with pytest.raises(AssertionError, match="needs a segment"):
        await journal.commit(turn(1), [], WALL)
    with pytest.raises(AssertionError, match="begins with the next turn"):
        await journal.open_segment(2, "start", MANIFEST, OPENING)
    await journal.open_segment(1, "start", MANIFEST, OPENING)
    with pytest.raises(AssertionError, match="turn 2 after turn 0"):
        await journal.commit(turn(2), [], WALL)
    await journal.commit(turn(1), [], WALL)
    with pytest.raises(AssertionError, match="after its last turn"):
        await journal.write_closing(2, {})
    await journal.close()


@pytest.mark.parametrize("rounds", range(14))
async def test_a_caller_that_is_cancelled_does_not_break_a_transaction(
    tmp_path: Path, rounds: int
) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    reached = asyncio.Event()
    committing = asyncio.create_task(journal.commit(turn(3), [GAP] * 3, WALL, reached.set))
    for _ in range(rounds):
        await asyncio.sleep(0)
    if rounds > 10:
        await reached.wait()
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    if rounds:  # it has begun: the next call finds it stored or stores it, never both
        await journal.commit(turn(3), [GAP] * 3, WALL)
    await journal.close()
    last = 3 if rounds else 2
    assert journal.last_seq == last
    assert check_state(tmp_path)[:1] == (last,)
    assert rows(journal.path, "SELECT count(*) FROM ledger") == [(3 if rounds else 0,)]


async def test_closing_finishes_what_waits(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    waiting = [asyncio.create_task(journal.commit(turn(seq), [], WALL)) for seq in (3, 4, 5)]
    await asyncio.sleep(0)
    await journal.close()
    await asyncio.gather(*waiting)
    assert check_state(tmp_path)[:1] == (5,)
    await journal.close()  # again is nothing
    with pytest.raises(JournalBrokenError, match="is closed"):
        await journal.commit(turn(6), [], WALL)


async def test_only_so_many_calls_may_wait(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 1, closes=False)
    waiting = [asyncio.create_task(journal.sync_mark()) for _ in range(store.JOBS_MAX + 1)]
    await asyncio.sleep(0)
    with pytest.raises(asyncio.QueueFull):
        await waiting[-1]
    await asyncio.gather(*waiting[:-1])
    await journal.close()


# --- others use the file as well ----------------------------------------------------------------


async def test_another_writer_is_waited_for_and_then_told(tmp_path: Path) -> None:
    await write(tmp_path, 1, 2)
    journal = await LiveJournal.open(tmp_path / "journal.db", busy_timeout_ms=10)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(JournalFullError, match=r"another process is writing.*BUSY"):
                await journal.commit(turn(3), [GAP], WALL)
        assert journal.last_seq == 2
        other.execute("ROLLBACK")
    await journal.commit(turn(3), [GAP], WALL)
    await journal.close()
    assert check_state(tmp_path)[:1] == (3,)


async def test_a_reader_with_a_snapshot_holds_nothing_up(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    with closing(JournalReader(journal.path)) as reader:
        found = reader.turns()
        assert next(found).seq == 1
        for seq in range(3, 40):
            await journal.commit(turn(seq), [], WALL)
        grown = journal.wal_bytes
        assert grown > 40 * 4096
        assert [row.seq for row in found] == [2]  # as of when it began
        assert [row.seq for row in reader.turns()] == [*range(1, 40)]
    await journal.close()
    assert journal.wal_bytes == 0
    assert check_state(tmp_path)[:1] == (39,)


async def test_a_reader_that_stays_does_not_keep_the_journal_from_closing(tmp_path: Path) -> None:
    await write(tmp_path, 1, 2)
    journal = await LiveJournal.open(tmp_path / "journal.db", busy_timeout_ms=10)
    await journal.commit(turn(3), [], WALL)
    with closing(JournalReader(journal.path)) as reader:
        found = reader.turns()
        next(found)
        await journal.commit(turn(4), [], WALL)
        await journal.close()
        assert [row.seq for row in found] == [2, 3]
    assert check_state(tmp_path)[:1] == (4,)


async def test_a_reader_follows_a_daemon_that_starts_later(tmp_path: Path) -> None:
    path = written_now(tmp_path)
    with closing(JournalReader(path)) as reader:
        assert [row.seq for row in reader.turns()] == [1, 2]
        journal = await write(tmp_path, 3, 4, closes=False)
        assert [row.seq for row in reader.turns()] == [1, 2, 3, 4]
        await journal.close()
        await write(tmp_path, 5, 5)
        assert [row.seq for row in reader.turns()] == [1, 2, 3, 4, 5]


def written_now(state: Path) -> Path:
    """A closed journal of two turns, made by a loop of its own."""
    maker = threading.Thread(target=lambda: asyncio.run(write(state, 1, 2)))
    maker.start()
    maker.join()
    return state / "journal.db"


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal"])
async def test_a_file_that_is_replaced_in_use_is_noticed(tmp_path: Path, name: str) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    (tmp_path / name).unlink()
    with pytest.raises(JournalBrokenError, match="replaced while in use"):
        await journal.commit(turn(3), [], WALL)
    (tmp_path / name).touch()
    with pytest.raises(JournalBrokenError, match="it failed before"):
        await journal.commit(turn(3), [], WALL)
    await journal.close()
    assert read_mark(tmp_path / "journal.mark") == journal._ends


# --- the mark -----------------------------------------------------------------------------------


async def test_the_mark_tells_of_every_commit(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, [GAP], closes=False)
    await journal.write_closing(2, {})
    mark = (tmp_path / "journal.mark").read_bytes()
    ends = {
        table: End(*rows(journal.path, f"SELECT {key}, hash FROM {table} ORDER BY 1 DESC")[0])  # noqa: S608 - names from below
        for table, key in (
            ("segments", "segment"), ("turns", "seq"), ("ledger", "entry"), ("closings", "closing")
        )
    }  # fmt: skip
    assert [end.key for end in ends.values()] == [1, 2, 2, 1]
    assert mark == encode_mark(ends)
    await journal.sync_mark()
    assert (tmp_path / "journal.mark").read_bytes() == mark
    await journal.close()


async def test_a_mark_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    journal._mark.close()
    await journal.commit(turn(3), [], WALL)
    assert journal.mark_failure is not None
    assert "journal.mark: cannot be written" in journal.mark_failure
    await journal.sync_mark()
    assert "journal.mark: cannot be synced" in journal.mark_failure
    await journal.close()
    marked = read_mark(tmp_path / "journal.mark")
    assert marked is not None
    assert marked["turns"].key == 2
    assert check_state(tmp_path)[:1] == (3,)  # ahead of its mark is in order


# --- an error that leaves the outcome open ------------------------------------------------------


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_with_an_error_is_looked_up(tmp_path: Path, carried_out: bool) -> None:
    journal = await write(tmp_path, 1, 2, closes=False)
    run = journal._run

    async def fails_at_commit(statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        if statement != "COMMIT":
            return await run(statement, values)
        if carried_out:
            await run(statement, values)
        raise sqlite3.OperationalError("disk I/O error")

    journal._run = fails_at_commit  # type: ignore[method-assign]  # SQLite offers no such failure
    if carried_out:
        await journal.commit(turn(3), [GAP], WALL)
    else:
        with pytest.raises(JournalBrokenError, match="cannot be written"):
            await journal.commit(turn(3), [GAP], WALL)
    journal._run = run  # type: ignore[method-assign]  # as it was
    await journal.close()
    assert check_state(tmp_path)[:1] == (3 if carried_out else 2,)
    assert journal.last_seq == (3 if carried_out else 2)
