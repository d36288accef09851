"""The figures and tables of a summary that come from fills, orders, denials, gaps, predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from daemon.core.events import Outcome, Side
from daemon.core.outputs import Fill
from daemon.core.units import MICROS_PER_E4
from replay.record import OrderRow, RunRecord
from replay.summary.buy_and_hold import rows_of_run
from replay.summary.statistics import NotAvailable, correlation
from replay.summary.values import SummaryValues, rounded, share_pct, usd

NO_PREDICTION = NotAvailable("no prediction with a bar after it")
PUT_ASIDE = (Outcome.MISSING, Outcome.QUARANTINED)

Row = dict[str, Any]


# --- fills ----------------------------------------------------------------------------------------


def set_cost_figures(values: SummaryValues, fills: Sequence[Fill]) -> None:
    """Turnover and costs by kind."""
    turnover = MICROS_PER_E4 * sum(fill.price_e4 * fill.quantity for fill in fills)
    slippage = sum(map(slippage_micros, fills))
    commission = sum(fill.commission_micros for fill in fills)
    regulatory = sum(fill.regulatory_micros for fill in fills)
    costs = commission + regulatory + slippage
    values.set(
        fills=len(fills),
        turnover_usd=usd(turnover),
        commission_usd=usd(commission),
        regulatory_fees_usd=usd(regulatory),
        sec_fees_usd=usd(sum(fill.sec_micros for fill in fills)),
        taf_fees_usd=usd(sum(fill.taf_micros for fill in fills)),
        cat_fees_usd=usd(sum(fill.cat_micros for fill in fills)),
        fees_usd=usd(commission + regulatory),
        slippage_usd=usd(slippage),
        costs_usd=usd(costs),
        costs_bps=costs / turnover * 10_000 if turnover else NotAvailable("no fill"),
    )


def set_ambiguity_figures(values: SummaryValues, fills: Sequence[Fill], cancels: int) -> None:
    """What rests on a guess about the order of prices within a bar, and on a late bar."""
    ambiguous = [fill for fill in fills if fill.ambiguous]
    decided = list(map(decided_micros, ambiguous))
    values.set(
        ambiguous_fills=len(ambiguous),
        ambiguous_profit_usd=usd(sum(decided)),
        ambiguous_stake_usd=usd(sum(map(abs, decided))),
        ambiguous_cancels=cancels,
        fills_after_gap=sum(fill.after_gap for fill in fills),
    )


def slippage_micros(fill: Fill) -> int:
    """What slippage and the tick cost a fill against its reference price, never below 0."""
    return abs(fill.price_e4 - fill.reference_e4) * fill.quantity * MICROS_PER_E4


def decided_micros(fill: Fill) -> int:
    """How much more the guess made brings than the other one; below 0: the guess was cautious."""
    if fill.other_e4 is None:
        return 0
    dearer = fill.price_e4 - fill.other_e4
    return (dearer if fill.side is Side.SELL else -dearer) * fill.quantity * MICROS_PER_E4


# --- orders, denials, holds -----------------------------------------------------------------------


def set_order_figures(values: SummaryValues, record: RunRecord) -> None:
    """How many orders, denials and limits."""
    values.set(
        orders=len(record.orders),
        orders_unfilled=sum(map(_is_unfilled, record.orders)),
        denials=len(record.denials),
        limits_hit=sum(
            not change.lifted and change.source.partition(":")[0] == "limit"
            for change in record.states
        ),
        trading_state=record.states[-1].state if record.states else "ACTIVE",
    )


def order_tables(record: RunRecord) -> dict[str, dict[str, int]]:
    """Counts of orders by end and by reason, of denials by reason and of holds by source."""
    unfilled = [order for order in record.orders if _is_unfilled(order)]
    return {
        "orders_by_end": counts(str(order.status) for order in record.orders),
        "orders_unfilled_by_reason": counts(
            order.reason or str(order.status).upper() for order in unfilled
        ),
        "denials_by_reason": counts(str(denial.reason) for denial in record.denials),
        "holds_by_source": counts(change.source for change in record.states if not change.lifted),
    }


def counts(words: Iterable[str]) -> dict[str, int]:
    """How often each word occurs, the most frequent first, then by name."""
    found = Counter(words)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _is_unfilled(order: OrderRow) -> bool:
    return order.filled_quantity < order.quantity


# --- bars -----------------------------------------------------------------------------------------


def set_coverage_figures(values: SummaryValues, record: RunRecord, unexpected: int) -> None:
    """Bars that came against the calendar; `unexpected` counts those that the ledger leaves out."""
    outcomes = Counter(gap.outcome for gap in record.gaps)
    expected = sum(record.expected_bars.values())
    received = sum(record.received_bars.values())
    incomplete = {gap.session for gap in record.gaps if gap.outcome in PUT_ASIDE}
    values.set(
        bars=received,
        slices=len(record.ends),
        coverage_pct=share_pct(received, expected, "the calendar expects no bar"),
        missing_bars=outcomes[Outcome.MISSING],
        quarantined_bars=outcomes[Outcome.QUARANTINED],
        unexpected_bars=outcomes[Outcome.UNEXPECTED] + unexpected,
        incomplete_sessions=len(incomplete),
    )


def coverage_rows(record: RunRecord) -> list[Row]:
    """One row a symbol, in the config's order."""
    gaps: dict[str, list[str]] = {symbol: [] for symbol in record.symbols}
    for gap in record.gaps:
        gaps.setdefault(gap.symbol, []).append(str(gap.outcome))
    rows = []
    for symbol in record.symbols:
        expected = record.expected_bars.get(symbol, 0)
        received = record.received_bars.get(symbol, 0)
        rows.append(
            {
                "symbol": symbol,
                "expected_bars": expected,
                "received_bars": received,
                "coverage_pct": rounded(received / expected * 100) if expected else None,
                "gaps_by_outcome": counts(gaps[symbol]),
            }
        )
    return rows


