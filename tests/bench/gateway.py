"""Rows of a daemon that waits for its next bar from Interactive Brokers: CPU and memory.

The daemon is a real process, and so is the fake gateway, so that what that one does is not counted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from daemon.control.client import ask
from daemon.feeds.times import parse_when
from tests.bench.daemon import (
    IDLE_GOAL_MB,
    IDLE_GOAL_PCT,
    ROOT,
    cpu_ticks,
    memory_mb,
    spent_pct,
    wait_for,
)
from tests.bench.table import Row
from tests.fake_gateway.in_process import gateway_process

IDLE_S = 60.0
"""Two heartbeats of the feed."""
CONFIG = """\
name: waiting
symbols: [NVDA]
bars: {{size: 1h}}
feed: {{kind: ib, port: {port}}}
strategy: {{kind: sma_cross, params: {{fast: 10, slow: 50, quantity: 10}}}}
observability: {{metrics: null}}
"""


def gateway_rows(folder: Path) -> list[Row]:
    """What a daemon costs that is connected, warm and has nothing to do."""
    folder.mkdir()
    with gateway_process() as port:
        config, state = folder / "config.yaml", folder / "state"
        config.write_text(CONFIG.format(port=port), encoding="utf-8")
        words = ["-m", "daemon", "run", "--config", str(config), "--state", str(state)]
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: _feed(state)["connection"] == "live", process)
            wait_for(lambda: _seconds_to_bar(state) > IDLE_S + 10, process)
            before = cpu_ticks(process.pid)
            time.sleep(IDLE_S)
            spent = spent_pct(cpu_ticks(process.pid) - before, IDLE_S)
            memory = memory_mb(process.pid)
            generations = _feed(state)["generation"]
        finally:
            process.kill()
            process.wait()
    note = "connected all the time" if generations == 1 else f"connected {generations} times"
    return [
        Row("daemon idle on a gateway, of a core", spent, "%", IDLE_GOAL_PCT, None, note=note),
        Row("daemon idle on a gateway, memory", memory, "MB", IDLE_GOAL_MB, None),
    ]


def _feed(state: Path) -> dict[str, Any]:
    feed: dict[str, Any] = ask(state, "status")["status"]["feed"]
    return feed


def _seconds_to_bar(state: Path) -> float:
    """Until the next bar's end; below 0 while one that has ended is waited for."""
    return parse_when(_feed(state)["next_bar"], "UTC") / 1e9 - time.time()
