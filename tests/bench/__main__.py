"""`python -m tests.bench`: measures the budget of a replay and prints it as one table.

Ratios to the floor hold on any machine; seconds and megabytes hold on this one. The exit code
says nothing about time unless --strict is given.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from daemon.feeds.calendar import load_calendar
from tests.bench.daemon import daemon_rows
from tests.bench.decided import decided_row
from tests.bench.engine import BOUND_RATIO, Case, measure_engine
from tests.bench.gateway import gateway_rows
from tests.bench.observability import observability_rows
from tests.bench.processes import command_rows, import_lines, memory_row
from tests.bench.table import Row, print_columns, print_table, write_json
from tests.bench.workload import (
    HOURLY_BARS,
    MINUTE_BARS,
    make_bracket_workload,
    make_workload,
)

YEAR_BARS = 98_280
MEMORY_BARS = (100_000, MINUTE_BARS)
SYMBOLS = tuple("ABCDEFGHIJ"[place] * 3 for place in range(10))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 with --strict where the engine is above the bound."""
    options = _options().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="papertape-bench-") as name:
        rows, imports = _measured(Path(name), options.repetitions, quick=options.quick)
    load = os.getloadavg()[0]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}"
    print(f"\n{machine}; CPU time of the process, medians of {options.repetitions}\n")
    print_table(rows)
    print("\nImports of a warm replay, their own time by package:\n")
    print_columns(imports, right=(1,))
    if options.json is not None:
        write_json(options.json, rows, machine=machine, imports=dict(imports))
    over = [row for row in rows if row.bound == BOUND_RATIO and row.verdict == "OVER"]
    return 1 if options.strict and over else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    parser.add_argument("--repetitions", type=int, default=5, help="of each row (default 5)")
    parser.add_argument("--quick", action="store_true", help="leave the long tapes out")
    parser.add_argument(
        "--strict", action="store_true", help=f"exit 1 above {BOUND_RATIO:g} times the floor"
    )
    return parser


def _measured(
    folder: Path, repetitions: int, *, quick: bool
) -> tuple[list[Row], list[tuple[str, str]]]:
    state = folder / "state"
    calendar = load_calendar(state)
    _say("making the tapes")
    hourly = make_workload(folder / "hourly", calendar, "1h", HOURLY_BARS)
    ten = make_workload(folder / "ten", calendar, "1h", HOURLY_BARS, symbols=SYMBOLS)
    brackets = make_bracket_workload(folder / "brackets", calendar, HOURLY_BARS)
    _say("hourly bars through the engine")
    cases = [
        Case(f"{HOURLY_BARS:,} hourly bars, everything on", hourly, journal=True, judged=True),
        Case("the same without a journal", hourly, journal=False),
        Case(f"ten symbols x {HOURLY_BARS:,}", ten, journal=True),
        Case(f"threshold, predictions, brackets, {HOURLY_BARS:,}", brackets, journal=True),
    ]
    rows = measure_engine(cases, state, repetitions)
    if not quick:
        rows += _minute_rows(folder, state, repetitions)
    _say("what is told of turns")
    rows += observability_rows(hourly, folder / "observability", repetitions)
    _say("a running daemon")
    rows.append(decided_row(hourly, folder / "decided"))
    year = make_workload(folder / "year", calendar, "1m", YEAR_BARS)
    rows += daemon_rows(hourly, year, folder, repetitions)
    rows += gateway_rows(folder / "gateway")
    _say("whole processes")
    rows += command_rows(hourly, state, repetitions)
    return rows, import_lines(hourly, state)


def _minute_rows(folder: Path, state: Path, repetitions: int) -> list[Row]:
    calendar = load_calendar(state)
    _say(f"{MINUTE_BARS:,} minute bars: making and loading the tape")
    short, long = (
        make_workload(folder / f"minute-{bars}", calendar, "1m", bars) for bars in MEMORY_BARS
    )
    memory = [memory_row(workload, state) for workload in (short, long)]
    _say("minute bars through the engine")
    cases = [
        Case(f"{MINUTE_BARS:,} minute bars, everything on", long, journal=True, judged=True),
        Case("the same without a journal", long, journal=False),
    ]
    return [*measure_engine(cases, state, max(2, repetitions // 2)), *memory]


def _say(what: str) -> None:
    print(f"bench: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
