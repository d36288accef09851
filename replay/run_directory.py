"""Writes a run directory (all its files, or none) from a played replay."""

from __future__ import annotations

import contextlib
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon import ENGINE_VERSION, __version__
from daemon.core.outputs import StateChanged
from daemon.core.trading_state import HoldSource
from daemon.errors import RefusedError, UsageError
from daemon.feeds.times import iso_z
from daemon.journal.writer import JournalWriter
from replay.build_record import build_record
from replay.journal_blocks import inputs_of, journal_manifest, write_blocks
from replay.run import NO_PERIOD, Inputs, Period, Played, load_inputs, play
from replay.run_files import write_run
from replay.run_source import source_of
from replay.runs.reader import MANIFEST_SCHEMA
from replay.runs.selectors import BASELINE_PREFIX
from replay.workplace import Workplace, workplace


@dataclass(frozen=True, slots=True)
class Request:
    """What `papertape replay` was asked for."""

    config: Path
    state: Path
    overrides: Sequence[tuple[str, str]] = ()
    period: Period = NO_PERIOD
    label: str | None = None
    out: Path | None = None
    html: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that lies in its directory."""

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    inputs: Inputs
    strategy_failure: str | None


def replay(request: Request) -> Finished:
    """Play a tape and leave a run directory; on any failure or interruption it leaves nothing."""
    started = datetime.now(UTC)
    target = checked_target(request.out)
    check_label(request.label)
    inputs = load_inputs(request.config, request.state, request.overrides, request.period)
    home = target.parent if target else request.state / "runs"
    with workplace(home) as place:
        played, seal = _play(inputs, place)
        digest = played.digest
        path = target or place.claim(f"{started:%Y%m%dT%H%M%SZ}-{inputs.config.name}-{digest[:6]}")
        manifest = _manifest(request, played, started, digest, seal) | {"run_id": path.name}
        record = build_record(source_of(played), manifest)
        summary = write_run(
            place.folder, record, inputs.config.to_yaml(), _log(inputs), html=request.html
        )
        place.publish(path)
    return Finished(path, manifest, summary, inputs, strategy_failure(record.states))


def _play(inputs: Inputs, place: Workplace) -> tuple[Played, dict[str, Any]]:
    """Play into a journal; returns the ends of its chains as well."""
    try:
        with contextlib.closing(JournalWriter(place.folder / "journal.db")) as writer:
            writer.open_segment(1, "start", journal_manifest(inputs), {"cash_usd": _cash(inputs)})
            played = play(inputs, writer)
            write_blocks(writer, played)
            seal = writer.seal()
    except sqlite3.OperationalError as error:
        raise RefusedError(
            f"{place.folder.parent}: the journal cannot be written ({error}); is the disk full?"
        ) from error
    return played, seal


def strategy_failure(states: Iterable[StateChanged]) -> str | None:
    """What the strategy raised and where, on one line; None where it did not."""
    failed = (one for one in states if one.source == HoldSource.STRATEGY and not one.lifted)
    return next((one.reason for one in failed), None)


def checked_target(out: Path | None) -> Path | None:
    """`--out` as an absolute path; UsageError where something is there already."""
    if out is None:
        return None
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: exists and is not an empty folder: choose another")
    return out


def check_label(label: str | None) -> None:
    """A label must be a selector that means this run."""
    if label is None:
        return
    if not label.strip() or "/" in label or label.startswith(("latest", BASELINE_PREFIX)):
        raise UsageError(
            f"--label {label!r}: a run could not be found by it: no slash, and no name that "
            f"begins with latest or {BASELINE_PREFIX}"
        )


def _cash(inputs: Inputs) -> float:
    return inputs.config.account.cash_usd


def _manifest(
    request: Request, played: Played, started: datetime, digest: str, seal: dict[str, Any]
) -> dict[str, Any]:
    inputs, counts = played.inputs, played.feed.played
    config = inputs.config
    now = datetime.now(UTC)
    return {
        "schema": MANIFEST_SCHEMA,
        "kind": "replay",
        "run_id": "",
        "created": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "name": config.name,
        "label": request.label,
        "overrides": [f"{key}={value}" for key, value in request.overrides],
        "papertape_version": __version__,
        "engine_version": ENGINE_VERSION,
        "python": platform.python_version(),
        "digest": digest,
        "bars": sum(counts.received.values()),
        "turns": played.pipeline.seq,
        "wall_seconds": round(played.wall_seconds, 6),
        "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "state": "complete",
        "final_state": played.account.control.state.name,
        "config_path": str(request.config.absolute()),
        "start": inputs.period.start,
        "end": inputs.period.end,
        "first_bar": iso_z(counts.first_start),
        "last_bar": iso_z(counts.last_end),
        "inputs": inputs_of(inputs),
        "tasks": {
            name: {
                "health": task.health.value,
                "failures": task.failures,
                "last_failure": task.last_failure,
                "handled_from_mailbox": task.handled,
                "timed_steps": task.timed,
                "timed_us_per_step": round(task.timed_ns / task.timed / 1000, 3)
                if task.timed
                else None,
            }
            for name, task in played.pipeline.tasks.items()
        },
        "journal": seal,
    }


def _log(inputs: Inputs) -> list[str]:
    """What the loader understood and found."""
    return [
        *inputs.tape.understood.lines(),
        *(
            f"finding     {fault.severity} {fault.rule} {fault.symbol} {fault.message}"
            for fault in inputs.tape.faults
        ),
    ]
