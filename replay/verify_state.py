"""`papertape verify` of a state directory: the journal of a daemon, whether it runs or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.errors import Exit, RefusedError, UsageError
from daemon.journal.integrity import WHAT_TO_DO, check_state
from daemon.journal.reader import JournalReader
from daemon.state_directory import JOURNAL, MARK
from replay.journal_check import Columns, SegmentCheck, check_segments, recorded_columns

_RESTORE = "`papertape restore` puts a copy in its place"


def verify_state(state: Path, *, as_json: bool = False) -> int:
    """Print what was checked; 0 where everything is equal, 1 where something differs.

    A running daemon is not disturbed: what is committed when this begins is looked at.
    """
    if not (state / JOURNAL).exists() and not (state / MARK).exists():
        raise UsageError(f"{state}: nothing to verify: there is no {JOURNAL} yet")
    before = _stamp(state)
    damage, notes, checks, columns = _checked(state)
    if damage and _stamp(state) != before:  # a daemon has begun to write; now its log is shared
        damage, notes, checks, columns = _checked(state)
    findings = [*damage, *(text for check in checks for text in check.findings)]
    notes += [text for check in checks for text in check.notes]
    if as_json:
        document = _document(state, findings, notes, checks, columns)
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_lines(state, findings, notes, checks, columns)))
    return Exit.CHECK_FAILED if findings else Exit.OK


def _stamp(state: Path) -> tuple[int, int] | None:
    try:
        found = (state / JOURNAL).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _checked(state: Path) -> tuple[list[str], list[str], list[SegmentCheck], Columns]:
    """Damage of the storage, remarks, and what came of the segments as far as they can be read.

    RefusedError where the journal cannot even be looked at.
    """
    damage: list[str] = []
    notes: list[str] = []
    checks: list[SegmentCheck] = []
    columns = Columns()
    reader = _opened(state)
    try:
        try:
            ends = check_state(state)  # at least as far as the reader sees
            notes += [ends.mark_note] if ends.mark_note else []
        except RefusedError as error:
            damage.append(_storage(error))
        try:
            columns = recorded_columns(reader)
            checks = check_segments(reader, state)
        except RefusedError as error:
            damage.append(_storage(error))
    finally:
        reader.close()
    return list(dict.fromkeys(damage)), notes, checks, columns


def _opened(state: Path) -> JournalReader:
    try:
        reader = JournalReader(state / JOURNAL)
        reader.snapshot()
    except RefusedError:
        check_state(state)  # says more
        raise
    return reader


def _storage(error: RefusedError) -> str:
    return f"storage: {error.lines[0].replace(WHAT_TO_DO, _RESTORE)}"


def _document(
    state: Path,
    findings: Sequence[str],
    notes: Sequence[str],
    checks: Sequence[SegmentCheck],
    columns: Columns,
) -> dict[str, Any]:
    return {
        "state_directory": str(state),
        "equal": not findings,
        "findings": findings,
        "notes": notes,
        "turns": columns.turns,
        "bars": len(columns.ends),
        "digest": columns.digest,
        "segments": [
            {
                "segment": check.segment.segment,
                "first_turn": check.segment.first_seq,
                "reason": check.segment.reason,
                "turns_equal": check.turns,
                "differs": check.differs,
                "cause": check.cause,
                "accepted": check.accepted,
                "digest": check.digest or None,
            }
            for check in checks
        ],
    }


def _lines(
    state: Path,
    findings: Sequence[str],
    notes: Sequence[str],
    checks: Sequence[SegmentCheck],
    columns: Columns,
) -> list[str]:
    lines = [f"state   {state}"]
    if findings:
        lines += ["NOT what was recorded:", *(f"  {text}" for text in findings)]
    else:
        segments = f"{len(checks)} segment{'s' if len(checks) != 1 else ''}"
        lines.append(
            f"equal. {columns.turns:,} turns in {segments} over {len(columns.ends):,} slices "
            f"played again, digest {columns.digest[:12]}"
        )
    return lines + [f"note: {text}" for text in notes]
