"""SIGTERM while a strategy blocks the loop -> the stop waits for it; a second one, or the service
manager's SIGKILL, ends the process at once, and the next start goes on as if nothing had happened.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Daemons
from tests.faults.strategies import is_blocked, let_go, misbehaving
from tests.faults.trouble import (
    DAY,
    Patient,
    check_same_end,
    check_verified,
    halted_by_file,
    no_traceback,
    run_undisturbed,
    shop_of,
)

ENDS = {
    "a second SIGTERM": ([signal.SIGTERM, signal.SIGTERM], 130),
    "Ctrl-C twice": ([signal.SIGINT, signal.SIGINT], 130),
    "SIGKILL": ([signal.SIGTERM, signal.SIGKILL], -signal.SIGKILL),
}


def blocked(daemon: Patient) -> Patient:
    daemon.start(wait=False)
    daemon.wait_for(lambda: is_blocked(daemon.shop))
    return daemon


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_it_at_once(tmp_path: Path, daemons: Daemons, name: str) -> None:
    signals, code = ENDS[name]
    shop = shop_of(tmp_path / "shop", DAY)
    daemon = blocked(daemons(shop, settings=misbehaving(shop, "blocks", at=4)))
    at = daemon.turns()
    for number in signals:
        send(daemon, number)
    assert daemon.wait() == code
    assert daemon.turns() == at
    assert not halted_by_file(daemon.state)
    no_traceback(daemon)
    let_go(shop)
    daemon.start(wait=False)
    assert daemon.wait() == 0
    other = shop_of(tmp_path / "undisturbed", DAY)
    let_go(other)
    check_same_end(daemon, run_undisturbed(daemons(other, settings=misbehaving(other, "blocks"))))
    check_verified(daemon)


def send(daemon: Patient, number: signal.Signals) -> None:
    """Send a signal and wait until it has arrived: a second one like it would be lost before."""
    daemon.signal(number)
    daemon.wait_for(lambda: daemon.ended or not is_pending(daemon.pid, number))


def is_pending(pid: int, number: int) -> bool:
    """Whether a signal has yet to reach the process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    (shared,) = [line.split()[1] for line in lines if line.startswith("ShdPnd:")]
    return bool(int(shared, 16) >> (number - 1) & 1)


def test_one_sigterm_waits_for_the_open_turn(tmp_path: Path, daemons: Daemons) -> None:
    shop = shop_of(tmp_path / "shop", DAY)
    daemon = blocked(daemons(shop, settings=misbehaving(shop, "blocks", at=4)))
    at = daemon.turns()
    send(daemon, signal.SIGTERM)
    assert not daemon.ended
    let_go(shop)
    assert daemon.wait() == 0
    assert daemon.turns() == at + 1, "the open turn is finished, and none begun"
    check_verified(daemon)
