"""What differs between two runs: their inputs, their metrics, and the first thing they traded.

The first run is the old one (a baseline, say), the second the new one. Equal digests mean equal
trading, so fills and trades are read only where digests differ. Nothing here prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from replay.runs.baselines import portable
from replay.runs.reader import STREAMS, Row, RunDirectory
from replay.runs.tolerances import Tolerance, Tolerances, is_statement

# Inputs whose effect is seen elsewhere (a path by its content's hash) or that have none.
_HARMLESS_INPUTS = {"tape.path", "calendar.package_version", "papertape_version", "python"}
_HARMLESS_CONFIG = ("name", "observability", "notify", "paths", "tape.path", "model.path")
_PROGRAM = ("engine_version", "papertape_version", "python", "start", "end")

_INPUT_NAMES = {
    "tape.sha256": "tape content",
    "tape.path": "tape path",
    "tape.dialect": "tape dialect",
    "tape.adjustment": "tape adjustment",
    "model.kind": "model kind",
    "model.sha256": "model",
    "strategy.kind": "strategy",
    "strategy.sha256": "strategy code",
    "calendar.name": "calendar name",
    "calendar.hash": "calendar",
    "calendar.package_version": "calendar package",
    "fee_tables_sha256": "fee tables",
    "corporate_actions": "corporate actions",
    "engine_version": "engine version",
    "papertape_version": "papertape version",
}

# Running numbers: they tell where a row stands, not what it says.
_NUMBERING = frozenset({"trade_id", "fill_id", "order_id"})


class Verdict(StrEnum):
    """What a metric's difference amounts to; BEYOND and GONE fail a comparison."""

    EQUAL = "equal"
    WITHIN = "within"
    BEYOND = "beyond"
    GONE = "gone"
    NEW = "new"
    CHANGED = "changed"  # text, which has no tolerance
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class InputDifference:
    """One input that is not the same; `harmless` where it cannot change trading by itself."""

    name: str
    old: Any
    new: Any
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One metric of both runs; `difference` is new − old where both are numbers."""

    key: str
    old: Any
    new: Any
    difference: float | None
    tolerance: Tolerance
    verdict: Verdict

    @property
    def fails(self) -> bool:
        return self.verdict in {Verdict.BEYOND, Verdict.GONE}


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first row of a CSV file (from 1) that is not the same; None where a run has no more."""

    stream: str
    row: int
    old: Row | None
    new: Row | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs between two runs."""

    old: RunDirectory
    new: RunDirectory
    inputs: tuple[InputDifference, ...]
    metrics: tuple[MetricDifference, ...]
    firsts: tuple[FirstDifference, ...]
    digest_exact: bool

    @property
    def same_trading(self) -> bool:
        return self.old.digest == self.new.digest

    @property
    def beyond(self) -> list[str]:
        """The names of what is beyond its tolerance; empty where the comparison holds."""
        failed = [metric.key for metric in self.metrics if metric.fails]
        return ["digest", *failed] if self.digest_exact and not self.same_trading else failed

    @property
    def program_changed(self) -> bool:
        """Trading differs though no recorded input does: the program must be another."""
        return not self.same_trading and all(one.harmless for one in self.inputs)


def compare(old: RunDirectory, new: RunDirectory, tolerances: Tolerances) -> Comparison:
    """Compare two runs.

    Raises RefusedError where a file of either is damaged, or a tolerance names no metric.
    """
    metrics = tuple(_metrics(old.summary, new.summary, tolerances))
    tolerances.check_names([*old.summary, *new.summary, *(metric.key for metric in metrics)])
    inputs = (*_inputs(old.manifest, new.manifest), *_config(old.config, new.config))
    firsts = () if old.digest == new.digest else tuple(_firsts(old, new))
    return Comparison(old, new, inputs, metrics, firsts, tolerances.digest_exact)


def flattened(value: Any, key: str = "") -> dict[str, Any]:
    """Nested JSON as dotted keys: {"a": {"b": [1, 2]}} gives {"a.b[0]": 1, "a.b[1]": 2}."""
    if isinstance(value, Mapping):
        items = [(f"{key}.{name}" if key else str(name), one) for name, one in value.items()]
    elif isinstance(value, list):
        items = [(f"{key}[{index}]", one) for index, one in enumerate(value)]
    else:
        return {key: value}
    return {path: leaf for name, one in items for path, leaf in flattened(one, name).items()}


# --- inputs ---------------------------------------------------------------------------------------


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[InputDifference]:
    olds, news = _recorded_inputs(old), _recorded_inputs(new)
    for key in _union(olds, news):
        before, after = olds.get(key), news.get(key)
        # The config is told key by key; a path cut short by a baseline is the same path.
        if before == after or key == "config_sha256" or _same_file_name(key, before, after):
            continue
        yield InputDifference(_INPUT_NAMES.get(key, key), before, after, key in _HARMLESS_INPUTS)


def _recorded_inputs(manifest: Mapping[str, Any]) -> dict[str, Any]:
    program = {key: manifest.get(key) for key in _PROGRAM}
    return _flat(manifest["inputs"]) | program


def _config(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[InputDifference]:
    olds, news = _flat(old), _flat(new)
    for key in _union(olds, news):
        before, after = olds.get(key), news.get(key)
        if before == after or _same_file_name(key, before, after):
            continue
        harmless = any(key == one or key.startswith(f"{one}.") for one in _HARMLESS_CONFIG)
        yield InputDifference(f"config {key}", before, after, harmless)


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    # Lists stay whole: [NVDA] → [NVDA, AAPL] says more than symbols[1].
    if not isinstance(value, Mapping):
        return {key: value}
    flat: dict[str, Any] = {}
    for name, one in value.items():
        flat |= _flat(one, f"{key}.{name}" if key else str(name))
    return flat


def _same_file_name(key: str, old: Any, new: Any) -> bool:
    """Whether one of two paths is the other's file name alone, as in a baseline."""
    is_path = key.endswith("path") or key.startswith("paths.")
    return is_path and (old == portable(new) or portable(old) == new)


