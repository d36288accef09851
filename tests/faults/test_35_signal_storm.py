"""Kills from everywhere at once, hundreds of signals -> one halt in the journal, the first reason
kept, no order after it, and the process alive and answering.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

from tests.faults.conftest import Daemons
from tests.faults.trouble import (
    busy_settings,
    check_verified,
    halted_by_file,
    no_traceback,
    turns_of,
    until_the_first_halt,
)

SIGNALS = 400

BETWEEN = ("latch", "the file HALT is there")
"""What is known of a latch that is found between its making and the writing of its reason."""


def test_four_hundred_signals(daemons: Daemons) -> None:
    daemon = daemons(pace="100000", settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    for number in range(SIGNALS):
        daemon.signal(signal.SIGUSR1 if number % 4 else signal.SIGHUP)
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert halted_by_file(daemon.state)
    at = daemon.turns()
    daemon.reach(at + 6)
    assert daemon.stop() == 0
    assert daemon.query("SELECT command, source, reason FROM commands") == [
        ("Halt", "signal", "SIGUSR1")
    ]
    check_no_order_after_it(turns_of(daemon))
    no_traceback(daemon)
    check_verified(daemon)


def check_no_order_after_it(turns: list[tuple[object, ...]]) -> None:
    halt = until_the_first_halt(turns)
    assert halt < len(turns)
    assert not [turn for turn in turns[halt:] if "OrderAccepted" in str(turn[7])]


def test_kills_from_everywhere_at_once(daemons: Daemons) -> None:
    daemon = daemons(pace="100000", settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    with ThreadPoolExecutor(4) as pool:
        killing = [pool.submit(daemon.type, "kill", "--reason", f"reason {n}") for n in range(4)]
        daemon.signal(signal.SIGUSR1)
        codes = {run.result().code for run in killing}
    assert codes == {0}
    first = (daemon.state / "HALT").read_text()
    assert daemon.type("kill", "--reason", "too late").code == 0
    assert (daemon.state / "HALT").read_text() == first
    assert daemon.stop() == 0
    ((source, reason),) = daemon.query("SELECT source, reason FROM commands")
    if (source, reason) != BETWEEN:
        assert f"source {source}\n" in first
        assert f"reason {reason}" in first
    check_no_order_after_it(turns_of(daemon))
    check_verified(daemon)


def test_flatten_may_be_added_to_a_halt(daemons: Daemons) -> None:
    daemon = daemons(pace="100000", settings=busy_settings())
    daemon.start()
    daemon.wait_for(lambda: any(p["quantity"] for p in daemon.status()["positions"]))
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    for _ in range(50):
        daemon.signal(signal.SIGUSR2)
    daemon.wait_for(lambda: daemon.status()["positions"] == [])
    assert (daemon.state / "FLATTEN").exists()
    assert daemon.stop() == 0
    commands = daemon.query("SELECT command FROM commands")
    assert commands in ([("Halt",), ("Flatten",)], [("Flatten",)])
    origins = daemon.query(
        "SELECT DISTINCT origin FROM orders WHERE order_id > (SELECT max(order_id) - 1 FROM orders)"
    )
    assert origins == [("flatten",)] or commands == [("Flatten",)]
    check_verified(daemon)
