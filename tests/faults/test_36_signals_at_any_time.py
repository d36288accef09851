"""A signal during imports, start-up, shutdown or between the two -> it is never lost: the latch is
there, or the process died of it before it could trade; SIGTERM ends it in order, whenever it comes.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.trouble import (
    DAY,
    Patient,
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_same_end,
    check_verified,
    halted_by_file,
    inject,
    no_traceback,
    shop_of,
    strace,
    turns_of,
    until_the_first_halt,
)


def opened_files(folder: Path) -> int:
    """How many files a daemon opens over a session, its modules among them."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    trace = folder / "calls"
    daemon.start(prefix=strace("-e", "trace=openat", log=trace), wait=False)
    assert daemon.wait() == 0
    lines = trace.read_text().splitlines()
    return max(
        sum(line.startswith(process) for line in lines)
        for process in {line.split()[0] for line in lines}
    )


def killed_while_opening(folder: Path, when: int, undisturbed: Undisturbed) -> str:
    """SIGUSR1 as it opens its n-th file: what came of it (`died` or `latched`)."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    try:
        daemon.start(prefix=inject("openat", "signal=USR1", when), wait=False)
        code = daemon.wait()
        no_traceback(daemon)
        if code == -signal.SIGUSR1:  # before it had a handler: a service manager leaves it down
            assert turns_of(daemon) == []
            assert daemon.events() == []
            return "died"
        assert code == 0, f"exit {code}"
        assert halted_by_file(daemon.state)
        turns = turns_of(daemon)
        halt = until_the_first_halt(turns)
        assert turns[:halt] == undisturbed.turns[:halt]
        assert [turn[2] for turn in turns].count("command") == 1
        assert not [turn for turn in turns[halt + 1 :] if "OrderAccepted" in turn[7]]
        assert daemon.status()["state"] == "HALTED"
        check_verified(daemon)
    except AssertionError as error:
        raise AssertionError(f"at file {when}: {error}\n{daemon.log()[-2000:]}") from error
    finally:
        daemon.clean_up()
    return "latched"


@pytest.mark.parametrize("points", [6, pytest.param(150, marks=pytest.mark.soak)])
def test_a_kill_during_imports_and_start(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, points: int
) -> None:
    files = opened_files(tmp_path / "counted")
    assert files > 200, "its modules are not seen"
    places = sorted({1 + number * (files - 1) // points for number in range(points)})
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(killed_while_opening, tmp_path / str(when), when, one_day)
            for when in places
        ]
        found = [run.result() for run in runs]
    assert found[0] == "died", "a signal at the first file cannot be handled yet"
    assert found.count("latched") > len(found) // 2
    died = found.count("died")
    assert found == ["died"] * died + ["latched"] * (len(found) - died)


@pytest.mark.parametrize(
    ("call", "when", "name"),
    [
        ("unlink", 2, "control.sock"),  # 1: at the start, where there might be an old one
        ("unlink", 1, "journal.db-wal"),  # the journal is being closed
    ],
)
def test_a_kill_during_shutdown(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, call: str, when: int, name: str
) -> None:
    daemon = Patient(shop_of(tmp_path / "shop", DAY), settings=busy_settings())
    prefix = inject(call, "signal=USR1", when, [daemon.state / name])
    daemon.start(prefix=prefix, wait=False)
    assert daemon.wait() == 0
    assert halted_by_file(daemon.state), "it was lost"
    assert turns_of(daemon)[: len(one_day.turns)] == one_day.turns
    no_traceback(daemon)
    daemon.start()
    assert daemon.wait() == 0
    assert daemon.status()["state"] == "HALTED"
    assert [turn[2] for turn in turns_of(daemon)].count("command") == 1
    check_verified(daemon)


@pytest.mark.parametrize("name", ["USR1", "USR2", "HUP", "TERM"])
def test_a_signal_after_everything_is_over(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, name: str
) -> None:
    """As the process leaves: it ends as it would have, or of the signal; nothing is undone."""
    daemon = Patient(shop_of(tmp_path / "shop", DAY), settings=busy_settings())
    daemon.start(prefix=inject("exit_group", f"signal={name}", 1), wait=False)
    assert daemon.wait() in {0, -signal.Signals[f"SIG{name}"]}
    check_same_end(daemon, one_day)
    no_traceback(daemon)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_sigterm_during_start(
    tmp_path: Path, needs_strace: None, one_day: Undisturbed, part: float
) -> None:
    files = opened_files(tmp_path / "counted")
    daemon = Patient(shop_of(tmp_path / "shop", DAY), settings=busy_settings())
    prefix = inject("openat", "signal=TERM", 1 + int(files * part))
    daemon.start(prefix=prefix, wait=False)
    assert daemon.wait() in {0, -signal.SIGTERM}
    no_traceback(daemon)
    assert not halted_by_file(daemon.state), "a stop is no halt"
    assert check_no_turn_lost(daemon, one_day) <= len(one_day.turns)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_same_end(daemon, one_day)
