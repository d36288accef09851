"""What a dashboard is made of, as plain data; writer.py makes Grafana's JSON of it.

A page is a list of sections, a section a list of bands: panels side by side, at most 24 columns in
all. Positions are counted from that, so nothing overlaps and a panel can be moved by moving a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

GRID_COLUMNS = 24

Kind = Literal["stat", "timeseries", "bars", "timeline", "gauge", "table", "text"]

# Grafana's own colours by name, so that they fit the light theme too.
GREEN, BLUE, YELLOW, ORANGE, RED, GREY = (
    "green", "blue", "yellow", "orange", "red", "text",
)  # fmt: skip


@dataclass(frozen=True)
class Query:
    """One PromQL query; `legend` may name labels: {{symbol}}."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Meaning:
    """What a number stands for, in words and colour."""

    text: str
    colour: str


Meanings = Mapping[int, Meaning]
Steps = Sequence[tuple[float | None, str]]
"""Colours from a value upwards, the lowest (None) first."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its title and how its cells are written.

    `link` is where a click on a cell leads; ${__value.raw} is what stands in it.
    """

    title: str
    unit: str = "none"
    decimals: int | None = None
    meanings: Meanings = field(default_factory=dict)
    steps: Steps = ()
    link: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel; `width` is of 24 columns, `description` is what the (i) in its corner says.

    `columns` (tables) are keyed by label, or by `Value #A` for the value of the first query.
    `text` is what a panel without data says, or the Markdown of a text panel.
    """

    kind: Kind
    title: str
    description: str
    width: int
    queries: Sequence[Query] = ()
    unit: str = "none"
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    meanings: Meanings = field(default_factory=dict)
    steps: Steps = ()
    text: str = ""
    named: bool = False
    sparkline: bool = False
    stacked: bool = False
    stepped: bool = False
    coarsest: str | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)


@dataclass(frozen=True)
class Band:
    """Panels side by side, all of one height (one unit is 38 pixels)."""

    height: int
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Section:
    """Bands under a heading; the first section of a page has none."""

    bands: Sequence[Band]
    title: str = ""


@dataclass(frozen=True)
class Variable:
    """A drop-down at the top, filled by a query; `several`: more than one may be chosen, or all."""

    name: str
    label: str
    query: str
    description: str
    several: bool = False


@dataclass(frozen=True)
class Mark:
    """Marks on every time axis, from a query: where its value is above 0.

    `value_is_time`: the value is the instant to mark, in milliseconds.
    """

    name: str
    expression: str
    colour: str
    text: str
    labels: str = ""
    value_is_time: bool = False


@dataclass(frozen=True)
class Page:
    """One dashboard."""

    key: str
    title: str
    description: str
    sections: Sequence[Section]
    variables: Sequence[Variable]
    marks: Sequence[Mark]
    span: str = "now-24h"
    refresh: str = "30s"
