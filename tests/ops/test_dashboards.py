"""The dashboards as files: written by the generator, laid out without a hole, about our metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.observability.metric_table import METRICS
from ops.grafana.generator.__main__ import files
from ops.grafana.generator.model import GRID_COLUMNS, Band, Page, Panel, Section
from ops.grafana.generator.writer import written
from tests.ops.boards import FOLDER, KEYS, asked, board, panels, variables
from tests.ops.promql import Selector, selectors

TITLE_COLUMN_CHARACTERS = 7
"""A column is 80 pixels of a screen of 1,920; a character of a title is at most 11 wide."""
FIRST_SCREEN_ROWS = 24
"""What a screen of 1,080 pixels shows below Grafana's own bars."""

FOREIGN = {
    "up": frozenset[str](),
    "ALERTS": frozenset({"alertname", "alertstate", "severity"}),
}
"""Prometheus's own metrics."""
SCRAPED = frozenset({"job", "instance", "name"})
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


def test_the_files_are_what_the_generator_writes() -> None:
    committed = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert committed == files(), "run `make dashboards`"


def test_there_are_five() -> None:
    assert KEYS == ("compare", "decisions", "feed", "overview", "process")


@pytest.mark.parametrize("key", KEYS)
def test_a_dashboard_can_be_provisioned(key: str) -> None:
    found = board(key)
    assert found["uid"] == f"papertape-{key}"
    assert "id" not in found  # a number that another Grafana has given to something else
    assert "__inputs" not in found  # provisioning fills none in
    assert found["timezone"] == "America/New_York"
    assert found["tags"] == ["papertape"]
    (link,) = found["links"]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == (
        "dashboards", ["papertape"], True, True,
    )  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_panels_have_numbers_and_titles_of_their_own(key: str) -> None:
    found = board(key)["panels"]
    for name in ("id", "title"):
        values = [panel[name] for panel in found]
        assert len(values) == len(set(values))


@pytest.mark.parametrize("key", KEYS)
def test_panels_fill_the_grid_without_overlap(key: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board(key)["panels"]:
        place = panel["gridPos"]
        for row in range(place["y"], place["y"] + place["h"]):
            for column in range(place["x"], place["x"] + place["w"]):
                assert (row, column) not in taken, f"{panel['title']} on {taken[row, column]}"
                taken[row, column] = panel["title"]
    rows = 1 + max(row for row, _ in taken)
    assert set(taken) == {(row, column) for row in range(rows) for column in range(GRID_COLUMNS)}


@pytest.mark.parametrize("key", KEYS)
def test_titles_fit(key: str) -> None:
    for panel in panels(board(key)):
        room = panel["gridPos"]["w"] * TITLE_COLUMN_CHARACTERS
        assert len(panel["title"]) <= room, panel["title"]


def test_the_first_screen_answers_the_first_questions() -> None:
    first = [
        panel["title"]
        for panel in board("overview")["panels"]
        if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= FIRST_SCREEN_ROWS
    ]
    assert first[:3] == ["Is it trading?", "Why not?", "Kill switch"]
    assert {"Gain today", "Position (shares)", "Equity", "What was in force when"} <= set(first)


# --- the metrics ----------------------------------------------------------------------------------


def _asked_for(key: str) -> list[Selector]:
    texts = [query.expression for query in asked(key)]
    texts += [
        str(each["query"]).removeprefix("label_values(").rpartition(",")[0]
        for each in variables(board(key))
    ]
    return [selector for text in texts for selector in selectors(text)]


def _metric(name: str) -> str:
    for part in HISTOGRAM_PARTS:
        base = name.removesuffix(part)
        if base != name and base in METRICS and METRICS[base].kind == "histogram":
            return base
    return name


@pytest.mark.parametrize("key", KEYS)
def test_a_dashboard_asks_for_metrics_and_labels_that_exist(key: str) -> None:
    for selector in _asked_for(key):
        metric = _metric(selector.metric)
        assert metric in METRICS or metric in FOREIGN, metric
        labels = METRICS[metric].labels if metric in METRICS else FOREIGN[metric]
        assert set(selector.matchers) <= {*labels, *SCRAPED}, selector


@pytest.mark.parametrize("key", KEYS)
def test_every_series_is_of_the_account(key: str) -> None:
    """But for the drop-downs, what Prometheus says of the target, and the table of all accounts."""
    for query in asked(key):
        for selector in selectors(query.expression):
            if selector.metric != "up" and query.panel != "All accounts":
                assert "name" in selector.matchers, query


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {_metric(selector.metric) for key in KEYS for selector in _asked_for(key)}
    assert set(METRICS) - shown == set()


@pytest.mark.parametrize("key", KEYS)
def test_fills_halts_restarts_and_gaps_are_marked(key: str) -> None:
    marks = {mark["name"]: mark for mark in board(key)["annotations"]["list"]}
    assert set(marks) == {"Fills", "Halts", "Restarts", "Gaps"}
    assert all(mark["enable"] for mark in marks.values())
    assert marks["Restarts"]["useValueForTime"]
    assert marks["Restarts"]["expr"].startswith("1000 * ")  # Grafana's times are milliseconds


# --- the generator --------------------------------------------------------------------------------


def _page(*panels: Panel) -> Page:
    return Page("a", "A", "All.", [Section([Band(5, panels)])], [], [])


def _written(*panels: Panel) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(written(_page(*panels)))["panels"]
    return found


def test_panels_stand_side_by_side() -> None:
    first, second = _written(Panel("text", "A", "a", 10), Panel("text", "B", "b", 14))
    assert first["gridPos"] == {"h": 5, "w": 10, "x": 0, "y": 0}
    assert second["gridPos"] == {"h": 5, "w": 14, "x": 10, "y": 0}


def test_a_band_that_is_too_wide_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="no room for B"):
        _written(Panel("text", "A", "a", 20), Panel("text", "B", "b", 5))
