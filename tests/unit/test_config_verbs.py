from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.config.positions import parse
from daemon.config.verbs import config_check, config_schema, config_show, schema
from daemon.errors import RefusedError
from tests.unit.config_files import FOUR_LINES

ROOT = Path(__file__).resolve().parents[2]


def test_check_says_what_a_config_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        FOUR_LINES + "tape: {}\nrisk: {max_orders_per_day: 12, flat_before_close: true}"
    )
    assert config_check([path], [("account.cash_usd", "5")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok: {path}: test trades NVDA on 1h bars (session grid)",
        (
            "  strategy sma_cross {fast: 10, slow: 50, quantity: 100, allow_short: false}"
            " · model none · tape $STATE/data/processed/{symbol}_hourly.csv"
        ),
        (
            "  costs ibkr_fixed, with regulatory fees, slippage 1 bps"
            " · limits max_orders_per_day 12 (halt), flat before the close"
        ),
    ]


def test_check_answers_for_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, absent = tmp_path / "good.yaml", tmp_path / "bad.yaml", tmp_path / "absent.yaml"
    good.write_text(FOUR_LINES)
    bad.write_text(FOUR_LINES + "zzz: 1\nfeed: {port: x}\n")
    assert config_check([bad, absent, good]) == 78
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"{bad}:5:1: zzz: unknown key",
        f"{bad}:6:14: feed.port: expected a whole number, got 'x'",
        f"{absent}: cannot read the config: No such file or directory",
    ]
    assert lines[3].startswith(f"ok: {good}: ")


def test_check_warns_of_what_will_fail_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    here = "tape: {path: no.csv}\n"
    path.write_text(FOUR_LINES + here + "model: {kind: recorded, path: p.csv}\n")
    assert config_check([path]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        f"warning: {path}:5: tape.path: there is no {tmp_path}/no.csv",
        f"warning: {path}:6: model.path: there is no {tmp_path}/p.csv",
    ]
    path.write_text(FOUR_LINES + "model: {kind: registry, ref: a@b}\n")
    assert config_check([path]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        (
            f"warning: {path}:5: model: registered models are not available in this version: use "
            "recorded or baseline"
        )
    ]


def test_show_prints_yaml_with_the_origin_of_each_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(FOUR_LINES + "risk:\n  max_order_usd: 5\n")
    assert config_show(path, [("bars.grid", "clock")]) == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in (
        f"size: 1h # {path}:3",
        "grid: clock # --set bars.grid=clock",
        "calendar: XNYS # default",
        f"limit: 5.0 # {path}:6",
        "action: deny # default",
    ):
        assert line in lines
    assert parse(out).value["risk"]["max_order_usd"] == {"limit": 5.0, "action": "deny"}


def test_show_as_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(FOUR_LINES)
    assert config_show(path, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert sorted(document) == ["config", "origins", "path", "sha256"]
    assert document["origins"]["strategy.kind"] == f"{path}:4"
    assert document["origins"]["execution.tick_usd"] == "default"
    assert document["config"]["execution"]["tick_usd"] == 0.01


def test_show_refuses_what_check_refuses(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot read the config"):
        config_show(tmp_path / "absent.yaml")


def test_the_schema_describes_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert config_schema() == 0
    document = json.loads(capsys.readouterr().out)
    assert document["required"] == ["name", "symbols", "bars", "strategy"]
    assert document["additionalProperties"] is False
    silent = [name for name, key in _properties(document) if not {"description", "$ref"} & set(key)]
    assert silent == []
    limit = document["$defs"]["RiskConfig"]["properties"]["max_orders_per_hour"]
    assert limit["description"] == "Orders in 60 minutes of event time. A number alone: pause."
    assert {"type": "number"} in limit["anyOf"]
    pace = document["$defs"]["TapeFeedConfig"]["properties"]["pace"]
    assert {"const": "max", "type": "string"} in pace["anyOf"]
    assert schema() == json.dumps(document, indent=2, ensure_ascii=False)


def _properties(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, section in (("", document), *document["$defs"].items()):
        for key, value in section.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_importing_the_config_loads_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "pyarrow", "rich", "exchange_calendars", "uvloop", "cyclopts"}
    code = "import sys, daemon.config, daemon.config.verbs; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "pydantic" in loaded
    assert loaded & heavy == set()
