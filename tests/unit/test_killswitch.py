"""Signals reach flag and latch whatever the program is doing; a reset does not undo a later one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.control.killswitch import STOPPED_AT_ONCE, KillSwitch
from daemon.control.latch import Latch

NUMBERS = (
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGINT,
)  # fmt: skip


@pytest.fixture
def switch() -> Iterator[KillSwitch]:
    """A switch that has taken the signals of this process for a while."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    made = KillSwitch()
    made.install()
    try:
        yield made
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_kill_throws_flag_and_latch_and_wakes(switch: KillSwitch, tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.arm()
    switch.attach(latch)
    woken: list[int] = []
    switch.wake = lambda: woken.append(1)
    assert not switch.closed()
    signal.raise_signal(signal.SIGUSR1)
    assert switch.closed()
    assert (switch.kills, switch.flatten, woken) == (1, False, [1])
    said = latch.read()
    assert said is not None
    assert (said.source, said.reason) == ("signal", "SIGUSR1")


def test_a_kill_before_the_state_is_known_is_latched_once_it_is(
    switch: KillSwitch, tmp_path: Path
) -> None:
    signal.raise_signal(signal.SIGUSR2)
    latch = Latch(tmp_path)
    assert not latch.is_set()
    switch.attach(latch)
    assert latch.is_set()
    assert latch.wants_flat()
    assert switch.closed()


def test_a_storm_of_kills_leaves_the_first_reason(switch: KillSwitch, tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.arm()
    switch.attach(latch)
    for number in range(400):
        signal.raise_signal(signal.SIGUSR2 if number % 2 else signal.SIGUSR1)
    assert switch.kills == 400
    said = latch.read()
    assert said is not None
    assert said.reason == "SIGUSR1"
    assert latch.wants_flat()


def test_the_gate_sees_a_file_that_no_signal_announced(tmp_path: Path) -> None:
    switch = KillSwitch()
    latch = Latch(tmp_path)
    switch.attach(latch)
    assert not switch.closed()
    latch.throw("operator", "by another process")
    assert switch.closed()
    assert not switch.thrown


def test_a_latch_that_is_there_at_the_start_counts(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    latch.throw("operator", "yesterday")
    switch = KillSwitch()
    switch.attach(latch)
    assert switch.thrown


def test_a_reset_lifts_all_of_it_and_arms_again(tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    switch = KillSwitch()
    switch.attach(latch)
    switch.throw("operator", "stop", flatten=True)
    assert switch.release(switch.kills)
    assert not switch.closed()
    assert not latch.wants_flat()
    assert (tmp_path / "HALT.armed").exists()


def test_a_kill_during_a_reset_stays(switch: KillSwitch, tmp_path: Path) -> None:
    latch = Latch(tmp_path)
    switch.attach(latch)
    switch.throw("operator", "stop")
    admitted_with = switch.kills
    signal.raise_signal(signal.SIGUSR1)
    assert not switch.release(admitted_with)
    assert switch.closed()
    assert latch.is_set()


def test_the_flag_holds_where_the_latch_cannot_be_made(tmp_path: Path) -> None:
    switch = KillSwitch()
    switch.attach(Latch(tmp_path / "gone"))
    switch.throw("signal", "no directory")
    assert switch.closed()


BLOCKED = """
import os, signal, sys, threading, time
from pathlib import Path
from daemon.control.killswitch import KILL_SWITCH
KILL_SWITCH.install()
from daemon.control.latch import Latch
KILL_SWITCH.attach(Latch(Path(sys.argv[1])))
print("ready", flush=True)
orders = []
while len(orders) < 10**9:
    if KILL_SWITCH.closed():
        break
    orders.append(1)
print("closed", KILL_SWITCH.kills, flush=True)
"""


def test_a_busy_loop_is_no_shelter(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGUSR1)
    assert process.stdout.readline() == "closed 1\n"
    assert process.wait() == 0
    process.stdout.close()
    assert (tmp_path / "HALT").exists()


TWICE = """
import os, signal
from daemon.control.killswitch import KILL_SWITCH
KILL_SWITCH.install()
os.kill(os.getpid(), signal.SIGTERM)
print(KILL_SWITCH.stops, flush=True)
os.kill(os.getpid(), signal.SIGINT)
print("still here", flush=True)
"""


def test_a_second_stop_stops_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (STOPPED_AT_ONCE, "1\n")
