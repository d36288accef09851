"""`papertape runs diff A B`: what differs between two runs, and whether it matters."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.errors import Exit, UsageError
from daemon.text_table import is_plain
from replay.runs.baselines import TOLERANCES
from replay.runs.comparison import Comparison, compare
from replay.runs.comparison_text import comparison_json, comparison_lines
from replay.runs.reader import RunDirectory
from replay.runs.selectors import find_run
from replay.runs.tolerances import read_tolerances

__all__ = ["Comparison", "compare", "runs_diff"]


def runs_diff(
    old: str,
    new: str,
    *,
    state: Path,
    tolerances: Path | None = None,
    as_json: bool = False,
) -> int:
    """Print what differs between two runs; returns 1 where a metric is beyond its tolerance.

    Tolerances come from the file given, or from `tolerances.yaml` beside either run (a baseline
    has one where somebody wrote it), or are the defaults.
    """
    a, b = find_run(old, state), find_run(new, state)
    if tolerances is not None and not tolerances.is_file():
        raise UsageError(f"--tolerances {tolerances.absolute()} does not exist")
    found = compare(a, b, read_tolerances(tolerances or _tolerances_beside(a, b)))
    if as_json:
        print(json.dumps(comparison_json(found), indent=2))
    else:
        print(*comparison_lines(found, plain=is_plain()), sep="\n")
    return Exit.CHECK_FAILED if found.beyond else Exit.OK


def _tolerances_beside(old: RunDirectory, new: RunDirectory) -> Path:
    mine, other = old.path / TOLERANCES, new.path / TOLERANCES
    return other if other.is_file() and not mine.is_file() else mine
