"""The process is ended from within, or its disk hangs while it stops -> it ends all the same,
latched where nobody has asked for the end, whatever threads it has; the next start recovers.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Daemons
from tests.faults.strategies import let_go, misbehaving
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
    shop_of,
    turns_of,
    until_the_first_halt,
)


@pytest.mark.parametrize(("how", "code"), [("exits", 70), ("interrupts", 130)])
def test_a_strategy_that_ends_the_process(
    tmp_path: Path, daemons: Daemons, how: str, code: int
) -> None:
    shop = shop_of(tmp_path / "shop", DAY)
    daemon = daemons(shop, settings=misbehaving(shop, how, at=4))
    daemon.start(wait=False)
    assert daemon.wait() == code
    assert halted_by_file(daemon.state), "a restart would trade on as if nothing had been"
    turns = turns_of(daemon)
    assert len([turn for turn in turns if turn[2] == "slice"]) == 3, "nothing of it is committed"
    assert (daemon.state / "control.sock").exists() is False
    other = daemons(shop, settings=misbehaving(shop, how, at=400))
    other.start(wait=False)
    assert other.wait() == 0
    assert other.status()["state"] == "HALTED"
    assert turns_of(other)[: len(turns)] == turns
    assert until_the_first_halt(turns_of(other)) <= len(turns) + 1
    check_verified(other)


HUNG = "delay_enter=3600s"
"""The disk does not answer for an hour."""


def hung(folder: Path, daemons: Daemons) -> Patient:
    """A daemon whose sixth sync does not come back; three turns are committed by then."""
    daemon = daemons(shop_of(folder, DAY), pace="20000", settings=busy_settings())  # 180 ms a bar
    wal = daemon.state / "journal.db-wal"
    daemon.start(prefix=inject("fdatasync", HUNG, 6, [wal]))
    daemon.reach(3)
    return daemon


def exit_code(daemon: Patient, pid: int) -> int:
    """What its process has ended with: a thread that hangs may keep strace waiting beside it."""
    found: list[str] = []

    def is_over() -> bool:
        try:
            found[:] = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except FileNotFoundError:  # strace has seen its end as well, and ends with the same code
            return True
        return found[0] == "Z"

    daemon.wait_for(is_over)
    if not Path(f"/proc/{pid}").exists():
        return daemon.wait()
    daemon.clean_up()
    return int(found[-1]) >> 8


def test_a_second_sigterm_while_the_disk_hangs(
    tmp_path: Path, needs_strace: None, daemons: Daemons, one_day: Undisturbed
) -> None:
    daemon = hung(tmp_path / "shop", daemons)
    pid = daemon.pid
    daemon.signal(signal.SIGTERM)
    daemon.wait_for(lambda: "stopping" in daemon.events())
    daemon.signal(signal.SIGTERM)
    assert exit_code(daemon, pid) == 130
    assert check_no_turn_lost(daemon, one_day) < len(one_day.turns)
    assert not halted_by_file(daemon.state)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_same_end(daemon, one_day)


@pytest.mark.soak
@pytest.mark.parametrize("open_turn", [True, False])
def test_one_sigterm_while_the_disk_hangs_is_obeyed_in_bounded_time(
    tmp_path: Path, needs_strace: None, daemons: Daemons, one_day: Undisturbed, *, open_turn: bool
) -> None:
    """A stop may take 15 s and 5 more, which is why only `make soak` waits for it."""
    daemon = hung(tmp_path / "shop", daemons)
    pid = daemon.pid
    if open_turn:
        bar = "2024-01-03T17:30:00Z"  # the fourth turn's: its commit is what hangs
        daemon.wait_for(lambda: daemon.status()["last_bars"] == {"NVDA": bar})
    daemon.signal(signal.SIGTERM)
    assert exit_code(daemon, pid) == (70 if open_turn else 0)
    said = "stopped_with_open_turn" if open_turn else "closing_not_written"
    assert said in daemon.events()
    check_no_turn_lost(daemon, one_day)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_same_end(daemon, one_day)


def test_a_dead_loop_leaves_no_process(tmp_path: Path, daemons: Daemons) -> None:
    """The strategy stands still in a thread that cannot be interrupted: SIGKILL needs nobody."""
    shop = shop_of(tmp_path / "shop", DAY)
    daemon = daemons(shop, settings=misbehaving(shop, "sleeps", at=4))
    daemon.start(wait=False)
    daemon.wait_for((shop.folder / "blocked").exists)
    daemon.kill_9()
    let_go(shop)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    check_verified(daemon)
