"""`papertape data check`: what the loader takes a file for, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from daemon.errors import Exit
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import date_text, iso_z, zone_text
from daemon.text_table import is_plain, marked
from replay.record import GapRow
from replay.tapes import Fault, PlainTapeSpec, Severity, Tape, TapeSpec, open_tape
from replay.tapes.infer import Inferred, infer
from replay.tapes.neighbours import about

EXAMPLES_SHOWN = 5
GAP_SESSIONS_SHOWN = 20
GAPS_IN_JSON_MAX = 10_000
MARKS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}

Line = tuple[str, str]


def data_check(
    path: Path,
    tape: TapeSpec | None,
    symbols: Sequence[str] | None,
    size: str | None,
    grid: str | None,
    calendar: Calendar,
    state: Path,
    *,
    as_json: bool = False,
) -> int:
    """Print what was understood, the findings by severity, the coverage and the gaps of a file.

    What is None is inferred where that is safe, and printed; without `tape` prices are checked as
    raw. Returns 1 if there is a finding of severity error, else 0. `RefusedError` if the file
    cannot be used at all. A structural fault never ends the check, whatever `on_bad_bar` says.
    """
    spec = _spec(path, tape)
    inferred = infer(path, spec, calendar, symbols=symbols, size=size, grid=grid)
    opened = open_tape(spec, inferred.symbols, inferred.size, inferred.grid, calendar, state)
    how = list(inferred.how)
    if tape is None:
        known = about(path)
        told = f"{known.adjustment} (as imported)" if known else "not declared: checked as raw"
        how.append(f"adjustment {told}")
    if as_json:
        print(json.dumps(_document(path, opened, inferred, how), indent=2, allow_nan=False))
    else:
        _show(_lines(path, opened, how, calendar.zone))
    failed = any(fault.severity == Severity.ERROR for fault in opened.faults)
    return Exit.CHECK_FAILED if failed else Exit.OK


def _spec(path: Path, tape: TapeSpec | None) -> PlainTapeSpec:
    if tape is None:
        known = about(path)
        return PlainTapeSpec(path, adjustment=known.adjustment if known else "raw")
    return PlainTapeSpec(
        path,
        dialect=tape.dialect,
        timezone=tape.timezone,
        stamps=tape.stamps,
        adjustment=tape.adjustment,
        columns=tape.columns,
    )


# --- for people -------------------------------------------------------------------------------


def _lines(path: Path, tape: Tape, how: list[str], zone: str) -> list[Line]:
    lines: list[Line] = [("bold", f"{path}"), ("", ""), ("bold", "understood")]
    lines += [("", f"  {line}") for line in tape.understood.lines()]
    lines += [("", f"  inferred    {line}") for line in how]
    lines += [("", ""), ("bold", "findings")]
    lines += _finding_lines(tape) or [("green", "  none")]
    lines += [("", ""), ("bold", "coverage")]
    lines += _coverage_lines(tape)
    gaps = [gap for symbol in tape.columns for gap in tape.gaps(symbol)]
    if gaps:
        lines += [("", ""), ("bold", "gaps by session (exchange time)")]
        lines += _gap_lines(gaps, zone)
    lines += [("", ""), _verdict(tape)]
    return lines


def _finding_lines(tape: Tape) -> list[Line]:
    lines: list[Line] = []
    order = list(Severity)
    found = sorted(tape.faults, key=lambda fault: (order.index(fault.severity), fault.rule))
    for (severity, rule), group in groupby(found, key=lambda fault: (fault.severity, fault.rule)):
        faults = list(group)
        count = max(len(faults), tape.fault_counts.get(rule.split()[0], 0))
        actions = "/".join(dict.fromkeys(fault.action for fault in faults))
        lines.append((MARKS[severity], f"  {severity:<8}{rule}: {count:,}, {actions}"))
        lines += [("", f"            {_where(fault)}") for fault in faults[:EXAMPLES_SHOWN]]
        if count > EXAMPLES_SHOWN:
            lines.append(("dim", f"            … and {count - EXAMPLES_SHOWN:,} more"))
    return lines


def _where(fault: Fault) -> str:
    line = f"line {fault.line}: " if fault.line else ""
    return f"{fault.symbol} {line}{fault.message}"


def _coverage_lines(tape: Tape) -> list[Line]:
    lines: list[Line] = []
    for symbol, coverage in tape.coverage.items():
        first, last = date_text(coverage.first_session), date_text(coverage.last_session)
        parts = [f"{coverage.received:,} of {coverage.expected:,} expected bars"]
        for count, what in (
            (coverage.missing, "missing"),
            (coverage.quarantined, "quarantined"),
            (coverage.unexpected, "unexpected"),
        ):
            if count:
                parts.append(f"{count:,} {what}")
        plural = "s" * (coverage.sessions != 1)
        text = (
            f"  {symbol:<6} {first} to {last}, {coverage.sessions:,} session{plural}:"
            f" {', '.join(parts)}; coverage {_percent(coverage.coverage_pct)}"
        )
        lines.append(("", text))
    return lines


def _percent(value: float) -> str:
    """Two decimals, but 100 only where nothing is missing."""
    return "100 %" if value == 100 else f"{min(value, 99.99):.2f} %"


def _gap_lines(gaps: list[GapRow], zone: str) -> list[Line]:
    lines: list[Line] = []
    sessions = [
        (key, list(group)) for key, group in groupby(gaps, lambda gap: (gap.symbol, gap.session))
    ]
    for (symbol, session), rows in sessions[:GAP_SESSIONS_SHOWN]:
        spans = ", ".join(_spans(rows, zone))
        lines.append(("", f"  {symbol:<6} {date_text(session)}  {spans}"))
    if len(sessions) > GAP_SESSIONS_SHOWN:
        more = len(sessions) - GAP_SESSIONS_SHOWN
        lines.append(("dim", f"  … and {more:,} more sessions"))
    return lines


def _spans(rows: list[GapRow], zone: str) -> list[str]:
    """Neighbouring bars of one outcome as one span: 13:00-15:00 (2 missing)."""
    spans: list[list[GapRow]] = []
    for row in rows:
        if spans and spans[-1][-1].end == row.start and spans[-1][-1].outcome == row.outcome:
            spans[-1].append(row)
        else:
            spans.append([row])
    return [
        f"{zone_text(span[0].start, zone)[11:]}-{zone_text(span[-1].end, zone)[11:]}"
        f" ({len(span)} {span[0].outcome})"
        for span in spans
    ]


def _verdict(tape: Tape) -> Line:
    bars = sum(len(columns) for columns in tape.columns.values())
    graded = [fault.severity for fault in tape.faults]
    errors, warnings = graded.count(Severity.ERROR), graded.count(Severity.WARNING)
    told = f"{bars:,} bars usable; {errors:,} errors, {warnings:,} warnings"
    if tape.costs_distorted:
        factor = tape.suspected_factor
        told += f"; costs distorted{f' (by up to {factor:g} x)' if factor else ''}"
    return ("red" if errors else "green", told)


def _show(lines: list[Line]) -> None:
    plain = is_plain()
    for mark, text in lines:
        print(marked(text, mark, plain=plain) if mark else text)


# --- for programs -----------------------------------------------------------------------------


def _document(path: Path, tape: Tape, inferred: Inferred, how: list[str]) -> dict[str, Any]:
    gaps = [gap for symbol in tape.columns for gap in tape.gaps(symbol)]
    return {
        "path": str(path.absolute()),
        "sha256": tape.sha256,
        "symbols": list(inferred.symbols),
        "inferred": how,
        "understood": msgspec.to_builtins(tape.understood),
        "findings": [
            msgspec.to_builtins(fault) | {"start": _iso(fault.start)} for fault in tape.faults
        ],
        "counts": dict(tape.fault_counts),
        "coverage": [
            msgspec.to_builtins(each) | {"coverage_pct": round(each.coverage_pct, 4)}
            for each in tape.coverage.values()
        ],
        "gaps": [
            {
                "symbol": gap.symbol,
                "start": iso_z(gap.start),
                "end": iso_z(gap.end),
                "session": gap.session,
                "outcome": str(gap.outcome),
                "reason": gap.reason,
            }
            for gap in gaps[:GAPS_IN_JSON_MAX]
        ],
        "gaps_total": len(gaps),
        "unexpected": tape.unexpected.count,
        "has_volume": tape.has_volume,
        "costs_distorted": tape.costs_distorted,
        "suspected_factor": tape.suspected_factor,
    }


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso_z(instant)
