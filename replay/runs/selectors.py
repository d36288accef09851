"""Which run is meant: a path, an id prefix, a label, `latest`, `latest~1` or `baseline:NAME`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import RefusedError, UsageError
from replay.runs.baselines import baseline_folders, find_baseline
from replay.runs.reader import MANIFEST, RunDirectory, read_run

BASELINE_PREFIX = "baseline:"

_CANDIDATES_MAX = 6
_LATEST = re.compile(r"latest(?:~(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in STATE/runs: `runs` newest first, `unreadable` folders with the reason."""

    folder: Path
    runs: Sequence[RunDirectory]
    unreadable: Sequence[tuple[Path, str]]


def runs_folder(state: Path) -> Path:
    """Where the runs of a state directory lie."""
    return state / "runs"


def is_temporary(name: str) -> bool:
    """Whether a folder's name is that of a run still being written, or given up half-way."""
    return name.startswith(".") or name.endswith((".tmp", ".partial"))


def scan_runs(state: Path) -> Scan:
    """All finished runs of a state directory, newest first; half-written ones are left out."""
    folder = runs_folder(state)
    runs: list[RunDirectory] = []
    unreadable: list[tuple[Path, str]] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir() or is_temporary(path.name):
            continue
        try:
            runs.append(read_run(path))
        except RefusedError as error:
            unreadable.append((path, error.lines[0]))
    runs.sort(key=_age_key, reverse=True)
    return Scan(folder, runs, unreadable)


def find_run(selector: str, state: Path) -> RunDirectory:
    """The one run that `selector` names.

    A path is anything with a slash, or a folder of that name that no id or label matches. An exact
    id wins over a label, a label over an id prefix. Raises UsageError where nothing or more than
    one run fits (the line lists the candidates), RefusedError where the folder cannot be read.
    """
    if not selector:
        raise UsageError("which run? a path, an id prefix, a label, latest or baseline:NAME")
    if selector.startswith(BASELINE_PREFIX):
        return find_baseline(selector.removeprefix(BASELINE_PREFIX), baseline_folders(state)).run
    if "/" in selector or selector in {".", ".."}:
        return read_run(Path(selector).expanduser())
    if match := _LATEST.fullmatch(selector):
        return _latest(int(match[1] or 0), scan_runs(state))
    return _by_name(selector, scan_runs(state))


def described(run: RunDirectory) -> str:
    """A run's id, with its label where it has one."""
    return f"{run.path.name} ({run.label})" if run.label else run.path.name


def _age_key(run: RunDirectory) -> tuple[str, int, str]:
    # Two runs of one second are told apart by the clock of the file system.
    return run.created, (run.path / MANIFEST).stat().st_mtime_ns, run.path.name


def _latest(back: int, scan: Scan) -> RunDirectory:
    if not scan.runs:
        raise UsageError(_nothing_in(scan))
    if back >= len(scan.runs):
        oldest = len(scan.runs) - 1
        raise UsageError(f"latest~{back} does not exist: {scan.folder} ends at latest~{oldest}")
    return scan.runs[back]


def _by_name(selector: str, scan: Scan) -> RunDirectory:
    for path, reason in scan.unreadable:
        if path.name == selector:
            raise RefusedError(reason)
    matches = (
        [run for run in scan.runs if run.path.name == selector]
        or [run for run in scan.runs if run.label == selector]
        or [run for run in scan.runs if run.path.name.startswith(selector)]
    )
    here = Path(selector)
    is_run_here = (here / MANIFEST).is_file()
    if len(matches) > 1:
        raise UsageError(
            f"'{selector}' fits {len(matches)} runs, say more of the id: {_listed(matches)}"
        )
    if matches and is_run_here and here.resolve() != matches[0].path:
        raise UsageError(
            f"'{selector}' is both a folder here and the run {described(matches[0])}: "
            f"write ./{selector} or more of the id"
        )
    if matches:
        return matches[0]
    if here.is_dir():
        return read_run(here)
    raise UsageError(_nothing_like(selector, scan))


def _nothing_in(scan: Scan) -> str:
    if scan.unreadable:
        return f"no readable run in {scan.folder}: {scan.unreadable[0][1]}"
    return f"no runs in {scan.folder}: papertape replay --config FILE makes one"


def _nothing_like(selector: str, scan: Scan) -> str:
    if not scan.runs:
        return f"no run '{selector}': {_nothing_in(scan)}"
    alike = [run for run in scan.runs if _contains(run, selector.casefold())]
    hint = f"alike are {_listed(alike)}" if alike else f"the newest are {_listed(scan.runs)}"
    return f"no run '{selector}' in {scan.folder}; {hint}"


def _contains(run: RunDirectory, text: str) -> bool:
    return any(text in one.casefold() for one in (run.path.name, run.label or "", run.digest))


def _listed(runs: Iterable[RunDirectory]) -> str:
    names = [described(run) for run in runs]
    more = len(names) - _CANDIDATES_MAX
    shown = ", ".join(names[:_CANDIDATES_MAX])
    return f"{shown} and {more} more" if more > 0 else shown
