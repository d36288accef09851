"""Rows of a running daemon: the kill switch, a turn's way to the disk, recovery, and doing nothing.

Real processes on a real state directory. The kill is a bare SIGUSR1 at a random moment while a
strategy orders at every bar and keeps the loop busy in between; what counts is the last turn with
a strategy's order that was written after the signal had been sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from daemon.journal.codec import decode_outputs
from daemon.journal.reader import JournalReader
from daemon.journal.store import LiveJournal
from tests.bench.table import Row
from tests.bench.workload import Workload
from tests.live_journals import MANIFEST, OPENING, WALL, turn

ROOT = Path(__file__).resolve().parents[2]
KILL_GOAL_MS, DURABLE_GOAL, IDLE_GOAL_PCT, IDLE_GOAL_MB = 50.0, 2.5, 0.5, 120.0
RECOVERY_GOAL_S = 2.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where a disk would be measured, not recovery
COMMITS = 300
IDLE_S = 10.0
WAIT_S = 600.0

STRATEGY = """\
import threading
from dataclasses import dataclass
from random import random
from time import perf_counter, sleep
from daemon.core.events import OrderRequest, Side


def spin(seconds):
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


def spin_in_c(seconds):
    until = perf_counter() + seconds
    while perf_counter() < until:
        sorted([random() for _ in range(20_000)] * 10)  # one long call that holds the lock


def for_ever():
    while True:
        spin(1.0)


BLOCKS = {"python": spin, "c": spin_in_c, "thread": lambda seconds: spin(0.001)}


class Busy:
    @dataclass(frozen=True)
    class Params:
        how: str = "python"
        block_s: float = 0.2

    warmup_bars = 0

    def __init__(self, params, symbols):
        self.params, self.sides = params, (Side.BUY, Side.SELL)
        if params.how == "thread":
            threading.Thread(target=for_ever, daemon=True).start()

    def decide(self, market, predictions, portfolio):
        BLOCKS[self.params.how](self.params.block_s)
        self.sides = self.sides[::-1]
        return [OrderRequest(bar.symbol, self.sides[0], 1) for bar in market.bars]
"""


def daemon_rows(workload: Workload, minutes: Workload, folder: Path, repetitions: int) -> list[Row]:
    """All rows; `workload` is hourly, `minutes` a year of minute bars."""
    rows = [
        _kill_row(workload, folder / f"kill-{how}", how, name, repetitions)
        for how, name in (
            ("python", "blocked by Python code"),
            ("c", "blocked by C code"),
            ("thread", "beside a busy thread"),
        )
    ]
    return [*rows, _durable_row(folder / "durable"), *_idle_rows(workload, folder / "idle"),
            _recovery_row(minutes)]  # fmt: skip


# --- the kill switch ------------------------------------------------------------------------------


def _kill_row(workload: Workload, folder: Path, how: str, name: str, repetitions: int) -> Row:
    latencies_ms, orders = [], 0
    for number in range(repetitions):
        place = folder / str(number)
        _write_config(workload, place, how)
        late, count = _kill_once(place, random.Random(number))
        latencies_ms.append(late)
        orders += count
    note = f"{orders} orders after the signal in {repetitions} kills"
    return Row(f"SIGUSR1 to the last order, {name}", max(latencies_ms), "ms", KILL_GOAL_MS, None,
               note=note)  # fmt: skip


def _kill_once(place: Path, rng: random.Random) -> tuple[float, int]:
    state = place / "state"
    with _running(place / "config.yaml", state, {"pace": "max"}) as process:
        wait_for(lambda: _turns(state) >= 5, process)
        time.sleep(rng.random() * 0.4)
        sent = time.time_ns()
        os.kill(process.pid, signal.SIGUSR1)
        wait_for((state / "HALT").exists, process)
    reader = JournalReader(state / "journal.db")
    try:
        late = [
            row.wall
            for row in reader.turns()
            if row.wall is not None and row.wall > sent and _has_new_order(row.outputs)
        ]
    finally:
        reader.close()
    return (max(late) - sent) / 1e6 if late else 0.0, len(late)


def _has_new_order(outputs: str) -> bool:
    return '"OrderAccepted"' in outputs and any(
        getattr(output, "origin", None) in ("target", "explicit")
        and type(output).__name__ == "OrderAccepted"
        for output in decode_outputs(outputs)
    )


def _write_config(workload: Workload, place: Path, how: str) -> None:
    (place / "strategies").mkdir(parents=True)
    (place / "strategies" / "busy.py").write_text(STRATEGY, encoding="utf-8")
    text = workload.config.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("strategy:")]
    lines.append(f"strategy: {{kind: 'busy:Busy', params: {{how: {how}}}}}")
    (place / "config.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


# --- a turn's way to the disk ---------------------------------------------------------------------


def _durable_row(folder: Path) -> Row:
    """One commit beside one raw append and fdatasync of the same size, in turn."""
    folder.mkdir()
    ours_s, raw_s = asyncio.run(_commits(folder))
    ratio = median(ours_s) / median(raw_s)
    note = (
        f"{1000 * median(ours_s):.2f} ms against {1000 * median(raw_s):.2f} ms, "
        f"p99 {1000 * quantiles(ours_s, n=100)[-1]:.2f} ms"
    )
    return Row("a turn durable, x a raw append + fdatasync", ratio, "x", DURABLE_GOAL, None,
               note=note)  # fmt: skip


async def _commits(folder: Path) -> tuple[list[float], list[float]]:
    journal = await LiveJournal.open(folder / "journal.db")
    raw = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ours_s, raw_s = [], []
    try:
        await journal.open_segment(1, "start", MANIFEST, OPENING)
        for seq in range(1, COMMITS + 1):
            began = time.perf_counter()
            await journal.commit(turn(seq), (), WALL + seq)
            between = time.perf_counter()
            os.write(raw, bytes(1024))
            os.fdatasync(raw)
            ours_s.append(between - began)
            raw_s.append(time.perf_counter() - between)
    finally:
        os.close(raw)
        await journal.close()
    return ours_s, raw_s


# --- doing nothing, and starting again ------------------------------------------------------------


def _idle_rows(workload: Workload, folder: Path) -> list[Row]:
    """A daemon that waits for its next bar, with metrics served."""
    folder.mkdir()
    with _running(workload.config, folder, {"pace": "1"}) as process:
        wait_for(lambda: _turns(folder) >= 1, process)
        before = cpu_ticks(process.pid)
        time.sleep(IDLE_S)
        spent = spent_pct(cpu_ticks(process.pid) - before, IDLE_S)
        memory = memory_mb(process.pid)
    return [
        Row("daemon idle, of a core", spent, "%", IDLE_GOAL_PCT, None),
        Row("daemon idle, memory", memory, "MB", IDLE_GOAL_MB, None),
    ]


def spent_pct(ticks: int, seconds: float) -> float:
    """CPU time as percent of a core."""
    return 100 * ticks / os.sysconf("SC_CLK_TCK") / seconds


def cpu_ticks(process: int) -> int:
    """CPU time of a process so far, in ticks of the system's clock."""
    cells = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(cells[11]) + int(cells[12])


