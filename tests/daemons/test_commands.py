"""What commands answer: which state follows, what still holds, and what to type next."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.live.opening import Opened, open_as_recorded
from tests.daemons.running import Daemon
from tests.replay.workshop import CONFIG, Workshop


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Return a daemon that is up, at a bar every ten seconds."""
    monkeypatch.chdir(tmp_path)
    made = Daemon(Workshop(tmp_path), pace="360")
    made.start()
    yield made
    made.clean_up()


def said(daemon: Daemon, *words: str) -> list[str]:
    """The lines of an answer after the first one, which names the directory."""
    answer = daemon.type(*words)
    assert (answer.code, answer.err) == (0, "")
    first, *rest = answer.out.splitlines()
    assert first == f"state   {daemon.state}"
    return rest


def test_holds_upon_holds_say_what_is_in_force_and_what_lifts_it(daemon: Daemon) -> None:
    assert said(daemon, "pause") == [
        "ACTIVE → PAUSED: PAUSED of operator set",
        "no new orders; protective stops kept (`papertape resume` goes on)",
    ]
    assert said(daemon, "reduce") == [
        "PAUSED → PAUSED: REDUCING of operator set",
        "PAUSED allows less still; then this holds, until `papertape resume`",
    ]
    kill = said(daemon, "kill")
    assert kill[0] == "latched: no new order is accepted"
    assert said(daemon, "resume") == [
        "HALTED → HALTED: PAUSED of operator lifted",
        "HALTED → HALTED: REDUCING of operator lifted",
        "still HALTED: `papertape reset --reason TEXT` lifts it",
    ]
    assert said(daemon, "pause")[1] == (
        "HALTED allows less still; then this holds, until `papertape resume`"
    )
    assert said(daemon, "reset", "--reason", "seen") == [
        "HALTED → PAUSED: HALTED of operator lifted",
        "still PAUSED: `papertape resume` goes on",
    ]
    assert said(daemon, "resume") == ["PAUSED → ACTIVE: PAUSED of operator lifted"]


def test_a_kill_is_told_in_exchange_time(daemon: Daemon) -> None:
    daemon.wait_for(lambda: daemon.turns() >= 1)
    halted = said(daemon, "kill", "--reason", "enough")[1]
    assert re.match(r"HALTED at turn \d+ \(2024-01-02 \d\d:\d\d(:\d\d)?\), ack", halted)


def test_a_config_that_cannot_be_reloaded_is_named_in_full_and_what_stays(daemon: Daemon) -> None:
    config = daemon.shop.config
    config.write_text(CONFIG.replace("risk:", "riks:"))
    answer = daemon.type("reload")
    assert answer.code == 78
    assert answer.lines == [
        f"{config}:6:1: riks: unknown key (did you mean 'risk'?)",
        "nothing was reloaded: the config in force stays",
    ]
    config.unlink()
    answer = daemon.type("reload")
    assert answer.lines[0].startswith(f"{config}: cannot read the config")
    assert answer.lines[1:] == ["nothing was reloaded: the config in force stays"]


def test_a_reason_that_is_no_text_stops_no_command(daemon: Daemon) -> None:
    garbled = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert said(daemon, "pause", "--reason", garbled)[0].startswith("ACTIVE → PAUSED")
    assert said(daemon, "note", garbled)[0].startswith("noted as turn")
    assert said(daemon, "kill", "--reason", garbled)[0] == "latched: no new order is accepted"
    assert [hold["reason"] for hold in daemon.status()["holds"]] == ["caf? ?", "caf? ?"]
    assert daemon.stop() == 0
    assert daemon.type("account", "new", "--reason", garbled).code == 0


def test_a_kill_that_cannot_make_the_latch_says_so_and_stops_what_runs(daemon: Daemon) -> None:
    (daemon.state / "HALT.armed").unlink()
    (daemon.state / "HALT").symlink_to(daemon.state / "nowhere" / "HALT")
    told, halted, *_ = said(daemon, "kill")
    assert told.startswith("NOT latched (")
    assert halted.startswith("HALTED at turn ")
    assert daemon.status()["state"] == "HALTED"
    assert daemon.stop() == 0
    answer = daemon.type("kill")
    assert answer.code == 78
    assert "the latch cannot be made" in answer.lines[0]
    assert answer.lines[0].endswith("NOTHING was stopped")


def test_a_kill_during_a_reset_of_a_daemon_that_is_down_stays(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(daemon, "kill")
    assert daemon.stop() == 0

    def opened_while_killed(path: Path) -> Opened:
        os.kill(os.getpid(), signal.SIGUSR1)  # as `papertape kill` does to whoever holds it
        return open_as_recorded(path)

    monkeypatch.setattr("daemon.control.reset.open_as_recorded", opened_while_killed)
    before = signal.getsignal(signal.SIGUSR1)
    answer = daemon.shop.type("reset", "--reason", "too early", "--state", str(daemon.state))
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == (
        "a kill came during the reset: the daemon will start HALTED"
    )
    assert (daemon.state / "HALT").exists()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_daemon_that_was_spoken_to_and_killed_trades_as_its_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    days = ("--start", "2024-01-02", "--end", "2024-01-08")
    daemon = Daemon(
        Workshop(tmp_path),
        settings={"feed": "{kind: tape, pace: 150000, start: 2024-01-02, end: 2024-01-08}"},
    )
    try:
        daemon.start()
        said(daemon, "note", "a remark changes no trading")
        daemon.kill_9()
        daemon.start()
        assert said(daemon, "reload") == ["nothing has changed in the config"]
        assert daemon.wait() == 0
    finally:
        daemon.clean_up()
    assert ("Note",) in daemon.query("SELECT command FROM commands")
    assert daemon.type("report", "--out", "live").code == 0
    replayed = daemon.shop.replay(*days, "--set", "warmup_bars=auto")
    live = json.loads((tmp_path / "live" / "manifest.json").read_text())
    again = json.loads((replayed / "manifest.json").read_text())
    assert live["digest"] == again["digest"]
    assert "identical trading" in daemon.shop.type("runs", "diff", "live", str(replayed)).out
