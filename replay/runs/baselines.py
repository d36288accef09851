"""Accepted baselines: small copies of runs that later runs are measured against.

A folder of baselines has one folder a name, which is a run directory of its own:

    baselines/NAME/     manifest.json summary.json config.yaml trades.csv fills.csv
                        accepted.json (when, why, from which run)  tolerances.yaml (yours, optional)
    history/NAME/0001-DIGEST6/     what was accepted before, oldest first

Copies hold no absolute paths, so that a baseline may be kept in a repository.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError, UsageError
from replay.runs.reader import CONFIG, MANIFEST, SUMMARY, RunDirectory, read_json, read_run

ACCEPTED = "accepted.json"
TOLERANCES = "tolerances.yaml"

BUNDLED_REFERENCES = Path(__file__).resolve().parents[2] / "configs" / "reference"
"""The reference replays of a source checkout; an installed package has none."""

_COPIED = (SUMMARY, "trades.csv", "fills.csv")
_LEFT_OUT = ("wall_seconds", "tasks", "journal")  # of that one run, and its journal stays there
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run now accepted under `name`, with the words it was accepted with."""

    name: str
    run: RunDirectory
    accepted_at: str
    reason: str

    @property
    def tolerances(self) -> Path:
        """The file beside the baseline that overrides tolerances; it need not exist."""
        return self.run.path / TOLERANCES


def baseline_folders(state: Path) -> list[Path]:
    """Where baselines are looked for: the state directory first, then the bundled ones."""
    return [state / "reference" / "baselines", BUNDLED_REFERENCES / "baselines"]


def checked_name(name: str) -> str:
    """A name that is safe as a folder's; UsageError otherwise."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a baseline cannot be named '{name}': letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return name


def find_baseline(name: str, folders: Sequence[Path]) -> Baseline:
    """The baseline of that name, from the first folder that has it.

    Raises UsageError where there is none (the line lists those there are), RefusedError where it
    is damaged.
    """
    for folder in folders:
        if name and (folder / checked_name(name) / ACCEPTED).is_file():
            return read_baseline(folder / name)
    known = sorted({found for folder in folders for found in names_in(folder)})
    hint = f"there are {', '.join(known)}" if known else "none has been accepted yet"
    raise UsageError(f"no baseline '{name}'; {hint} (papertape runs accept RUN --as NAME)")


def read_baseline(path: Path) -> Baseline:
    """The baseline in a folder; RefusedError where it is damaged."""
    run = read_run(path)
    accepted = read_json(path / ACCEPTED)
    at, reason = accepted.get("accepted_at"), accepted.get("reason")
    if not isinstance(at, str) or not isinstance(reason, str | None):
        raise RefusedError(f"{path / ACCEPTED}: damaged, 'accepted_at' or 'reason' is not text")
    return Baseline(path.name, run, at, reason or "")


def names_in(folder: Path) -> list[str]:
    """The names of all baselines in a folder, sorted; a folder that is absent has none."""
    if not folder.is_dir():
        return []
    return sorted(path.parent.name for path in folder.glob(f"[!.]*/{ACCEPTED}"))


def accepted_runs(folders: Sequence[Path]) -> dict[str, list[str]]:
    """Run id → names it is accepted as, earlier acceptances (`NAME (earlier)`) included.

    Raises RefusedError where a baseline cannot say which run it came from.
    """
    marks: dict[str, list[str]] = {}
    for folder in folders:
        for name in names_in(folder):
            marks.setdefault(_accepted_run(folder / name), []).append(name)
        for path in sorted(history_folder(folder).glob(f"*/*/{ACCEPTED}")):
            marks.setdefault(_accepted_run(path.parent), []).append(f"{path.parts[-3]} (earlier)")
    return marks


def history_folder(folder: Path) -> Path:
    """Where earlier baselines of a folder of baselines are kept."""
    return folder.parent / "history"


def accept(
    run: RunDirectory,
    name: str,
    *,
    folder: Path,
    now: datetime,
    reason: str = "",
    keep_history: bool = True,
) -> Baseline:
    """Make `run` the baseline `name` in `folder`; the one before moves to the history.

    The new folder is complete before the old one is touched; tolerances.yaml is carried over.
    `now` is an aware instant. Raises UsageError for a bad name, RefusedError for a damaged run or
    a folder that cannot be written.
    """
    target = folder / checked_name(name)
    if run.path == target.resolve():
        raise UsageError(f"{run.path} is the baseline '{name}' already")
    fresh = folder / f".accepting-{name}-{os.getpid()}"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        _write(run, fresh, name, now, reason)
        if (target / TOLERANCES).is_file():
            shutil.copyfile(target / TOLERANCES, fresh / TOLERANCES)
        if (target / ACCEPTED).is_file() and keep_history:
            _move_to_history(target, history_folder(folder) / name)
        elif target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    except OSError as error:
        raise RefusedError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read_baseline(target)


def portable(value: Any) -> Any:
    """JSON-able data with every absolute path, or list of them, cut to its file names."""
    if isinstance(value, dict):
        return {key: portable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [portable(one) for one in value]
    if isinstance(value, str) and Path(value).is_absolute():
        return ", ".join(Path(one).name for one in value.split(", "))
    return value


def _write(run: RunDirectory, folder: Path, name: str, now: datetime, reason: str) -> None:
    from daemon.config.emit import to_yaml

    for file in _COPIED:
        shutil.copyfile(run.file(file), folder / file)
    _ = run.summary  # a damaged one is not accepted
    kept = {key: value for key, value in run.manifest.items() if key not in _LEFT_OUT}
    _write_json(folder / MANIFEST, portable(kept | {"run_id": run.run_id}))
    (folder / CONFIG).write_text(to_yaml(portable(run.config)), encoding="utf-8")
    accepted = {
        "name": name,
        "run_id": run.run_id,
        "digest": run.digest,
        "accepted_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "reason": reason,
    }
    _write_json(folder / ACCEPTED, accepted)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _move_to_history(current: Path, history: Path) -> None:
    history.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name[:4]) for path in history.iterdir() if path.name[:4].isdigit()]
    try:
        digest = read_run(current).digest[:6]
    except RefusedError:
        digest = "damaged"
    current.rename(history / f"{max(numbers, default=0) + 1:04d}-{digest}")


def _accepted_run(folder: Path) -> str:
    run_id = read_json(folder / ACCEPTED).get("run_id")
    if not isinstance(run_id, str):
        raise RefusedError(f"{folder / ACCEPTED}: damaged, 'run_id' is missing")
    return run_id
