"""The strategy raises -> an output like any other: the bar's fills and marks stand, no order comes
of it, the account is HALTED with the error and its line, the process stays up and answers.
"""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import PACE, Daemons
from tests.faults.strategies import calls, misbehaving
from tests.faults.trouble import (
    Patient,
    check_verified,
    halted_by_file,
    no_traceback,
    turns_of,
)
from tests.replay.workshop import Workshop

RAISING = [
    ("raises", "ValueError: the sky is falling (raises.py:"),
    ("divides", "ZeroDivisionError: division by zero (divides.py:"),
    ("recurses", "RecursionError: "),
]


@pytest.mark.parametrize(("how", "words"), RAISING)
def test_it_halts_and_says_where(shop: Workshop, daemons: Daemons, how: str, words: str) -> None:
    daemon = daemons(pace=PACE, settings=misbehaving(shop, how))
    daemon.start()
    daemon.wait_for(lambda: halted_by_file(daemon.state))
    assert daemon.status()["state"] == "HALTED"
    hold = daemon.status()["holds"][0]
    assert hold["source"] == "strategy"
    assert hold["reason"].startswith(words)
    assert daemon.type("status").code == 0
    at = daemon.turns()
    daemon.reach(at + 6)  # bars come in and are marked
    assert daemon.stop() == 0
    check_the_turn(shop, daemons, daemon.turns())
    no_traceback(daemon)


def check_the_turn(shop: Workshop, daemons: Daemons, turns: int) -> None:
    """The sixth bar: the order of the fifth fills, nothing is ordered, the equity is known."""
    daemon = daemons()
    rows = turns_of(daemon)
    failed = next(row for row in rows if '"strategy"' in row[7])
    outputs = json.loads(failed[7])
    kinds = [output["type"] for output in outputs]
    assert kinds.count("Fill") == 1
    assert "OrderAccepted" not in kinds
    assert failed[6] is not None, "the account is marked"
    bars = [row for row in rows if row[2] == "slice"]
    assert bars.index(failed) == 5
    after = [row for row in bars if row[0] > failed[0]]
    assert after, "nothing came after it"
    assert not [row for row in after if "OrderAccepted" in row[7]]


def test_a_restart_does_not_call_it_again(shop: Workshop, daemons: Daemons) -> None:
    daemon = daemons(pace=PACE, settings=misbehaving(shop, "raises"))
    daemon.start()
    daemon.reach(15)
    daemon.kill_9()
    assert calls(shop)[:6] == [1, 2, 3, 4, 5, 6]
    (shop.folder / "calls.txt").unlink()
    daemon.start()
    assert daemon.status()["state"] == "HALTED"
    daemon.go_on(3)
    assert daemon.stop() == 0
    assert 6 not in calls(shop), "it was called again for the turn that had failed"
    assert calls(shop)[:5] == [1, 2, 3, 4, 5]
    check_verified(daemon)


def reset_and_gone_on(shop: Workshop, daemons: Daemons) -> Patient:
    """A daemon that was reset after the failure, and has traded since."""
    daemon = daemons(pace="60000", settings=misbehaving(shop, "raises"))
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    halted = daemon.turns()
    assert daemon.type("resume").code != 0 or daemon.status()["state"] == "HALTED"
    assert daemon.type("reset", "--reason", "it will not happen again").code == 0
    before = len(daemon.query("SELECT * FROM orders"))
    daemon.wait_for(lambda: len(daemon.query("SELECT * FROM orders")) > before)
    assert daemon.turns() > halted
    assert daemon.stop() == 0
    return daemon


def test_after_a_reset_it_goes_on(shop: Workshop, daemons: Daemons) -> None:
    daemon = reset_and_gone_on(shop, daemons)
    assert daemon.query("SELECT state FROM state_changes")[-1] == ("ACTIVE",)


def test_what_came_after_a_reset_can_be_played_again(shop: Workshop, daemons: Daemons) -> None:
    daemon = reset_and_gone_on(shop, daemons)
    check_verified(daemon)
    daemon.start()
    assert daemon.status()["state"] == "ACTIVE"
