"""The drill tries every brake on a copy, leaves the account alone, and says when one fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest

from tests.daemons.running import Daemon
from tests.replay.workshop import Workshop


@pytest.fixture
def stopped(shop: Workshop) -> Iterator[Daemon]:
    """A daemon that was stopped while it held a position."""
    strategy = "{kind: buy_and_hold, params: {quantity: 100}}"
    settings = {"observability.metrics": "null", "strategy": strategy}
    daemon = Daemon(shop, pace="60000", settings=settings)
    daemon.start()
    daemon.wait_for(lambda: daemon.query("SELECT quantity FROM positions WHERE quantity <> 0"))
    assert daemon.stop() == 0
    assert daemon.status()["positions"]
    yield daemon
    daemon.clean_up()


def _journal_hash(daemon: Daemon) -> str:
    return hashlib.sha256(daemon.journal.read_bytes()).hexdigest()


def test_every_brake_is_tried_on_a_copy(stopped: Daemon) -> None:
    before = _journal_hash(stopped)
    answer = stopped.type("drill")
    assert answer.code == 0, answer.out
    lines = answer.out.splitlines()
    assert lines[0] == f"state   {stopped.state}"
    steps = [line.split("  ")[0] for line in lines[1:-1]]
    assert all(step == "ok" for step in steps), answer.out
    assert "1 position closed" in answer.out
    result = json.loads((stopped.state / "checks" / "drill.json").read_text("utf-8"))
    assert result["success"] is True
    assert [row["step"] for row in result["steps"]] == [
        "start", "pause, resume", "reduce, resume", "reload", "kill", "restart, reset",
        "kill --flatten", "orderly stop", "verify",
    ]  # fmt: skip
    assert _journal_hash(stopped) == before
    assert not (stopped.state / "HALT").exists()


def test_a_brake_that_fails_is_named(stopped: Daemon) -> None:
    """Here the copy cannot even be started: the account's config has a strategy that has gone."""
    stopped.shop.strategy(
        "own",
        "class Own:\n    @dataclass(frozen=True)\n    class Params:\n        pass\n"
        "    warmup_bars = 0\n    def __init__(self, params, symbols): pass\n"
        "    def decide(self, market, predictions, portfolio): return None\n",
    )
    stopped.settings["strategy"] = "{kind: 'own:Own'}"
    stopped.start()
    assert stopped.stop() == 0
    (stopped.shop.folder / "strategies" / "own.py").unlink()
    answer = stopped.type("drill")
    assert answer.code == 78
    assert "no module own" in answer.lines[0]
