"""The fake gateway as a program: started with a script, steered through its control port."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ibapi.order_cancel import OrderCancel

from tests.fake_gateway.script import market_of, parse_script
from tests.ib.official import contract, official
from tests.ib.talking import NEW_YORK, TUESDAY

SCRIPT = f"""
start: {TUESDAY}T10:00 {NEW_YORK}
settings: {{server_version: 178, client_id_linger_s: 5}}
symbols:
  NVDA:
    con_id: 4815747
    lag_s: 2
    table: {{path: nvda.csv, size: 30 mins}}
  AMD:
    walk: {{first: 2026-11-23, days: 7, size: 5 mins, seed: 3}}
steps:
  - {{at: "{TUESDAY}T10:05 {NEW_YORK}", fault: {{do: say, code: 1100}}}}
  - {{after: {{requests: 2, kind: current_time}}, fault: {{do: drop, reset: true}}}}
"""
TABLE = """timestamp,open,high,low,close,volume
2026-11-24T14:30:00Z,100,101,99,100.5,1000
2026-11-24T15:00:00Z,100.5,103,100,102,2000
"""


@contextmanager
def running(folder: Path, project: Path, *more: str) -> Iterator[tuple[int, int, Any]]:
    """Run the command with a script; yields the port, the control port and the process."""
    (folder / "script.yaml").write_text(SCRIPT)
    (folder / "nvda.csv").write_text(TABLE)
    command = [
        sys.executable, "-m", "tests.fake_gateway", "--script", str(folder / "script.yaml"),
        "--clock", "still", "--control-port", "0", *more,
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ports = [int(process.stdout.readline().rpartition(":")[2]) for _ in range(2)]
            yield ports[0], ports[1], process
        finally:
            process.kill()


def wish(port: int, **wishes: object) -> dict[str, Any]:
    """Send one line to the control port and read the answer."""
    with socket.create_connection(("127.0.0.1", port), 20) as line, line.makefile("rwb") as file:
        file.write(json.dumps(wishes).encode() + b"\n")
        file.flush()
        answer: dict[str, Any] = json.loads(file.readline())
        return answer


def test_a_scripted_gateway_is_steered_from_outside(tmp_path: Path, project_root: Path) -> None:
    with running(tmp_path, project_root) as (port, control, process):
        with official(port) as client:
            client.wait_for("nextValidId")
            assert [client.wait_for("error")[2] for _ in range(3)] == [2104, 2106, 2158]
            assert wish(control, advance_s=300)["now"] == 1795532700 * 10**9
            assert client.wait_for("error")[2] == 1100
            wish(control, fault={"do": "skew", "seconds": 60})
            client.reqCurrentTime()
            assert client.wait_for("currentTime") == (1795532760,)
            client.reqHistoricalData(
                1, contract(), "", "1 D", "30 mins", "TRADES", 1, 2, keepUpToDate=False,
                chartOptions=[],
            )  # fmt: skip
            bars = client.all_until("historicalData", "historicalDataEnd")
            assert [bar.close for _, bar in bars] == [100.5, pytest.approx(100.25, abs=0.01)]
            client.reqCurrentTime()
            client.wait_for("connectionClosed")
        told = wish(control, tell="log")["log"]
        kinds = [entry["request"]["kind"] for entry in told]
        assert kinds == ["accept", "greet", "start", "current_time", "history", "current_time"]
        assert wish(control, tell="violations")["violations"] == []
        assert "do" in wish(control, fault={"do": "explode"})["error"]
        assert "backwards" in wish(control, advance_to=1)["error"]
        wish(control, stop=True)
        assert process.wait(20) == 0


def test_a_client_that_trades_is_told_of_at_the_end(tmp_path: Path, project_root: Path) -> None:
    with running(tmp_path, project_root, "--quiet") as (port, control, process):
        with official(port) as client:
            client.wait_for("nextValidId")
            client.reqGlobalCancel(OrderCancel())
            while client.wait_for("error")[2] != 321:
                pass
        wish(control, stop=True)
        _, told = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "connection 1 sent cancel_all_orders" in told


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("symbol: {}", "unknown field `symbol`"),
        ("steps: [{fault: {do: drop}}]", "exactly one of at, in_s and after"),
        ("steps: [{in_s: 1, fault: {do: drop, how: rst}}]", "unknown field `how`"),
        ("steps: [{in_s: 1, every_s: soon, fault: {do: drop}}]", "every_s"),
        ("settings: {", "parsing a flow node"),
    ],
)
def test_a_wrong_script_is_refused_with_the_place(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        parse_script(text)


def test_a_walk_fills_every_session() -> None:
    market = market_of(
        parse_script(SCRIPT.replace("table: {path: nvda.csv, size: 30 mins}", "")), Path()
    )
    # Monday to Sunday with Thanksgiving and the short Friday after it: 3 x 78 + 42 bars
    assert len(market["AMD"].bars) == 276


def test_a_script_that_is_not_there_exits_2(project_root: Path) -> None:
    command = [sys.executable, "-m", "tests.fake_gateway", "--script", "nowhere.yaml"]
    ended = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "nowhere.yaml: " in ended.stderr
    assert "Traceback" not in ended.stderr
