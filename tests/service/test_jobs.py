"""The two jobs beside the daemon: the installed units, a real systemd, their own sandbox."""

from __future__ import annotations

import json

import pytest

from tests.service.machine import Machine

CONFIG = """\
name: jobs
symbols: [NVDA]
bars: {size: 1h, grid: session}
feed: {kind: ib, port: 7999}
strategy: {kind: buy_and_hold, params: {quantity: 10}}
observability: {metrics: null}
"""
STATE = "/var/lib/papertape/jobs"


@pytest.fixture(scope="module", autouse=True)
def config(machine: Machine) -> None:
    """An instance whose gateway is not there; its jobs fail at once, and are tried once."""
    machine.file("/etc/papertape/jobs.yaml").write_text(CONFIG)
    for job in ("papertape-data", "papertape-checklist"):
        folder = machine.units / f"{job}@.service.d"
        folder.mkdir(exist_ok=True)
        log = f"/run/log/{job}.log"
        (folder / "test.conf").write_text(
            f"[Service]\nRestart=no\nStandardOutput=append:{log}\nStandardError=append:{log}\n"
        )
    machine.systemctl("daemon-reload")


def checked(machine: Machine, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(machine.file(f"{STATE}/checks/{name}.json").read_text())
    return found


def test_the_evenings_job_fails_where_bars_are_missing(machine: Machine) -> None:
    done = machine.systemctl("start", "papertape-data@jobs.service", check=False)
    assert done.returncode != 0
    said = machine.log("papertape-data")
    assert "nothing listens at 127.0.0.1:7999" in said
    assert f"NVDA 1h: there is no {STATE}/data/processed/nvda_hourly.csv" in said
    assert machine.show("papertape-data@jobs.service", "ExecMainStatus") == "1"
    assert checked(machine, "data-update")["success"] is False
    assert checked(machine, "data")["success"] is False
    owner = machine.run("stat", "-c", "%U:%G", f"{STATE}/checks/data.json", f"{STATE}/data")
    assert owner.stdout == "papertape:papertape\n" * 2


def test_the_mornings_job_writes_its_table(machine: Machine) -> None:
    done = machine.systemctl("start", "papertape-checklist@jobs.service", check=False)
    assert done.returncode != 0
    found = checked(machine, "checklist")
    assert set(found["failed"]) >= {"data", "gateway"}  # type: ignore[call-overload]  # a list
    verdicts = {row["name"]: row["verdict"] for row in found["rows"]}  # type: ignore[attr-defined]  # a list
    assert (verdicts["disk"], verdicts["references"]) == ("ok", "n/a")
    assert "fail: data, gateway" in machine.log("papertape-checklist")
