"""The 17 rules of grafana/dashboard-linter, by its names, each a function of a dashboard.

A finding is (panel or empty, place of the target or None, what is wrong). Our own implementation:
stricter where ours should be (every kind of panel, marks too), and without its tool.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.ops.boards import Board, panels, targets, variables
from tests.ops.promql import PromqlError, Selector, selectors

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
LOGS = "loki"
GROWING = frozenset({"rate", "irate", "increase"})
EVERYTHING = ".+"
ON_TIME_RANGE_CHANGE = 2

# Those of Grafana's list that the dashboards have a use for.
UNITS = frozenset({
    "none", "string", "short", "locale", "percent", "percentunit", "bool_yes_no",
    "currencyUSD", "bytes", "decbytes", "Bps", "ops", "ms", "s", "m", "h", "d", "dtdurations",
    "dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsSystem", "dateTimeFromNow",
})  # fmt: skip

_LABEL_VALUES = re.compile(r"label_values\((?:(?P<series>.+),\s*)?(?P<label>[A-Za-z_]\w*)\)")


class Finding(NamedTuple):
    """What is wrong, and where."""

    panel: str
    target: int | None
    text: str


Rule = Callable[[Board], Iterator[Finding]]


def _about(text: str) -> Finding:
    return Finding("", None, text)


# --- the drop-downs -------------------------------------------------------------------------------


def template_datasource(board: Board) -> Iterator[Finding]:
    """One drop-down for the data source."""
    sources = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
    if len(sources) != 1:
        yield _about(f"{len(sources)} variables for the data source")
    for source in sources:
        if (source["name"], source.get("label")) != ("datasource", "Data source"):
            yield _about(f"data source variable {source['name']} labelled {source.get('label')}")


def template_job(board: Board) -> Iterator[Finding]:
    """A drop-down for the job."""
    yield from _template(board, "job")


def template_instance(board: Board) -> Iterator[Finding]:
    """A drop-down for the instance."""
    yield from _template(board, "instance")


def _template(board: Board, name: str) -> Iterator[Finding]:
    found = [each for each in variables(board) if each["name"] == name]
    if len(found) != 1:
        yield _about(f"{len(found)} variables called {name}")
    for each in found:
        wanted = {
            "label": name.capitalize(),
            "datasource": SOURCE,
            "multi": True,
            "includeAll": True,
            "allValue": EVERYTHING,
        }
        for key, value in wanted.items():
            if each.get(key) != value:
                yield _about(f"variable {name}: {key} is {each.get(key)!r}, not {value!r}")


def template_label_promql(board: Board) -> Iterator[Finding]:
    """What fills a drop-down is `label_values(SERIES, LABEL)`."""
    for each in variables(board):
        found = _LABEL_VALUES.fullmatch(str(each["query"]))
        if found is None or not found["series"]:
            yield _about(f"variable {each['name']}: {each['query']} is no label_values(...)")
            continue
        try:
            selectors(found["series"])
        except PromqlError as error:
            yield _about(f"variable {each['name']}: {error}")


def template_on_time_change_reload(board: Board) -> Iterator[Finding]:
    """A drop-down shows what there was in the time that is shown."""
    for each in variables(board):
        if each.get("refresh") != ON_TIME_RANGE_CHANGE:
            yield _about(f"variable {each['name']} is not filled again with the time")


# --- panels ---------------------------------------------------------------------------------------


def panel_datasource(board: Board) -> Iterator[Finding]:
    """Every panel, and each of its queries, goes to the data source that was chosen."""
    for panel in panels(board):
        if panel["type"] != "text" and panel.get("datasource") != SOURCE:
            yield Finding(panel["title"], None, f"data source {panel.get('datasource')}")
    for panel, place, target in targets(board):
        if target.get("datasource", SOURCE) != SOURCE:
            yield Finding(panel["title"], place, f"data source {target['datasource']}")


def panel_title_description(board: Board) -> Iterator[Finding]:
    """Every panel says what it shows."""
    for panel in panels(board):
        for key in ("title", "description"):
            if not panel.get(key):
                yield Finding(panel.get("title", ""), None, f"panel {panel['id']} has no {key}")


def panel_units(board: Board) -> Iterator[Finding]:
    """Every number has a unit that Grafana knows, columns of a table too."""
    for panel in panels(board):
        if panel["type"] == "text":
            continue
        settings = panel.get("fieldConfig", {})
        units = [settings.get("defaults", {}).get("unit")]
        for override in settings.get("overrides", []):
            units += [each["value"] for each in override["properties"] if each["id"] == "unit"]
        for unit in units:
            if unit not in UNITS:
                yield Finding(panel["title"], None, f"unit {unit!r}")


def panel_no_targets(board: Board) -> Iterator[Finding]:
    """Every panel asks for something."""
    for panel in panels(board):
        if panel["type"] != "text" and not panel.get("targets"):
            yield Finding(panel["title"], None, "no query")


# --- queries --------------------------------------------------------------------------------------


def _is_of_logs(target: dict[str, Any]) -> bool:
    return str(target.get("datasource", {}).get("type", "")) == LOGS


def target_logql(board: Board) -> Iterator[Finding]:
    """A query of logs begins with the stream that it reads."""
    for panel, place, target in targets(board):
        if _is_of_logs(target) and not re.search(r"\{[^{}]+\}", target["expr"]):
            yield Finding(panel["title"], place, "LogQL without a stream")


def target_logql_auto(board: Board) -> Iterator[Finding]:
    """A query of logs counts over the time between two points."""
    for panel, place, target in targets(board):
        if _is_of_logs(target):
            for found in re.findall(r"\[([^\]]*)\]", target["expr"]):
                if found != "$__auto":
                    yield Finding(panel["title"], place, f"LogQL over {found}, not $__auto")


def _asked(board: Board) -> Iterator[tuple[str, int, Selector]]:
    for panel, place, target in targets(board):
        if not _is_of_logs(target):
            try:
                for selector in selectors(target["expr"]):
                    yield panel["title"], place, selector
            except PromqlError:
                continue  # the rule for that tells


def target_promql(board: Board) -> Iterator[Finding]:
    """Every query can be read."""
    for panel, place, target in targets(board):
        if not _is_of_logs(target):
            try:
                selectors(target["expr"])
            except PromqlError as error:
                yield Finding(panel["title"], place, str(error))


def target_rate_interval(board: Board) -> Iterator[Finding]:
    """A rate is taken over the time between two points, four scrapes at least."""
    for panel, place, selector in _asked(board):
        if selector.function in GROWING and selector.range != "$__rate_interval":
            found = f"{selector.function} of {selector.metric} over {selector.range}"
            yield Finding(panel, place, found)


def target_job(board: Board) -> Iterator[Finding]:
    """Every series is of the jobs that were chosen."""
    yield from _matched(board, "job")


def target_instance(board: Board) -> Iterator[Finding]:
    """Every series is of the instances that were chosen."""
    yield from _matched(board, "instance")


def _matched(board: Board, label: str) -> Iterator[Finding]:
    for panel, place, selector in _asked(board):
        if selector.matchers.get(label) != ("=~", f"${label}"):
            yield Finding(panel, place, f"{selector.metric} without {label}")


def target_counter_agg(board: Board) -> Iterator[Finding]:
    """Only the growth of a counter means something, since a restart begins it again."""
    for panel, place, selector in _asked(board):
        if selector.metric.endswith("_total") and selector.function not in GROWING:
            yield Finding(panel, place, f"{selector.metric} itself, not how it grows")


def uneditable_dashboard(board: Board) -> Iterator[Finding]:
    """A dashboard is a file; what is changed in the browser would be lost."""
    if board.get("editable") is not False:
        yield _about("the dashboard is editable")


RULES: dict[str, Rule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": template_job,
    "template-instance-rule": template_instance,
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-logql-rule": target_logql,
    "target-logql-auto-rule": target_logql_auto,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": target_job,
    "target-instance-rule": target_instance,
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable_dashboard,
}
