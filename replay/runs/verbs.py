"""`papertape runs list | show | accept`: what has been run, and what is accepted.

Each verb is a function that prints its answer and returns an exit code; `gc` and `diff` have
files of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.errors import Exit, PapertapeError, RefusedError, UsageError
from daemon.text_table import exchange_time, is_plain, marked, number_text, table
from replay.runs.baselines import accept, accepted_runs, baseline_folders, find_baseline
from replay.runs.collect import runs_gc
from replay.runs.reader import RunDirectory, read_run
from replay.runs.selectors import BASELINE_PREFIX, Scan, find_run, scan_runs

__all__ = [
    "RunDirectory",
    "find_run",
    "read_run",
    "runs_accept",
    "runs_gc",
    "runs_list",
    "runs_show",
]

# Column of the list, key of summary.json.
_FIGURES = (
    ("return %", "total_return_pct"),
    ("sharpe", "sharpe"),
    ("drawdown %", "max_drawdown_pct"),
    ("trades", "trades"),
)


def runs_list(*, state: Path, limit: int | None = None, as_json: bool = False) -> int:
    """Print the runs of a state directory, newest first; returns 0.

    `limit` is the most runs to print, all where None. Folders that cannot be read are named after
    the list (under `unreadable` in JSON) and do no harm.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: how many runs to list, at least 1")
    scan = scan_runs(state)
    notes = [f"{path.name}: {reason}" for path, reason in scan.unreadable]
    marks: dict[str, list[str]] = {}
    try:
        marks = accepted_runs(baseline_folders(state))
    except RefusedError as error:
        notes += error.lines
    listed = [_listed(run, marks) for run in scan.runs[:limit]]
    if as_json:
        unreadable = [{"path": str(path), "reason": why} for path, why in scan.unreadable]
        answer = {"folder": str(scan.folder), "total": len(scan.runs), "runs": listed}
        print(json.dumps({**answer, "unreadable": unreadable}, indent=2))
    else:
        _print_list(scan, listed, notes)
    return Exit.OK


def runs_show(selector: str, *, state: Path, as_json: bool = False) -> int:
    """Print the summary of one run beside the baseline of its name, where there is one."""
    run = find_run(selector, state)
    if as_json:
        answer = {"path": str(run.path), "manifest": run.manifest, "summary": run.summary}
        print(json.dumps(answer, indent=2))
        return Exit.OK
    from replay.summary.console import print_summary

    print(run.path)
    baseline = None if selector.startswith(BASELINE_PREFIX) else _baseline_of(run, state)
    print_summary(run.summary, run.manifest, baseline=baseline, plain=is_plain())
    return Exit.OK


def runs_accept(
    selector: str,
    *,
    state: Path,
    name: str | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> int:
    """Make a run the baseline `name` (default: the name in its config); returns 0.

    What was accepted before goes to the history and is never lost. `now` is an aware instant.
    """
    run = find_run(selector, state)
    folder = baseline_folders(state)[0]
    chosen = name or run.name
    before = _previous(chosen, folder)
    accepted = accept(run, chosen, folder=folder, now=now or datetime.now(UTC), reason=reason)
    print(f"accepted {run.run_id} as baseline:{chosen}, digest {run.digest[:6]}")
    if before:
        print(f"  before: {before}; kept in {folder.parent / 'history' / chosen}")
    print(f"  {accepted.run.path}")
    return Exit.OK


def _listed(run: RunDirectory, marks: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": run.path.name,
        "path": str(run.path),
        "name": run.name,
        "label": run.label,
        "created": run.created,
    }
    try:
        row |= {key: run.summary.get(key) for _, key in _FIGURES}
    except RefusedError as error:
        row |= {key: None for _, key in _FIGURES} | {"damaged": error.lines[0]}
    return row | {"digest": run.digest, "accepted_as": list(marks.get(run.run_id, ()))}


def _print_list(scan: Scan, listed: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> None:
    plain = is_plain()
    print(f"runs in {scan.folder}")
    header = ("id", "name", "label", "created", *(title for title, _ in _FIGURES), "digest", "")
    rows = [
        (
            row["id"],
            "" if row["name"] in row["id"] else row["name"],
            row["label"] or "",
            exchange_time(row["created"]),
            *(_figure(row[key]) for _, key in _FIGURES),
            row["digest"][:6],
            row.get("damaged") or ", ".join(f"baseline:{name}" for name in row["accepted_as"]),
        )
        for row in listed
    ]
    if rows:
        right = [title for title, _ in _FIGURES]
        print(*table(header, rows, right=right, plain=plain), sep="\n")
    else:
        print("none yet: papertape replay --config FILE makes one")
    if len(listed) < len(scan.runs):
        print(f"… and {len(scan.runs) - len(listed)} older")
    for note in notes:
        print(marked(f"not readable: {note}", "yellow", plain=plain))


def _figure(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else number_text(value)


def _baseline_of(run: RunDirectory, state: Path) -> Mapping[str, Any] | None:
    try:
        return find_baseline(run.name, baseline_folders(state)).run.summary
    except PapertapeError:
        return None  # none accepted, or not readable: the run is shown alone


def _previous(name: str, folder: Path) -> str:
    try:
        before = find_baseline(name, [folder])
    except UsageError:
        return ""
    except RefusedError as error:
        return f"a damaged baseline ({error.lines[0]})"
    return f"{before.run.run_id}, accepted {exchange_time(before.accepted_at)}"
