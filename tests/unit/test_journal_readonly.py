"""Whoever may read a journal can, running daemon or not, and leaves no trace."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from daemon.errors import RefusedError
from daemon.journal.backup import copy_journal
from daemon.journal.reader import JournalReader
from daemon.journal.readonly import ReadOnlyFile
from tests.live_journals import change, names, turn, write, written

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65_534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")


def read_by_another(path: Path) -> str:
    """What a user who may read the files and write nothing gets to know."""
    command = [sys.executable, "-m", "tests.reading", str(path), str(NOBODY)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return a state directory that everybody may read, as may the folders above it."""
    state = tmp_path / "state"
    state.mkdir()
    for folder in (state, *state.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return state


def readable(state: Path) -> None:
    """Let everybody read the files."""
    for file in state.iterdir():
        file.chmod(0o644)


@as_root
def test_of_a_daemon_that_stopped(shared: Path) -> None:
    path = written(shared, 3)
    readable(shared)
    assert read_by_another(path) == "1 2 3"
    assert names(shared) == ["journal.db", "journal.mark"]


@as_root
async def test_of_a_daemon_that_runs(shared: Path) -> None:
    journal = await write(shared, 1, 3, closes=False)
    readable(shared)
    assert read_by_another(journal.path) == "1 2 3"
    await journal.commit(turn(4), [], 1)
    assert read_by_another(journal.path) == "1 2 3 4"
    await journal.close()


@as_root
async def test_of_a_daemon_that_was_killed(shared: Path) -> None:
    journal = await write(shared, 1, 3, closes=False)
    crashed = shared / "crashed"
    shutil.copytree(shared, crashed)
    await journal.close()
    crashed.chmod(0o755)
    readable(crashed)
    path = crashed / "journal.db"
    assert read_by_another(path) == "1 2 3"
    (crashed / "journal.db-shm").unlink()
    assert read_by_another(path) == (
        f"PERMISSION {path}: this user may not read it (it was not closed and its log cannot be "
        f"read from here): ask as the daemon's user"
    )


@as_root
def test_of_a_user_who_may_not(shared: Path) -> None:
    path = written(shared, 3)
    path.chmod(0o640)
    assert read_by_another(path) == (
        f"PERMISSION {path}: this user may not read it (Permission denied): ask as the daemon's "
        f"user"
    )
    path.chmod(0o644)
    shared.chmod(0o700)
    assert read_by_another(path).startswith(f"PERMISSION {path}: this user may not read it (")


def test_a_journal_that_is_written_to_while_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    with closing(JournalReader(path)) as reader:
        found = reader.turns()
        assert next(found).seq == 1
        change(path, "UPDATE turns SET wall = 5 WHERE seq = 3")
        os.utime(path, ns=(1, 1))  # as if it had been later: clocks of files are coarse
        with pytest.raises(RefusedError, match="was written to while it was read"):
            list(found)


def test_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    state = tmp_path / "a b?c#d%20é"
    state.mkdir()
    path = written(state, 2)
    with closing(JournalReader(path)) as reader:
        assert [row.seq for row in reader.turns()] == [1, 2]


async def test_a_whole_copy_of_a_journal_in_use(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 3, closes=False)
    copy_journal(journal.path, tmp_path / "copy.db")
    await journal.commit(turn(4), [], 1)
    with closing(ReadOnlyFile(tmp_path / "copy.db")) as file:
        assert file.one("SELECT max(seq) FROM turns") == (3,)
    await journal.close()


async def test_a_snapshot_stays_as_it_is(tmp_path: Path) -> None:
    journal = await write(tmp_path, 1, 3, closes=False)
    with closing(ReadOnlyFile(journal.path)) as file:
        file.snapshot()
        assert file.one("SELECT max(seq) FROM turns") == (3,)
        await journal.commit(turn(4), [], 1)
        assert file.one("SELECT max(seq) FROM turns") == (3,)
    await journal.close()


def test_nothing_can_be_written(tmp_path: Path) -> None:
    path = written(tmp_path, 3)
    with closing(ReadOnlyFile(path)) as file, pytest.raises(sqlite3.OperationalError):
        file._connection.execute("DELETE FROM turns")
