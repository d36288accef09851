"""`papertape backup`, `restore`, `account new`: what is kept, archived, refused and said."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.control.latch import Latch
from daemon.journal.integrity import check_state
from daemon.state_directory import StateDirectory
from tests.replay.live_tape import LiveTape
from tests.replay.tampering import execute, replace_outputs
from tests.replay.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a folder with a config and a tape, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERTAPE_STATE", str(tmp_path / "state"))
    return Workshop(tmp_path)


@pytest.fixture
def tape(shop: Workshop) -> LiveTape:
    """Return a journal of 65 slices, at whose end the account is short of 100 shares."""
    tape = LiveTape(shop)
    tape.run(65)
    return tape


@pytest.fixture
def running(tape: LiveTape) -> Iterator[LiveTape]:
    """Return the same, its state directory held as by a daemon."""
    state = StateDirectory(tape.state)
    state.hold()
    yield tape
    state.release()


def turns(journal: Path) -> int:
    """How many turns a journal's file holds."""
    connection = sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)
    try:
        found: int = connection.execute("SELECT count(*) FROM turns").fetchone()[0]
    finally:
        connection.close()
    return found


# --- backup -------------------------------------------------------------------------------------


def test_a_backup_is_a_whole_journal_in_one_file(tape: LiveTape) -> None:
    answer = tape.shop.type("backup", "copy.db")
    copy = tape.shop.folder / "copy.db"
    count = turns(tape.state / "journal.db")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"state     {tape.state}",
        f"copied    {count} turns in 1 segment to {copy}, and checked the copy",
        f"next      `papertape restore {copy}` puts it back",
    ]
    assert turns(copy) == count
    assert sorted(path.name for path in tape.shop.folder.glob("copy.db*")) == ["copy.db"]


def test_a_backup_needs_no_lock(running: LiveTape) -> None:
    assert running.shop.type("backup", "copy.db").code == 0


def test_a_copy_is_never_written_over_anything(tape: LiveTape) -> None:
    there = tape.shop.folder / "there"
    there.write_text("kept", "utf-8")
    for name, words in ((there.name, "exists: choose another name"), (".", "is a folder")):
        answer = tape.shop.type("backup", name)
        assert answer.code == 78
        assert words in answer.lines[0]
    assert there.read_text("utf-8") == "kept"


def test_nothing_to_copy_is_usage(shop: Workshop) -> None:
    answer = shop.type("backup", "copy.db")
    assert answer.code == 2
    assert "no daemon has run here" in answer.lines[0]
    (shop.state / "daemon.lock").touch()
    answer = shop.type("backup", "copy.db")
    assert answer.code == 2
    assert "nothing to copy: there is no journal.db here" in answer.lines[0]


def test_a_damaged_journal_is_not_copied(tape: LiveTape) -> None:
    replace_outputs(tape.state, 30, "[", "[ ")
    answer = tape.shop.type("backup", "copy.db")
    assert answer.code == 78
    assert "seq 30 is not what was written" in answer.lines[0]
    assert not (tape.shop.folder / "copy.db").exists()


# --- restore ------------------------------------------------------------------------------------


def test_restored_it_goes_on_from_there_halted(tape: LiveTape) -> None:
    tape.shop.type("backup", "copy.db")
    before = turns(tape.state / "journal.db")
    tape.run(10)
    answer = tape.shop.type("restore", "copy.db")
    assert (answer.code, answer.err) == (0, "")
    (archived,) = (tape.state / "archive").iterdir()
    lines = answer.out.splitlines()
    assert lines[0] == f"state     {tape.state}"
    assert lines[1].startswith(f"restored  {before} turns in 1 segment (until 2024-01-")
    assert lines[2] == f"archived  {archived}: the journal that was here"
    assert lines[3] == "latched   the daemon will start HALTED"
    assert "papertape verify" in lines[4]
    assert "papertape reset --reason TEXT" in lines[4]
    assert turns(tape.state / "journal.db") == before
    assert turns(archived / "journal.db") > before
    assert check_state(tape.state).last_seq == before
    said = Latch(tape.state).read()
    assert said is not None
    assert said.source == "restore"
    assert said.reason == f"the journal was restored from {tape.shop.folder}/copy.db"
    assert tape.shop.type("verify").code == 0
    tape.run(10)
    assert turns(tape.state / "journal.db") == turns(archived / "journal.db")


def test_a_latch_that_was_there_keeps_its_reason(tape: LiveTape) -> None:
    tape.shop.type("backup", "copy.db")
    latch = Latch(tape.state)
    latch.throw("operator", "first", flatten=True)
    answer = tape.shop.type("restore", "copy.db")
    assert "latched already   the daemon will start HALTED" in answer.out
    assert "flatten   FLATTEN is set: the positions will be closed" in answer.out
    said = latch.read()
    assert said is not None
    assert said.reason == "first"


def test_a_lost_journal_comes_back(tape: LiveTape) -> None:
    tape.shop.type("backup", "copy.db")
    (tape.state / "daemon.lock").touch()
    (tape.state / "journal.db").unlink()
    assert tape.shop.type("verify").code == 78
    assert tape.shop.type("restore", "copy.db").code == 0
    assert tape.shop.type("verify").code == 0


def test_a_journal_moves_to_another_machine(tape: LiveTape) -> None:
    tape.shop.type("backup", "copy.db")
    shutil.rmtree(tape.state)
    elsewhere = tape.shop.folder / "elsewhere"
    answer = tape.shop.type("restore", "copy.db", "--state", str(elsewhere))
    assert (answer.code, answer.err) == (0, "")
    assert "archived" not in answer.out
    assert tape.shop.type("verify", "--state", str(elsewhere)).code == 0


