"""A folder with a config, a tape and a state directory, in which tests type command lines."""

from __future__ import annotations

import atexit
import contextlib
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from daemon.cli import main
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session
from daemon.feeds.times import iso_z

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = 20240102, 20240305
"""44 sessions, 308 bars."""

CONFIG = """\
name: shop
symbols: [NVDA]
bars: {size: 1h}
tape: {path: nvda.csv, adjustment: raw}
strategy: {kind: sma_cross, params: {fast: 3, slow: 8, quantity: 100, allow_short: true}}
risk: {allow_short: true, max_orders_per_day: {limit: 1, action: deny}}
"""

Row = dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on stderr, each of which must be one of papertape's own."""
        found = self.err.splitlines()
        assert all(line.startswith("papertape: ") for line in found), self.err
        assert "Traceback" not in self.err
        return [line.removeprefix("papertape: ") for line in found]


class Workshop:
    """The folder; `state` holds nothing but the calendar at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "config.yaml"
        shutil.copytree(_built_state(), self.state)
        self.config.write_text(CONFIG, encoding="utf-8")
        write_tape(folder / "nvda.csv")

    # --- typing ---------------------------------------------------------------------------------

    def type(self, *words: str) -> Answer:
        """A command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        return Answer(code, out.getvalue(), err.getvalue())

    def start(
        self, *words: str, prefix: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        """A command line in a process of its own; `prefix` is a program that starts it."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PAPERTAPE_STATE": str(self.state),
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(_bytecode()),
        }
        given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "daemon", *words],
            cwd=self.folder,
            env=environment,
            text=True,
            **(given | options),
        )

    def process(self, *words: str, **options: Any) -> Answer:
        """The same, waited for."""
        started = self.start(*words, **options)
        out, err = started.communicate()
        return Answer(started.returncode, out or "", err or "")

    # --- runs -----------------------------------------------------------------------------------

    def replay(self, *words: str) -> Path:
        """A replay that must succeed; returns its run directory."""
        answer = self.type(*self.words(*words))
        assert (answer.code, answer.err) == (0, "")
        return Path(answer.out.strip())

    def words(self, *more: str) -> tuple[str, ...]:
        """The command line of a quiet replay."""
        return ("replay", "--config", str(self.config), "--quiet", "--no-html", *more)

    @property
    def runs(self) -> list[str]:
        """All that lies in runs/, hidden folders too."""
        folder = self.state / "runs"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def strategy(self, name: str, text: str) -> None:
        """A module of the user's own."""
        folder = self.folder / "strategies"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(STRATEGY_IMPORTS + text, encoding="utf-8")

    def breakout(self) -> str:
        """The strategy that `papertape init` writes; its section of the config."""
        template = ROOT / "replay" / "templates" / "breakout.py"
        self.strategy("breakout", template.read_text("utf-8"))
        return "{kind: 'breakout:Breakout', params: {bars: 5, quantity: 40}}"


STRATEGY_IMPORTS = """\
from dataclasses import dataclass
from pathlib import Path
from daemon.core.events import (
    Bracket, CancelRequest, OrderRequest, OrderType, Side, TargetPosition, TimeInForce
)
"""


@cache
def _bytecode() -> Path:
    """Where the first process leaves what it has compiled, for those after it and nobody else."""
    folder = Path(tempfile.mkdtemp(prefix="papertape-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _built_state() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="papertape-tests-"))
    load_calendar(folder)
    return folder


@cache
def calendar() -> Calendar:
    """The exchange's calendar."""
    return load_calendar(_built_state())


def bar_starts(first: int = FIRST, last: int = LAST, size: str = "1h") -> list[int]:
    """The starts of the expected bars of the sessions."""
    sessions = each_expected_session(calendar(), first, last, BAR_SIZES_NS[size], "session")
    return [start for session in sessions for start in session.starts]


def write_tape(
    path: Path,
    *,
    seed: int = 1,
    first: int = FIRST,
    last: int = LAST,
    price: float = 100.0,
    without: Sequence[int] = (),
    jumps: Mapping[int, float] | None = None,
) -> None:
    """A random walk in papertape's own form; bars of the places in `without` are left out.

    At each place of `jumps` the price is multiplied, as by a split.
    """
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("timestamp", "open", "high", "low", "close", "volume"))
        for place, start in enumerate(bar_starts(first, last)):
            price *= (jumps or {}).get(place, 1)
            opened = round(price * (1 + rng.gauss(0, 0.002)), 2)
            price *= 1 + rng.gauss(0, 0.006)
            close = round(price, 2)
            high = round(max(opened, close) * (1 + abs(rng.gauss(0, 0.002))), 2)
            low = round(min(opened, close) * (1 - abs(rng.gauss(0, 0.002))), 2)
            if place not in without:
                volume = rng.randrange(20_000, 90_000)
                writer.writerow((iso_z(start), opened, high, low, close, volume))


def rows(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    return list(each_row(path))


def each_row(path: Path) -> Iterator[Row]:
    """The rows of a CSV file, one by one."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def manifest(run: Path) -> dict[str, Any]:
    """manifest.json of a run."""
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text("utf-8"))
    return found
