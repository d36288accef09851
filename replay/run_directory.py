"""Writes a run directory (all its files, or none) from a played replay."""

from __future__ import annotations

import contextlib
import csv
import json
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon import ENGINE_VERSION, __version__
from daemon.core.outputs import Denial, Fill, StateChanged, TradeClosed
from daemon.core.trading_state import HoldSource
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, MICROS_PER_USD, PPM
from daemon.errors import RefusedError, UsageError
from daemon.feeds.times import iso_z
from daemon.journal.writer import JournalWriter
from replay.build_record import build_record
from replay.journal_blocks import inputs_of, journal_manifest, write_blocks
from replay.record import GapRow, OrderRow, PredictionRow, RunRecord
from replay.run import NO_PERIOD, Inputs, Period, Played, load_inputs, play
from replay.runs.reader import MANIFEST_SCHEMA
from replay.runs.selectors import BASELINE_PREFIX
from replay.summary.summarise import summarise, summary_json
from replay.workplace import Workplace, workplace


@dataclass(frozen=True, slots=True)
class Request:
    """What `papertape replay` was asked for."""

    config: Path
    state: Path
    overrides: Sequence[tuple[str, str]] = ()
    period: Period = NO_PERIOD
    label: str | None = None
    out: Path | None = None
    html: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that lies in its directory."""

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    inputs: Inputs
    strategy_failure: str | None


def replay(request: Request) -> Finished:
    """Play a tape and leave a run directory; on any failure or interruption it leaves nothing."""
    started = datetime.now(UTC)
    target = _checked_target(request.out)
    _check_label(request.label)
    inputs = load_inputs(request.config, request.state, request.overrides, request.period)
    home = target.parent if target else request.state / "runs"
    with workplace(home) as place:
        played, seal = _play(inputs, place)
        digest = played.digest
        path = target or place.claim(f"{started:%Y%m%dT%H%M%SZ}-{inputs.config.name}-{digest[:6]}")
        manifest = _manifest(request, played, started, digest, seal) | {"run_id": path.name}
        record = build_record(played, manifest)
        summary = summarise(record)
        _write_files(place.folder, inputs, record, summary)
        if request.html:
            from replay.report import write_report

            write_report(record, summary, place.folder / "report.html")
        place.publish(path)
    return Finished(path, manifest, summary, inputs, strategy_failure(record.states))


def _play(inputs: Inputs, place: Workplace) -> tuple[Played, dict[str, Any]]:
    """Play into a journal; returns the ends of its chains as well."""
    try:
        with contextlib.closing(JournalWriter(place.folder / "journal.db")) as writer:
            writer.open_segment(1, "start", journal_manifest(inputs), {"cash_usd": _cash(inputs)})
            played = play(inputs, writer)
            write_blocks(writer, played)
            seal = writer.seal()
    except sqlite3.OperationalError as error:
        raise RefusedError(
            f"{place.folder.parent}: the journal cannot be written ({error}); is the disk full?"
        ) from error
    return played, seal


def strategy_failure(states: Iterable[StateChanged]) -> str | None:
    """What the strategy raised and where, on one line; None where it did not."""
    failed = (one for one in states if one.source == HoldSource.STRATEGY and not one.lifted)
    return next((one.reason for one in failed), None)


def _checked_target(out: Path | None) -> Path | None:
    if out is None:
        return None
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: exists and is not an empty folder: choose another")
    return out


def _check_label(label: str | None) -> None:
    """A label must be a selector that means this run."""
    if label is None:
        return
    if not label.strip() or "/" in label or label.startswith(("latest", BASELINE_PREFIX)):
        raise UsageError(
            f"--label {label!r}: a run could not be found by it: no slash, and no name that "
            f"begins with latest or {BASELINE_PREFIX}"
        )


def _cash(inputs: Inputs) -> float:
    return inputs.config.account.cash_usd


def _manifest(
    request: Request, played: Played, started: datetime, digest: str, seal: dict[str, Any]
) -> dict[str, Any]:
    inputs, counts = played.inputs, played.feed.played
    config = inputs.config
    now = datetime.now(UTC)
    return {
        "schema": MANIFEST_SCHEMA,
        "run_id": "",
        "created": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "name": config.name,
        "label": request.label,
        "overrides": [f"{key}={value}" for key, value in request.overrides],
        "papertape_version": __version__,
        "engine_version": ENGINE_VERSION,
        "python": platform.python_version(),
        "digest": digest,
        "bars": sum(counts.received.values()),
        "turns": played.pipeline.seq,
        "wall_seconds": round(played.wall_seconds, 6),
        "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "state": "complete",
        "final_state": played.account.control.state.name,
        "config_path": str(request.config.absolute()),
        "start": inputs.period.start,
        "end": inputs.period.end,
        "first_bar": iso_z(counts.first_start),
        "last_bar": iso_z(counts.last_end),
        "inputs": inputs_of(inputs),
        "tasks": {
            name: {
                "health": task.health.value,
                "failures": task.failures,
                "last_failure": task.last_failure,
                "handled_from_mailbox": task.handled,
                "timed_steps": task.timed,
                "timed_us_per_step": round(task.timed_ns / task.timed / 1000, 3)
                if task.timed
                else None,
            }
            for name, task in played.pipeline.tasks.items()
        },
        "journal": seal,
    }


# --- the files --------------------------------------------------------------------------------


def _write_files(folder: Path, inputs: Inputs, record: RunRecord, summary: dict[str, Any]) -> None:
    (folder / "config.yaml").write_text(inputs.config.to_yaml(), encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(record.manifest, indent=2) + "\n", "utf-8")
    (folder / "summary.json").write_text(summary_json(summary), "utf-8")
    (folder / "run.log").write_text("\n".join(_log_lines(inputs, record)) + "\n", "utf-8")
    for name, header, rows in _tables(record):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(header)
            out.writerows(rows)


def _log_lines(inputs: Inputs, record: RunRecord) -> list[str]:
    """What the loader understood and found, and how the run ended."""
    manifest = record.manifest
    lines = inputs.tape.understood.lines()
    lines += [f"finding     {fault.severity} {fault.rule} {fault.symbol} {fault.message}"
              for fault in inputs.tape.faults]  # fmt: skip
    lines += [
        f"state       {iso_z(change.instant)} {change.state} ({change.source}: {change.reason})"
        for change in record.states
    ]
    lines.append(
        f"run         {manifest['turns']} turns, {manifest['bars']} bars, "
        f"{manifest['wall_seconds']:.3f} s, digest {manifest['digest']}"
    )
    return lines


Table = tuple[str, Sequence[str], Iterable[Sequence[object]]]


def _tables(record: RunRecord) -> list[Table]:
    trades = [trade_row(trade, is_open=False) for trade in record.trades]
    trades += [trade_row(trade, is_open=True) for trade in record.open_trades]
    return [
        ("fills", FILL_COLUMNS, map(fill_row, record.fills)),
        ("trades", TRADE_COLUMNS, trades),
        ("orders", ORDER_COLUMNS, map(order_row, record.orders)),
        ("denials", DENIAL_COLUMNS, map(denial_row, record.denials)),
        ("predictions", ("ts", "symbol", "value", "failure"), map(_prediction, record.predictions)),
        (
            "gaps",
            ("symbol", "start", "end", "session", "outcome", "reason"),
            map(_gap, record.gaps),
        ),
        ("state_changes", STATE_COLUMNS, map(state_row, record.states)),
        ("equity", ("ts", "equity", "cash", "position_value", "drawdown_pct"), _equity(record)),
    ]


FILL_COLUMNS = (
    "fill_id", "ts_effective", "ts_known", "order_id", "symbol", "side", "quantity", "price",
    "commission", "regulatory_fees", "reason", "ambiguous",
)  # fmt: skip
TRADE_COLUMNS = (
    "trade_id", "symbol", "direction", "quantity", "entry_ts", "entry_price", "exit_ts",
    "exit_price", "pnl", "fees", "return_pct", "bars_held", "mae_pct", "mfe_pct",
    "entry_prediction", "entry_reason", "exit_reason", "open",
)  # fmt: skip
ORDER_COLUMNS = (
    "order_id", "ts_decided", "eligible_from", "symbol", "side", "type", "quantity",
    "filled_quantity", "average_price", "limit_price", "stop_price", "time_in_force", "origin",
    "status", "reason",
)  # fmt: skip
DENIAL_COLUMNS = ("ts", "symbol", "quantity", "origin", "reason", "detail")
STATE_COLUMNS = ("ts", "state", "previous", "source", "level", "lifted", "reason")


def usd(micros: int) -> str:
    """Micro-dollars as dollars, exact, with two decimals at least."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS_PER_USD)
    digits = f"{part:06d}".rstrip("0")
    return f"{sign}{whole}.{digits:0<2}"