def memory_mb(process: int) -> float:
    """What a process holds in memory now."""
    for line in Path(f"/proc/{process}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def _recovery_row(minutes: Workload) -> Row:
    """The journal is made where syncing costs nothing; reading it again is what counts."""
    home = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="papertape-bench-", dir=home) as name:
        state = Path(name)
        _run_to_end(minutes.config, state)
        log = _run_to_end(minutes.config, state)
    (recovered,) = [one for one in log if one["event"] == "recovered"]
    return Row(f"recovery of {recovered['turns']:,} turns ({minutes.bars:,} minute bars)",
               float(str(recovered["seconds"])), "s", RECOVERY_GOAL_S, None)  # fmt: skip


def _run_to_end(config: Path, state: Path) -> list[Mapping[str, object]]:
    done = subprocess.run(
        _words(config, state, {"pace": "max"}),
        cwd=ROOT, stderr=subprocess.PIPE, text=True, check=True, timeout=WAIT_S,
    )  # fmt: skip
    return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]


# --- processes ------------------------------------------------------------------------------------


@contextmanager
def _running(
    config: Path, state: Path, feed: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(_words(config, state, feed), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _words(config: Path, state: Path, feed: Mapping[str, str]) -> list[str]:
    keys = "".join(f", {key}: {value}" for key, value in feed.items())
    return [
        sys.executable, "-m", "daemon", "run", "--config", str(config), "--state", str(state),
        "--set", f"feed={{kind: tape{keys}}}", "--set", "observability.metrics=null",
    ]  # fmt: skip


def _turns(state: Path) -> int:
    if not (state / "journal.db").exists():
        return 0
    reader = JournalReader(state / "journal.db")
    try:
        last = reader.last_turn()
        return 0 if last is None else last.seq
    finally:
        reader.close()


def wait_for(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is true of a daemon; RuntimeError where it ends before."""
    until = time.monotonic() + WAIT_S
    while not _safely(true):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the daemon ended, or never came so far")
        time.sleep(0.01)


def _safely(true: Callable[[], bool]) -> bool:
    try:
        return true()
    except Exception:  # noqa: BLE001 - the journal is being made
        return False
