"""The dashboards as they are committed, and the queries in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "ops" / "grafana" / "dashboards"
FILES = tuple(sorted(FOLDER.glob("*.json")))
KEYS = tuple(path.stem for path in FILES)

Board = dict[str, Any]


class Asked(NamedTuple):
    """A query: of which dashboard, in which panel (its title), in which place there."""

    board: str
    panel: str
    place: int
    expression: str
    instant: bool

    @property
    def label(self) -> str:
        """What a failure is called."""
        return f"{self.board}/{self.panel}/{self.place}"


def board(key: str) -> Board:
    """A dashboard."""
    found: Board = json.loads((FOLDER / f"{key}.json").read_text("utf-8"))
    return found


def panels(of: Board) -> list[dict[str, Any]]:
    """Its panels, without the headings."""
    return [panel for panel in of["panels"] if panel["type"] != "row"]


def targets(of: Board) -> Iterator[tuple[dict[str, Any], int, dict[str, Any]]]:
    """Panel, place and target of every query."""
    for panel in panels(of):
        for place, target in enumerate(panel.get("targets") or []):
            yield panel, place, target


def asked(key: str) -> list[Asked]:
    """The queries of every panel and mark of a dashboard."""
    found = [
        Asked(key, panel["title"], place, target["expr"], bool(target.get("instant")))
        for panel, place, target in targets(board(key))
    ]
    marks = board(key)["annotations"]["list"]
    return found + [
        Asked(key, f"mark {mark['name']}", place, mark["expr"], instant=False)
        for place, mark in enumerate(marks)
    ]


def variables(of: Board) -> list[dict[str, Any]]:
    """Its drop-downs that are filled by a query."""
    return [each for each in of["templating"]["list"] if each["type"] == "query"]
