"""The words of a summary: what a reader must know first, and how the figures are computed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from daemon.feeds.times import iso_z
from daemon.text_table import counted
from replay.record import RunRecord
from replay.summary.statistics import DAYS_PER_YEAR, MINIMUM_SESSIONS, SESSIONS_PER_YEAR

FULL_COVERAGE_PCT = 99.0

Figures = Mapping[str, Any]


def warnings(record: RunRecord, figures: Figures) -> list[str]:
    """Sentences that change how far the figures can be believed, the weightiest first."""
    candidates = (
        _synthetic(record),
        _state(record),
        _ruined(figures),
        _costs(figures),
        _coverage(figures),
        _ambiguity(figures),
        _breaches(record),
        _actions(record, figures),
        _borrow(record, figures),
        _predictions(figures),
        _nothing_traded(record, figures),
        _open_trades(figures),
    )
    return [sentence for sentence in candidates if sentence]


def _synthetic(record: RunRecord) -> str:
    if not record.notes.get("synthetic"):
        return ""
    return "The tape is synthetic: made by a program, not by a market."


def _state(record: RunRecord) -> str:
    if not record.states or record.states[-1].state == "ACTIVE":
        return ""
    state = record.states[-1].state
    since = record.states[0]
    for before, after in pairwise(record.states):
        if before.state != after.state:
            since = after
    why = f": {since.reason}" if since.reason else ""
    return f"Trading ended {state}, since {iso_z(since.instant)} ({since.source}{why})."


def _ruined(figures: Figures) -> str:
    lowest = figures["lowest_equity_usd"]
    if lowest is None or lowest > 0:
        return ""
    return "Equity fell to zero or below: no ratio has a meaning."


def _costs(figures: Figures) -> str:
    if not figures["costs_distorted"]:
        return ""
    factor = figures["suspected_factor"]
    largest = f"; the largest factor suspected is {factor:g}" if factor else ""
    return (
        "Costs are distorted: prices are adjusted and no table of splits is at hand, so ticks, "
        f"per-share fees and volumes are off{largest}."
    )


def _coverage(figures: Figures) -> str:
    coverage = figures["coverage_pct"]
    if coverage is None or coverage >= FULL_COVERAGE_PCT:
        return ""
    return (
        f"Coverage is {coverage:.2f} %: {counted(figures['missing_bars'], 'bar')} missing, "
        f"{figures['quarantined_bars']:,} quarantined, in "
        f"{counted(figures['incomplete_sessions'], 'session')}; the ratios leave none out."
    )


def _ambiguity(figures: Figures) -> str:
    count = figures["ambiguous_fills"]
    if not count:
        return ""
    return (
        f"Ambiguous: {count:,} of {counted(figures['fills'], 'fill')}, where the order of prices "
        f"within the bar is a guess; that decides {figures['ambiguous_profit_usd']:+,.2f} USD."
    )


def _breaches(record: RunRecord) -> str:
    breaches = record.notes.get("breaches") or ()
    if not breaches:
        return ""
    first = breaches[0]
    return (
        f"A limit could not be kept {counted(len(breaches), 'time')}, first {first.limit} of "
        f"{first.symbol} at {iso_z(first.instant)}: {first.detail}."
    )


def _actions(record: RunRecord, figures: Figures) -> str:
    if figures["adjustment"] != "raw" or record.notes.get("actions"):
        return ""
    return "Raw prices without corporate actions: no split and no dividend was applied."


def _borrow(record: RunRecord, figures: Figures) -> str:
    sold_short = figures["short_trades"] or any(
        trade.direction != "long" for trade in record.open_trades
    )
    execution = record.config.get("execution") or {}
    if not sold_short or execution.get("short_borrow_rate_pct") is not None:
        return ""
    return "Shorts are free of borrow fees: execution.short_borrow_rate_pct is not set."


def _predictions(figures: Figures) -> str:
    failed, missing = figures["prediction_failures"], figures["predictions_missing"]
    if not failed and not missing:
        return ""
    return (
        f"{counted(failed, 'prediction')} failed and {counted(missing, 'bar')} had none; neither "
        "is a trade."
    )


def _nothing_traded(record: RunRecord, figures: Figures) -> str:
    if figures["fills"]:
        return ""
    if not record.denials:
        return "No order was filled."
    reasons = [str(denial.reason) for denial in record.denials]
    most = max(sorted(set(reasons)), key=reasons.count)
    return f"No order was filled; the most frequent denial is {most} ({reasons.count(most):,})."


def _open_trades(figures: Figures) -> str:
    count = figures["open_trades"]
    if not count:
        return ""
    return (
        f"{counted(count, 'trade')} still open at the end, marked at a profit of "
        f"{figures['open_profit_usd']:+,.2f} USD: in the equity, not in the rows on trades."
    )


# One convention a line.
CONVENTIONS = f"""
Returns: from session close to session close, the first from the starting cash; none left out.
Sharpe: mean / standard deviation (ddof 1) x sqrt({SESSIONS_PER_YEAR}), risk-free rate 0.
Sharpe's 95 % interval: Lo (2002) with Newey-West weights, so autocorrelation widens it.
Sortino: mean / sqrt(mean(min(return, 0)^2)) over all sessions x sqrt({SESSIONS_PER_YEAR}).
CAGR: (final / start)^({DAYS_PER_YEAR} / days) - 1, from the first bar's start to the last's end.
Calmar: CAGR / |max drawdown|.
Nothing is annualised under {MINIMUM_SESSIONS} sessions.
Drawdowns: of equity marked at every bar's close, the peak seeded with the starting cash.
Drawdown within a bar: longs marked at the low and shorts at the high, below the earlier peak.
Trades: flat to flat, profit net of fees; won means profit above 0; open trades listed apart.
Exposure: share of slices that end with a position.
Turnover: price x quantity of all fills. Fees: commission + regulatory fees.
Buy and hold: equal weights, fractional shares, first open to last close, no costs.
"""


def conventions(record: RunRecord) -> list[str]:
    """How the figures are computed, and what this run's config assumed."""
    execution = record.config.get("execution") or {}
    return [
        *CONVENTIONS.strip().splitlines(),
        f"Orders: {_execution(execution)}",
        _shorts(record.config),
    ]


def _execution(execution: Mapping[str, Any]) -> str:
    participation = execution.get("participation_fraction")
    limit = "no limit" if participation is None else f"at most {participation * 100:g} %"
    commission = execution.get("commission", "not stated")
    if isinstance(commission, Mapping):
        commission = ", ".join(f"{name} {value}" for name, value in commission.items())
    charged = "charged" if execution.get("regulatory_fees") else "not charged"
    return (
        f"filled at {execution.get('fill', 'not stated')}, slippage "
        f"{execution.get('slippage_bps', 'not stated')} bps, commission {commission}, regulatory "
        f"fees {charged}, {limit} of a bar's volume."
    )


def _shorts(config: Mapping[str, Any]) -> str:
    if not (config.get("risk") or {}).get("allow_short"):
        return "Shorts: not allowed."
    return "Shorts: free of borrow fees, which this version does not charge."
