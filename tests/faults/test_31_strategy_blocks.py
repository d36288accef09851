"""The strategy never returns -> `kill` latches at once and says that nobody has acknowledged it,
the watchdog is not fed, its SIGABRT shows the line, and the next start is HALTED.
"""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.conftest import PACE, Daemons
from tests.faults.free_ports import free_port, metric
from tests.faults.notify import Manager
from tests.faults.strategies import is_blocked, let_go, misbehaving
from tests.faults.trouble import (
    Patient,
    check_verified,
    halted_by_file,
    turns_of,
    with_environment,
)
from tests.replay.workshop import Workshop


def blocked(daemon: Patient) -> Patient:
    """Start it and wait until its strategy stands still."""
    daemon.start(wait=False)
    daemon.wait_for(lambda: is_blocked(daemon.shop))
    return daemon


def order_ids(daemon: Patient) -> list[tuple[object, ...]]:
    return daemon.query("SELECT order_id FROM orders ORDER BY order_id")


@pytest.mark.parametrize("how", ["blocks", "sleeps"])
def test_kill_holds_though_nobody_answers(shop: Workshop, daemons: Daemons, how: str) -> None:
    daemon = blocked(daemons(pace=PACE, settings=misbehaving(shop, how)))
    orders, at = order_ids(daemon), daemon.turns()
    if how == "blocks":
        killed = daemon.type("kill", "--reason", "it hangs")
        assert killed.code == 75
        assert "latched, not acknowledged" in killed.err
    else:  # a bare signal does not say whether it was heard
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for(lambda: halted_by_file(daemon.state))
        assert "no answer within" in daemon.type("status").out
    assert halted_by_file(daemon.state)
    let_go(shop)
    daemon.reach(at + 4)
    assert daemon.status()["state"] == "HALTED"
    assert daemon.stop() == 0
    # What it decided while it was latched is no order: the gate has seen the latch.
    assert order_ids(daemon) == orders
    turn = next(row for row in turns_of(daemon) if row[0] == at + 1)
    assert turn[5] == 0, "the latch was seen before the first order"
    assert [output["reason"] for output in json.loads(turn[7]) if output["type"] == "Denial"] == [
        "HALTED"
    ]
    assert len(daemon.query("SELECT * FROM commands WHERE command = 'Halt'")) == 1
    check_verified(daemon)


def test_the_watchdog_ends_it_and_shows_the_line(shop: Workshop, daemons: Daemons) -> None:
    port = free_port()
    settings = misbehaving(shop, "blocks") | {"observability.metrics": f"127.0.0.1:{port}"}
    daemon = daemons(pace=PACE, settings=settings)
    manager = Manager(shop.folder, WATCHDOG_USEC="200000")
    daemon.start(prefix=with_environment(manager.environment), wait=False)
    daemon.wait_for(lambda: is_blocked(shop))
    assert manager.is_ready
    fed = manager.alive
    assert fed > 0, "the watchdog was never fed"
    # Metrics come from a thread and say so; twice the watchdog's time passes meanwhile.
    daemon.wait_for(lambda: metric(port, "papertape_loop_lag_seconds") > 0.5)
    assert manager.alive == fed
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for(lambda: halted_by_file(daemon.state))
    daemon.signal(signal.SIGQUIT)
    daemon.wait_for(lambda: "in misbehave" in daemon.log())
    daemon.signal(signal.SIGABRT)  # what systemd does when the time is over
    assert daemon.wait() == -signal.SIGABRT
    assert daemon.log().count('blocks.py", line') >= 2
    manager.close()
    let_go(shop)
    orders = daemon.query("SELECT * FROM orders")
    daemon.start()
    assert daemon.status()["state"] == "HALTED"
    daemon.go_on(3)
    assert daemon.stop() == 0
    assert daemon.query("SELECT * FROM orders WHERE status <> 'cancelled'") == [
        order for order in orders if order[13] != "working"
    ]
    check_verified(daemon)


def test_without_a_kill_the_restart_trades_on(shop: Workshop, daemons: Daemons) -> None:
    """A hang that was mended by a restart is no halt: the open turn was never there."""
    plain = daemons(settings=misbehaving(shop, "blocks"))
    blocked(plain)
    at = plain.turns()
    plain.signal(signal.SIGABRT)
    assert plain.wait() == -signal.SIGABRT
    assert plain.turns() == at
    let_go(shop)
    plain.start(wait=False)
    assert plain.wait() == 0
    assert plain.status()["state"] == "ACTIVE"
    assert not halted_by_file(plain.state)
    check_verified(plain)
