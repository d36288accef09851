"""`papertape verify RUN`: play a run's journal again and prove that it comes out the same.

Three questions, each with its own kind of answer: is the storage what was written (hashes), are
the inputs the recorded ones (config, code, tables, versions), and do the turns come out equal.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from daemon import ENGINE_VERSION
from daemon.config import Config, load_config
from daemon.core.outputs import Output
from daemon.core.turn import Turn
from daemon.errors import Exit, PapertapeError, RefusedError, one_line
from daemon.feeds.times import iso_z
from daemon.fees import load_fee_tables
from daemon.journal.codec import decode_outputs, encode_outputs
from daemon.journal.differences import output_difference
from daemon.journal.reader import JournalReader, TurnRow
from daemon.strategies.loader import strategy_source_sha256
from replay.journal_blocks import read_equity
from replay.rerun import Rerun, config_base, rerun
from replay.runs.reader import RunDirectory
from replay.runs.selectors import find_run
from replay.verify_files import differing_files, digest_of
from replay.verify_report import check_report


def verify(selector: str, *, state: Path, as_json: bool = False) -> int:
    """Print what was checked; 0 where everything is equal, 1 where something differs."""
    run = find_run(selector, state)
    findings = found_in(run)
    if as_json:
        document = {"run": run.path.name, "equal": not findings, "findings": findings}
        print(json.dumps(document, indent=2))
    elif findings:
        print(f"{run.path.name}: NOT what was recorded")
        for finding in findings:
            print(f"  {finding}")
    else:
        manifest = run.manifest
        print(
            f"{run.path.name}: equal. {manifest['turns']:,} turns over {manifest['bars']:,} bars "
            f"played again, digest {run.digest[:12]}"
        )
    return Exit.CHECK_FAILED if findings else Exit.OK


def found_in(run: RunDirectory) -> list[str]:
    """All findings; PapertapeError where the run cannot even be looked at."""
    findings: list[str] = []
    try:
        for finding in check_run(run):  # one by one: those before a failure count
            findings.append(finding)  # noqa: PERF402 - see above
    except PapertapeError as error:
        if not findings and error.code != Exit.INTERNAL:
            raise
        findings.extend(f"played again it failed: {line}" for line in error.lines)
    except _UNREADABLE as error:
        findings.append(f"storage: what is stored cannot be played again: {one_line(error)}")
    return findings


_UNREADABLE = (
    ArithmeticError, AssertionError, LookupError, TypeError, ValueError, msgspec.MsgspecError
)  # fmt: skip
"""What stored rows that are not those that were written may raise."""


def check_run(run: RunDirectory) -> Iterator[str]:
    """What is not as it was recorded, one line each, the most telling first."""
    reader = JournalReader(run.file("journal.db"))
    try:
        yield from (f"storage: {problem}" for problem in reader.check_chains(_seal(run)))
        if reader.is_live:
            yield from check_report(run, reader)
            return
        base = config_base(run.manifest, run.path)
        config = load_config(run.path / "config.yaml", base=base)
        yield from changed_inputs(run, reader, config)
        recorded = list(reader.turns())
        again = rerun(reader, recorded, config)
        yield from first_difference(recorded, *read_equity(reader), again)
        digest = digest_of(again.turns, again.ends, again.equity)
        yield from differing_files(run, again.turns, again.ends, again.equity, digest)
    finally:
        reader.close()


def _seal(run: RunDirectory) -> dict[str, str]:
    seal = run.manifest.get("journal")
    if not isinstance(seal, dict) or not all(isinstance(seal.get(key), str) for key in _SEAL):
        raise RefusedError(f"{run.path / 'manifest.json'}: it does not say how its journal ended")
    return seal


_SEAL = ("segments_hash", "turns_hash", "blocks_hash")


# --- inputs -----------------------------------------------------------------------------------


def changed_inputs(run: RunDirectory, reader: JournalReader, config: Config) -> Iterator[str]:
    """Everything that decides and is no longer what the run was made with."""
    segment, _ = reader.segment()
    inputs = segment["inputs"]
    if config.sha256 != inputs["config_sha256"]:
        changed = list(_changed_keys(segment["config"], config.resolved()))
        for key, was, now in changed:
            yield f"config: {key} was {was!r}, config.yaml says {now!r}"
        if not changed:
            yield "config: the journal's hash is not that of its config"
    code = strategy_source_sha256(config.strategy_class)
    if code != inputs["strategy"]["sha256"]:
        yield f"code: the source of strategy {config.strategy.kind} has changed since"
    if load_fee_tables().sha256 != inputs["fee_tables_sha256"]:
        yield "fee tables: they have changed since"
    if segment["engine_version"] != ENGINE_VERSION:
        made_by = segment["engine_version"]
        yield f"engine: the run was made by version {made_by}, this is {ENGINE_VERSION}"
    if run.manifest["inputs"] != inputs:
        yield "manifest.json: its inputs are not those of the journal"


def _changed_keys(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            below = f"{path}.{key}" if path else str(key)
            yield from _changed_keys(old.get(key), new.get(key), below)
    elif old != new:
        yield path, old, new


# --- turns ------------------------------------------------------------------------------------


def first_difference(
    recorded: Sequence[TurnRow], ends: array[Any], equity: array[Any], again: Rerun
) -> Iterator[str]:
    """The first turn that came out otherwise, and the first mark that did if it comes earlier."""
    turn = _first_turn(recorded, again.turns)
    row = _first_row(ends, equity, again)
    if turn is not None and (row is None or turn[0] <= row[0]):
        yield turn[1]
    elif row is not None:
        yield row[1]


def _first_turn(recorded: Sequence[TurnRow], turns: Sequence[Turn]) -> tuple[int, str] | None:
    for was, now in zip(recorded, turns, strict=False):
        text = encode_outputs(now.outputs)
        if (was.seq, was.instant, was.outputs) != (now.seq, now.instant, text):
            if was.seq != now.seq:
                return _unmatched(was, now)
            old = decode_outputs(was.outputs)
            return was.instant, _told(was.seq, was.instant, old, now.outputs)
    if len(recorded) > len(turns):
        was = recorded[len(turns)]
        return was.instant, _told(was.seq, was.instant, decode_outputs(was.outputs), ())
    if len(turns) > len(recorded):
        now = turns[len(recorded)]
        return now.instant, _told(now.seq, now.instant, (), now.outputs)
    return None


def _unmatched(was: TurnRow, now: Turn) -> tuple[int, str]:
    if was.seq < now.seq:
        return was.instant, _told(was.seq, was.instant, decode_outputs(was.outputs), ())
    return now.instant, _told(now.seq, now.instant, (), now.outputs)


def _told(seq: int, instant: int, was: Sequence[Output], now: Sequence[Output]) -> str:
    return f"turn {seq} at {iso_z(instant)}: {output_difference(was, now)}"


def _first_row(ends: array[Any], equity: array[Any], again: Rerun) -> tuple[int, str] | None:
    for was_end, was, now_end, now in zip(ends, equity, again.ends, again.equity, strict=False):
        if was_end != now_end:
            return min(
                was_end, now_end
            ), f"bar {iso_z(was_end)}: played again it is {iso_z(now_end)}"
        if was != now:
            text = f"bar {iso_z(was_end)}: equity was {was / 1e6:.6f}, played again {now / 1e6:.6f}"
            return was_end, text
    if len(ends) != len(again.ends):
        return 0, f"{len(ends)} bars were recorded, {len(again.ends)} were played again"
    return None
