"""What lies in a run directory agrees with itself, file by file, and with the journal's views."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.replay.busy import busy_run
from tests.replay.workshop import Workshop, manifest, rows

FILES = {
    "manifest.json", "config.yaml", "run.log", "journal.db", "report.html", "summary.json",
    "fills.csv", "trades.csv", "orders.csv", "denials.csv", "predictions.csv", "gaps.csv",
    "state_changes.csv", "equity.csv",
}  # fmt: skip

HEADERS = {
    "fills": "fill_id,ts_effective,ts_known,order_id,symbol,side,quantity,price,commission,"
    "regulatory_fees,reason,ambiguous",
    "trades": "trade_id,symbol,direction,quantity,entry_ts,entry_price,exit_ts,exit_price,pnl,fees,"
    "return_pct,bars_held,mae_pct,mfe_pct,entry_prediction,entry_reason,exit_reason,open",
    "orders": "order_id,ts_decided,eligible_from,symbol,side,type,quantity,filled_quantity,"
    "average_price,limit_price,stop_price,time_in_force,origin,status,reason",
    "denials": "ts,symbol,quantity,origin,reason,detail",
    "predictions": "ts,symbol,value,failure",
    "gaps": "symbol,start,end,session,outcome,reason",
    "state_changes": "ts,state,previous,source,level,lifted,reason",
    "equity": "ts,equity,cash,position_value,drawdown_pct",
}

MANIFEST = {
    "schema", "kind", "run_id", "created", "name", "label", "overrides", "papertape_version",
    "engine_version", "python", "digest", "bars", "turns", "wall_seconds", "started", "state",
    "final_state", "config_path", "start", "end", "first_bar", "last_bar", "inputs", "tasks",
    "journal",
}  # fmt: skip


@pytest.fixture
def run(shop: Workshop) -> Path:
    """Return a run in which nearly everything happened."""
    return busy_run(shop)


def test_every_file_is_there_and_readable_by_others(shop: Workshop) -> None:
    run = Path(shop.type("replay", "--config", str(shop.config), "--quiet").out.strip())
    assert {path.name for path in run.iterdir()} == FILES
    assert run.stat().st_mode & 0o777 == 0o755
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in run.iterdir())
    assert "<html" in (run / "report.html").read_text("utf-8")[:500].lower()
    log = (run / "run.log").read_text("utf-8")
    assert manifest(run)["digest"] in log
    for stream, header in HEADERS.items():
        assert (run / f"{stream}.csv").read_text("utf-8").splitlines()[0] == header


def test_the_manifest_says_what_decided(shop: Workshop, run: Path) -> None:
    found = manifest(run)
    assert set(found) == MANIFEST
    assert found["run_id"] == run.name
    assert run.name.endswith(f"-busy-{found['digest'][:6]}")
    assert set(found["inputs"]) == {
        "config_sha256", "tape", "model", "strategy", "calendar", "fee_tables_sha256",
        "corporate_actions",
    }  # fmt: skip
    assert found["inputs"]["model"]["kind"] == "baseline"
    assert len(found["inputs"]["corporate_actions"]) == 5
    assert set(found["tasks"]) == {"feed", "strategy", "risk", "execution"}
    assert found["config_path"] == str(shop.config)
    assert found["bars"] == 2 * 308 - 4 - 19
    assert (found["first_bar"], found["last_bar"]) == (
        "2024-01-02T14:30:00Z",
        "2024-03-05T21:00:00Z",
    )


def test_the_resolved_config_makes_the_same_run(shop: Workshop, run: Path) -> None:
    copied = shop.folder / "again.yaml"
    copied.write_text((run / "config.yaml").read_text("utf-8"), encoding="utf-8")
    shop.config = copied
    assert manifest(shop.replay())["digest"] == manifest(run)["digest"]


def test_cash_and_positions_are_the_equity_in_every_row(run: Path) -> None:
    peak = 20_000_000_000
    found = rows(run / "equity.csv")
    assert len(found) == 308
    for row in found:
        equity, cash, value = (_micros(row[key]) for key in ("equity", "cash", "position_value"))
        assert cash + value == equity
        peak = max(peak, equity)
        assert float(row["drawdown_pct"]) == pytest.approx(100 * (equity / peak - 1), abs=1e-4)
    assert [row["ts"] for row in found] == sorted({row["ts"] for row in found})


def test_gaps_are_the_bars_left_out(run: Path) -> None:
    found = rows(run / "gaps.csv")
    # AMD's first two bars and its last are outside what it covers, so nobody expects them
    assert sum(row["symbol"] == "NVDA" for row in found) == 4
    assert sum(row["symbol"] == "AMD" for row in found) == 1 + 15
    assert {row["outcome"] for row in found} == {"missing"}


def test_the_summary_counts_what_the_files_hold(run: Path) -> None:
    summary: dict[str, Any] = json.loads((run / "summary.json").read_text("utf-8"))
    closed = [row for row in rows(run / "trades.csv") if row["open"] == "false"]
    fills = rows(run / "fills.csv")
    assert summary["trades"] == len(closed)
    assert summary["final_equity_usd"] == float(rows(run / "equity.csv")[-1]["equity"])
    fees = sum(_micros(row["commission"]) + _micros(row["regulatory_fees"]) for row in fills)
    assert summary["fees_usd"] == pytest.approx(fees / 1e6, abs=1e-6)
    assert sum(summary["denials_by_reason"].values()) == len(rows(run / "denials.csv"))
    assert summary["ambiguous_fills"] == sum(row["ambiguous"] == "true" for row in fills)


# --- the journal's views ------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["fills", "trades", "orders", "denials", "state_changes"])
def test_a_file_is_the_view_of_the_journal(run: Path, stream: str) -> None:
    header, found = _view(run, stream)
    written = rows(run / f"{stream}.csv")
    if stream == "trades":
        written = [row for row in written if row["open"] == "false"]
    assert ",".join(header) == HEADERS[stream]
    assert len(found) == len(written) > 0
    for stored, row in zip(found, written, strict=True):
        for name, value in zip(header, stored, strict=True):
            if name == "reason" and row.get("status") in ("working", "partially_filled"):
                continue  # why an order waits is not in its outputs
            assert _same(value, row[name]), (stream, name, value, row)


def test_what_is_not_in_the_views_still_adds_up(run: Path) -> None:
    orders = {row["order_id"]: row for row in rows(run / "orders.csv")}
    filled = dict.fromkeys(orders, 0)
    for fill in rows(run / "fills.csv"):
        filled[fill["order_id"]] += int(fill["quantity"])
        assert fill["symbol"] == orders[fill["order_id"]]["symbol"]
    assert {key: int(row["filled_quantity"]) for key, row in orders.items()} == filled
    kinds = {row["type"] for row in orders.values()}
    assert kinds == {"market", "limit", "stop", "stop_limit", "trailing_stop"}


def _view(run: Path, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    uri = f"{(run / 'journal.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 - a name from above
        header = [column[0] for column in cursor.description]
        return header, cursor.fetchall()


def _same(stored: object, written: str) -> bool:
    if stored is None:
        return written == ""
    if written in ("true", "false"):
        return stored == (written == "true")
    if isinstance(stored, str):
        return stored == written
    assert isinstance(stored, int | float), stored
    return float(written) == pytest.approx(stored, abs=6e-5, rel=1e-9)


def _micros(text: str) -> int:
    return round(float(text) * 1_000_000)
