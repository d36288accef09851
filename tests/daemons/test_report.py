"""The report of a daemon's journal against a replay of the same tape, row for row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.running import Daemon
from tests.replay.busy import set_up
from tests.replay.workshop import Workshop, manifest, rows

STREAMS = (
    "fills", "orders", "trades", "equity", "denials", "state_changes", "predictions", "gaps",
)  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a folder in which nearly everything happens: orders, splits, gaps, predictions."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    monkeypatch.setenv("PAPERTAPE_STATE", str(workshop.state))
    set_up(workshop)
    return workshop


@pytest.fixture
def daemon(shop: Workshop) -> Iterator[Daemon]:
    """Return a daemon that has not been started."""
    daemon = Daemon(shop)
    yield daemon
    daemon.clean_up()


def reported(shop: Workshop, *words: str) -> Path:
    """The report's run directory."""
    answer = shop.type("report", "--label", "live", "--no-html", *words)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == f"state   {shop.state}"
    return Path(answer.out.splitlines()[-1].split(maxsplit=1)[1])


def assert_same_run(run: Path, live: Path) -> None:
    """Every row of every file, the digest and every figure are the same."""
    for stream in STREAMS:
        assert rows(live / f"{stream}.csv") == rows(run / f"{stream}.csv"), stream
    assert manifest(live)["digest"] == manifest(run)["digest"]
    for counted in ("bars", "turns", "first_bar", "last_bar", "final_state"):
        assert manifest(live)[counted] == manifest(run)[counted]
    assert summary(live) == summary(run)


def reached(daemon: Daemon, turns: int) -> bool:
    """Whether so many turns are committed."""
    return daemon.turns() >= turns


def summary(run: Path) -> dict[str, Any]:
    """summary.json of a run."""
    found: dict[str, Any] = json.loads((run / "summary.json").read_text("utf-8"))
    return found


def test_a_daemon_on_a_tape_is_its_replay_row_for_row(shop: Workshop, daemon: Daemon) -> None:
    run = shop.replay()
    daemon.start(wait=False)
    assert daemon.wait() == 0
    live = reported(shop)
    assert_same_run(run, live)
    assert len(rows(live / "fills.csv")) > 200
    assert len(rows(live / "predictions.csv")) > 500
    assert len(rows(live / "gaps.csv")) == 20
    assert shop.type("verify", "live").code == 0
    assert shop.type("runs", "diff", run.name, "live").code == 0


def test_so_is_one_that_was_killed_on_the_way(shop: Workshop, daemon: Daemon) -> None:
    run = shop.replay()
    for turns in (60, 200):
        daemon.start(wait=False)
        daemon.wait_for(partial(reached, daemon, turns))
        daemon.kill_9()
        assert daemon.process is not None
        assert daemon.process.returncode == -9  # it was not over yet
    daemon.start(wait=False)
    assert daemon.wait() == 0
    live = reported(shop)
    assert_same_run(run, live)
    assert [segment["reason"] for segment in manifest(live)["segments"]] == ["start"]
    assert shop.type("verify").code == 0


def test_a_strategy_that_remembers_closes_is_the_same_over_splits(
    shop: Workshop, daemon: Daemon
) -> None:
    """The one that `papertape init` writes knows nothing of splits: it is made anew at each."""
    kind = shop.breakout()
    run = shop.replay("--set", f"strategy={kind}")
    daemon.settings["strategy"] = kind
    daemon.start(wait=False)
    daemon.wait_for(partial(reached, daemon, 230))  # both symbols have split
    daemon.kill_9()
    daemon.start(wait=False)
    assert daemon.wait() == 0
    live = reported(shop)
    assert_same_run(run, live)
    assert shop.type("verify").code == 0
    assert shop.type("verify", run.name).code == 0
    # the first close after 3:2 is above those before it in new shares, and far below the old ones
    bought = {(row["ts_effective"], row["side"]) for row in rows(run / "fills.csv")}
    assert ("2024-01-24T15:30:00Z", "buy") in bought


def test_warm_up_is_that_of_a_replay(shop: Workshop, daemon: Daemon) -> None:
    """The model and the strategy see five bars before the first that is traded."""
    run = shop.replay("--set", "warmup_bars=5")
    daemon.settings["warmup_bars"] = "5"
    daemon.start(wait=False)
    assert daemon.wait() == 0
    live = reported(shop)
    assert_same_run(run, live)
    assert len(rows(live / "equity.csv")) == 308 - 5


def test_a_running_daemon_is_reported_verified_and_copied(shop: Workshop, daemon: Daemon) -> None:
    daemon.settings["feed"] = "{kind: tape, pace: 300000}"
    daemon.start()
    daemon.wait_for(lambda: daemon.turns() >= 40)
    before = daemon.turns()
    live = reported(shop)
    verified = json.loads(daemon.type("verify", "--json").out)
    assert daemon.type("backup", "copy.db").code == 0
    for verb, words in (("restore", ("copy.db",)), ("account", ("new", "--reason", "no"))):
        answer = daemon.type(verb, *words)
        assert answer.code == 75, answer.err
        assert "a daemon runs on it" in answer.lines[0]
    assert not daemon.ended
    assert manifest(live)["state"] == "running"
    assert manifest(live)["turns"] >= before
    assert (verified["equal"], verified["findings"]) == (True, [])
    assert verified["turns"] >= manifest(live)["turns"]
    assert shop.type("verify", "live").code == 0
    assert daemon.stop() == 0
    assert shop.type("verify").code == 0


def test_a_restored_daemon_starts_halted_and_goes_on_after_a_reset(
    shop: Workshop, daemon: Daemon
) -> None:
    """From the copy on everything is as in a replay, but for the halt."""
    daemon.settings["feed"] = "{kind: tape, pace: 300000}"
    daemon.start()
    daemon.wait_for(lambda: daemon.turns() >= 30)
    assert daemon.type("backup", "copy.db").code == 0
    daemon.wait_for(lambda: daemon.turns() >= 60)
    assert daemon.stop() == 0
    assert daemon.type("restore", "copy.db").code == 0
    daemon.start()
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    (hold,) = (one for one in daemon.status()["holds"] if one["source"] == "restore")
    assert hold["level"] == "HALTED"
    assert daemon.type("reset", "--reason", "looked at it").code == 0
    daemon.wait_for(lambda: daemon.status()["state"] != "HALTED")
    assert daemon.stop() == 0
    assert shop.type("verify").code == 0