def price(price_e4: int | None) -> str:
    """A price in dollars with four decimals; empty for none."""
    return "" if price_e4 is None else usd_e4(price_e4)


def usd_e4(price_e4: int) -> str:
    """1/10,000 dollars with four decimals."""
    sign = "-" if price_e4 < 0 else ""
    whole, part = divmod(abs(price_e4), E4_PER_USD)
    return f"{sign}{whole}.{part:04d}"


def fill_row(fill: Fill) -> tuple[object, ...]:
    """A row of fills.csv."""
    return (
        fill.fill_id,
        iso_z(fill.effective),
        iso_z(fill.known),
        fill.order_id,
        fill.symbol,
        fill.side.value,
        fill.quantity,
        usd_e4(fill.price_e4),
        usd(fill.commission_micros),
        usd(fill.regulatory_micros),
        fill.reason,
        str(fill.ambiguous).lower(),
    )


def trade_row(trade: TradeClosed, *, is_open: bool) -> tuple[object, ...]:
    """A row of trades.csv."""
    notional = trade.entry_e4 * trade.quantity * MICROS_PER_E4
    return (
        trade.trade_id,
        trade.symbol,
        trade.direction,
        trade.quantity,
        iso_z(trade.entry),
        f"{trade.entry_e4 / E4_PER_USD:.6f}",
        iso_z(trade.exit),
        f"{trade.exit_e4 / E4_PER_USD:.6f}",
        usd(trade.pnl_micros),
        usd(trade.fees_micros),
        f"{100 * trade.pnl_micros / notional:.6f}",
        trade.bars_held,
        f"{100 * trade.adverse_ppm / PPM:.4f}",
        f"{100 * trade.favourable_ppm / PPM:.4f}",
        "" if trade.entry_prediction is None else repr(trade.entry_prediction),
        trade.entry_reason,
        trade.exit_reason,
        str(is_open).lower(),
    )