# --- predictions ----------------------------------------------------------------------------------


def set_prediction_figures(values: SummaryValues, record: RunRecord) -> None:
    """How many predictions, and how they fared against the next bar's close-to-close return."""
    failed = sum(row.failure is not None for row in record.predictions)
    valued = sum(row.value is not None for row in record.predictions)
    missing = max(0, _bars_of_run(record) - failed - valued) if _has_model(record) else 0
    values.set(
        predictions=valued,
        prediction_failures=failed,
        predictions_missing=missing,
    )
    if not _has_model(record):
        none = NotAvailable("no model")
        values.set(prediction_hit_rate_pct=none, information_coefficient=none)
        return
    predicted, realised = _pairs(record)
    signed = [(a > 0) == (b > 0) for a, b in zip(predicted, realised, strict=True) if a and b]
    values.set(
        prediction_hit_rate_pct=share_pct(sum(signed), len(signed), NO_PREDICTION.reason),
        information_coefficient=correlation(predicted, realised) if predicted else NO_PREDICTION,
    )


def _has_model(record: RunRecord) -> bool:
    return bool(record.predictions) or bool(record.config.get("model"))


def _bars_of_run(record: RunRecord) -> int:
    rows = (rows_of_run(record, symbol) for symbol in record.bars)
    return sum(row.stop - row.start for row in rows)


def _pairs(record: RunRecord) -> tuple[list[float], list[float]]:
    """Predictions and the returns of the bars they were about, pair by pair."""
    returns_after: dict[str, dict[int, float]] = {}
    for symbol in record.bars:
        rows = rows_of_run(record, symbol)
        closes = list(record.bars[symbol].close[rows])
        returns = [after / before - 1 for before, after in pairwise(closes)]
        ends = record.bars[symbol].end[rows]
        returns_after[symbol] = dict(zip(ends, returns, strict=False))
    predicted, realised = [], []
    for row in record.predictions:
        after = returns_after.get(row.symbol, {}).get(row.instant)
        if row.value is not None and after is not None:
            predicted.append(row.value)
            realised.append(after)
    return predicted, realised
