"""How far a metric may move before two runs count as different.

The defaults are those of the table of figures (replay/summary_figures.py), and of the unit or kind
of number for what stands in the summary's tables; counts may not move at all. A `tolerances.yaml`
beside a baseline overrides them:

    digest: exact                    # trading must be equal; free (the default): metrics alone
    metrics:
      sharpe: 0.05                   # absolute, in the metric's own unit
      final_equity_usd: {relative: 0.001}
      fees_usd: {absolute: 1, relative: 0.01}    # the larger of the two holds
      denials_by_reason: ignore      # a group: all its members
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError
from replay.runs.reader import read_yaml
from replay.summary.figures import FIGURE_OF, TOLERANCES, Unit
from replay.summary.figures import Tolerance as Kind


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The difference that still counts as none: the larger of the two parts, itself included."""

    absolute: float = 0.0
    relative: float = 0.0
    ignored: bool = False

    def allowed(self, old: float) -> Decimal:
        """The largest difference allowed from `old`, in the metric's unit."""
        relative = Decimal(str(self.relative)) * abs(Decimal(str(old)))
        return max(Decimal(str(self.absolute)), relative)

    def holds(self, old: float, new: float) -> bool:
        """Whether the difference is allowed; decimal, so that 1.23 to 1.24 is exactly 0.01."""
        return abs(Decimal(str(new)) - Decimal(str(old))) <= self.allowed(old)

    def __str__(self) -> str:
        if self.ignored:
            return "ignored"
        parts = [f"{self.absolute:g}"] if self.absolute or not self.relative else []
        return " or ".join(parts + ([f"{self.relative * 100:g} %"] if self.relative else []))


IGNORED = Tolerance(ignored=True)
EXACT = Tolerance()

_BY_UNIT: Mapping[str, Kind] = {"_usd": Kind.MONEY, "_pct": Kind.PERCENT, "_bps": Kind.RATIO}


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The tolerances of one comparison; `overrides` by metric or by group, dotted."""

    overrides: Mapping[str, Tolerance] = field(default_factory=dict)
    digest_exact: bool = False
    source: Path | None = None

    def of(self, key: str, *values: Any) -> Tolerance:
        """The tolerance of a dotted metric with these values: overridden, or the default."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            if found := self.overrides.get(".".join(parts[:length])):
                return found
        if figure := FIGURE_OF.get(key):
            return Tolerance(TOLERANCES[figure.tolerance])
        for part in reversed(parts):
            for unit, kind in _BY_UNIT.items():
                if part.partition("[")[0].endswith(unit):
                    return Tolerance(TOLERANCES[kind])
        is_count = not any(isinstance(value, float) for value in values)
        return EXACT if is_count else Tolerance(TOLERANCES[Kind.RATIO])

    def check_names(self, known: Collection[str]) -> None:
        """Refuse overrides of metrics that neither run has: a typing error would hide a change."""
        from daemon.config.problems import did_you_mean

        groups = {key[:end] for key in known for end in _ends(key)}
        for key in self.overrides:
            if key not in groups:
                hint = did_you_mean(key, sorted(groups))
                raise RefusedError(f"{self.source}: metrics.{key}: no such metric{hint}")


def read_tolerances(path: Path) -> Tolerances:
    """The overrides in a file, or the defaults where the file does not exist.

    Raises RefusedError naming the file and the key where it cannot be understood.
    """
    if not path.is_file():
        return Tolerances()
    content = read_yaml(path)
    if unknown := sorted(set(content) - {"digest", "metrics"}):
        raise RefusedError(f"{path}: {unknown[0]}: no such key, there are 'digest' and 'metrics'")
    digest, metrics = content.get("digest", "free"), content.get("metrics") or {}
    if digest not in ("exact", "free"):
        raise RefusedError(f"{path}: digest: {digest!r} is neither 'exact' nor 'free'")
    if not isinstance(metrics, dict):
        raise RefusedError(f"{path}: metrics: not a mapping of metric to tolerance")
    overrides = {key: _tolerance(value, f"{path}: metrics.{key}") for key, value in metrics.items()}
    return Tolerances(overrides, digest_exact=digest == "exact", source=path)


def is_statement(key: str) -> bool:
    """Whether a metric that is text says how the run ended or was set up (`trading_state`).

    Such text must be equal; names, dates and reasons may differ between runs that are the same.
    """
    figure = FIGURE_OF.get(key)
    return figure is not None and figure.unit is Unit.TEXT and key != "name"


def _tolerance(value: Any, where: str) -> Tolerance:
    if value == "ignore":
        return IGNORED
    if not isinstance(value, dict):
        return Tolerance(absolute=_number(value, where))
    if not value or set(value) - {"absolute", "relative"}:
        raise RefusedError(f"{where}: say 'absolute', 'relative' or both")
    parts = {key: _number(one, f"{where}.{key}") for key, one in value.items()}
    return Tolerance(parts.get("absolute", 0.0), parts.get("relative", 0.0))


def _number(value: Any, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise RefusedError(f"{where}: {value!r} is not a number of 0 or more, nor 'ignore'")
    return float(value)


def _ends(key: str) -> list[int]:
    return [*(index for index, character in enumerate(key) if character in ".["), len(key)]
