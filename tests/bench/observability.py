"""What it costs to tell what happens: each turn of a whole daemon, and what is done beside it.

The daemon runs in this process, on a tape whose bars come PAUSE_S apart, so that its threads sleep
when a turn comes, as they do in a real session. Times of turns are CPU time of the event loop's
thread: on a machine that is shared, another clock would measure whoever else is at work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns, thread_time_ns
from typing import Any

from daemon.config import load_config
from daemon.control.killswitch import KillSwitch
from daemon.core.events import MarketSlice, Tick
from daemon.core.outputs import Fill, OrderAccepted
from daemon.core.turn import Turn
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.live.monitor import Monitor
from daemon.live.run import run
from daemon.observability.events import told
from daemon.observability.log_lines import Lines, Said
from daemon.observability.logs import configure
from daemon.observability.metrics import Metrics
from daemon.observability.redaction import Redaction
from daemon.pipeline import TASKS
from daemon.tasks import Busy, StageTask
from replay.live_feed import prepare
from tests.bench.engine import played
from tests.bench.table import Row
from tests.bench.workload import Workload
from tests.receiver import receiver

TURN_GOAL_US, REPLAY_GOAL_PCT = 50.0, 2.0
PAUSE_S = 0.002
TAPE_END = "2017-06-30"
"""Some 2,500 hourly bars, each of them a turn, and about 70 fills."""
CALLS = 2_000
STEPS = 5
"""Of a turn with a bar: the table `STEPS` of the pipeline."""
REPLAY_ROUNDS = 7
NOTICES = "[halt, pause, feed, gap, fill, daily_summary]"


def observability_rows(workload: Workload, folder: Path, repetitions: int) -> list[Row]:
    """A whole turn, without and with messages; what is made beside turns; a replay's share."""
    folder.mkdir()
    lived = _Lived()
    with lived.watching():
        run_daemon(workload, folder / "state", [])
    telling = _Lived()
    with receiver() as got, telling.watching():
        credential = folder / "alerts"
        credential.write_text(got.url("/bench") + "\n", encoding="utf-8")
        notify = f"{{urls_credential: alerts, events: {NOTICES}}}"
        os.environ["CREDENTIALS_DIRECTORY"] = str(folder)
        try:
            run_daemon(workload, folder / "told", [("notify", notify)])
        finally:
            del os.environ["CREDENTIALS_DIRECTORY"]
    return [
        *lived.rows(""),
        *telling.rows(", messages on"),
        *_parts(lived, folder, repetitions),
        _replay_row(workload, folder / "state"),
    ]


# --- the turns of a daemon ------------------------------------------------------------------------


class _Lived:
    """What the monitor spent within the turns of one daemon, and beside them."""

    def __init__(self) -> None:
        self.quiet_us: list[float] = []
        self.ordered_us: list[float] = []
        self.filled_us: list[float] = []
        self.beats_us: list[float] = []
        self.soon_us: list[float] = []
        self.ticks_us: list[float] = []
        self.turns_us: list[float] = []
        self.filled: Turn | None = None
        self.metrics: Metrics | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time what every monitor does."""
        turn, beat, soon = Monitor._turn, Monitor.beat, Monitor._take_up_soon

        def timed_turn(monitor: Monitor, closed: Turn, seconds: float) -> None:
            before = thread_time_ns()
            turn(monitor, closed, seconds)
            spent = thread_time_ns() - before
            self.metrics = monitor._metrics
            self._keep(closed, spent / 1e3)

        def timed_beat(monitor: Monitor, lag_s: float) -> None:
            before = thread_time_ns()
            beat(monitor, lag_s)
            self.beats_us.append((thread_time_ns() - before) / 1e3)

        def timed_soon(monitor: Monitor) -> None:
            before = thread_time_ns()
            soon(monitor)
            self.soon_us.append((thread_time_ns() - before) / 1e3)

        patched: Any = Monitor
        patched._turn, patched.beat = timed_turn, timed_beat
        patched._take_up_soon = timed_soon
        try:
            yield
        finally:
            patched._turn, patched.beat = turn, beat
            patched._take_up_soon = soon
        assert self.metrics is not None
        assert not self.metrics.failures

    def _keep(self, turn: Turn, spent_us: float) -> None:
        self.turns_us.append(spent_us)
        kinds = {type(output) for output in turn.outputs}
        if Fill in kinds:
            self.filled_us.append(spent_us)
            self.filled = turn
        elif OrderAccepted in kinds:
            self.ordered_us.append(spent_us)
        elif not kinds and isinstance(turn.input, MarketSlice):
            self.quiet_us.append(spent_us)
        elif isinstance(turn.input, Tick):
            self.ticks_us.append(spent_us)

    def rows(self, suffix: str) -> list[Row]:
        """A row for each kind of turn, judged."""
        return [
            _row(f"telling of a quiet turn{suffix}", self.quiet_us, TURN_GOAL_US),
            _row(f"telling of a turn with an order{suffix}", self.ordered_us, TURN_GOAL_US),
            _row(f"telling of a turn with a fill{suffix}", self.filled_us, TURN_GOAL_US),
            _row(f"telling of an open or a close{suffix}", self.ticks_us, TURN_GOAL_US),
            self._whole(f"all that is told, by the turn{suffix}"),
        ]

    def _whole(self, name: str) -> Row:
        """What the loop's thread spends on telling in and after turns: all that is put off, too."""
        turns, beats, days = len(self.turns_us), len(self.beats_us), len(self.soon_us)
        spent_us = sum(self.turns_us) + sum(self.beats_us) + sum(self.soon_us)
        note = f"{turns:,} turns, {beats} heartbeats, {days} days summed up"
        return Row(name, spent_us / turns, "us", note=note)