def test_a_name_may_be_restored_into_its_empty_folder(
    tape: LiveTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape.shop.type("backup", "copy.db")
    home = tape.shop.folder / "var"
    (home / "other").mkdir(parents=True)
    monkeypatch.setattr("daemon.paths.HOME", home)
    assert tape.shop.type("restore", "copy.db", "other").code == 0
    assert (home / "other/journal.db").exists()
    answer = tape.shop.type("restore", "copy.db", "nobody")
    assert answer.code == 2
    assert not (home / "nobody").exists()


def test_nothing_is_restored_under_a_running_daemon(running: LiveTape) -> None:
    running.shop.type("backup", "copy.db")
    answer = running.shop.type("restore", "copy.db")
    assert answer.code == 75
    assert f"a daemon runs on it (process {os.getpid()}): stop it first" in answer.lines[0]
    assert answer.lines[0].endswith("nothing was changed")
    assert not Latch(running.state).is_set()
    assert not (running.state / "archive").exists()


def test_what_is_no_copy_of_a_journal_changes_nothing(tape: LiveTape) -> None:
    run = tape.shop.replay()
    tape.shop.type("backup", "damaged.db")
    damaged = tape.shop.folder / "damaged"
    damaged.mkdir()
    (tape.shop.folder / "damaged.db").rename(damaged / "journal.db")
    replace_outputs(damaged, 30, "[", "[ ")
    (tape.shop.folder / "text").write_text("no journal", "utf-8")
    before = (tape.state / "journal.db").read_bytes()
    for file, words in (
        (run / "journal.db", "not the journal of a daemon (a replay wrote it)"),
        (damaged / "journal.db", "seq 30 is not what was written"),
        (tape.shop.folder / "text", "not a journal"),
        (tape.shop.folder / "nowhere", "no journal here"),
        (tape.state / "journal.db", "this is the journal itself"),
    ):
        answer = tape.shop.type("restore", str(file))
        assert (answer.code, words in answer.lines[0]) == (78, True), answer.err
    assert (tape.state / "journal.db").read_bytes() == before
    assert not Latch(tape.state).is_set()


# --- account new --------------------------------------------------------------------------------


def test_a_new_account_begins_with_the_configured_cash(tape: LiveTape) -> None:
    assert execute(tape.state, "SELECT quantity FROM positions") == [(-100,)]
    answer = tape.shop.type("account", "new", "--reason", "a fresh start")
    assert (answer.code, answer.err) == (0, "")
    (archived,) = (tape.state / "archive").iterdir()
    assert answer.out == (
        f"state     {tape.state}\n"
        "archived  the account, which held -100 NVDA; "
        f"`papertape restore {archived}/journal.db` brings it back\n"
        "next      the next start begins a new account with the cash of its config\n"
    )
    assert (archived / "reason.txt").read_text("utf-8") == "a fresh start\n"
    assert not (tape.state / "journal.db").exists()
    tape.settings.append(("account.cash_usd", "5000"))
    tape.run(1)
    ((opening,),) = execute(tape.state, "SELECT opening FROM segments")
    assert json.loads(opening)["values"]["portfolio"]["cash_micros"] == 5_000_000_000
    assert execute(tape.state, "SELECT min(seq) FROM turns") == [(1,)]


def test_the_latch_outlives_the_account(tape: LiveTape) -> None:
    Latch(tape.state).throw("limit:max_drawdown_pct", "15 % below the peak")
    answer = tape.shop.type("account", "new", "--reason", "a fresh start")
    assert answer.code == 0
    assert (
        "latched   the latch stays (limit:max_drawdown_pct: 15 % below the peak): the new account "
        "will start HALTED"
    ) in answer.out
    assert Latch(tape.state).is_set()


def test_an_archived_account_comes_back(tape: LiveTape) -> None:
    count = turns(tape.state / "journal.db")
    tape.shop.type("account", "new", "--reason", "by mistake")
    (archived,) = (tape.state / "archive").iterdir()
    assert tape.shop.type("restore", str(archived / "journal.db"), "--state", "state").code == 0
    assert turns(tape.state / "journal.db") == count


def test_no_new_account_under_a_running_daemon(running: LiveTape) -> None:
    answer = running.shop.type("account", "new", "--reason", "a fresh start")
    assert answer.code == 75
    assert "nothing was changed" in answer.lines[0]
    assert (running.state / "journal.db").exists()


def test_a_new_account_needs_a_reason_and_an_old_one(tape: LiveTape) -> None:
    assert tape.shop.type("account", "new").code == 2
    assert tape.shop.type("account", "new", "--reason", " ").code == 2
    (tape.state / "daemon.lock").touch()
    assert tape.shop.type("account", "new", "--reason", "a fresh start").code == 0
    answer = tape.shop.type("account", "new", "--reason", "a fresh start")
    assert answer.code == 2
    assert "no account yet: the next start begins one" in answer.lines[0]


def test_a_damaged_journal_can_be_put_away(tape: LiveTape) -> None:
    (tape.state / "journal.db").write_bytes(b"damaged beyond all reading" * 999)
    answer = tape.shop.type("account", "new", "--reason", "it is broken")
    assert answer.code == 0
    assert "archived  what was left of the journal; " in answer.out
    assert not (tape.state / "journal.mark").exists()
