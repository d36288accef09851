"""The journal is empty, missing, lost its log or was replaced by an older copy -> refused with exit
78: the mark beside it says how far it had come; no fresh account is begun.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.trouble import Patient, contents, copy_state, journal_of, refusal


def empty(state: Path) -> None:
    (state / "journal.db").write_bytes(b"")


def missing(state: Path) -> None:
    (state / "journal.db").unlink()


def without_log(state: Path) -> None:
    (state / "journal.db-wal").unlink()


def with_an_empty_log(state: Path) -> None:
    (state / "journal.db-wal").write_bytes(b"")


def with_half_the_log(state: Path) -> None:
    wal = state / "journal.db-wal"
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])


LOSSES: list[tuple[Callable[[Path], None], str]] = [
    (empty, "journal.db"),
    (missing, "journal.db: missing"),
    (without_log, "the mark says turn"),
    (with_an_empty_log, "the mark says turn"),
    (with_half_the_log, "the mark says turn"),
]


@pytest.mark.parametrize(("lose", "words"), LOSSES, ids=[lose.__name__ for lose, _ in LOSSES])
def test_what_is_shorter_than_its_mark_is_refused(
    tmp_path: Path, killed_state: Path, lose: Callable[[Path], None], words: str
) -> None:
    daemon = journal_of(killed_state, tmp_path)
    lose(daemon.state)
    before = contents(daemon.state)
    said = refusal(daemon)
    assert words in said
    assert "papertape restore" in said or "restore" in said
    assert contents(daemon.state) == before


@pytest.mark.parametrize("lose", [empty, missing])
def test_a_journal_that_was_closed_in_order_is_missed_too(
    tmp_path: Path, stopped_state: Path, lose: Callable[[Path], None]
) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    lose(daemon.state)
    assert str(daemon.journal) in refusal(daemon)


def test_an_older_copy_is_told_from_the_journal(tmp_path: Path, stopped_state: Path) -> None:
    daemon: Patient = journal_of(stopped_state, tmp_path / "daemon")
    older = tmp_path / "older"
    copy_state(daemon.state, older)
    was = daemon.turns()
    daemon.start(wait=False)
    assert daemon.wait() == 0
    now = daemon.turns()
    shutil.copy2(older / "journal.db", daemon.journal)
    before = contents(daemon.state)
    assert f"turn {now} was committed, the journal ends at {was}" in refusal(daemon)
    assert contents(daemon.state) == before


def test_another_journal_of_the_same_length_is_told_apart(
    tmp_path: Path, stopped_state: Path, killed_state: Path
) -> None:
    daemon = journal_of(stopped_state, tmp_path / "daemon")
    other = journal_of(stopped_state, tmp_path / "other")
    for one in (daemon, other):
        one.settings["account.cash_usd"] = "100000" if one is daemon else "99000"
        (one.state / "journal.db").unlink()
        (one.state / "journal.mark").unlink()
        one.start(wait=False)
        assert one.wait() == 0
    assert daemon.turns() == other.turns()
    shutil.copy2(other.journal, daemon.journal)
    assert "another journal" in refusal(daemon)