def _row(name: str, spent_us: list[float], goal: float | None) -> Row:
    worst = quantiles(spent_us, n=10)[-1]
    note = f"best {min(spent_us):.1f}, 9 of 10 below {worst:.1f} us; {len(spent_us):,} seen"
    return Row(name, median(spent_us), "us", goal=goal, note=note)


def run_daemon(workload: Workload, state: Path, settings: list[tuple[str, str]]) -> None:
    """A daemon in this process, until its tape ends."""
    pace = BAR_SIZES_NS[workload.size] / 1e9 / PAUSE_S
    overrides = [
        ("feed", f"{{kind: tape, pace: {pace:.0f}, end: {TAPE_END}}}"),
        ("observability.metrics", "null"),
        *settings,
    ]
    switch = KillSwitch()
    switch.installed = True  # no signals in the process of the benchmark
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        log = configure("json", nowhere, run_id="bench")
    config = load_config(workload.config, overrides, state=state)
    assert run(config, state, prepare, log, overrides, switch) == 0
    assert log.close()
    assert not log.dropped


# --- what is made beside turns --------------------------------------------------------------------


def _parts(lived: _Lived, folder: Path, repetitions: int) -> list[Row]:
    """The steps of a turn; lines and a scrape, in threads of their own."""
    assert lived.filled is not None
    assert lived.metrics is not None
    turn, metrics = lived.filled, lived.metrics
    tasks = {name: StageTask(name, Busy()) for name in TASKS}
    metrics.watch(tasks)
    lines = Lines("json", "bench", Redaction())

    def steps() -> None:
        for _ in range(STEPS):
            tasks["execution"].took(1_000)

    def made() -> None:
        for _ in lines.made(Said(1, turn.seq, told(turn), 4)):
            pass

    count = sum(1 for _ in lines.made(Said(1, turn.seq, told(turn), 4)))
    return [
        _called("timing the steps of a turn", steps, repetitions),
        _called(f"{count} lines of a fill, in the log's thread", made, repetitions),
        _called("a scrape, in its own thread", metrics.page, repetitions, CALLS // 20),
    ]


def _called(name: str, call: Callable[[], object], repetitions: int, calls: int = CALLS) -> Row:
    found = [_spent_us(call, calls) for _ in range(max(3, repetitions))]
    return Row(name, median(found), "us", note=f"best {min(found):.1f} us")


def _spent_us(call: Callable[[], object], calls: int) -> float:
    before = thread_time_ns()
    for _ in range(calls):
        call()
    return (thread_time_ns() - before) / calls / 1e3


# --- a replay -------------------------------------------------------------------------------------


def _replay_row(workload: Workload, state: Path) -> Row:
    """A replay has no monitor, log or metrics: only the first turn of each chunk is timed."""
    played(workload, state, journal=True)
    cpu_s, _, run_played = min(
        (played(workload, state, journal=True) for _ in range(REPLAY_ROUNDS)),
        key=lambda each: each[0],
    )
    timed = sum(task.timed for task in run_played.pipeline.tasks.values())
    task = StageTask("execution", Busy())

    def step() -> None:
        started = perf_counter_ns()
        task.took(perf_counter_ns() - started)

    spent_us = timed * _spent_us(step, CALLS)
    note = f"{timed:,} timed steps of {workload.bars:,} bars; nothing else is told in a replay"
    return Row(
        "observability's part of a replay", spent_us / cpu_s / 1e4, "%", REPLAY_GOAL_PCT, note=note
    )
