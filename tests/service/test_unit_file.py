"""The unit file by systemd's own judges, its numbers against each other; the shell scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = "papertape@.service"
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


def test_systemd_finds_nothing_wrong(unit: str, tmp_path: Path) -> None:
    analyze = needed("systemd-analyze")
    # What is started must exist, which it does where papertape is installed and nowhere else.
    (tmp_path / UNIT).write_text(unit.replace("/usr/local/bin/papertape", "/bin/true"))
    command = [analyze, "verify", "--recursive-errors=yes", str(tmp_path / UNIT)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / UNIT).write_text((tmp_path / UNIT).read_text().replace("Restart=", "Retsart="))
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode != 0  # the check can fail
    assert "Retsart" in done.stderr


def test_the_exposure_is_small(project_root: Path) -> None:
    command = [needed("systemd-analyze"), "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={EXPOSURE_MAX * 10:.0f}", str(project_root / "systemd" / UNIT)],
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


@pytest.mark.parametrize("script", ["systemd/install.sh", "tests/service/sdrun.sh", ".ci/run"])
def test_the_scripts_pass_shellcheck(script: str, project_root: Path) -> None:
    done = subprocess.run(
        [needed("shellcheck"), str(project_root / script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
