"""Every dashboard keeps the linter's rules, but for the exceptions in .lint that say why."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import yaml

from tests.ops.boards import FOLDER, KEYS, Board, board
from tests.ops.linter import RULES, SOURCE, Finding


class Excused(NamedTuple):
    """One entry of .lint."""

    rule: str
    dashboard: str
    panel: str
    target: int | None

    def covers(self, rule: str, title: str, finding: Finding) -> bool:
        """Whether it excuses the finding."""
        return (
            self.rule == rule
            and self.dashboard == title
            and self.panel == finding.panel
            and self.target in (None, finding.target)
        )


def _exclusions() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / ".lint").read_text("utf-8"))["exclusions"]
    return found


def _exceptions() -> Iterator[Excused]:
    for rule, excluded in _exclusions().items():
        for entry in excluded["entries"]:
            target = entry.get("targetIdx")
            yield Excused(rule, entry["dashboard"], entry["panel"], target)


EXCEPTIONS = tuple(_exceptions())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("key", KEYS)
def test_a_dashboard_keeps_a_rule(key: str, rule: str) -> None:
    found = board(key)
    findings = [
        finding
        for finding in RULES[rule](found)
        if not any(each.covers(rule, found["title"], finding) for each in EXCEPTIONS)
    ]
    assert findings == []


def test_there_are_the_linters_seventeen_rules() -> None:
    assert len(RULES) == 17


def test_every_exclusion_has_a_reason_and_names_panels() -> None:
    for rule, excluded in _exclusions().items():
        assert rule in RULES
        assert excluded["reason"]
        assert excluded["entries"], f"{rule} is switched off as a whole"


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda each: f"{each.dashboard}-{each.panel}")
def test_every_exception_is_needed(exception: Excused) -> None:
    boards = [board(key) for key in KEYS]
    assert any(
        exception.covers(exception.rule, each["title"], finding)
        for each in boards
        for finding in RULES[exception.rule](each)
    )


# --- each rule can fail ---------------------------------------------------------------------------

GOOD: Board = {
    "editable": False,
    "title": "small",
    "templating": {
        "list": [
            {"type": "datasource", "name": "datasource", "label": "Data source"},
            *(
                {
                    "type": "query",
                    "name": name,
                    "label": name.capitalize(),
                    "datasource": SOURCE,
                    "query": f"label_values(up, {name})",
                    "refresh": 2,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".+",
                }
                for name in ("job", "instance")
            ),
        ]
    },
    "panels": [
        {
            "id": 1,
            "type": "timeseries",
            "title": "Fills",
            "description": "How many.",
            "datasource": SOURCE,
            "fieldConfig": {"defaults": {"unit": "none"}, "overrides": []},
            "targets": [
                {
                    "datasource": SOURCE,
                    "expr": (
                        'sum(increase(fills_total{job=~"$job", instance=~"$instance"}'
                        "[$__rate_interval]))"
                    ),
                }
            ],
        }
    ],
}


def _panel(of: Board) -> dict[str, Any]:
    found: dict[str, Any] = of["panels"][0]
    return found


def _variable(of: Board, place: int) -> dict[str, Any]:
    found: dict[str, Any] = of["templating"]["list"][place]
    return found


def _asks(expression: str, source: str = "prometheus") -> Callable[[Board], None]:
    def change(of: Board) -> None:
        target = {"expr": expression, "datasource": {"type": source, "uid": "${datasource}"}}
        _panel(of)["targets"] = [target]

    return change


def _sets(key: str, value: Any) -> Callable[[Board], None]:
    return lambda of: _panel(of).update({key: value})


def _varies(place: int, key: str, value: Any) -> Callable[[Board], None]:
    return lambda of: _variable(of, place).update({key: value})


BREAKS: list[tuple[str, Callable[[Board], None]]] = [
    ("template-datasource-rule", lambda of: of["templating"]["list"].pop(0)),
    ("template-datasource-rule", _varies(0, "label", "Source")),
    ("template-job-rule", lambda of: of["templating"]["list"].pop(1)),
    ("template-job-rule", _varies(1, "multi", value=False)),
    ("template-job-rule", _varies(1, "allValue", ".*")),
    ("template-job-rule", _varies(1, "datasource", {"type": "prometheus", "uid": "mine"})),
    ("template-instance-rule", lambda of: of["templating"]["list"].pop(2)),
    ("template-instance-rule", _varies(2, "label", "Machine")),
    ("template-label-promql-rule", _varies(1, "query", "label_values(job)")),
    ("template-label-promql-rule", _varies(1, "query", "label_values(up{, job)")),
    ("template-on-time-change-reload-rule", _varies(2, "refresh", 1)),
    ("panel-datasource-rule", _sets("datasource", {"type": "prometheus", "uid": "mine"})),
    ("panel-datasource-rule", _asks("up", "mysql")),
    ("panel-title-description-rule", _sets("description", "")),
    ("panel-title-description-rule", _sets("title", "")),
    ("panel-units-rule", _sets("fieldConfig", {"defaults": {}})),
    ("panel-units-rule", _sets("fieldConfig", {"defaults": {"unit": "parsecs"}})),
    (
        "panel-units-rule",
        _sets(
            "fieldConfig",
            {
                "defaults": {"unit": "none"},
                "overrides": [{"properties": [{"id": "unit", "value": "parsecs"}]}],
            },
        ),
    ),
    ("panel-no-targets-rule", _sets("targets", [])),
    ("target-logql-rule", _asks('|= "error"', "loki")),
    ("target-logql-auto-rule", _asks('rate({job="a"}[5m])', "loki")),
    ("target-promql-rule", _asks("sum(up")),
    (
        "target-rate-interval-rule",
        _asks('rate(fills_total{job=~"$job", instance=~"$instance"}[5m])'),
    ),
    ("target-job-rule", _asks('up{instance=~"$instance"}')),
    ("target-job-rule", _asks('up{job="papertape", instance=~"$instance"}')),
    ("target-instance-rule", _asks('up{job=~"$job"}')),
    ("target-counter-agg-rule", _asks('sum(fills_total{job=~"$job", instance=~"$instance"})')),
    ("uneditable-dashboard", lambda of: of.update(editable=True)),
]


def _findings(rule: str, of: Board) -> list[Finding]:
    return list(RULES[rule](of))


@pytest.mark.parametrize("rule", RULES)
def test_a_good_dashboard_is_quiet(rule: str) -> None:
    assert _findings(rule, GOOD) == []


@pytest.mark.parametrize(("rule", "change"), BREAKS)
def test_a_broken_rule_is_found(rule: str, change: Callable[[Board], None]) -> None:
    broken = copy.deepcopy(GOOD)
    change(broken)
    assert _findings(rule, broken)


def test_each_rule_is_broken_once() -> None:
    assert {rule for rule, _ in BREAKS} == set(RULES)
