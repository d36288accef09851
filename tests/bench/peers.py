"""`python -m tests.bench.peers`: other frameworks on the same bars, in turn with ours.

Their scripts lie outside the project (--peers, by default ../shared/bench/peers beside it) and
each needs a virtual environment of its own (--venvs, or PEERS_VENVS); what is absent is skipped
with the reason. Every run is a fresh process that prints what its bars cost end to end: from
columns in memory to a finished run, with making the framework's own bar objects, without imports.
Ours does more in that span than theirs: dated fees, slippage, limits, marks, journal.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from daemon.feeds.calendar import load_calendar
from tests.bench.engine import played
from tests.bench.processes import ROOT
from tests.bench.table import print_columns
from tests.bench.workload import Row as BarRow
from tests.bench.workload import Workload, make_workload

DEFAULT_PEERS = ROOT.parent / "shared" / "bench" / "peers"
OURS = "papertape"


@dataclass(slots=True)
class Peer:
    """One framework in one mode; `longest` is the longest tape it plays in minutes, not hours."""

    name: str
    venv: str
    script: str
    mode: str
    longest: int = 1_000_000
    results: list[dict[str, Any]] = field(default_factory=list)
    skipped: str = ""


def all_peers() -> list[Peer]:
    return [
        Peer("vnpy_ctastrategy", "vnpy", "bt_vnpy.py", "fast"),
        Peer("vnpy_ctastrategy", "vnpy", "bt_vnpy.py", "default"),
        Peer("backtesting.py", "core", "bt_backtesting.py", "fast"),
        Peer("NautilusTrader (Rust)", "nautilus313", "bt_nautilus_v2.py", "fast"),
        Peer("NautilusTrader 3.11", "nautilus", "bt_nautilus.py", "fast"),
        Peer("NautilusTrader 3.13", "nautilus313", "bt_nautilus.py", "fast", 20_000),
        Peer("zipline-reloaded", "zipline", "bt_zipline.py", "fast", 20_000),
        Peer("bt", "core", "bt_bt.py", "fast", 20_000),
        Peer("freqtrade", "freqtrade", "bt_freqtrade.py", "fast", 20_000),
        Peer("backtrader", "core", "bt_backtrader.py", "fast"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 whatever it says."""
    options = _options().parse_args(arguments)
    if options.ours is not None:
        print(json.dumps(_ours(*options.ours)))
        return 0
    if not (options.peers / "common.py").is_file():
        print(f"no peers' scripts in {options.peers}: name their folder with --peers")
        return 0
    peers = [peer for peer in all_peers() if options.only in f"{peer.name} {peer.script}"]
    with tempfile.TemporaryDirectory(prefix="papertape-peers-") as name:
        workload = _shared_workload(Path(name), options.peers, options.bars)
        ours = Peer(OURS, "", "", "everything on")
        for _ in range(options.repetitions):
            ours.results.append(_run_ours(workload, Path(name) / "state"))
            for peer in peers:
                _run_peer(peer, options, Path(name))
    _print(ours, peers, options.bars)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--peers", type=Path, default=DEFAULT_PEERS, help="folder of the scripts")
    venvs = os.environ.get("PEERS_VENVS")
    parser.add_argument("--venvs", type=Path, default=Path(venvs) if venvs else None)
    parser.add_argument(
        "--bars", type=int, default=12_250, help="12250 (hours) or 700000 (minutes)"
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one run")
    parser.add_argument("--only", default="", help="peers whose name or script holds this text")
    parser.add_argument("--ours", nargs=2, metavar=("FOLDER", "STATE"), help=argparse.SUPPRESS)
    return parser


# --- one run of each ----------------------------------------------------------------------------


def _shared_workload(folder: Path, scripts: Path, bars: int) -> Workload:
    """The peers' own bars, on the slots of our calendar."""
    spec = importlib.util.spec_from_file_location("peers_common", scripts / "common.py")
    assert spec is not None and spec.loader is not None, "a file was there a moment ago"
    common = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(common)
    _, *prices, volumes = common.bars(bars)
    columns = [column.tolist() for column in prices]
    rows: Iterable[BarRow] = zip(*columns, map(int, volumes), strict=True)
    size = "1h" if bars <= 50_000 else "1m"
    calendar = load_calendar(folder / "state")
    return make_workload(folder / "tape", calendar, size, bars, rows=rows)


def _ours(config: str, state: str) -> dict[str, Any]:
    workload = Workload(Path(config), "", 1, ("AAA",))
    cpu, wall, run = played(workload, Path(state), journal=True)
    bars = len(run.pipeline.ends)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "version": "",
        "cpu_us_per_bar": cpu / bars * 1e6,
        "bars_per_s": bars / wall,
        "run_only_bars_per_s": bars / wall,
        "fills": len(run.recorder.fills),
        "rss_mb": int(peak_kb) / 1024,
    }


