"""Copies of a journal: made while it is written to, put back, put away, never half."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.errors import RefusedError, UsageError
from daemon.journal.backup import archive, backup, restore
from daemon.journal.integrity import check_file, check_state
from daemon.journal.writer import JournalWriter
from tests.live_journals import change, names, rows, turn, write, written

NOW = datetime(2024, 1, 2, 15, 30, 1, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory whose daemon stopped in order after turn 6."""
    folder = tmp_path / "state"
    folder.mkdir()
    return written(folder, 6).parent


# --- backup -------------------------------------------------------------------------------------


def test_a_copy_holds_everything(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    ends = backup(state, copy)
    assert ends == (*check_state(state)[:3], None)
    for table in ("segments", "turns", "ledger", "closings"):
        query = f"SELECT * FROM {table}"  # noqa: S608 - names from above
        assert rows(copy, query) == rows(state / "journal.db", query)
    assert rows(copy, "PRAGMA journal_mode") == [("delete",)]  # one file without company
    assert names(tmp_path) == ["copy.db", "state"]
    assert copy.stat().st_mode & 0o777 == 0o640


async def test_a_copy_of_a_running_daemon_is_of_one_moment(state: Path, tmp_path: Path) -> None:
    running = await write(state, 7, 8, closes=False)
    assert backup(state, tmp_path / "copy.db").last_seq == 8
    await running.commit(turn(9), [], 1)
    assert check_file(tmp_path / "copy.db")["turns"].key == 8
    assert backup(state, tmp_path / "later.db").last_seq == 9
    await running.close()


def test_a_copy_is_never_written_over_another(state: Path, tmp_path: Path) -> None:
    there = tmp_path / "copy.db"
    there.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"copy\.db: exists, and a copy is never written over"):
        backup(state, there)
    assert there.read_bytes() == b"mine"


def test_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no journal here"):
        backup(tmp_path, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_gives_no_copy(state: Path, tmp_path: Path) -> None:
    change(state / "journal.db", "UPDATE turns SET instant = 1 WHERE seq = 2")
    with pytest.raises(RefusedError, match="turns: seq 2 is not what was written"):
        backup(state, tmp_path / "copy.db")
    assert names(tmp_path) == ["state"]


def test_a_place_that_cannot_be_written(state: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="the copy cannot be written"):
        backup(state, tmp_path / "nowhere" / "copy.db")


# --- restore ------------------------------------------------------------------------------------


def test_a_copy_in_the_place_of_a_damaged_journal(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup(state, copy)
    asyncio.run(write(state, 7, 9))
    change(state / "journal.db", "UPDATE turns SET instant = 1 WHERE seq = 8")
    damaged = (state / "journal.db").read_bytes()
    mark = (state / "journal.mark").read_bytes()
    ends, place = restore(copy, state, now=NOW)
    assert ends.last_seq == 6
    assert check_state(state) == (6, ends.hash, 1, None)
    assert place == state / "archive" / "20240102T153001Z"
    assert (place / "journal.db").read_bytes() == damaged
    assert (place / "journal.mark").read_bytes() == mark
    assert (place / "reason.txt").read_text("utf-8") == f"restore of {copy}\n"
    assert names(state) == ["archive", "journal.db", "journal.mark"]
    asyncio.run(write(state, 7, 7))  # and it goes on
    assert check_state(state).last_seq == 7
    assert check_file(copy)["turns"].key == 6


async def test_a_write_ahead_log_goes_with_its_journal(state: Path, tmp_path: Path) -> None:
    backup(state, tmp_path / "copy.db")
    running = await write(state, 7, 8, closes=False)  # as if it had been killed
    _, place = restore(tmp_path / "copy.db", state, now=NOW)
    assert place is not None
    assert names(place) == [
        "journal.db", "journal.db-shm", "journal.db-wal", "journal.mark", "reason.txt"
    ]  # fmt: skip
    assert check_file(place / "journal.db")["turns"].key == 8
    assert check_state(state).last_seq == 6
    await running.close()


def test_into_an_empty_state_directory(state: Path, tmp_path: Path) -> None:
    backup(state, tmp_path / "copy.db")
    new = tmp_path / "new"
    new.mkdir()
    ends, place = restore(tmp_path / "copy.db", new)
    assert (ends.last_seq, place) == (6, None)
    assert check_state(new) == (6, ends.hash, 1, None)


def _replays(path: Path) -> None:
    writer = JournalWriter(path)
    writer.open_segment(1, "start", {}, {})
    writer.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.exists, "no journal here"),
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_bytes(b"x" * 5_000), "file is not a database"),
        (_replays, "not the journal of a daemon"),
    ],
)
def test_what_is_no_whole_copy_changes_nothing(
    state: Path, tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "copy.db")
    before = {path: path.read_bytes() for path in state.iterdir()}
    with pytest.raises(RefusedError, match=words):
        restore(tmp_path / "copy.db", state)
    assert {path: path.read_bytes() for path in state.iterdir()} == before


