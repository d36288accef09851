"""What may happen to a process that commits turns: kill -9, a full disk, errors of the disk.

Whatever it is, a turn that was acknowledged is there afterwards, and nothing is half there.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from daemon.journal import store
from daemon.journal.faults import lacks_space, storage_error
from daemon.journal.integrity import check_state
from daemon.journal.reader import JournalReader
from daemon.journal.store import JournalBrokenError, JournalFullError
from tests.live_journals import names, turn, write

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60
"""Much more than anything here takes: it tells a hang from a slow machine."""


@contextmanager
def committing(
    state: Path, last: int, *options: str, under: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process that commits turns, gone at the end."""
    command = [*under, sys.executable, "-m", "tests.committing", str(state), str(last), *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stopping = threading.Timer(TIMEOUT_S, process.kill)
        stopping.start()
        try:
            yield process
        finally:
            process.kill()
            stopping.cancel()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What it says; each `full` is answered, so that it tries again."""
    assert process.stdout is not None and process.stdin is not None
    for line in process.stdout:
        yield line.rstrip("\n")
        if line.startswith("full"):
            process.stdin.write("again\n")
            process.stdin.flush()


def acked(said: Sequence[str]) -> int:
    """The last turn that was acknowledged."""
    return max([0, *(int(line.split()[1]) for line in said if line.startswith("acked"))])


# --- kill -9 ------------------------------------------------------------------------------------


def test_no_acknowledged_turn_is_lost_to_a_kill(tmp_path: Path) -> None:
    stored = 0
    for kill in range(10):
        said = []
        with committing(tmp_path, 10_000) as process:
            for line in lines(process):
                said.append(line)
                if acked(said) == stored + 7 * kill + 1:
                    process.kill()
        assert process.returncode == -9
        last = acked(said)
        assert last > stored
        ends = check_state(tmp_path)
        assert ends.last_seq in (last, last + 1)  # stored, and killed before it could say so
        assert ends.mark_note is None
        stored = ends.last_seq
    with closing(JournalReader(tmp_path / "journal.db")) as reader:
        assert [row.seq for row in reader.turns()] == [*range(1, stored + 1)]
        assert [entry.seq for entry in reader.ledger()] == [*range(1, stored + 1)]


@cache
def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-qq", "true"], check=False, capture_output=True)
    return tried.returncode == 0


traced = pytest.mark.skipif(not _can_trace(), reason="strace is not here or may not trace")


def _injected(call: str, what: str, when: str) -> list[str]:
    return [
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
        "-e", f"inject={call}:{what}:when={when}",
    ]  # fmt: skip


@traced
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
@pytest.mark.parametrize("when", [1, 2, 3, 5, 9, 14, 20, 30])
def test_a_kill_at_a_call_to_the_disk(tmp_path: Path, call: str, when: int) -> None:
    asyncio.run(write(tmp_path, 1, 2))
    with committing(tmp_path, 12, under=_injected(call, "signal=KILL", str(when))) as process:
        said = list(lines(process))
    last = max(2, acked(said))
    assert check_state(tmp_path).last_seq in (last, last + 1)


# --- the disk is full ---------------------------------------------------------------------------


@traced
@pytest.mark.parametrize("first", [11, 12, 13, 15, 21])
def test_a_write_without_space_is_tried_again(tmp_path: Path, first: int) -> None:
    asyncio.run(write(tmp_path, 1, 2))
    error = _injected("pwrite64", "error=ENOSPC", f"{first}..{first + 4}")
    with committing(tmp_path, 12, under=error) as process:
        said = list(lines(process))
    assert [line for line in said if line.startswith("full")]
    assert [line for line in said if line.startswith("acked")] == [
        f"acked {seq}" for seq in range(3, 13)
    ]
    assert check_state(tmp_path).last_seq == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MiB, most of it taken by a file."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    done = subprocess.run(mounting, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a file system of our own cannot be mounted here: {done.stderr.strip()}")
    try:
        (place / "ballast").write_bytes(bytes(700 * 1024))
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _error(code: int, text: str = "disk I/O error") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_SOMETHING"
    return error


IOERR_WRITE, IOERR_SHMSIZE = sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE
IOERR_FSYNC = sqlite3.SQLITE_IOERR_FSYNC


def test_what_may_be_repeated_with_space_left(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert not lacks_space(tmp_path)
    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        assert isinstance(storage_error(path, _error(code)), JournalFullError)
    for code in (IOERR_WRITE, IOERR_SHMSIZE, IOERR_FSYNC, sqlite3.SQLITE_CORRUPT):
        assert isinstance(storage_error(path, _error(code)), JournalBrokenError)
    closed = sqlite3.ProgrammingError("Cannot operate on a closed database.")
    assert isinstance(storage_error(path, closed), JournalBrokenError)
    for number, kind in ((errno.ENOSPC, JournalFullError), (errno.EIO, JournalBrokenError)):
        assert isinstance(storage_error(path, OSError(number, "")), kind)
    assert names(tmp_path) == []


def test_what_may_be_repeated_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    fill_up(small_disk)
    assert lacks_space(small_disk)
    for code in (IOERR_WRITE, IOERR_SHMSIZE):
        told = storage_error(path, _error(code))
        assert isinstance(told, JournalFullError)
        assert told.lines == (f"{path}: not written, the disk is full (SQLITE_SOMETHING)",)
    assert isinstance(storage_error(path, _error(IOERR_FSYNC)), JournalBrokenError)
    assert names(small_disk) == ["ballast", "more"]


def test_a_start_on_a_full_disk_may_be_repeated(small_disk: Path) -> None:
    asyncio.run(write(small_disk, 1, 2))
    fill_up(small_disk)
    for _ in range(2):
        with pytest.raises(JournalFullError, match="the disk is full"):
            asyncio.run(write(small_disk, 3, 3))
    (small_disk / "more").unlink()
    asyncio.run(write(small_disk, 3, 3))
    assert check_state(small_disk).last_seq == 3


def fill_up(disk: Path) -> None:
    """Take all the space there is left."""
    with (disk / "more").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4_096))


def test_a_full_disk_holds_up_and_loses_nothing(small_disk: Path) -> None:
    said: list[str] = []
    full: list[int] = []
    with committing(small_disk, 60) as process:
        for line in lines(process):
            said.append(line)
            if line.startswith("full") and not full:
                full.append(int(line.split()[1]))
                with closing(JournalReader(small_disk / "journal.db")) as reader:  # reading works
                    assert [row.seq for row in reader.turns()] == [*range(1, full[0])]
                (small_disk / "ballast").unlink()
    assert full
    assert 3 < full[0] < 60
    assert [line for line in said if line.startswith("acked")] == [
        f"acked {seq}" for seq in range(1, 61)
    ]
    assert said[-1] == "closed"
    assert check_state(small_disk).last_seq == 60
    assert names(small_disk) == ["journal.db", "journal.mark"]


def test_a_limit_on_the_size_of_files_is_no_full_disk(tmp_path: Path) -> None:
    under = ["sh", "-c", 'ulimit -f 200 && exec "$@"', "sh"]
    with committing(tmp_path, 1_000, under=under) as process:
        said = list(lines(process))
    (broken,) = (line for line in said if line.startswith("broken"))
    assert "cannot be written (SQLITE_IOERR_WRITE" in broken
    last = acked(said)
    assert 5 < last < 1_000
    assert check_state(tmp_path).last_seq == last
    with committing(tmp_path, last + 3) as process:
        assert acked(list(lines(process))) == last + 3
    assert check_state(tmp_path).last_seq == last + 3


@traced
@pytest.mark.parametrize("when", ["2", "3", "5", "8+"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_an_error_of_the_disk_is_never_tried_again(tmp_path: Path, call: str, when: str) -> None:
    asyncio.run(write(tmp_path, 1, 2))
    before = check_state(tmp_path).last_seq
    with committing(tmp_path, 40, under=_injected(call, "error=EIO", when)) as process:
        said = list(lines(process))
    assert not [line for line in said if line.startswith("full")]
    last = max(before, acked(said))
    assert check_state(tmp_path).last_seq in (last, last + 1)
    with committing(tmp_path, last + 5) as process:  # the next start goes on
        assert acked(list(lines(process))) == last + 5


# --- the end of the process ---------------------------------------------------------------------


@pytest.mark.parametrize("loop", [(), ("--uvloop",)])
def test_a_journal_that_nobody_closed_does_not_keep_the_process(
    tmp_path: Path, loop: tuple[str, ...]
) -> None:
    with committing(tmp_path, 3, "--unclosed", *loop) as process:
        assert list(lines(process)) == ["open", "acked 1", "acked 2", "acked 3"]
        assert process.wait(TIMEOUT_S) == 0
    assert check_state(tmp_path).last_seq == 3


def test_a_disk_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    with committing(tmp_path, 3, "--unclosed", "--hanging") as process:
        assert acked(list(lines(process))) == 3
        assert process.wait(TIMEOUT_S) == 0
    assert check_state(tmp_path).last_seq == 3


async def test_closing_is_bounded_where_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CLOSE_TIMEOUT_S", 0.05)
    journal = await write(tmp_path, 1, 2, closes=False)
    answers = threading.Event()
    await journal._connection.create_function("hang", 0, answers.wait)
    hanging = asyncio.create_task(journal._connection.execute_fetchall("SELECT hang()"))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(journal.commit(turn(seq), [], 1)) for seq in (3, 4)]
    await asyncio.sleep(0)
    await journal.close()
    for commit in waiting:
        with pytest.raises(JournalBrokenError, match="did not answer"):
            await commit
    thread = journal._connection._thread
    assert thread.is_alive()
    answers.set()
    await hanging
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    # the one that was handed over may be stored after all, as after a crash; the next one never is
    assert check_state(tmp_path).last_seq == 3
