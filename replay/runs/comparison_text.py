"""A comparison of two runs as lines for people, as one line, and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from daemon.text_table import counted, exchange_time, marked, number_text, table
from replay.runs.comparison import (
    Comparison,
    FirstDifference,
    InputDifference,
    MetricDifference,
    Verdict,
)
from replay.runs.reader import Row, RunDirectory

_HASH = re.compile(r"[0-9a-f]{40,}")
_DIGEST_SHOWN = 12
_NAMES_MAX = 4
_VALUE_MAX = 60
_ROWS_MAX = 40

_MARKS = {Verdict.BEYOND: "red", Verdict.GONE: "red", Verdict.WITHIN: "yellow"}
_SINGULAR = {"state_changes": "state change", "equity": "equity row"}


def comparison_lines(found: Comparison, *, plain: bool) -> list[str]:
    """The whole answer: trading, inputs, metrics, first differences, verdict."""
    return [
        f"A  {_described(found.old)}",
        f"B  {_described(found.new)}",
        *_trading(found, plain=plain),
        "",
        *_input_lines(found.inputs, plain=plain),
        "",
        *_metric_lines(found.metrics, plain=plain),
        *(line for first in found.firsts for line in ("", *_first_lines(first, plain=plain))),
        "",
        _verdict_line(found, plain=plain),
    ]


def comparison_line(found: Comparison) -> str:
    """The answer in one line: what is beyond tolerance, by how much, and where it begins."""
    if not found.beyond:
        moved = [one.key for one in found.metrics if one.verdict is Verdict.WITHIN]
        same = "identical trading" if found.same_trading else "other trading"
        within = f", within tolerance: {_named(moved)}" if moved else ""
        return f"{same}, digest {found.new.digest[:6]}{within}"
    parts = [_moved(one) for one in found.metrics if one.fails]
    more = len(parts) - _NAMES_MAX
    told = parts[:_NAMES_MAX] + ([f"{more} more"] if more > 0 else [])
    if "digest" in found.beyond:
        told.insert(0, f"digest {found.old.digest[:6]} → {found.new.digest[:6]}")
    causes = [one.name for one in found.inputs if not one.harmless]
    cause = f"; inputs differ: {_named(causes)}" if causes else ""
    if found.program_changed:
        cause = "; no input differs, so the program does"
    begins = f"; first in {_place(found.firsts[0])}" if found.firsts else ""
    return ", ".join(told) + cause + begins


def comparison_json(found: Comparison) -> dict[str, Any]:
    """The answer for programs."""
    return {
        "a": _run_json(found.old),
        "b": _run_json(found.new),
        "identical_trading": found.same_trading,
        "beyond_tolerance": found.beyond,
        "inputs": [
            {"input": one.name, "a": one.old, "b": one.new, "harmless": one.harmless}
            for one in found.inputs
        ],
        "metrics": [
            {
                "metric": one.key,
                "a": one.old,
                "b": one.new,
                "difference": one.difference,
                "tolerance": _tolerance_json(one),
                "verdict": str(one.verdict),
            }
            for one in found.metrics
        ],
        "first_differences": [
            {
                "file": f"{one.stream}.csv",
                "row": one.row,
                "a": one.old,
                "b": one.new,
                "columns": list(one.columns),
            }
            for one in found.firsts
        ],
    }


def value_text(value: Any) -> str:
    """A value of a config or manifest, short enough for a line; hashes have twelve digits."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:_DIGEST_SHOWN]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "none" if value is None else text
    return text if len(text) <= _VALUE_MAX else text[: _VALUE_MAX - 1] + "…"


def _described(run: RunDirectory) -> str:
    label = f" ({run.label})" if run.label else ""
    origin = f", baseline {run.path.name}" if run.path.name != run.run_id else ""
    return f"{run.run_id}{label}{origin}, made {exchange_time(run.created)}"


def _trading(found: Comparison, *, plain: bool) -> Iterator[str]:
    digests = [run.digest[:_DIGEST_SHOWN] for run in (found.old, found.new)]
    if found.same_trading:
        yield marked(f"identical trading: digest {digests[0]}", "green", plain=plain)
        return
    yield marked(f"trading differs: digest {digests[0]} → {digests[1]}", "yellow", plain=plain)
    if found.program_changed:
        yield (
            "no recorded input differs, so the program does: where results may change, "
            "ENGINE_VERSION is raised"
        )