def test_a_copy_with_a_changed_row_changes_nothing(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backup(state, copy)
    change(copy, "UPDATE turns SET instant = 1 WHERE seq = 2")
    with pytest.raises(RefusedError, match=r"copy\.db: turns: seq 2 is not what was written"):
        restore(copy, state)
    assert names(state) == ["journal.db", "journal.mark"]


class Stopped(BaseException):
    """The process is killed here."""


@pytest.mark.parametrize("after", range(12))
def test_wherever_it_is_interrupted_no_state_looks_new(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    copy = tmp_path / "copy.db"
    backup(state, copy)
    asyncio.run(write(state, 7, 9))
    done = _stopping_after(monkeypatch, after)
    try:
        restore(copy, state, now=NOW)
    except Stopped:
        assert done()
    monkeypatch.undo()
    try:
        assert check_state(state).last_seq in (6, 9)
    except RefusedError as error:
        assert "journal.mark is there" in str(error)  # noqa: PT017 - either is in order
    restore(copy, state)  # it can be repeated
    assert check_state(state).last_seq == 6


def _stopping_after(monkeypatch: pytest.MonkeyPatch, calls: int) -> Callable[[], bool]:
    """Let the process be killed after so many changes of a folder."""
    left = [calls]

    def counted(change_folder: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if not left[0]:
                raise Stopped
            left[0] -= 1
            return change_folder(*arguments, **options)

        return call

    for owner, name in ((Path, "unlink"), (Path, "rename"), (Path, "replace"), (os, "link")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    return lambda: left[0] == 0


# --- archive ------------------------------------------------------------------------------------


def test_an_account_is_put_away(state: Path) -> None:
    content = (state / "journal.db").read_bytes()
    place = archive(state, "a new account", now=NOW)
    assert place == state / "archive" / "20240102T153001Z"
    assert names(place) == ["journal.db", "journal.mark", "reason.txt"]
    assert (place / "journal.db").read_bytes() == content
    assert (place / "reason.txt").read_text("utf-8") == "a new account\n"
    assert check_file(place / "journal.db")["turns"].key == 6
    assert names(state) == ["archive"]
    assert check_state(state).last_seq == 0
    asyncio.run(write(state, 1, 2))
    assert archive(state, "again", now=NOW) == state / "archive" / "20240102T153001Z-2"


def test_what_is_left_of_an_account_is_put_away_as_well(state: Path) -> None:
    (state / "journal.db").unlink()
    assert names(archive(state, "it was lost", now=NOW)) == ["journal.mark", "reason.txt"]
    assert check_state(state).last_seq == 0


def test_nothing_to_put_away(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no journal here, so nothing to put away"):
        archive(tmp_path, "why not")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_owner_of_the_directory(state: Path, tmp_path: Path) -> None:
    backup(state, tmp_path / "copy.db")
    os.chown(state, 65_534, 65_534)
    _, place = restore(tmp_path / "copy.db", state, now=NOW)
    assert place is not None
    for path in (state / "journal.db", state / "journal.mark", place, place / "reason.txt"):
        assert path.stat().st_uid == 65_534, path