def _run_ours(workload: Workload, state: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.peers", "--ours"]
    ended = subprocess.run(
        [*command, str(workload.config), str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def _run_peer(peer: Peer, options: argparse.Namespace, folder: Path) -> None:
    """One more result, or the reason why there is none."""
    if peer.skipped:
        return
    peer.skipped = _obstacle(peer, options)
    if peer.skipped:
        return
    python, results = options.venvs / peer.venv / "bin" / "python", folder / "result.jsonl"
    results.unlink(missing_ok=True)
    command = [str(python), str(options.peers / peer.script), "--bars", str(options.bars)]
    environment = {**os.environ, "PEERS_OUT": str(results), "HOME": str(folder)}
    try:
        ended = subprocess.run(
            [*command, "--mode", peer.mode],
            cwd=folder,
            env=environment,
            timeout=options.timeout,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        peer.skipped = f"over {options.timeout:g} s"
        return
    if results.exists():
        peer.results.append(json.loads(results.read_text(encoding="utf-8").splitlines()[-1]))
    else:
        peer.skipped = (ended.stderr.strip().splitlines() or ["no result"])[-1][:80]


def _obstacle(peer: Peer, options: argparse.Namespace) -> str:
    if options.venvs is None:
        return "PEERS_VENVS names no folder of virtual environments"
    if not (options.venvs / peer.venv / "bin" / "python").exists():
        return f"no virtual environment {peer.venv}"
    if not (options.peers / peer.script).exists():
        return f"no script {peer.script}"
    return f"too slow for {options.bars:,} bars" if options.bars > peer.longest else ""


# --- the table ----------------------------------------------------------------------------------


def _print(ours: Peer, peers: Sequence[Peer], bars: int) -> None:
    print(f"\n{bars:,} bars, medians of {len(ours.results)} runs in turn; CPU time end to end\n")
    header = ("framework", "mode", "us/bar", "x ours", "bars/s", "loop only", "MB", "fills")
    lines = [header, *_lines(ours, [ours, *peers])]
    print_columns(lines, right=range(2, len(header)))
    for peer in peers:
        if peer.skipped:
            print(f"skipped: {peer.name} {peer.mode}: {peer.skipped}")


def _lines(ours: Peer, peers: Sequence[Peer]) -> Iterator[tuple[str, ...]]:
    for peer in peers:
        if not peer.results:
            continue
        ratio = median(
            theirs["cpu_us_per_bar"] / own["cpu_us_per_bar"]
            for theirs, own in zip(peer.results, ours.results, strict=False)
        )
        yield (
            f"{peer.name} {peer.results[0]['version']}".strip(),
            peer.mode,
            f"{_median(peer, 'cpu_us_per_bar'):.2f}",
            f"{ratio:.1f}",
            f"{_median(peer, 'bars_per_s'):,.0f}",
            f"{_median(peer, 'run_only_bars_per_s'):,.0f}",
            f"{_median(peer, 'rss_mb'):.0f}",
            f"{peer.results[0]['fills']:,}",
        )


def _median(peer: Peer, key: str) -> float:
    return float(median(result[key] for result in peer.results))


if __name__ == "__main__":
    sys.exit(main())
