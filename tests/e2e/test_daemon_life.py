"""A new user's first hour: start, look, pause, resume, kill, try to start again, reset, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port
from tests.replay.workshop import Workshop

PACE = "60000"
"""A day in a second and a half: the tape outlasts what is typed here."""


@pytest.fixture
def daemon(shop: Workshop) -> Iterator[Daemon]:
    """A daemon that has not been started."""
    made = Daemon(shop, pace=PACE, settings={"observability.metrics": "null"})
    yield made
    made.clean_up()


def test_the_first_hour(daemon: Daemon) -> None:
    daemon.start()
    daemon.wait_for(lambda: daemon.turns() >= 4)
    answer = daemon.type("status")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == f"state   {daemon.state}"
    assert lines[1].startswith("account   shop   process ")
    assert lines[2] == "trading   ACTIVE   WARMING" or lines[2].startswith("trading   ACTIVE")
    assert any(line.startswith("last bar  NVDA 2024-01-02 ") for line in lines)
    assert daemon.type("status", "--check").code == 0
    _pause_and_resume(daemon)
    _kill_and_be_refused(daemon)
    _start_again_and_reset(daemon)
    assert daemon.stop() == 0
    answer = daemon.type("status")
    assert answer.code == 0
    assert "daemon DOWN" in answer.out
    answer = daemon.type("pause")
    assert answer.code == 75
    assert "no daemon runs here" in answer.lines[0]
    kinds = [row[0] for row in daemon.query("SELECT command FROM commands ORDER BY seq")]
    assert kinds == ["Pause", "Pause", "Resume", "Note", "Halt", "Resume", "Reset"]


def _pause_and_resume(daemon: Daemon) -> None:
    answer = daemon.type("pause", "--reason", "coffee")
    assert (answer.code, answer.err) == (0, "")
    assert "ACTIVE → PAUSED: PAUSED of operator set" in answer.out
    status = daemon.status()
    assert status["state"] == "PAUSED"
    assert [hold["reason"] for hold in status["holds"]] == ["coffee"]
    assert daemon.type("status", "--check").code == 1
    answer = daemon.type("pause")
    assert "nothing changed: the account is PAUSED" in answer.out
    answer = daemon.type("resume", "--reason", "back")
    assert "PAUSED → ACTIVE: PAUSED of operator lifted" in answer.out

    answer = daemon.type("note", "a remark")
    assert "noted as turn" in answer.out
    assert daemon.query("SELECT source, text FROM notes") == [("operator", "a remark")]


def _kill_and_be_refused(daemon: Daemon) -> None:
    answer = daemon.type("kill", "--reason", "enough")
    assert (answer.code, answer.err) == (0, "")
    assert "latched: no new order is accepted" in answer.out
    assert "HALTED at turn" in answer.out
    assert (daemon.state / "HALT").exists()
    assert daemon.status()["state"] == "HALTED"

    second = daemon.shop.process(*daemon.words)
    assert second.code == 75
    assert second.lines[0].startswith(f"{daemon.state}: held by process {daemon.pid}")
    assert daemon.status()["state"] == "HALTED"  # the first one is undisturbed


def _start_again_and_reset(daemon: Daemon) -> None:
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.status()["state"] == "HALTED"
    answer = daemon.type("resume")
    assert "nothing changed: the account is HALTED" in answer.out
    answer = daemon.type("reset", "--reason", "slept on it")
    assert (answer.code, answer.err) == (0, "")
    assert "HALTED → ACTIVE" in answer.out
    assert not (daemon.state / "HALT").exists()
    assert (daemon.state / "HALT.armed").exists()
    assert daemon.status()["state"] == "ACTIVE"


def test_a_kill_in_the_wrong_folder_says_that_nothing_was_done(shop: Workshop) -> None:
    answer = shop.type("kill", "--state", str(shop.folder))
    assert answer.code == 2
    assert answer.out == ""
    assert "no daemon has run here" in answer.lines[0]
    assert "daemons found" in answer.lines[1]
    assert answer.lines[2] == "NOTHING was stopped"
    assert not (shop.folder / "HALT").exists()
    answer = shop.type("kill", "nobody")
    assert answer.code == 2
    assert "no daemon nobody" in answer.lines[0]


def test_a_kill_of_a_daemon_that_is_down_holds_at_the_next_start(daemon: Daemon) -> None:
    daemon.start()
    daemon.wait_for(lambda: daemon.turns() >= 3)
    assert daemon.stop() == 0
    answer = daemon.type("kill")
    assert answer.code == 0
    assert "it will start HALTED" in answer.out
    daemon.start()
    status = daemon.status()
    assert status["state"] == "HALTED"
    assert [(hold["source"], hold["reason"]) for hold in status["holds"]] == [
        ("operator", "papertape kill")
    ]
    assert daemon.stop() == 0
    answer = daemon.type("reset", "--reason", "while it is down")
    assert answer.code == 0
    assert "the daemon will start ACTIVE" in answer.out
    daemon.start()
    assert daemon.status()["state"] == "ACTIVE"


def test_a_bare_signal_halts_and_flattens(daemon: Daemon) -> None:
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["positions"])
    daemon.signal(signal.SIGUSR2)
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    daemon.wait_for(lambda: not daemon.status()["positions"])
    status = daemon.status()
    assert [hold["source"] for hold in status["holds"]] == ["signal"]
    assert (daemon.state / "FLATTEN").exists()
    reasons = daemon.query("SELECT reason FROM fills ORDER BY fill_id DESC LIMIT 1")
    assert reasons == [("flatten",)]


def test_a_reload_takes_limits_and_refuses_the_rest(daemon: Daemon) -> None:
    daemon.start()
    text = daemon.shop.config.read_text("utf-8")
    daemon.shop.config.write_text(text.replace("limit: 1,", "limit: 3,"), encoding="utf-8")
    answer = daemon.type("reload")
    assert answer.code == 0, answer.err
    assert "risk.max_orders_per_day.limit: 1 → 3" in answer.out
    daemon.shop.config.write_text(text.replace("fast: 3", "fast: 4"), encoding="utf-8")
    answer = daemon.type("reload")
    assert answer.code == 78
    assert "strategy.params.fast cannot be reloaded" in answer.lines[0]
    daemon.shop.config.write_text("name: [", encoding="utf-8")
    answer = daemon.type("reload")
    assert answer.code == 78
    assert "config.yaml:" in answer.lines[0]
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda: "reload_refused" in daemon.events())
    status = json.loads(daemon.type("status", "--json").out)
    assert status["state"] == "ACTIVE"
    daemon.shop.config.write_text(text.replace("limit: 1,", "limit: 3,"), encoding="utf-8")
    assert daemon.stop() == 0
    segments = daemon.query("SELECT count(*) FROM segments")
    daemon.start()
    assert daemon.query("SELECT count(*) FROM segments") == segments == [(1,)]


def test_a_reload_moves_where_metrics_are_served(daemon: Daemon) -> None:
    first, second = free_port(), free_port()
    del daemon.settings["observability.metrics"]
    text = daemon.shop.config.read_text("utf-8")
    where = "observability: {{metrics: '127.0.0.1:{}'}}\n"
    daemon.shop.config.write_text(text + where.format(first), encoding="utf-8")
    daemon.start()
    assert _readyz(first) == "ok"
    daemon.shop.config.write_text(text + where.format(second), encoding="utf-8")
    answer = daemon.type("reload")
    assert (answer.code, answer.err) == (0, "")
    assert _readyz(second) == "ok"
    with pytest.raises(OSError, match="refused"):
        _readyz(first)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemon.shop.config.write_text(text + where.format(port), encoding="utf-8")
        answer = daemon.type("reload")
    assert answer.code == 78
    assert "the port is in use" in answer.lines[0]
    assert _readyz(second) == "ok"


def _readyz(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        return str(answer.read().decode()).strip()


def test_another_config_opens_a_new_segment_and_keeps_the_account(daemon: Daemon) -> None:
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["positions"])
    assert daemon.stop() == 0
    before = daemon.status()
    daemon.settings["strategy.params"] = "{fast: 2, slow: 9, quantity: 100, allow_short: true}"
    daemon.start()
    after = daemon.status()
    assert after["segment"] == 2
    assert daemon.stop() == 0
    held = [
        [(one["quantity"], one["average_usd"]) for one in at["positions"]] for at in (before, after)
    ]
    assert held[0] == held[1] != []
    assert after["cash_usd"] == before["cash_usd"]
    ((reason,),) = daemon.query("SELECT reason FROM segments WHERE segment = 2")
    assert "strategy.params.fast: 3 -> 2" in reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can type as another user")
def test_a_kill_by_a_stranger_says_what_to_type(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.stop() == 0
    daemon.state.chmod(0o750)
    for folder in daemon.state.parents:
        is_ours = folder.name.startswith(("pytest", "popen", "test"))
        if is_ours and folder.stat().st_uid == os.geteuid():
            folder.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    words = ("kill", "--flatten", "--state", str(daemon.state))
    answer = daemon.shop.process(*words, prefix=nobody)
    assert answer.code == 77
    assert answer.out == ""
    assert answer.lines[0].endswith(
        f"nothing was done; type: sudo -u root papertape kill --flatten --state {daemon.state}"
    )
    assert not (daemon.state / "HALT").exists()
