"""A step of a drill that cannot be done is a failed step, never a drill that breaks off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.control import drill
from daemon.control.drill import Drill

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"


def test_a_daemon_that_does_not_stop_fails_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drill, "WAIT_S", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()  # it ignores SIGTERM from here on
        tried = Drill(tmp_path, tmp_path, tmp_path / "config.yaml", deaf)
        drill._try(tried, "orderly stop", drill._stop)
        deaf.kill()
    why = "SIGTERM did not end it within 0.1 s"
    assert [(step.passed, step.detail) for step in tried.steps] == [(False, why)]
    assert capsys.readouterr().out == f"FAILED  orderly stop       {why}\n"
