"""`papertape report`: the run directory of a daemon's journal, whether the daemon runs or not."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon import ENGINE_VERSION, __version__
from daemon.config.emit import to_yaml
from daemon.config.models import config_sha256
from daemon.errors import RefusedError, UsageError
from daemon.feeds.times import iso_z
from daemon.journal.backup import copy_journal
from daemon.journal.integrity import check_state
from daemon.journal.mark import End
from daemon.journal.reader import JournalReader
from daemon.state_directory import JOURNAL, owner_of
from replay.build_record import build_record
from replay.live_record import LiveRun, LiveSegment, read_live_run
from replay.run_directory import check_label, checked_target
from replay.run_files import write_run
from replay.runs.reader import MANIFEST_SCHEMA
from replay.workplace import workplace

READABLE = 0o644
"""A run directory is for everybody who may enter the state directory."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A report that lies in its directory; `warning` is what a reader must know of it."""

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    warning: str | None


def report(
    state: Path, *, out: Path | None = None, label: str | None = None, html: bool = True
) -> Reported:
    """Leave a run directory of the journal as it is now; on any failure it leaves nothing.

    UsageError where there is no journal, RefusedError where it is damaged or still empty.
    """
    target = checked_target(out)
    check_label(label)
    if not (state / JOURNAL).exists():
        raise UsageError(f"{state}: nothing to report: there is no {JOURNAL} here")
    now = datetime.now(UTC)
    home = target.parent if target else state / "runs"
    with workplace(home) as place:
        copy = place.folder / JOURNAL
        ends = _copied(state, copy)
        with closing(JournalReader(copy)) as reader:
            live = read_live_run(reader, state)
            inputs = live_inputs(live)
            log = _log(reader, live)
        name = live.source.config["name"]
        path = target or place.claim(f"{now:%Y%m%dT%H%M%SZ}-{name}-{live.digest[:6]}")
        manifest = {
            "schema": MANIFEST_SCHEMA,
            "kind": "live",
            "run_id": path.name,
            "created": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "label": label,
            "state": "stopped" if owner_of(state) is None else "running",
            **_told(live),
            "inputs": inputs,
            "journal": _seal(live, ends),
        }
        record = build_record(live.source, manifest)
        config = to_yaml(live.source.config)
        summary = write_run(place.folder, record, config, log, html=html)
        place.publish(path)
    return Reported(path, manifest, summary, live.warning)


def live_inputs(live: LiveRun) -> dict[str, Any]:
    """The hashes of everything that decides what the last segment does."""
    config, manifest = live.source.config, live.segments[-1].row.manifest
    return {
        "config_sha256": config_sha256(config),
        "tape": {
            "path": (config["tape"] or {}).get("path"),
            "adjustment": manifest["adjustment"],
        },
        **{key: manifest[key] for key in ("model", "strategy", "calendar", "fee_tables_sha256")},
    }


def segment_rows(live: LiveRun) -> list[dict[str, Any]]:
    """What the manifest says of each segment."""
    return [_segment(segment) for segment in live.segments]


def _segment(segment: LiveSegment) -> dict[str, Any]:
    row = segment.row
    return {
        "segment": row.segment,
        "first_turn": row.first_seq,
        "turns": segment.turns,
        "reason": row.reason,
        "digest": segment.digest,
        "papertape_version": row.manifest["papertape_version"],
        "engine_version": row.manifest["engine_version"],
        "config_sha256": config_sha256(row.manifest["config"]),
        "strategy_sha256": row.manifest["strategy"]["sha256"],
    }


def _copied(state: Path, copy: Path) -> Mapping[str, End]:
    try:
        ends = copy_journal(state / JOURNAL, copy)
    except RefusedError:
        check_state(state)  # names the journal and not the copy
        raise
    copy.chmod(READABLE)
    return ends


def _told(live: LiveRun) -> dict[str, Any]:
    """What the journal says of itself."""
    source, last = live.source, live.segments[-1]
    return {
        "name": source.config["name"],
        "overrides": [],
        "papertape_version": __version__,
        "engine_version": ENGINE_VERSION,
        "python": platform.python_version(),
        "digest": live.digest,
        "bars": sum(source.received.values()),
        "turns": sum(segment.turns for segment in live.segments),
        "wall_seconds": None,
        "started": None if live.first_wall is None else iso_z(live.first_wall)[:19] + "Z",
        "final_state": live.state,
        "config_path": last.row.manifest["config_path"],
        "start": None,
        "end": None,
        "first_bar": iso_z(source.first_start) if source.ends else None,
        "last_bar": iso_z(source.last_end) if source.ends else None,
        "segments": segment_rows(live),
    }


def _seal(live: LiveRun, ends: Mapping[str, End]) -> dict[str, Any]:
    """The ends of the chains: a shortened journal does not match them."""
    turns = sum(segment.turns for segment in live.segments)
    return {"turns": turns, **{f"{name}_hash": end.hash.hex() for name, end in ends.items()}}


def _log(reader: JournalReader, live: LiveRun) -> list[str]:
    """Where segments begin and what happened to the feed."""
    lines = [
        f"segment     {segment.row.segment} from turn {segment.row.first_seq}, "
        f"{segment.turns} turns: {segment.row.reason}"
        for segment in live.segments
    ]
    lines += [
        f"feed        {iso_z(entry.instant)} {entry.outcome}: {entry.detail}".rstrip(": ")
        for entry in reader.ledger()
        if entry.kind == "feed"
    ]
    if live.warning is not None:
        lines.append(f"warning     {live.warning}")
    return lines
