"""One row of the budget each, and how the table is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, in `unit`; `goal` and `bound` are upper limits in that unit or None.

    `floor_ratio` compares with the reference strategy in a bare loop, `plain_ratio` with the same
    trading written as one loop; for them the limits are of the ratio.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    bound: float | None = None
    floor_ratio: float | None = None
    plain_ratio: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Within goal, within bound, OVER, or nothing where there is no limit."""
        judged = self.value if self.floor_ratio is None else self.floor_ratio
        if self.goal is not None and judged <= self.goal:
            return "within goal"
        if self.bound is not None and judged <= self.bound:
            return "within bound"
        return "" if self.goal is None and self.bound is None else "OVER"


HEADER = ("what", "measured", "goal", "x floor", "x plain loop", "", "note")


def print_table(rows: Sequence[Row]) -> None:
    """The rows in columns, numbers to the right."""
    print_columns([HEADER, *(_cells(row) for row in rows)], right=(1, 2, 3, 4))


def print_columns(lines: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    """Lines of equally many cells, padded; `right` are the columns that are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def write_json(path: Path, rows: Iterable[Row], **facts: Any) -> None:
    """The rows with their verdicts, and what else is known of the run, as one document."""
    document = facts | {"rows": [asdict(row) | {"verdict": row.verdict} for row in rows]}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    limit = row.goal if row.goal is not None else row.bound
    goal = "" if limit is None else f"{limit:g}x" if row.floor_ratio is not None else f"{limit:g}"
    return (
        row.name,
        f"{row.value:.3g} {row.unit}" if row.value < 100 else f"{row.value:,.0f} {row.unit}",
        goal,
        _ratio(row.floor_ratio),
        _ratio(row.plain_ratio),
        row.verdict,
        row.note,
    )


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}x"
