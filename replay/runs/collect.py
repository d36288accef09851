"""`papertape runs gc`: remove old runs, but nothing that somebody gave a name or accepted."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISDIR

from daemon.errors import Exit, RefusedError, UsageError
from daemon.text_table import bytes_text, counted
from replay.runs.baselines import accepted_runs, baseline_folders
from replay.runs.reader import RunDirectory
from replay.runs.selectors import Scan, is_temporary, scan_runs

HALF_WRITTEN_AGE_S = 86_400
"""A folder under a temporary name that nothing has touched for so long belongs to no process."""

_TRASH_PREFIX = ".gc-"


@dataclass(frozen=True, slots=True)
class _Plan:
    runs: Sequence[Path]
    half_written: Sequence[Path]
    notes: Sequence[str]

    @property
    def folders(self) -> list[Path]:
        return [*self.runs, *self.half_written]

    @property
    def counts(self) -> str:
        half = counted(len(self.half_written), "half-written folder")
        return f"{counted(len(self.runs), 'run')} and {half}"


def runs_gc(
    *,
    state: Path,
    keep: int | None = None,
    older_than_days: float | None = None,
    dry_run: bool = False,
    yes: bool = False,
    confirm: Callable[[str], bool] | None = None,
    now: datetime | None = None,
) -> int:
    """Remove runs beyond the `keep` newest and older than `older_than_days`; says what it freed.

    Given both, a run must meet both to go; given neither, only half-written folders go. Runs with
    a label, accepted runs (earlier ones too), unreadable folders and links always stay. Without
    `yes` it asks through `confirm` (default: on a terminal) and removes nothing unless told to:
    exit code 0 when done or nothing to do, 2 when it could not ask, 1 when the answer was no.
    """
    now = now or datetime.now(UTC)
    plan = _plan(state, keep, older_than_days, now)
    sizes = {path: _size_bytes(path) for path in plan.folders}
    print(f"runs in {state / 'runs'}")
    for note in plan.notes:
        print(f"  {note}")
    if not plan.folders:
        print("nothing to remove")
        return Exit.OK
    for path in plan.folders:
        print(f"  {path.name}  {bytes_text(sizes[path])}")
    total = bytes_text(sum(sizes.values()))
    if dry_run:
        print(f"would remove {plan.counts}, {total}")
        return Exit.OK
    if not yes:
        ask = confirm or (_ask if sys.stdin.isatty() else None)
        if ask is None:
            print(f"not removed: {plan.counts}, {total}; add --yes to remove them")
            return Exit.USAGE
        if not ask(f"Remove {plan.counts} ({total})? [y/N] "):
            print("nothing removed")
            return Exit.CHECK_FAILED
    return _remove_all(plan, sizes)


def _plan(state: Path, keep: int | None, older_than_days: float | None, now: datetime) -> _Plan:
    if keep is not None and keep < 0:
        raise UsageError(f"--keep {keep}: how many of the newest runs stay, 0 or more")
    if older_than_days is not None and not 0 <= older_than_days <= 100_000:
        raise UsageError(f"--older-than {older_than_days:g}: an age in days, 0 to 100000")
    scan = scan_runs(state)
    marks = accepted_runs(baseline_folders(state))
    protected = [run for run in scan.runs if run.label or run.run_id in marks]
    notes = []
    if protected:
        notes.append(f"kept for their label or as a baseline: {counted(len(protected), 'run')}")
    notes += [f"left alone, not readable: {path.name}" for path, _ in scan.unreadable]
    runs: list[Path] = []
    if keep is None and older_than_days is None:
        notes.append("only half-written folders are looked at: name runs by --keep or --older-than")
    else:
        free = [run for run in scan.runs if run not in protected and run.path.parent == _own(scan)]
        runs = [run.path for run in _outdated(free, keep or 0, older_than_days or 0.0, now)]
    return _Plan(runs, list(_half_written(scan.folder, now)), notes)


def _own(scan: Scan) -> Path:
    # A link in STATE/runs leads to a folder elsewhere, which is not ours to remove.
    return scan.folder.resolve()


def _outdated(
    newest_first: Sequence[RunDirectory], keep: int, older_than_days: float, now: datetime
) -> Iterator[RunDirectory]:
    youngest = now - timedelta(days=older_than_days)
    for run in newest_first[keep:]:
        try:
            created = datetime.fromisoformat(run.created)
        except ValueError:
            continue
        if created.tzinfo is not None and created <= youngest:
            yield run


def _half_written(folder: Path, now: datetime) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_symlink() or not path.is_dir() or not is_temporary(path.name):
            continue
        # A long replay writes into its folder without touching the folder itself.
        age_s = now.timestamp() - max(entry.st_mtime for entry in _entries(path))
        if path.name.startswith(_TRASH_PREFIX) or age_s > HALF_WRITTEN_AGE_S:
            yield path


def _remove_all(plan: _Plan, sizes: dict[Path, int]) -> int:
    freed, failed = 0, 0
    for path in plan.folders:
        try:
            _remove(path)
            freed += sizes[path]
        except OSError as error:
            failed += 1
            print(f"not removed: {path}: {error.strerror or error}")
    if failed:
        raise RefusedError(
            f"{counted(failed, 'folder')} could not be removed; freed {bytes_text(freed)}"
        )
    print(f"removed {plan.counts}, freed {bytes_text(freed)}")
    return Exit.OK


def _remove(path: Path) -> None:
    # Under another name first: an interrupted removal leaves no run that looks whole.
    trash = path
    if not path.name.startswith(_TRASH_PREFIX):
        trash = path.with_name(f"{_TRASH_PREFIX}{path.name}-{time.time_ns()}")
        path.rename(trash)
    shutil.rmtree(trash)


def _size_bytes(path: Path) -> int:
    return sum(entry.st_size for entry in _entries(path) if not S_ISDIR(entry.st_mode))


def _entries(path: Path) -> Iterator[os.stat_result]:
    yield path.lstat()
    for inner in path.rglob("*"):
        with suppress(FileNotFoundError):  # a process that still writes may rename its files
            yield inner.lstat()


def _ask(question: str) -> bool:
    return input(question).strip().lower() in {"y", "yes"}
