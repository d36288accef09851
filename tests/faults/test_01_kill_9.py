"""kill -9 at any moment, or at any write of the journal -> every turn that was told of is there,
none is doubled, and after a restart the account ends as if nothing had happened.
"""

from __future__ import annotations

import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import (
    DAY,
    Patient,
    Undisturbed,
    busy_settings,
    calls_of_a_day,
    check_no_turn_lost,
    check_same_end,
    check_verified,
    copy_state,
    halted_by_file,
    inject,
    no_traceback,
    run_undisturbed,
    shop_of,
    turns_of,
    until_the_first_halt,
)
from tests.replay.workshop import FIRST

LATCH_CALLS = ("rename", "openat", "write", "fsync")
STEP = 10
"""`make test` kills at every tenth of the calls, `make soak` at each."""


# --- at random moments ----------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_at_random_moments_of_one_run(tmp_path: Path, daemons: Daemons, kills: int) -> None:
    period = (FIRST, 20240430 if kills == 20 else 20250630)
    undisturbed = run_undisturbed(
        daemons(shop_of(tmp_path / "undisturbed", period), settings=busy_settings())
    )
    rng = random.Random(kills)
    # A day takes 35 ms, a long weekend 130; so no life gets far, and most get on.
    shop = shop_of(tmp_path / "killed", period)
    daemon = daemons(shop, pace="2500000", settings=busy_settings())
    seen = []
    for _ in range(kills):
        daemon.start(wait=rng.random() < 0.7)  # the others die somewhere in start-up
        assert daemon.process is not None
        with pytest.raises(subprocess.TimeoutExpired):  # its tape is not over yet
            daemon.process.wait(rng.uniform(0, 0.2))
        daemon.kill_9()
        seen.append(check_no_turn_lost(daemon, undisturbed))
    assert len(set(seen)) > kills // 4, f"it hardly traded in between: {seen}"
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_same_end(daemon, undisturbed)
    check_verified(daemon)
    no_traceback(daemon)


# --- at every write -------------------------------------------------------------------------------


def killed_at(
    folder: Path, call: str, when: int, undisturbed: Undisturbed, state: Path | None
) -> None:
    """Kill at the n-th call, start again, and compare."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    if state is not None:
        copy_state(state, daemon.state)
    try:
        daemon.start(prefix=inject(call, "signal=KILL", when), wait=False)
        assert daemon.wait() != 0, f"{call} {when}: it was not killed"
        check_no_turn_lost(daemon, undisturbed)
        daemon.start(wait=False)
        assert daemon.wait() == 0, daemon.log()
        check_same_end(daemon, undisturbed)
        check_verified(daemon)
    except AssertionError as error:
        raise AssertionError(f"killed at {call} {when}: {error}\n{daemon.log()[-2000:]}") from error
    finally:
        daemon.clean_up()


def sweep(folder: Path, step: int, undisturbed: Undisturbed, state: Path | None) -> int:
    """Kill at every `step`-th call of a session; how often that was."""
    folder.mkdir()
    counts = calls_of_a_day(folder / "counted", state)
    assert all(counts.values()), f"nothing to be killed at: {counts}"
    cases = [
        (call, when)
        for offset, (call, count) in enumerate(counts.items())
        for when in range(1 + offset % step, count + 1, step)
    ]
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(killed_at, folder / f"{call}{when}", call, when, undisturbed, state)
            for call, when in cases
        ]
        for run in runs:
            run.result()
    return len(cases)


STEPS = [STEP, pytest.param(1, marks=pytest.mark.soak)]


@pytest.mark.parametrize("step", STEPS)
def test_at_the_writes_and_syncs_of_a_session(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, step: int
) -> None:
    assert sweep(tmp_path / "sweep", step, one_day, None) >= 60 // step


@pytest.mark.parametrize("step", STEPS)
def test_at_the_writes_and_syncs_of_a_recovery(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, step: int
) -> None:
    half = Patient(shop_of(tmp_path / "half", DAY), settings=busy_settings())
    wal = half.state / "journal.db-wal"
    half.start(prefix=inject("fdatasync", "signal=KILL", 6, [wal]), wait=False)
    assert half.wait() != 0
    assert 0 < check_no_turn_lost(half, one_day) < len(one_day.turns)
    assert sweep(tmp_path / "sweep", step, one_day, half.state) >= 40 // step


# --- while it is being latched --------------------------------------------------------------------


def latched_at(folder: Path, call: str, when: int, undisturbed: Undisturbed) -> bool:
    """Kill a daemon at the n-th call on its latch, which its own limit throws; whether it was."""
    daemon = Patient(shop_of(folder, DAY), settings=halting())
    paths = [daemon.state / name for name in ("HALT", "HALT.armed", ".")]
    try:
        daemon.start(prefix=inject(call, "signal=KILL", when, paths), wait=False)
        if daemon.wait() == 0:
            return False
        turns = turns_of(daemon)
        assert turns == undisturbed.turns[: len(turns)]
        daemon.start(wait=False)
        assert daemon.wait() == 0
        # As often as it was killed: one halt, and the file says so too.
        assert daemon.trading() == undisturbed.trading
        assert halted_by_file(daemon.state)
        assert daemon.status()["state"] == "HALTED"
        check_verified(daemon)
    except AssertionError as error:
        raise AssertionError(f"killed at {call} {when}: {error}\n{daemon.log()[-2000:]}") from error
    finally:
        daemon.clean_up()
    return True


def halting() -> dict[str, str]:
    """Settings with which the second order of a day halts."""
    return busy_settings(**{"risk.max_orders_per_day": "{limit: 1, action: halt}"})


@pytest.mark.parametrize("most", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_while_a_limit_throws_the_latch(tmp_path: Path, needs_strace: None, most: int) -> None:
    undisturbed = run_undisturbed(
        Patient(shop_of(tmp_path / "undisturbed", DAY), settings=halting())
    )
    assert undisturbed.trading["states"], "no limit has halted it"
    killed = sum(
        latched_at(tmp_path / f"{call}{when}", call, when, undisturbed)
        for call in LATCH_CALLS
        for when in range(1, most + 1)
    )
    assert killed >= len(LATCH_CALLS)


@pytest.mark.parametrize("call", ["rename", "openat", "fsync"])
def test_papertape_kill_that_is_killed_itself(
    tmp_path: Path, needs_strace: None, daemons: Daemons, one_day: Undisturbed, call: str
) -> None:
    daemon = daemons(shop_of(tmp_path / "killed", DAY), settings=busy_settings())
    daemon.start(prefix=inject("fdatasync", "signal=KILL", 6, [daemon.state / "journal.db-wal"]))
    assert daemon.wait() != 0
    paths = [daemon.state / name for name in ("HALT", "HALT.armed")]
    answer = daemon.shop.process(
        "kill", "--state", str(daemon.state), prefix=inject(call, "signal=KILL", 1, paths)
    )
    assert answer.code != 0, "who is killed has not promised anything"
    latched = halted_by_file(daemon.state)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    # Whatever it came to, it is one or the other: halted from here on, or as if never asked.
    turns = turns_of(daemon)
    same = until_the_first_halt(turns)
    assert turns[:same] == one_day.turns[:same]
    assert latched == halted_by_file(daemon.state) == (same < len(turns))
    assert daemon.status()["state"] == ("HALTED" if latched else "ACTIVE")
    check_verified(daemon)
