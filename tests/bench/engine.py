"""The engine's rows: from columns in memory to a finished run, beside the floors, in turn.

Machines are shared and their speed swings, so every repetition takes the floors and all rows one
after the other, and the ratio is the median over the repetitions. Seconds are the process's own.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from daemon.journal.writer import JournalWriter
from replay.run import Played, load_inputs, play
from tests.bench.floor import plain_floor, ready_slices, strategy_floor
from tests.bench.table import Row
from tests.bench.workload import Workload

GOAL_RATIO, BOUND_RATIO = 4.0, 6.0
FLOOR_BARS = 50_000  # of a long tape; slices that are ready weigh half a kilobyte each


@dataclass(slots=True)
class Case:
    """A workload to be measured; `judged` where the budget has a goal for it."""

    name: str
    workload: Workload
    journal: bool
    judged: bool = False
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)
    fills: int = 0


def measure_engine(cases: Sequence[Case], state: Path, repetitions: int) -> list[Row]:
    """Rows for cases that share one tape; the first case's first symbol gives the floors."""
    floors = _floors(cases[0].workload, state)
    strategy_us: list[float] = []
    plain_us: list[float] = []
    for _ in range(repetitions):
        by_strategy, by_hand = floors()
        strategy_us.append(by_strategy)
        plain_us.append(by_hand)
        for case in cases:
            _run(case, state)
    size = cases[0].workload.size
    return [
        Row(f"floor: strategy in a loop, {size}", median(strategy_us), "us/bar"),
        Row(f"floor: trading in a plain loop, {size}", median(plain_us), "us/bar"),
        *(_row(case, strategy_us, plain_us) for case in cases),
    ]


def played(workload: Workload, state: Path, *, journal: bool) -> tuple[float, float, Played]:
    """CPU and wall seconds of one run, and the run."""
    inputs = load_inputs(workload.config, state)
    with tempfile.TemporaryDirectory() as folder:
        writer = None
        if journal:
            writer = JournalWriter(Path(folder) / "journal.db")
            writer.open_segment(1, "start", {}, {})
        gc.collect()
        wall, cpu = perf_counter(), process_time()
        run = play(inputs, writer)
        cpu, wall = process_time() - cpu, perf_counter() - wall
        if writer is not None:
            writer.close()
    return cpu, wall, run


def _floors(workload: Workload, state: Path) -> Callable[[], tuple[float, float]]:
    columns = load_inputs(workload.config, state).tape.columns[workload.symbols[0]]
    count = min(workload.bars, FLOOR_BARS)
    slices = ready_slices(columns, count)
    opens, closes = columns.open[:count].tolist(), columns.close[:count].tolist()

    def measured() -> tuple[float, float]:
        gc.collect()
        return strategy_floor(slices) / count * 1e6, plain_floor(opens, closes)[0] / count * 1e6

    return measured


def _run(case: Case, state: Path) -> None:
    cpu, wall, run = played(case.workload, state, journal=case.journal)
    case.cpu_us.append(cpu / case.workload.total_bars * 1e6)
    case.wall_us.append(wall / case.workload.total_bars * 1e6)
    case.fills = len(run.recorder.fills)


def _row(case: Case, strategy_us: Sequence[float], plain_us: Sequence[float]) -> Row:
    def ratio(floors: Sequence[float]) -> float:
        return median(cpu / floor for cpu, floor in zip(case.cpu_us, floors, strict=True))

    best = 1e6 / min(case.wall_us)
    return Row(
        case.name,
        median(case.cpu_us),
        "us/bar",
        goal=GOAL_RATIO if case.judged else None,
        bound=BOUND_RATIO if case.judged else None,
        floor_ratio=ratio(strategy_us),
        plain_ratio=ratio(plain_us),
        note=f"{case.fills:,} fills; best {best:,.0f} bars/s",
    )
