"""The daemon itself as a service: the installed unit, a real systemd, a tape for a feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.machine import Machine

# A bar of an hour each second: the tape outlasts every test.
CONFIG = """\
name: {name}
symbols: [NVDA]
bars: {{size: 1h, grid: session}}
tape: {{path: tapes/nvda.csv.zip}}
feed: {{kind: tape, {feed}}}
strategy: {{kind: {strategy}}}
risk:
  max_position_shares: {limit}
observability: {{metrics: null}}
"""
STEADY = "buy_and_hold, params: {quantity: 10}"  # +10 from the second bar on
# Decides like a deadlock: not at all, until somebody makes the file.
STUCK = '''\
from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/papertape/stuck")


class Stuck:
    """Blocks the event loop at its second bar, as long as a file is missing."""

    warmup_bars = 0

    @dataclass(frozen=True)
    class Params:
        """None."""

    def __init__(self, params, symbols):
        self.bars = 0

    def decide(self, market, predictions, portfolio):
        self.bars += 1
        if self.bars == 2:
            (STATE / "blocked").touch()
            while not (STATE / "go").exists():
                pass
        return ()
'''


@pytest.fixture(scope="module")
def tape(machine: Machine, project_root: Path) -> None:
    """The bundled tape, where the service may read it."""
    folder = machine.file("/etc/papertape/tapes")
    folder.mkdir()
    sample = project_root / "replay/samples/nvda_synthetic_hourly.csv.zip"
    (folder / "nvda.csv.zip").write_bytes(sample.read_bytes())
    machine.run("chmod", "-R", "a+rX", "/etc/papertape/tapes")


def configure(machine: Machine, name: str, *lines: str, **changes: object) -> str:
    """Give an instance its config, restarted at once; its unit's name."""
    values = {"strategy": STEADY, "limit": 500, "feed": "pace: 3600", **changes}
    config = machine.file(f"/etc/papertape/{name}.yaml")
    config.write_text(CONFIG.format(name=name, **values))
    machine.run("chgrp", "papertape", f"/etc/papertape/{name}.yaml")
    return machine.instance(name, "RestartSec=100ms", *lines)


@pytest.fixture
def nvda(machine: Machine, tape: None) -> Iterator[str]:
    """A daemon that trades, started and at the end stopped."""
    unit = configure(machine, "nvda")
    machine.systemctl("start", unit)
    yield unit
    machine.systemctl("stop", unit)
    machine.systemctl("reset-failed", unit, check=False)
    machine.run("sh", "-c", "rm -rf /var/lib/papertape/nvda")


def status(machine: Machine, unit: str) -> str:
    return machine.show(unit, "StatusText")


def test_a_daemon_starts_trades_and_stops_in_order(machine: Machine, nvda: str) -> None:
    assert machine.show(nvda, "ActiveState") == "active"
    machine.until("it trades", lambda: "NVDA" in status(machine, nvda))
    assert status(machine, nvda).startswith("ACTIVE; +10 NVDA")
    state = "/var/lib/papertape/nvda"
    seen = machine.run("stat", "-c", "%U:%G %a %F", state, f"{state}/control.sock").stdout
    assert seen.splitlines() == [
        "papertape:papertape 750 directory",
        "papertape:papertape 660 socket",
    ]
    machine.systemctl("stop", nvda)
    assert machine.show(nvda, "Result") == "success"
    assert machine.show(nvda, "ExecMainStatus") == "0"
    verified = machine.run("runuser", "-u", "papertape", "--", "papertape", "verify", "nvda")
    assert "equal" in verified.stdout


def test_a_sigkill_is_recovered_before_readiness_is_said(machine: Machine, nvda: str) -> None:
    machine.until("it trades", lambda: "NVDA" in status(machine, nvda))
    machine.systemctl("kill", "--signal=KILL", nvda)
    machine.until("a restart", lambda: machine.show(nvda, "NRestarts") == "1")
    machine.until("it is ready", lambda: machine.show(nvda, "ActiveState") == "active")
    assert status(machine, nvda).startswith("ACTIVE; +10 NVDA")


def test_a_kill_stays_killed(machine: Machine, nvda: str) -> None:
    machine.systemctl("kill", "--signal=USR1", nvda)
    machine.until("it is halted", lambda: status(machine, nvda).startswith("HALTED"))
    assert machine.show(nvda, "ActiveState") == "active"
    assert machine.show(nvda, "NRestarts") == "0"
    machine.systemctl("restart", nvda)
    assert status(machine, nvda).startswith("HALTED")


