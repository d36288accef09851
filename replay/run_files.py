"""The files of a run directory: columns, and how a value is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from daemon.core.outputs import Denial, Fill, StateChanged, TradeClosed
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, MICROS_PER_USD, PPM
from daemon.feeds.times import iso_z
from replay.record import GapRow, OrderRow, PredictionRow, RunRecord
from replay.summary.summarise import summarise, summary_json


def write_run(
    folder: Path, record: RunRecord, config_yaml: str, log: Iterable[str], *, html: bool
) -> dict[str, Any]:
    """Write everything but the journal; returns the summary."""
    summary = summarise(record)
    (folder / "config.yaml").write_text(config_yaml, encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(record.manifest, indent=2) + "\n", "utf-8")
    (folder / "summary.json").write_text(summary_json(summary), "utf-8")
    (folder / "run.log").write_text("\n".join([*log, *_end_lines(record)]) + "\n", "utf-8")
    for name, header, rows in _tables(record):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(header)
            out.writerows(rows)
    if html:
        from replay.report import write_report

        write_report(record, summary, folder / "report.html")
    return summary


def _end_lines(record: RunRecord) -> list[str]:
    """The states that trading went through, and how the run ended."""
    manifest = record.manifest
    took = manifest["wall_seconds"]
    counts = f"{manifest['turns']} turns, {manifest['bars']} bars"
    seconds = "" if took is None else f", {took:.3f} s"
    return [
        *(
            f"state       {iso_z(change.instant)} {change.state} ({change.source}: {change.reason})"
            for change in record.states
        ),
        f"run         {counts}{seconds}, digest {manifest['digest']}",
    ]


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
