"""The disk reports an error at a write or a sync -> the turn is never tried again: exit 70 with the
latch set, and the next start recovers what was committed and stays halted until `reset`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import (
    DAY,
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


def error_at(folder: Path, call: str, when: int, undisturbed: Undisturbed) -> str:
    """An error at the n-th call: what came of it (`refused`, `halted` or `nothing`)."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    try:
        daemon.start(prefix=inject(call, "error=EIO", when), wait=False)
        code = daemon.wait()
        no_traceback(daemon)
        turns = turns_of(daemon)
        if code == 0:  # of a checkpoint, or of the mark: what is committed is in the log already
            assert turns == undisturbed.turns
            assert not halted_by_file(daemon.state)
            check_verified(daemon)
            return "nothing"
        assert code in {70, 78}, f"exit {code}"
        assert turns == undisturbed.turns[: len(turns)]
        if not halted_by_file(daemon.state):
            assert "ready" not in daemon.events(), "it traded and has not halted"
            daemon.start(wait=False)
            assert daemon.wait() == 0
            assert turns_of(daemon) == undisturbed.turns
            return "refused"
        goes_on_halted(daemon, turns, undisturbed)
    except AssertionError as error:
        log = daemon.log()[-2000:]
        raise AssertionError(f"an error at {call} {when}: {error}\n{log}") from error
    finally:
        daemon.clean_up()
    return "halted"


def goes_on_halted(
    daemon: Patient, before: list[tuple[object, ...]], undisturbed: Undisturbed
) -> None:
    """See that the next start keeps what there was, stays halted, and can be reset."""
    daemon.start(wait=False)
    assert daemon.wait() == 0
    turns = turns_of(daemon)
    same = until_the_first_halt(turns)
    # A commit that was reported as failed may have reached the disk, but only that one.
    assert len(before) <= same <= len(before) + 1
    assert turns[:same] == undisturbed.turns[:same]
    assert daemon.status()["state"] == "HALTED"
    assert daemon.type("reset", "--reason", "the disk is sound").code == 0
    assert daemon.status()["state"] == "ACTIVE"
    check_verified(daemon)


def sweep(folder: Path, cases: list[tuple[str, int]], undisturbed: Undisturbed) -> list[str]:
    """What came of each of the errors."""
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(error_at, folder / f"{call}{when}", call, when, undisturbed)
            for call, when in cases
        ]
        return [run.result() for run in runs]


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.soak)])
def test_errors_at_writes_and_syncs(
    tmp_path: Path,
    needs_strace: None,
    one_day: Undisturbed,
    day_calls: dict[str, int],
    step: int,
) -> None:
    cases = [
        (call, when)
        for call in ("pwrite64", "fdatasync")
        for when in range(1, day_calls[call] + 1, step)
    ]
    found = sweep(tmp_path, cases, one_day)
    assert "refused" in found
    assert "halted" in found


def test_a_failed_commit_is_not_tried_again(
    tmp_path: Path, needs_strace: None, daemons: Daemons
) -> None:
    daemon = daemons(shop_of(tmp_path / "failing", DAY), settings=busy_settings())
    wal = daemon.state / "journal.db-wal"
    daemon.start(prefix=inject("fdatasync", "error=EIO", "5+", [wal]), wait=False)
    assert daemon.wait() == 70
    failed = last_event(daemon, "task_failed")
    assert "journal.db" in failed["problem"]
    assert "turn_not_committed" not in daemon.events(), "it has waited for the disk to mend"
    assert "fault" in (daemon.state / "HALT").read_text()
