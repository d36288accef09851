"""A halted daemon is killed and started again, and again -> it stays HALTED with its first reason;
`resume` does not lift that, a missing latch or a missing halt is made again, only `reset` lifts it.
"""

from __future__ import annotations

import pytest

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import busy_settings, check_verified, halted_by_file
from tests.replay.workshop import Workshop


def test_kill_9_and_start_in_a_loop(daemons: Daemons) -> None:
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    assert daemon.type("kill", "--reason", "the first reason").code == 0
    orders = daemon.query("SELECT * FROM orders")
    for _ in range(3):
        daemon.kill_9()
        daemon.start()
        document = daemon.status()
        assert document["state"] == "HALTED"
        assert document["latch"]["reason"] == "the first reason"
        daemon.type("resume", "--reason", "please")
        assert daemon.status()["state"] == "HALTED"
        at = daemon.turns()
        daemon.reach(at + 4)
    assert daemon.query("SELECT * FROM orders") == orders
    assert len(daemon.query("SELECT * FROM commands WHERE command = 'Halt'")) == 1
    assert daemon.type("reset", "--reason", "enough").code == 0
    assert not halted_by_file(daemon.state)
    daemon.kill_9()
    daemon.start()
    assert daemon.status()["state"] == "ACTIVE", "a reset is as lasting as a halt"
    daemon.wait_for(lambda: len(daemon.query("SELECT * FROM orders")) > len(orders))
    assert daemon.stop() == 0
    check_verified(daemon)


@pytest.mark.parametrize("lost", ["latch", "journal"])
def test_the_stricter_of_journal_and_latch_wins(daemons: Daemons, lost: str) -> None:
    daemon = daemons(pace="100000", settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    if lost == "latch":
        assert daemon.type("kill").code == 0
        daemon.kill_9()
        (daemon.state / "HALT").unlink()
    else:
        daemon.kill_9()
        (daemon.state / "HALT").touch()  # as a person might in need
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert halted_by_file(daemon.state)
    at, orders = daemon.turns(), daemon.query("SELECT * FROM orders")
    daemon.reach(at + 6)
    assert daemon.query("SELECT order_id FROM orders") == [row[:1] for row in orders]
    assert daemon.stop() == 0
    assert len(daemon.query("SELECT * FROM commands WHERE command = 'Halt'")) == 1
    check_verified(daemon)


def test_killed_while_it_is_down(daemons: Daemons, shop: Workshop) -> None:
    daemon = daemons(pace="100000", settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    assert daemon.stop() == 0
    killed = daemon.type("kill", "--reason", "not today")
    assert killed.code == 0
    assert "it will start HALTED" in killed.out
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert "not today" in str(daemon.status()["holds"])
    daemon.kill_9()
    lifted = daemon.type("reset", "--reason", "now")
    assert lifted.code == 0
    assert "will start ACTIVE" in lifted.out
    check_verified(daemon)
