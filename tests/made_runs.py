"""Run directories made by hand, for tests of what reads, lists, compares and accepts runs."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daemon.config.emit import to_yaml

CONFIG: dict[str, Any] = {
    "name": "nvda-hourly",
    "symbols": ["NVDA"],
    "bars": {"size": "1h", "calendar": "XNYS", "grid": "session"},
    "tape": {"path": "nvda.csv", "dialect": "auto"},
    "strategy": {"kind": "sma_cross", "params": {"fast": 10, "slow": 50, "quantity": 100}},
    "risk": {"max_drawdown_pct": {"limit": 15, "action": "halt_and_flatten"}},
    "observability": {"metrics": "127.0.0.1:9108", "log": "json"},
}

SUMMARY: dict[str, Any] = {
    "name": "nvda-hourly",
    "final_equity_usd": 112345.67,
    "total_return_pct": 12.34567,
    "sharpe": 1.2345,
    "max_drawdown_pct": -8.5,
    "trades": 2,
    "fees_usd": 6.03,
    "profit_factor": None,
    "trading_state": "ACTIVE",
    "costs_distorted": False,
    "denials_by_reason": {"MIN_CASH": 2},
    "monthly_returns": [{"month": "2024-01", "return_pct": 1.5}],
}

TRADES = [
    {
        "trade_id": "1", "symbol": "NVDA", "direction": "long", "quantity": "100",
        "entry_ts": "2024-01-02T15:30:00Z", "entry_price": "48.1600",
        "exit_ts": "2024-01-03T15:30:00Z", "exit_price": "49.0000",
        "pnl": "82.98", "fees": "1.02", "open": "false",
    },
    {
        "trade_id": "2", "symbol": "NVDA", "direction": "long", "quantity": "100",
        "entry_ts": "2024-07-02T14:30:00Z", "entry_price": "50.0000",
        "exit_ts": "2024-07-02T19:30:00Z", "exit_price": "49.5000",
        "pnl": "-52", "fees": "2", "open": "false",
    },
]  # fmt: skip

FILLS = [
    {
        "fill_id": str(number), "ts_effective": at, "ts_known": at, "order_id": str(number),
        "symbol": "NVDA", "side": side, "quantity": "100", "price": price,
    }
    for number, at, side, price in (
        (1, "2024-01-02T15:30:00Z", "buy", "48.1600"),
        (2, "2024-01-03T15:30:00Z", "sell", "49.0000"),
        (3, "2024-07-02T14:30:00Z", "buy", "50.0000"),
        (4, "2024-07-02T19:30:00Z", "sell", "49.5000"),
    )
]  # fmt: skip

INPUTS: dict[str, Any] = {
    "config_sha256": "c" * 64,
    "tape": {"path": "/data/nvda.csv", "sha256": "a" * 64, "dialect": "own", "adjustment": "raw"},
    "model": {"kind": None, "sha256": None},
    "strategy": {"kind": "sma_cross", "sha256": "5" * 64},
    "calendar": {"name": "XNYS", "hash": "ca1e" * 16, "package_version": "4.13.2"},
    "fee_tables_sha256": "fee5" * 16,
    "corporate_actions": [],
}


def digest_of(text: str) -> str:
    """A digest that differs for each text."""
    return hashlib.sha256(text.encode()).hexdigest()


def make_run(
    folder: Path,
    *,
    created: str = "2024-02-01T12:00:00Z",
    traded: str = "this",
    run_id: str | None = None,
    summary: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    streams: Mapping[str, Iterable[Mapping[str, str]]] | None = None,
    **manifest: Any,
) -> Path:
    """Write a run directory into `folder`/ID and return it; `traded` stands for the trading.

    `summary` and `manifest` replace keys, `inputs` dotted ones; `config` replaces the config and
    `streams` whole CSV files.
    """
    digest = digest_of(traded)
    stamp = created.replace("-", "").replace(":", "")
    name = manifest.get("name", "nvda-hourly")
    run_id = run_id or f"{stamp}-{name}-{digest[:6]}"
    path = folder / run_id
    path.mkdir(parents=True)
    written = {
        "schema": 1, "run_id": run_id, "created": created, "name": name, "label": None,
        "overrides": [], "papertape_version": "0.1.0", "engine_version": 1, "python": "3.11.7",
        "digest": digest, "bars": 100, "turns": 100, "wall_seconds": 0.1, "started": created,
        "ended": created, "state": "complete", "inputs": _replaced(INPUTS, inputs or {}),
        "start": None, "end": None,
    }  # fmt: skip
    write_json(path / "manifest.json", written | manifest)
    write_json(path / "summary.json", SUMMARY | dict(summary or {}))
    (path / "config.yaml").write_text(to_yaml(dict(config or CONFIG)), encoding="utf-8")
    for stream, rows in ({"trades": TRADES, "fills": FILLS} | dict(streams or {})).items():
        write_rows(path / f"{stream}.csv", list(rows))
    (path / "journal.db").write_bytes(b"journal" * 100)
    return path


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")


def write_rows(path: Path, rows: list[Mapping[str, str]]) -> None:
    """Write a CSV file with the columns of the first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["ts"])
        writer.writeheader()
        writer.writerows(rows)


def _replaced(value: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(value))
    for dotted, one in changes.items():
        *parents, last = dotted.split(".")
        group = copied
        for parent in parents:
            group = group[parent]
        group[last] = one
    return copied
