"""Backup, restore and a new account: nothing is lost, and nothing is believed without a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat

RAMP = [flat(100.0 + i) for i in range(12)]
PLAN = {
    0: "TargetPosition('AAA', 10)",
    5: "TargetPosition('AAA', 4)",
    8: "TargetPosition('AAA', 9)",
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """10 shares after bar 3, backed up while it runs; then 4 after bar 6."""
    made = Stage(tmp_path_factory.mktemp("keeping") / "stage", {"AAA": RAMP}, PLAN).play(3)
    with made.held():
        made.done("backup", str(made.folder / "monday.db"))
        answer = made.say("backup", str(made.folder / "monday.db"))
        assert answer.code == 78  # it overwrites nothing
        assert made.say("restore", str(made.folder / "monday.db")).code == 75  # the daemon is up
        assert made.say("account", "new", "--reason", "x").code == 75
    return made.play(6)


def test_a_restored_account_starts_halted_with_what_it_had(lived: Stage, tmp_path: Path) -> None:
    """10 shares at bar 3's close, 4 dollars... and bars 4 to 6 are played again when it is reset.

    Halted in mid-bar 4: the sale of 6 decided at bar 5 is denied; the 9 wanted at bar 8 are one
    fewer than the 10 held: sold at the open of bar 9, at 109.
    """
    made = lived.twin(tmp_path / "stage")
    old = made.journal.read_bytes()
    made.done("restore", str(made.folder / "monday.db"))
    kept = [
        p for p in made.state.rglob("*") if p.is_file() and p.suffix == ".db" and p != made.journal
    ]
    assert any(path.read_bytes() == old for path in kept)  # in the archive
    status = made.read("status")
    assert status["latched"] is True
    assert [p["quantity"] for p in status["positions"]] == [10]
    made.play(6)
    assert made.read("status")["state"] == "HALTED"
    assert made.denials() == [(5, -6, "HALTED")]
    made.done("reset", "--reason", "from Monday's copy")
    made.play()
    assert made.fills() == [(1, 10, 101.0), (9, -1, 109.0)]
    assert made.proved()


def test_what_is_no_journal_is_not_restored(lived: Stage, tmp_path: Path) -> None:
    made = lived.twin(tmp_path / "stage")
    before = made.journal.read_bytes()
    copy = bytearray((made.folder / "monday.db").read_bytes())
    (made.folder / "text.db").write_text("not a database", "utf-8")
    copy[copy.index(b"Fill")] ^= 1
    (made.folder / "flipped.db").write_bytes(copy)
    for name in ("text.db", "flipped.db", "absent.db"):
        answer = made.say("restore", str(made.folder / name))
        assert answer.code == 78, (name, answer)
        assert name in " ".join(answer.lines)
        assert made.journal.read_bytes() == before
        assert not (made.state / "HALT").exists()


def test_a_new_account_begins_with_the_configured_cash(lived: Stage, tmp_path: Path) -> None:
    """The old journal lies in the archive; from bar 0 on, since this one has lived nothing."""
    made = lived.twin(tmp_path / "stage")
    old = made.journal.read_bytes()
    assert made.say("account", "new").code == 2  # it wants a reason
    made.done("account", "new", "--reason", "a fresh start")
    assert not made.journal.exists()
    assert any(p.is_file() and p.read_bytes() == old for p in made.state.rglob("*.db"))
    made.write_config(account="{cash_usd: 5000}")
    made.play(3)
    assert made.equity()[0] == 5_000
    assert made.fills() == [(1, 10, 101.0)]
    assert made.states() == []


def test_a_new_account_keeps_a_latch(lived: Stage, tmp_path: Path) -> None:
    made = lived.twin(tmp_path / "stage")
    made.done("kill")
    made.done("account", "new", "--reason", "x")
    assert (made.state / "HALT").exists()
    made.play(2)
    assert made.fills() == []
    assert made.read("status")["state"] == "HALTED"
