"""What is told of a daemon cannot end its turns."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from daemon.live.monitor import Monitor
from daemon.observability.logs import configure
from tests.harness import play
from tests.unit.metric_pages import made, scrape

FLAT = (100, 100, 100, 100)


def test_a_fault_in_telling_is_told_and_counted(tmp_path: Path) -> None:
    def no_answer() -> int:
        raise RuntimeError("the feed has no next bar")

    result = play({"NVDA": [FLAT]})
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as file:
        log = configure("json", file, run_id="r")
    live: Any = SimpleNamespace(
        log=log,
        inbox=SimpleNamespace(facts=()),
        switch=SimpleNamespace(thrown=False),
        rerun=SimpleNamespace(account=result.account),
        source=SimpleNamespace(next_bar=no_answer),
    )
    monitor = Monitor.__new__(Monitor)
    monitor._live, monitor._metrics = live, made(tmp_path)
    turn: Any = SimpleNamespace(seq=7)
    monitor._turn(turn, 0.1)
    monitor.beat(0.0)
    assert log.close(5)
    assert scrape(monitor._metrics)("metrics_failures_total") == 2
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    failed = [line for line in lines if line["event"] == "monitor_failed"]
    assert [line["turn"] for line in failed] == [7, 7]
    assert failed[1]["exception"].endswith("RuntimeError: the feed has no next bar")
