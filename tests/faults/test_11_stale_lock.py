"""A daemon was killed and left its lock, its process number and its socket -> the next one starts
at once: the lock is the kernel's, and what the files say about it does not count.
"""

from __future__ import annotations

import os

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import Undisturbed, busy_settings, check_no_turn_lost


def test_after_kill_9(daemons: Daemons, three_weeks: Undisturbed) -> None:
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start()
    daemon.kill_9()
    assert (daemon.state / "daemon.lock").exists()
    assert (daemon.state / "control.sock").exists()
    # The number may since belong to another process that is alive, such as this one.
    (daemon.state / "daemon.lock").write_text(f"{os.getpid()}\n")
    daemon.start()
    assert daemon.status()["daemon"]["running"] is True
    assert daemon.status()["daemon"]["process"] == daemon.pid != os.getpid()
    daemon.go_on(2)
    assert daemon.stop() == 0
    check_no_turn_lost(daemon, three_weeks)


def test_a_verb_does_not_take_the_rest_for_a_daemon(daemons: Daemons) -> None:
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start()
    daemon.kill_9()
    assert daemon.status()["daemon"]["running"] is False
    answer = daemon.type("pause")
    assert answer.code == 75
    assert answer.lines[0].endswith("start it with `papertape run` or systemctl")
