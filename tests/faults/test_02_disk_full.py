"""The disk is full, wherever that is found out -> no turn is half written: the daemon halts, stays
up, answers, and commits the same turn when there is space again; `reset` lets it trade on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import (
    DAY,
    WEEKS,
    Patient,
    Undisturbed,
    busy_settings,
    check_verified,
    halted_by_file,
    inject,
    last_event,
    no_traceback,
    shop_of,
    turns_of,
    until_the_first_halt,
)
from tests.replay.workshop import Answer


def fill_up(disk: Path) -> Path:
    """A file that takes all the space there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def test_a_disk_that_fills_up_and_is_emptied_again(
    small_disk: Path, daemons: Daemons, three_weeks: Undisturbed
) -> None:
    daemon = daemons(shop_of(small_disk / "shop", WEEKS), pace=PACE, settings=busy_settings())
    daemon.log_path = small_disk.parent / "daemon.log"  # row 42 is about the log's own disk
    daemon.start()
    daemon.reach(10)
    ballast = fill_up(small_disk)
    daemon.wait_for(lambda: "turn_not_committed" in daemon.events())
    assert halted_by_file(daemon.state), "a restart would not know"
    at = daemon.turns()
    document = daemon.status()
    assert "disk is full" in document["daemon"]["blocked"]
    assert [answer.code for answer in readings(daemon)] == [0, 0]
    assert daemon.turns() == at
    ballast.unlink()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert "journal_writable_again" in daemon.events()
    turns = turns_of(daemon)
    halt = until_the_first_halt(turns)
    assert halt > at, "the turn that was open is committed before its halt"
    assert turns[:halt] == three_weeks.turns[:halt]
    assert turns[halt][3].count('"Halt"') == 1
    assert daemon.type("resume").code != 0 or daemon.status()["state"] == "HALTED"
    assert daemon.type("reset", "--reason", "there is space again").code == 0
    assert not halted_by_file(daemon.state)
    before = len(daemon.query("SELECT * FROM orders"))
    daemon.wait_for(lambda: len(daemon.query("SELECT * FROM orders")) > before)
    assert daemon.stop() == 0
    check_verified(daemon)
    no_traceback(daemon)


def readings(daemon: Patient) -> list[Answer]:
    """What still must answer while nothing can be written."""
    return [daemon.type("status"), daemon.type("status", "--json")]


def test_a_daemon_that_dies_on_a_full_disk_starts_again_halted(
    small_disk: Path, daemons: Daemons, three_weeks: Undisturbed
) -> None:
    daemon = daemons(shop_of(small_disk / "shop", WEEKS), pace=PACE, settings=busy_settings())
    daemon.log_path = small_disk.parent / "daemon.log"
    daemon.start()
    daemon.reach(10)
    ballast = fill_up(small_disk)
    daemon.wait_for(lambda: "turn_not_committed" in daemon.events())
    daemon.kill_9()
    at = daemon.turns()
    assert turns_of(daemon) == three_weeks.turns[:at]
    ballast.unlink()
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert daemon.stop() == 0
    assert turns_of(daemon)[:at] == three_weeks.turns[:at]
    assert len(daemon.query("SELECT * FROM commands WHERE command = 'Halt'")) == 1
    check_verified(daemon)


def test_no_space_to_begin_with_is_one_clear_line(small_disk: Path, daemons: Daemons) -> None:
    daemon = daemons(shop_of(small_disk / "shop", DAY), settings=busy_settings())
    daemon.log_path = small_disk.parent / "daemon.log"
    ballast = fill_up(small_disk)
    daemon.start(wait=False)
    assert daemon.wait() in {70, 78}
    assert "No space left" in daemon.log() or "disk" in daemon.log()
    no_traceback(daemon)
    ballast.unlink()
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_verified(daemon)


# --- no space at the n-th write -------------------------------------------------------------------


def full_at(folder: Path, call: str, when: int, undisturbed: Undisturbed) -> str:
    """No space at the n-th call: what came of it (`refused`, `halted` or `nothing`)."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    try:
        daemon.start(prefix=inject(call, "error=ENOSPC", when), wait=False)
        code = daemon.wait()
        no_traceback(daemon)
        events = daemon.events()
        if code in {70, 75, 78}:  # before it was ready
            assert not turns_of(daemon), "it traded and has not halted"
            daemon.start(wait=False)
            assert daemon.wait() == 0
            assert turns_of(daemon) == undisturbed.turns
            return "refused"
        assert code == 0
        halted = "turn_not_committed" in events
        assert halted == ("journal_writable_again" in events) == halted_by_file(daemon.state)
        if halted:
            daemon.start(wait=False)  # a halt that came with the tape's end is admitted now
            assert daemon.wait() == 0
        turns = turns_of(daemon)
        same = until_the_first_halt(turns)
        assert turns[:same] == undisturbed.turns[:same]
        assert [turn[2] for turn in turns].count("command") == halted
        assert len(turns) == len(undisturbed.turns) + halted
        if halted:
            assert daemon.status()["state"] == "HALTED"
            assert daemon.type("reset", "--reason", "space again").code == 0
            assert daemon.status()["state"] == "ACTIVE"
        check_verified(daemon)
    except AssertionError as error:
        log = daemon.log()[-2000:]
        raise AssertionError(f"no space at {call} {when}: {error}\n{log}") from error
    finally:
        daemon.clean_up()
    return "halted" if halted else "nothing"


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_no_space_at_the_writes_of_a_session(
    tmp_path: Path,
    needs_strace: None,
    one_day: Undisturbed,
    day_calls: dict[str, int],
    step: int,
) -> None:
    cases = [("pwrite64", when) for when in range(1, day_calls["pwrite64"] + 1, step)]
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(full_at, tmp_path / f"{call}{when}", call, when, one_day)
            for call, when in cases
        ]
        found = [run.result() for run in runs]
    assert "refused" in found, "the journal could always be made"
    assert "halted" in found, "no turn was ever held up"


def test_a_file_that_may_not_grow_is_an_error_of_the_disk(
    daemons: Daemons, three_weeks: Undisturbed
) -> None:
    """A limit on the size of files (EFBIG) does not pass by waiting: exit 70, and halted."""
    daemon = daemons(settings=busy_settings())
    daemon.start(prefix=("prlimit", "--fsize=300000"), wait=False)
    assert daemon.wait() == 70
    no_traceback(daemon)
    assert last_event(daemon, "task_failed")
    assert halted_by_file(daemon.state)
    at = daemon.turns()
    assert 0 < at < len(three_weeks.turns)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert turns_of(daemon)[:at] == three_weeks.turns[:at]
    assert daemon.status()["state"] == "HALTED"
    check_verified(daemon)
