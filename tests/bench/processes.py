"""Rows of whole processes: the command line as a user starts it, in a fresh interpreter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.table import Row
from tests.bench.workload import Workload

ROOT = Path(__file__).resolve().parents[2]
REPLAY_GOAL_S, HELP_GOAL_S, MEMORY_GOAL_MB = 0.5, 0.2, 150.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def spent_by(words: Sequence[str], state: Path) -> Spent:
    """Run `papertape WORDS` to its end; RuntimeError with its last words where it fails."""
    measured = state / "spent.json"
    wrapper = [sys.executable, "-S", str(Path(__file__).with_name("spent.py")), str(measured)]
    ended = subprocess.run(
        [*wrapper, sys.executable, "-m", "daemon", *words],
        cwd=ROOT,
        env={**os.environ, "PAPERTAPE_STATE": str(state), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"papertape {' '.join(words)}: {ended.stdout[-500:]}")
    return Spent(**json.loads(measured.read_text(encoding="utf-8")))


def command_rows(workload: Workload, state: Path, repetitions: int) -> list[Row]:
    """Replay warm, with its report, cold; verify; and the verbs that must answer at once."""
    replay = ["replay", "--config", str(workload.config), "--quiet"]
    plain = [*replay, "--no-html"]
    spent_by(plain, state)  # fills the bar cache and the calendar
    cases: dict[str, tuple[list[str], float | None]] = {
        f"papertape replay --no-html, {workload.bars:,} bars, warm": (plain, REPLAY_GOAL_S),
        "the same with report.html": (replay, None),
        "papertape verify of that run": (["verify", "latest"], None),
        "papertape config check": (["config", "check", str(workload.config)], None),
        "papertape --help": (["--help"], HELP_GOAL_S),
    }
    spent: dict[str, list[Spent]] = {name: [] for name in cases}
    for _ in range(repetitions):
        for name, (words, _) in cases.items():
            spent[name].append(spent_by(words, state))
    rows = [_seconds(name, spent[name], goal) for name, (_, goal) in cases.items()]
    shutil.rmtree(state / "cache")
    bars = _seconds("the replay without its bar cache", [spent_by(plain, state)], None)
    shutil.rmtree(state / "cache")
    shutil.rmtree(state / "calendar")
    both = _seconds("without bar cache and calendar", [spent_by(plain, state)], None)
    return [*rows, bars, both]


def memory_row(workload: Workload, state: Path) -> Row:
    """Peak memory of a whole replay whose bars are cached."""
    words = ["replay", "--config", str(workload.config), "--quiet", "--no-html"]
    spent_by(words, state)
    spent = spent_by(words, state)
    return Row(
        f"peak memory of a replay, {workload.bars:,} bars",
        spent.peak_mb,
        "MB",
        goal=MEMORY_GOAL_MB,
        note=f"{spent.wall_s:.2f} s, {spent.cpu_s:.2f} s CPU",
    )


def import_lines(workload: Workload, state: Path, most: int = 12) -> list[tuple[str, str]]:
    """The packages that a warm replay spends most time importing: name, milliseconds."""
    command = [sys.executable, "-X", "importtime", "-m", "daemon", "replay", "--config"]
    environment = {**os.environ, "PAPERTAPE_STATE": str(state)}
    found = subprocess.run(
        [*command, str(workload.config), "--quiet", "--no-html"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    totals_us: dict[str, int] = {}
    for line in found.stderr.splitlines():
        cells = line.removeprefix("import time:").split("|")
        if len(cells) == 3 and cells[0].strip().isdigit():
            package = cells[2].strip().partition(".")[0]
            totals_us[package] = totals_us.get(package, 0) + int(cells[0])
    ranked = sorted(totals_us.items(), key=lambda item: -item[1])
    lines = [(package, f"{total / 1000:.1f} ms") for package, total in ranked[:most]]
    return [("all imports", f"{sum(totals_us.values()) / 1000:.1f} ms"), *lines]


def _seconds(name: str, spent: Sequence[Spent], goal: float | None) -> Row:
    cpu_s, peak_mb = median(one.cpu_s for one in spent), max(one.peak_mb for one in spent)
    walls = [one.wall_s for one in spent]
    note = f"{cpu_s:.3f} s CPU, best {min(walls):.3f} s, {peak_mb:.0f} MB"
    return Row(name, median(walls), "s", goal=goal, note=note)