def _input_lines(inputs: Sequence[InputDifference], *, plain: bool) -> list[str]:
    if not inputs:
        return ["inputs: all equal"]
    rows = [
        (
            one.name,
            value_text(one.old),
            value_text(one.new),
            "(changes no trading by itself)" if one.harmless else "",
        )
        for one in sorted(inputs, key=lambda one: one.harmless)
    ]
    return ["inputs", *table(("input", "A", "B", ""), rows, plain=plain, indent="  ")]


def _metric_lines(metrics: Sequence[MetricDifference], *, plain: bool) -> list[str]:
    moved = [one for one in metrics if one.verdict not in {Verdict.EQUAL, Verdict.IGNORED}]
    if not moved:
        return [f"metrics: all {len(metrics)} equal"]
    worst_first = sorted(moved, key=lambda one: not one.fails)
    shown = [one for one in worst_first if "[" not in one.key or one.fails][:_ROWS_MAX]
    rows = [
        (
            one.key,
            number_text(one.old),
            number_text(one.new),
            "" if one.difference is None else _signed(one.difference),
            "" if one.verdict is Verdict.CHANGED else str(one.tolerance),
            str(one.verdict),
        )
        for one in shown
    ]
    header = ("metric", "A", "B", "difference", "tolerance", "verdict")
    marks = [_MARKS.get(one.verdict) for one in shown]
    lines = table(header, rows, right=header[1:5], marks=marks, plain=plain, indent="  ")
    equal = sum(one.verdict is Verdict.EQUAL for one in metrics)
    hidden = len(moved) - len(shown)
    rest = f", {counted(hidden, 'other difference')} in --json" if hidden else ""
    return ["metrics", *lines, f"  {equal} equal{rest}"]


def _first_lines(first: FirstDifference, *, plain: bool) -> Iterator[str]:
    yield marked(f"first different {_place(first)}", "bold", plain=plain)
    old, new = first.old or {}, first.new or {}
    if not old or not new:
        yield f"  {'B' if old else 'A'} has no more"
    keys = [key for key in old or new if old.get(key) or new.get(key)]
    rows = [
        ("≠" if key in first.columns else "", key, _cell(key, old), _cell(key, new)) for key in keys
    ]
    marks = ["yellow" if key in first.columns else None for key in keys]
    yield from table(("", "column", "A", "B"), rows, marks=marks, plain=plain, indent="  ")


def _place(first: FirstDifference) -> str:
    word = _SINGULAR.get(first.stream, first.stream.removesuffix("s"))
    row = first.new or first.old or {}
    # Each file's own instant: a trade's entry, a fill's bar, an order's decision.
    instants = ("entry_ts", "ts_effective", "ts_decided", "ts")
    at = [exchange_time(row[key]) for key in instants if key in row][:1]
    return f"{word} ({', '.join([f'row {first.row}', *at])})"


def _cell(key: str, row: Row) -> str:
    value = row.get(key, "")
    return exchange_time(value) if "ts" in key.split("_") else value


def _verdict_line(found: Comparison, *, plain: bool) -> str:
    if found.beyond:
        text = f"beyond tolerance: {_named(found.beyond)}"
        return marked(text, "red", plain=plain)
    return marked("within tolerance", "green", plain=plain)


def _moved(one: MetricDifference) -> str:
    return f"{one.key} {number_text(one.old)} → {number_text(one.new)} (±{one.tolerance})"


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_MAX
    shown = ", ".join(names[:_NAMES_MAX])
    return f"{shown} and {more} more" if more > 0 else shown


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number_text(int(value) if value.is_integer() else value)


def _run_json(run: RunDirectory) -> dict[str, Any]:
    return {"path": str(run.path), "id": run.run_id, "label": run.label, "digest": run.digest}


def _tolerance_json(one: MetricDifference) -> dict[str, float] | str:
    if one.tolerance.ignored:
        return "ignore"
    return {"absolute": one.tolerance.absolute, "relative": one.tolerance.relative}