def order_row(order: OrderRow) -> tuple[object, ...]:
    """A row of orders.csv."""
    average = order.average_price_usd
    return (
        order.order_id,
        iso_z(order.decided),
        iso_z(order.eligible_from),
        order.symbol,
        order.side.value,
        order.order_type.value,
        order.quantity,
        order.filled_quantity,
        "" if average is None else f"{average:.6f}",
        price(order.limit_e4),
        price(order.stop_e4),
        order.time_in_force.value,
        order.origin.value,
        order.status.value,
        order.reason,
    )


def denial_row(denial: Denial) -> tuple[object, ...]:
    """A row of denials.csv."""
    return (
        iso_z(denial.instant),
        denial.symbol,
        denial.quantity,
        denial.origin.value,
        denial.reason.value,
        denial.detail,
    )


def _prediction(row: PredictionRow) -> tuple[object, ...]:
    value = "" if row.value is None else repr(row.value)
    return iso_z(row.instant), row.symbol, value, row.failure or ""


def _gap(gap: GapRow) -> tuple[object, ...]:
    return gap.symbol, iso_z(gap.start), iso_z(gap.end), gap.session, gap.outcome.value, gap.reason


def state_row(change: StateChanged) -> tuple[object, ...]:
    """A row of state_changes.csv."""
    return (
        iso_z(change.instant),
        change.state,
        change.previous,
        change.source,
        change.level,
        str(change.lifted).lower(),
        change.reason,
    )


def _equity(record: RunRecord) -> Iterator[tuple[object, ...]]:
    peak = record.starting_cash_micros
    for end, equity, cash in zip(record.ends, record.equity, record.cash, strict=True):
        peak = max(peak, equity)
        drawdown_pct = 100 * (equity - peak) / peak
        yield iso_z(end), usd(equity), usd(cash), usd(equity - cash), f"{drawdown_pct:.4f}"
