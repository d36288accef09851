"""The journal's file is damaged (header, page, length, log) -> exit 78 that names the file and what
to do; not a byte of it is touched, and no fresh account is begun.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.trouble import contents, journal_of, refusal

PAGE = 4096


def overwritten(start: int, content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(content)

    return damage


def cut_to(part: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(int(path.stat().st_size * part))

    return damage


def noise_in_the_middle(path: Path) -> None:
    """A page of the rows, which are the larger part of the file."""
    middle = path.stat().st_size // PAGE // 2 * PAGE
    overwritten(middle, random.Random(6).randbytes(PAGE))(path)


def noise_at_the_end(path: Path) -> None:
    overwritten(path.stat().st_size - PAGE, random.Random(7).randbytes(PAGE))(path)


def another_schema(path: Path) -> None:
    """One word less in the definition of a table."""
    content = path.read_bytes()
    place = content.index(b"gate        INTEGER")
    overwritten(place, b"gate               ")(path)


def another_text(path: Path) -> None:
    path.write_text("a shopping list\n" * 1000)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no header": overwritten(0, bytes(16)),
    "another page size": overwritten(16, b"\x02\x00"),
    "no schema": overwritten(100, bytes(PAGE - 100)),
    "another schema": another_schema,
    "noise in a page": noise_in_the_middle,
    "noise in the last page": noise_at_the_end,
    "half a file": cut_to(0.5),
    "a page short": cut_to(0.95),
    "another program's text": another_text,
    "a version that never was": overwritten(60, b"\x00\x00\x7f\xff"),
    "another application": overwritten(68, b"\x00\x00\x00\x01"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused(tmp_path: Path, stopped_state: Path, name: str) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    DAMAGES[name](daemon.journal)
    before = contents(daemon.state)
    said = refusal(daemon)
    assert str(daemon.journal) in said
    assert contents(daemon.state) == before


def test_what_can_be_done_is_named(tmp_path: Path, stopped_state: Path) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    noise_in_the_middle(daemon.journal)
    said = refusal(daemon)
    assert "papertape verify" in said
    assert "papertape restore" in said


@pytest.mark.parametrize("place", [24, 33, 2000, -2000])
def test_a_damaged_log_is_noticed(tmp_path: Path, killed_state: Path, place: int) -> None:
    """SQLite takes a damaged log for a shorter one and says nothing; the mark does."""
    daemon = journal_of(killed_state, tmp_path)
    wal = daemon.state / "journal.db-wal"
    content = bytearray(wal.read_bytes())
    content[place] ^= 1
    wal.write_bytes(content)
    before = contents(daemon.state, ["journal.db", "journal.mark"])
    said = refusal(daemon)
    assert "the mark says turn" in said or "missing" in said or "not a journal" in said
    assert contents(daemon.state, ["journal.db", "journal.mark"]) == before


def test_other_verbs_refuse_as_well(tmp_path: Path, stopped_state: Path) -> None:
    daemon = journal_of(stopped_state, tmp_path)
    noise_in_the_middle(daemon.journal)
    for words in (("status",), ("reset", "--reason", "x"), ("verify",)):
        answer = daemon.type(*words)
        assert answer.code in {1, 78}, (words, answer)
        assert "journal.db" in answer.out + answer.err
        assert "Traceback" not in answer.err
