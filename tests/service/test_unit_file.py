"""The unit file by systemd's own judges, its numbers against each other; the shell scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = "papertape@.service"
JOBS = ("papertape-data", "papertape-checklist")
UNITS = (UNIT, *(f"{job}@.{kind}" for job in JOBS for kind in ("service", "timer")))
EXPOSURE_MAX = 1.3


def needed(tool: str) -> str:
    """The path of a tool, or a skip that nobody overlooks."""
    if path := shutil.which(tool):
        return path
    pytest.skip(f"SKIPPED, {tool} is not installed: make test installs it as root (apt-get)")


def settings(text: str) -> dict[str, list[str]]:
    """Every setting of a unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if (match := re.match(r"(\w+)=(.*)", line)) is not None:
            found.setdefault(match[1], []).append(match[2])
    return found


def seconds(value: str) -> int:
    return int(value.removesuffix("s"))


@pytest.fixture(scope="module")
def unit(project_root: Path) -> str:
    return (project_root / "systemd" / UNIT).read_text("utf-8")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong(name: str, project_root: Path, tmp_path: Path) -> None:
    analyze = needed("systemd-analyze")
    # What is started must exist, which it does where papertape is installed and nowhere else.
    for each in UNITS:
        text = (project_root / "systemd" / each).read_text("utf-8")
        (tmp_path / each).write_text(text.replace("/usr/local/bin/papertape", "/bin/true"))
    command = [analyze, "verify", "--recursive-errors=yes", str(tmp_path / name)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / name).write_text((tmp_path / name).read_text() + "\n[Unit]\nDescrpition=x\n")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0  # the check can fail
    assert "Descrpition" in done.stderr


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_the_exposure_is_small(name: str, project_root: Path) -> None:
    command = [needed("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={EXPOSURE_MAX * 10:.0f}", str(project_root / "systemd" / name)],
        check=False,
        capture_output=True,
        text=True,
    )
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stdout + done.stderr
    assert float(score[1]) <= EXPOSURE_MAX
    assert done.returncode == 0


def test_a_crash_loop_of_the_slowest_kind_meets_the_start_limit(unit: str) -> None:
    found = settings(unit)
    interval, burst = int(found["StartLimitIntervalSec"][0]), int(found["StartLimitBurst"][0])
    start, stop, watchdog, pause = (
        seconds(found[name][0])
        for name in ("TimeoutStartSec", "TimeoutStopSec", "WatchdogSec", "RestartSec")
    )
    assert burst * (start + watchdog + stop + pause) < interval


def test_the_unit_keeps_the_design(unit: str) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert found["ExecReload"] == ["/usr/local/bin/papertape reload %i"]
    assert (found["User"], found["Group"]) == (["papertape"], ["papertape"])
    assert (found["StateDirectory"], found["StateDirectoryMode"]) == (["papertape/%i"], ["0750"])
    final = set(" ".join(found["RestartPreventExitStatus"]).split())
    assert final == {"78", "77", "2", "SIGUSR1", "SIGUSR2"}
    for name in ("Wants", "After"):
        assert set(found[name][0].split()) == {"network-online.target", "time-sync.target"}


# --- jobs beside the daemon -----------------------------------------------------------------------


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_the_daemons_user_state_and_sandbox(
    job: str, project_root: Path, unit: str
) -> None:
    """All but what would reach into the daemon: its IPC objects are the user's."""
    found = settings((project_root / "systemd" / f"{job}@.service").read_text("utf-8"))
    daemon = settings(unit)
    names = list(daemon)
    sandbox = names[names.index("ProtectSystem") : names.index("WantedBy")]
    shared = ("User", "Group", "StateDirectory", "StateDirectoryMode", "WorkingDirectory", "UMask")
    for name in (*shared, *sandbox):
        if name != "RemoveIPC":
            assert found[name] == daemon[name], name
    assert "RemoveIPC" not in found
    assert "PAPERTAPE_STATE=%S/papertape/%i" in found["Environment"]
    assert found["Type"] == ["oneshot"]
    for line in found["ExecStart"]:
        assert line.endswith("--config /etc/papertape/%i.yaml")


def test_the_check_decides_and_a_gateway_that_is_away_is_tried_again(project_root: Path) -> None:
    found = settings((project_root / "systemd" / "papertape-data@.service").read_text("utf-8"))
    update, check = found["ExecStart"]
    assert update.startswith("-/usr/local/bin/papertape data update ")
    assert check.startswith("/usr/local/bin/papertape data check ")
    assert found["Restart"] == ["on-failure"]
    assert set(found["RestartPreventExitStatus"][0].split()) == {"78", "77", "2"}
    tries, pause_min = int(found["StartLimitBurst"][0]), 10
    assert found["RestartSec"] == [f"{pause_min}min"]
    assert found["StartLimitIntervalSec"] == ["2h"]
    assert (tries - 1) * pause_min < 120  # the limit is met, and nobody tries for ever


@pytest.mark.parametrize(
    ("job", "clock", "next_utc"),
    [("papertape-data", "16:45", "21:45:00"), ("papertape-checklist", "08:30", "13:30:00")],
)
def test_a_timer_goes_by_the_exchanges_clock(
    job: str, clock: str, next_utc: str, project_root: Path
) -> None:
    found = settings((project_root / "systemd" / f"{job}@.timer").read_text("utf-8"))
    assert found["OnCalendar"] == [f"Mon..Fri {clock} America/New_York"]
    assert found["Persistent"] == ["true"]
    assert found["WantedBy"] == ["timers.target"]
    command = [needed("systemd-analyze"), "calendar", "--base-time=2026-11-20 23:00 UTC"]
    done = subprocess.run(
        [*command, found["OnCalendar"][0]],
        check=True, capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert f"Mon 2026-11-23 {next_utc} UTC" in done.stdout  # after a weekend, in winter


@pytest.mark.parametrize("script", ["systemd/install.sh", "tests/service/sdrun.sh", ".ci/run"])
def test_the_scripts_pass_shellcheck(script: str, project_root: Path) -> None:
    done = subprocess.run(
        [needed("shellcheck"), str(project_root / script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