# --- metrics --------------------------------------------------------------------------------------


def _metrics(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerances: Tolerances
) -> Iterator[MetricDifference]:
    olds, news = flattened(old), flattened(new)
    for key in _union(olds, news):
        before = olds[key] if key in olds else _absent(key, old, news[key])
        after = news[key] if key in news else _absent(key, new, olds[key])
        tolerance = tolerances.of(key, before, after)
        verdict = _verdict(before, after, tolerance, exact_text=is_statement(key))
        numbers = _is_number(before) and _is_number(after)
        difference = float(after - before) if numbers else None
        before, after = (None if one is _MISSING else one for one in (before, after))
        yield MetricDifference(key, before, after, difference, tolerance, verdict)


class _Missing:
    """Stands for a metric that one run does not have, which is not the same as null."""


_MISSING = _Missing()


def _absent(key: str, summary: Mapping[str, Any], other: Any) -> Any:
    """What a run without `key` has there: 0 in a table of counts or amounts that it does have."""
    is_counted = _is_number(other) and (isinstance(other, int) or "_usd" in key)
    *parents, _ = key.split(".")
    if not parents or not is_counted or key.endswith("]"):
        return _MISSING
    group: Any = summary
    for parent in parents:
        group = group.get(parent) if isinstance(group, Mapping) else None
    return 0 if isinstance(group, Mapping) else _MISSING


def _verdict(old: Any, new: Any, tolerance: Tolerance, *, exact_text: bool) -> Verdict:
    if tolerance.ignored:
        return Verdict.IGNORED
    if old is _MISSING or new is _MISSING:
        return Verdict.NEW if old is _MISSING else Verdict.GONE
    if old == new:
        return Verdict.EQUAL
    if isinstance(old, str) and isinstance(new, str):
        return Verdict.BEYOND if exact_text else Verdict.CHANGED
    if _is_number(old) and _is_number(new):
        return Verdict.WITHIN if tolerance.holds(old, new) else Verdict.BEYOND
    return Verdict.BEYOND


def _is_number(value: Any) -> bool:
    is_plain = isinstance(value, int | float) and not isinstance(value, bool)
    return is_plain and math.isfinite(value)


# --- the first row that differs -------------------------------------------------------------------


def _firsts(old: RunDirectory, new: RunDirectory) -> Iterator[FirstDifference]:
    """The first difference of trades and of fills; failing both, of what else was recorded."""
    found = False
    for number, stream in enumerate(STREAMS):
        is_main = number < 2
        if not is_main and (found or not (old.has(stream) and new.has(stream))):
            continue
        if first := _first(stream, old, new):
            found = True
            yield first


def _first(stream: str, old: RunDirectory, new: RunDirectory) -> FirstDifference | None:
    rows = zip_longest(old.rows(stream), new.rows(stream))
    for number, (before, after) in enumerate(rows, start=1):
        if before is None or after is None:
            return FirstDifference(stream, number, before, after, ())
        columns = tuple(
            key
            for key in before
            if key in after and key not in _NUMBERING and not _same_text(before[key], after[key])
        )
        if columns:
            return FirstDifference(stream, number, before, after, columns)
    return None


def _same_text(old: str, new: str) -> bool:
    if old == new:
        return True
    try:
        return float(old) == float(new)  # 123.4500 and 123.45
    except ValueError:
        return False


def _union(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys((*old, *new)))
