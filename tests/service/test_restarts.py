"""Which ends of the daemon systemd mends by a restart, and which it leaves to a person.

A real systemd, the unit as it is installed, and a program in the daemon's place.
"""

from __future__ import annotations

import pytest

from tests.service.machine import Machine

PROBE = "/opt/papertape/probe.py"
FINAL = ["exit 78", "exit 77", "exit 2", "die SIGUSR1", "die SIGUSR2"]
MENDED = ["exit 70", "exit 75", "exit 1", "die SIGABRT", "die SIGSEGV", "die SIGKILL"]


def probe(machine: Machine, name: str, words: str, *lines: str) -> str:
    """An instance that runs the probe, at once again where systemd starts it again."""
    python = machine.run("sh", "-c", "echo /opt/papertape/*/bin/python").stdout.strip()
    program = f"{python} {PROBE} {words}"
    return machine.instance(name, "RestartSec=50ms", *lines, program=program)


def starts(machine: Machine, name: str) -> int:
    return len(machine.file(f"/var/lib/papertape/{name}/starts").read_text().splitlines())


def named(words: str) -> str:
    return words.lower().replace(" ", "-")


@pytest.mark.parametrize("words", FINAL)
def test_what_a_restart_cannot_mend_is_not_restarted(machine: Machine, words: str) -> None:
    unit = probe(machine, named(words), words)
    assert machine.systemctl("start", unit, check=False).returncode != 0
    machine.until(f"{words} fails", lambda: machine.show(unit, "ActiveState") == "failed")
    assert machine.show(unit, "NRestarts") == "0"
    assert starts(machine, named(words)) == 1


@pytest.mark.parametrize("words", MENDED)
def test_what_may_pass_is_restarted_until_the_start_limit(machine: Machine, words: str) -> None:
    unit = probe(machine, named(words), words)
    machine.systemctl("start", "--no-block", unit)
    machine.until(f"{words} fails", lambda: machine.show(unit, "ActiveState") == "failed")
    assert starts(machine, named(words)) == 5  # StartLimitBurst
    refused = machine.systemctl("start", unit, check=False)
    assert refused.returncode != 0
    assert starts(machine, named(words)) == 5


def test_after_the_start_limit_reset_failed_allows_a_start(machine: Machine) -> None:
    unit = probe(machine, "mended", "exit 70")
    machine.systemctl("start", "--no-block", unit)
    machine.until("the start limit", lambda: machine.show(unit, "ActiveState") == "failed")
    probe(machine, "mended", "serve")
    machine.systemctl("reset-failed", unit)
    machine.systemctl("start", unit)
    assert machine.show(unit, "ActiveState") == "active"
    machine.systemctl("stop", unit)


def test_an_end_in_order_stays_an_end(machine: Machine) -> None:
    unit = probe(machine, "ended", "end")
    machine.systemctl("start", unit)
    machine.until("it is over", lambda: machine.show(unit, "ActiveState") == "inactive")
    assert machine.show(unit, "Result") == "success"
    assert starts(machine, "ended") == 1


def test_a_start_is_over_when_readiness_is_said(machine: Machine) -> None:
    unit = probe(machine, "slow", "wait go")
    machine.systemctl("start", "--no-block", unit)
    machine.until("it runs", machine.file("/var/lib/papertape/slow/starts").exists)
    assert machine.show(unit, "ActiveState") == "activating"
    machine.file("/var/lib/papertape/slow/go").touch()
    machine.until("it is ready", lambda: machine.show(unit, "ActiveState") == "active")
    assert machine.show(unit, "StatusText") == "ACTIVE, watchdog 15.0"
    machine.systemctl("stop", unit)
    assert machine.show(unit, "Result") == "success"


def test_a_blocked_loop_is_ended_with_its_stack_and_started_again(machine: Machine) -> None:
    unit = probe(machine, "blocked", "block", "WatchdogSec=2s")
    machine.systemctl("start", unit)
    machine.until("a restart", lambda: machine.show(unit, "NRestarts") != "0")
    machine.until("it serves", lambda: machine.show(unit, "ActiveState") == "active")
    log = machine.log("blocked")
    assert "Fatal Python error: Aborted" in log
    assert "in decide_for_ever" in log
    machine.systemctl("stop", unit)


def test_a_reload_that_is_refused_fails_visibly_and_harms_nothing(machine: Machine) -> None:
    refusal = "/bin/sh -c 'echo papertape: refused >&2; exit 78'"
    unit = probe(machine, "reloaded", "serve", "ExecReload=", f"ExecReload={refusal}")
    machine.systemctl("start", unit)
    assert machine.systemctl("reload", unit, check=False).returncode != 0
    assert "papertape: refused" in machine.log("reloaded")
    assert machine.show(unit, "ActiveState") == "active"
    assert starts(machine, "reloaded") == 1
    machine.systemctl("stop", unit)
