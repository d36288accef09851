"""What a closed turn costs to log and to count, and what a scrape takes.

Turns are real ones, from the pipeline; lines go to /dev/null by the log's own thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from daemon.core.events import TargetPosition
from daemon.core.limits import Limit, Limits
from daemon.core.turn import Turn
from daemon.observability.events import tell
from daemon.observability.limits import UNITS
from daemon.observability.logs import configure
from daemon.observability.metrics import Metrics
from daemon.observability.standing import standing_of
from daemon.pipeline import TASKS
from tests.bench.table import Row
from tests.harness import Quote, play

TURN_GOAL_US = 50.0
CALLS = 2_000
SYMBOLS = ("AAA",)
BAR: Quote = (100, 101, 99, 100)


def observability_rows(state: Path, repetitions: int) -> list[Row]:
    """A turn without and with an order or a fill, all limits set; a scrape."""
    every: dict[str, Any] = dict.fromkeys(UNITS, Limit(1 << 50))
    every |= {"min_cash_usd": Limit(1), "max_drawdown_pct": Limit(900_000)}
    result = play(
        {"AAA": [BAR, BAR, BAR]},
        at={0: [TargetPosition("AAA", 10)]},
        limits=Limits(**every),
    )
    metrics = Metrics("bench", SYMBOLS, TASKS, state, {})
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        log = configure("json", nowhere, run_id="bench")

    def observe(turn: Turn) -> Callable[[], object]:
        def observed() -> None:
            log.turn = turn.seq
            tell(log, turn)
            metrics.turn(turn, standing_of(result.account, latched=False))
            metrics.commit(0.004)

        return observed

    ordered, filled = result.turns
    quiet = Turn(ordered.seq, ordered.instant, ordered.input, (), equity=1)
    rows = [
        _row("observing a quiet turn", observe(quiet), repetitions, TURN_GOAL_US),
        _row("observing a turn with an order", observe(ordered), repetitions, TURN_GOAL_US),
        _row("observing a turn with a fill", observe(filled), repetitions, TURN_GOAL_US),
        _row("a scrape, in its own thread", metrics.page, repetitions, None, CALLS // 20),
    ]
    log.close()
    assert not metrics.failures
    return rows


def _row(
    name: str, call: Callable[[], object], repetitions: int, goal: float | None, calls: int = CALLS
) -> Row:
    found = []
    for _ in range(repetitions):
        begun = perf_counter()
        for _ in range(calls):
            call()
        found.append((perf_counter() - begun) / calls * 1e6)
    return Row(name, median(found), "us", goal=goal, note=f"best {min(found):.1f} us")
