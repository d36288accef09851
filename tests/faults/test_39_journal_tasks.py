"""Whoever commits a turn is cancelled in the middle, two commit at once, nobody closes the
journal -> a turn is stored whole or not at all, none swallows another's, the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.journal.integrity import check_file, check_state
from daemon.journal.store import LiveJournal
from tests.live_journals import GAP, MANIFEST, OPENING, WALL, rows, turn
from tests.replay.workshop import ROOT

STEPS = 40
"""Passes of the loop within which a commit is over."""


async def opened(state: Path) -> LiveJournal:
    journal = await LiveJournal.open(state / "journal.db")
    if not journal.segment:
        await journal.open_segment(1, "start", MANIFEST, OPENING)
    return journal


async def test_cancelled_at_every_step(tmp_path: Path) -> None:
    """The caller does not know whether it was stored: it says it again, and it is there once."""
    journal = await opened(tmp_path)
    for seq in range(1, STEPS + 1):
        committing = asyncio.create_task(journal.commit(turn(seq), [GAP], WALL + seq))
        for _ in range(seq):
            await asyncio.sleep(0)
        committing.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # it may be over by now
            await committing
        await journal.commit(turn(seq), [GAP], WALL + seq)
        assert journal.last_seq == seq
    await journal.close()
    assert [seq for (seq,) in rows(journal.path, "SELECT seq FROM turns ORDER BY seq")] == list(
        range(1, STEPS + 1)
    )
    assert len(rows(journal.path, "SELECT * FROM ledger")) == STEPS
    assert check_state(tmp_path).last_seq == STEPS


async def test_two_at_once(tmp_path: Path) -> None:
    """Their statements never mix: one transaction after the other, in the order of the calls."""
    journal = await opened(tmp_path)

    def disturb() -> None:
        raise RuntimeError("not this one")

    results = await asyncio.gather(
        journal.commit(turn(1), [], WALL),
        journal.commit(turn(2), [], WALL),
        journal.sync_mark(),
        journal.commit(turn(3), [], WALL, disturb),
        journal.commit(turn(3), [GAP], WALL),
        return_exceptions=True,
    )
    assert [str(result) for result in results] == ["None", "None", "None", "not this one", "None"]
    await journal.close()
    assert rows(journal.path, "SELECT seq FROM turns ORDER BY seq") == [(1,), (2,), (3,)]
    assert rows(journal.path, "SELECT seq FROM ledger") == [(3,)]
    check_file(journal.path)


LEFT_OPEN = """
import asyncio, pathlib, sys
from tests.faults.test_39_journal_tasks import opened
from tests.live_journals import WALL, turn

async def main():
    journal = await opened(pathlib.Path(sys.argv[1]))
    await journal.commit(turn(1), [], WALL)
    {ending}

asyncio.run(main())
"""
ENDINGS = {
    "returns": ("pass", 0),
    "raises": ("raise RuntimeError('a bug')", 1),
    "exits": ("raise SystemExit(7)", 7),
    "leaves a commit behind": ("asyncio.create_task(journal.commit(turn(2), [], WALL))", 0),
    "waits for another writer": (
        (
            "import sqlite3; other = sqlite3.connect(journal.path, isolation_level=None);"
            "other.execute('BEGIN IMMEDIATE');"
            "asyncio.create_task(journal.commit(turn(2), [], WALL)); await asyncio.sleep(0.1)"
        ),
        0,
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_journal_that_nobody_closes_keeps_no_process(tmp_path: Path, name: str) -> None:
    ending, code = ENDINGS[name]
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN.format(ending=ending), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,  # of a process that would never end
    )
    assert done.returncode == code, done.stderr
    assert check_state(tmp_path).last_seq in {1, 2}