def test_a_reload_takes_a_limit_and_refuses_a_mistake(machine: Machine, nvda: str) -> None:
    configure(machine, "nvda", limit=400)
    machine.systemctl("reload", nvda)
    assert "max_position_shares" in machine.log("nvda")
    configure(machine, "nvda", limit="many")
    refused = machine.systemctl("reload", nvda, check=False)
    assert refused.returncode != 0
    assert "nvda.yaml:8" in machine.log("nvda")
    assert machine.show(nvda, "ActiveState") == "active"
    assert machine.show(nvda, "NRestarts") == "0"


def test_the_end_of_a_tape_is_an_end_in_order(machine: Machine, tape: None) -> None:
    unit = configure(machine, "short", feed="pace: max, end: 2018-01-03")
    for _ in range(2):  # nothing is left to play the second time
        machine.systemctl("start", unit)
        machine.until("it ends", lambda: machine.show(unit, "ActiveState") == "inactive")
        assert machine.show(unit, "Result") == "success"
        assert machine.show(unit, "NRestarts") == "0"


def test_a_config_error_is_said_once_and_not_restarted(machine: Machine, tape: None) -> None:
    unit = configure(machine, "typo", limit="many")
    assert machine.systemctl("start", unit, check=False).returncode != 0
    assert machine.show(unit, "ActiveState") == "failed"
    assert machine.show(unit, "ExecMainStatus") == "78"
    assert machine.show(unit, "NRestarts") == "0"
    assert "typo.yaml:8" in machine.log("typo")


def test_a_damaged_journal_never_becomes_ready(machine: Machine, nvda: str) -> None:
    machine.until("it trades", lambda: "NVDA" in status(machine, nvda))
    machine.systemctl("stop", nvda)
    machine.file("/var/lib/papertape/nvda/journal.db").write_bytes(b"")
    assert machine.systemctl("start", nvda, check=False).returncode != 0
    assert machine.show(nvda, "ActiveState") == "failed"
    assert machine.show(nvda, "ExecMainStatus") == "78"
    assert machine.show(nvda, "NRestarts") == "0"


def test_a_blocked_strategy_is_halted_ended_and_recovered(machine: Machine, tape: None) -> None:
    strategies, state = (
        machine.file("/etc/papertape/strategies"),
        machine.file("/var/lib/papertape/stuck"),
    )
    strategies.mkdir(exist_ok=True)
    (strategies / "stuck.py").write_text(STUCK)
    machine.run("chmod", "-R", "a+rX", "/etc/papertape/strategies")
    unit = configure(machine, "stuck", "WatchdogSec=10s", strategy='"stuck:Stuck"')
    machine.systemctl("start", unit)
    machine.until("the loop is blocked", (state / "blocked").exists)
    # The loop hears nothing now, so nobody acknowledges (unless the watchdog was quicker).
    killed = machine.run("papertape", "kill", "stuck", check=False)
    assert killed.returncode in {0, 75}, killed.stdout + killed.stderr
    assert (state / "HALT").exists()
    machine.until("a restart", lambda: machine.show(unit, "NRestarts") != "0")
    (state / "go").touch()
    machine.until("it is halted", lambda: status(machine, unit).startswith("HALTED"))
    assert machine.show(unit, "ActiveState") == "active"
    log = machine.log("stuck")
    assert "Fatal Python error: Aborted" in log
    assert re.search(r'strategies/stuck.py", line \d+ in decide', log)
    machine.systemctl("stop", unit)


def test_a_state_that_is_held_is_waited_for(machine: Machine, nvda: str) -> None:
    """Started by hand beside the service: the service comes when the other one has gone."""
    second = machine.instance(
        "second",
        "Environment=PAPERTAPE_STATE=/var/lib/papertape/nvda",
        "StateDirectory=papertape/nvda",
        "RestartSec=1s",
        "[Unit]",
        "StartLimitBurst=1000",
        program="/usr/local/bin/papertape run --config /etc/papertape/nvda.yaml",
    )
    machine.systemctl("start", "--no-block", second)
    machine.until("a refusal", lambda: machine.show(second, "ExecMainStatus") == "75")
    machine.until("another try", lambda: machine.show(second, "NRestarts") != "0")
    assert "/var/lib/papertape/nvda: held by process" in machine.log("second")
    assert machine.show(nvda, "ActiveState") == "active"
    machine.systemctl("stop", nvda)
    machine.until("it has it", lambda: machine.show(second, "ActiveState") == "active")
    machine.systemctl("stop", second)
