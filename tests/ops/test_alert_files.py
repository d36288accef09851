"""The files of ops/prometheus: whole, checked by their own tools, and in step with the code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.cli import main
from daemon.errors import Exit
from daemon.observability.metric_table import METRICS
from tests.ops.programs import PROMETHEUS, ROOT, RULES, answer_of, program

ALERTS = (
    "PapertapeDown", "Halted", "PausedInSession", "NoBar", "FeedNotReady", "TradeSurge",
    "DailyLoss", "PositionOutsideHours", "ParityBroken", "CheckStale", "DataStale", "ModelFailing",
    "JournalFailing", "DiskLow", "CalendarMismatch", "ClockSkew", "ClockStep",
    "Watchdog",
)  # fmt: skip
"""All there are: few, so that each is read."""

BANDS = ("name:papertape_orders_day:band", "name:papertape_loss_day_usd:band")
"""What `papertape reference bands` writes."""


def rules_of(name: str) -> list[dict[str, Any]]:
    """The rules of a file."""
    document = yaml.safe_load((RULES / name).read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


RULES_OF_ALERTS = rules_of("alerts.yml")


def test_these_alerts_exist_and_no_others() -> None:
    assert {rule["alert"] for rule in RULES_OF_ALERTS} == set(ALERTS)


@pytest.mark.parametrize("rule", RULES_OF_ALERTS, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_wrong_and_where_to_look(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert said["runbook_url"] == "{{ $externalURL }}/user/runbook.md#" + rule["alert"].lower()
    assert rule["alert"] == "Watchdog" or "{{ $labels.name }}" in said["summary"]
    assert len(said["summary"].replace("{{ $labels.name }}", "")) < 80
    boards = (ROOT / "ops" / "grafana" / "dashboards").glob("*.json")
    known = {json.loads(board.read_text("utf-8"))["uid"] for board in boards}
    found = re.fullmatch(
        r"http://localhost:3000/d/([a-z-]+)(\?var-name=\{\{ \$labels\.name \}\})?",
        said["dashboard_url"],
    )
    assert found is not None
    assert found[1] in known


def test_rules_name_metrics_that_exist() -> None:
    rules = RULES_OF_ALERTS + rules_of("recording_alerts.yml")
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        names = re.findall(r"(?:\w+:)?(?:papertape|process)_\w+(?::\w+)?", rule["expr"])
        unknown = {name for name in names if name not in METRICS} - recorded - set(BANDS)
        assert not unknown, f"{rule.get('alert', rule.get('record'))}: {unknown}"


def test_what_is_recorded_is_used() -> None:
    everything = "".join(
        rule["expr"] for rule in RULES_OF_ALERTS + rules_of("recording_alerts.yml")
    )
    for rule in rules_of("recording_alerts.yml"):
        uses = everything.count(rule["record"]) - rule["expr"].count(rule["record"])
        assert uses > 0, rule["record"]


def test_promtool_accepts_config_and_rules() -> None:
    said = answer_of(program("promtool"), "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert f"{RULES / 'alerts.yml'}" in said.replace("ops/prometheus", str(PROMETHEUS))
    for path in sorted(RULES.glob("*.yml")):
        answer_of(program("promtool"), "check", "rules", "--lint-fatal", str(path))


def test_amtool_accepts_the_example() -> None:
    said = answer_of(program("amtool"), "check-config", str(PROMETHEUS / "alertmanager.yml"))
    assert "SUCCESS" in said
    assert "3 receivers" in said


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=Halted", "severity=page", "name=d"), "pager"),
        (("alertname=Halted", "severity=ticket", "name=d"), "mail"),
        (("alertname=Watchdog", "severity=ticket"), "heartbeat"),
    ],
)
def test_alerts_find_their_receiver(labels: tuple[str, ...], receiver: str) -> None:
    path = str(PROMETHEUS / "alertmanager.yml")
    said = answer_of(
        program("amtool"), "config", "routes", "test", f"--config.file={path}", *labels
    )
    assert said.split()[0] == receiver


def test_the_example_holds_no_secret() -> None:
    """A password is a file's name; whatever is an address is an example's."""
    text = (PROMETHEUS / "alertmanager.yml").read_text("utf-8")
    assert re.findall(r"^\s*(\w*(?:password|secret|token|key)\w*):", text, re.MULTILINE) == [
        "smtp_auth_password_file"
    ]
    for address in re.findall(r"[\w.]+@[\w.]+|https?://[^\s:/]+", text):
        assert address.endswith(("example.org", "127.0.0.1")), address


def test_the_tools_refuse_what_is_broken(tmp_path: Path) -> None:
    broken = (RULES / "alerts.yml").read_text("utf-8").replace("== 1", "=== 1")
    (tmp_path / "alerts.yml").write_text(broken, encoding="utf-8")
    words = [program("promtool"), "check", "rules", str(tmp_path / "alerts.yml")]
    assert subprocess.run(words, capture_output=True, check=False).returncode != 0


def test_promtool_accepts_the_bands_of_the_shipped_references(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Played for real; the names of their accounts, and no session of theirs far beyond."""
    out = tmp_path / "bands.yml"
    assert main(["reference", "bands", "--state", str(tmp_path), "--out", str(out)]) == Exit.OK
    assert "limits_two_symbols: more than " in capsys.readouterr().out
    answer_of(program("promtool"), "check", "rules", "--lint-fatal", str(out))
    rules = [
        rule
        for group in yaml.safe_load(out.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]
    assert {rule["record"] for rule in rules} == set(BANDS)
    assert {rule["labels"]["name"] for rule in rules} == {
        "limits_two_symbols", "sma_cross_nvda", "threshold_amd",
    }  # fmt: skip
