"""A new version over an old state, or an old one over a new state -> brought up to date in one
transaction with a copy beside it, or refused in one line with the file untouched.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.journal.codec import GENESIS, chained
from tests.faults.trouble import (
    Patient,
    check_verified,
    contents,
    inject,
    journal_of,
    refusal,
)
from tests.unit.test_journal_migrations import SCHEMA_1

OLD_COLUMNS = "seq, segment, instant, kind, input, outputs"


def as_version_1(journal: Path) -> None:
    """Write a journal as the first version would have: without much of what is kept today."""
    with closing(sqlite3.connect(journal)) as connection:
        segments = connection.execute(
            "SELECT segment, first_seq, reason, manifest, opening FROM segments ORDER BY segment"
        ).fetchall()
        turns = connection.execute(f"SELECT {OLD_COLUMNS} FROM turns ORDER BY seq").fetchall()  # noqa: S608 - ours
    for name in ("journal.db", "journal.db-wal", "journal.db-shm", "journal.mark"):
        (journal.parent / name).unlink(missing_ok=True)
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.executescript(SCHEMA_1)
        for table, stored in (("segments", segments), ("turns", turns)):
            link = GENESIS
            for row in stored:
                link = chained(link, *row)
                marks = ", ".join("?" * (len(row) + 1))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", (*row, link))  # noqa: S608 - ours


def versions(daemon: Patient) -> int:
    ((version,),) = daemon.query("PRAGMA user_version")
    return int(version)


def test_an_old_journal_is_brought_up_to_date(tmp_path: Path, stopped_state: Path) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    trading = daemon.query("SELECT * FROM fills ORDER BY fill_id")
    as_version_1(daemon.journal)
    old = daemon.journal.read_bytes()
    daemon.start(wait=False)
    assert daemon.wait() == 0, daemon.log()
    assert versions(daemon) == 2
    kept = daemon.state / "journal.db.v1"
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert old
    assert daemon.query("SELECT * FROM fills ORDER BY fill_id")[: len(trading)] == trading
    assert daemon.turns() > 30
    check_verified(daemon)


@pytest.mark.parametrize("when", [3, 9, pytest.param(15, marks=pytest.mark.soak)])
def test_killed_while_it_is_brought_up_to_date(
    tmp_path: Path, stopped_state: Path, needs_strace: None, when: int
) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    trading = daemon.query("SELECT * FROM fills ORDER BY fill_id")
    as_version_1(daemon.journal)
    paths = [daemon.journal, daemon.state / "journal.db-journal"]
    daemon.start(prefix=inject("pwrite64", "signal=KILL", when, paths), wait=False)
    assert daemon.wait() != 0
    daemon.start(wait=False)
    assert daemon.wait() == 0, daemon.log()
    assert versions(daemon) == 2
    assert daemon.query("SELECT * FROM fills ORDER BY fill_id")[: len(trading)] == trading


def test_a_newer_journal_is_refused(tmp_path: Path, stopped_state: Path) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    with closing(sqlite3.connect(daemon.journal)) as connection, connection:
        connection.execute("PRAGMA user_version = 3")
    before = contents(daemon.state)
    said = refusal(daemon)
    assert "journal version 3, this papertape reads 2: run the newer one that wrote it" in said
    assert contents(daemon.state) == before


def test_another_engine_begins_a_new_segment(tmp_path: Path, stopped_state: Path) -> None:
    """The account goes on by value; the manifest says that it was the engine."""
    daemon = journal_of(stopped_state, tmp_path)
    before = daemon.status()
    program = (
        "import daemon, runpy, sys; daemon.ENGINE_VERSION += 1; sys.argv[0] = 'daemon';"
        "runpy.run_module('daemon', run_name='__main__', alter_sys=True)"
    )
    # `PYTHON -m daemon ...` is what is started; another program takes the place of `-m daemon`.
    other = 'program=$1; python=$2; shift 4; exec "$python" -c "$program" "$@"'
    daemon.start(prefix=("sh", "-c", other, "sh", program), wait=False)
    assert daemon.wait() == 0, daemon.log()
    segments = daemon.query("SELECT reason, opening FROM segments ORDER BY segment")
    assert "engine_version has changed" in segments[-1][0]
    assert str(before["cash_usd"]).replace(".", "")[:6] in segments[-1][1]
