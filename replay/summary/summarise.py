"""The summary of a run: every figure of summary.json, made from a RunRecord and nothing else.

`summary_figures.FIGURES` lists the single values (key, label, unit, meaning), `TABLES` the rest.
The same record always gives the same bytes: no clock is read, sums are exact or `fsum`, values
are rounded to six decimals and keys stand in the order of the tables. What cannot be said is
null, with its reason under `not_available`.

What is read from `RunRecord.notes`, all of it optional:

    costs_distorted    bool: per-share costs cannot be right on this tape (C14)
    suspected_factor   float or None: the largest adjustment factor suspected
    actions            the CorporateAction messages the run applied (raw tapes)
    ambiguous_cancels  the CancelAmbiguous messages, or their number
    breaches           the LimitBreached messages
    unexpected_bars    int: bars outside the calendar that are not rows of `gaps`
    synthetic          bool: the tape was made by a program, not by a market
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from daemon.core.events import CorporateAction, Split
from daemon.core.units import HOUR_NS
from daemon.feeds.times import iso_z
from replay.record import RunRecord
from replay.summary import statistics
from replay.summary.activity import (
    coverage_rows,
    order_tables,
    set_ambiguity_figures,
    set_cost_figures,
    set_coverage_figures,
    set_order_figures,
    set_prediction_figures,
)
from replay.summary.buy_and_hold import buy_and_hold_curve
from replay.summary.drawdowns import Drawdown, deepest_fraction, drawdowns, duration_ns, longest
from replay.summary.notes import conventions, warnings
from replay.summary.statistics import NotAvailable, PeriodReturn
from replay.summary.trades import by_reason, by_symbol, open_trade_rows, set_trade_figures
from replay.summary.values import SummaryValues, iso_date, pct, rounded, share_pct, usd

DAY_NS = 24 * HOUR_NS
DRAWDOWNS_LISTED = 5

NO_BAR = NotAvailable("the run has no bar")
NO_HOLDING = NotAvailable("no bar to buy at")


def summarise(record: RunRecord) -> dict[str, Any]:
    """The content of summary.json: figures first, then tables, reasons, warnings, conventions."""
    values = SummaryValues()
    rows = statistics.session_end_rows(record.session_dates)
    spells = drawdowns(record.equity, record.starting_cash_micros)
    depth = min((spell.depth_fraction for spell in spells), default=0.0)
    lowest = min(record.equity, default=record.starting_cash_micros)
    closes = [record.equity[row] for row in rows]
    actions = _actions(record)
    _set_period(values, record, len(rows))
    _set_result(values, record, rows)
    interval = _set_ratios(values, record, closes, depth, lowest)
    _set_holding(values, record, rows, actions)
    _set_sessions(values, record, rows, closes)
    _set_equity(values, record, closes, depth, lowest)
    _set_drawdowns(values, record, spells)
    set_trade_figures(values, record.trades, record.open_trades, len(rows))
    set_cost_figures(values, record.fills)
    set_ambiguity_figures(values, record.fills, _count(record.notes.get("ambiguous_cancels")))
    set_order_figures(values, record)
    set_coverage_figures(values, record, record.notes.get("unexpected_bars", 0))
    set_prediction_figures(values, record)
    figures, reasons = values.finished()
    return {
        **figures,
        "sharpe_interval": interval,
        "symbols": list(record.symbols),
        **_trade_tables(record),
        **_period_tables(record, rows, closes),
        "drawdowns": _drawdown_rows(record, spells),
        **order_tables(record),
        "coverage": coverage_rows(record),
        "corporate_actions": {
            "splits": sum(isinstance(action, Split) for action in actions),
            "dividends": sum(not isinstance(action, Split) for action in actions),
        },
        "warnings": warnings(record, figures),
        "conventions": conventions(record),
        "not_available": reasons,
    }


def summary_json(summary: dict[str, Any]) -> str:
    """The text of summary.json, the same for the same summary; ValueError for a NaN."""
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# --- the sections ---------------------------------------------------------------------------------


def _set_period(values: SummaryValues, record: RunRecord, sessions: int) -> None:
    has_bars = bool(record.ends)
    values.set(
        name=str(record.config.get("name", "")),
        bar_size=str((record.config.get("bars") or {}).get("size", "")),
        first_bar_start=iso_z(record.first_start) if has_bars else NO_BAR,
        last_bar_end=iso_z(record.last_end) if has_bars else NO_BAR,
        elapsed_days=_elapsed_ns(record) / DAY_NS,
        sessions=sessions,
        adjustment=_adjustment(record),
        costs_distorted=bool(record.notes.get("costs_distorted")),
        suspected_factor=_suspected_factor(record),
    )


def _set_result(values: SummaryValues, record: RunRecord, rows: Sequence[int]) -> None:
    start = record.starting_cash_micros
    final = record.equity[-1] if record.equity else start
    values.set(
        starting_cash_usd=usd(start),
        final_equity_usd=usd(final),
        profit_usd=usd(final - start),
        total_return_pct=(final / start - 1) * 100,
        average_session_profit_usd=usd(final - start) / len(rows) if rows else NO_BAR,
    )


def _set_ratios(
    values: SummaryValues, record: RunRecord, closes: Sequence[int], depth: float, lowest: int
) -> list[float] | None:
    """Set the ratios; returns the Sharpe ratio's interval."""
    start, sessions, equity = record.starting_cash_micros, len(closes), record.equity
    if lowest <= 0:
        ruined = statistics.too_short(sessions) or statistics.RUINED
        values.set(
            cagr_pct=ruined, sharpe=ruined, sharpe_standard_error=ruined, sharpe_bars=ruined,
            sortino=ruined, calmar=ruined, volatility_pct=ruined, skewness=ruined,
            excess_kurtosis=ruined,
        )  # fmt: skip
        return None
    returns = statistics.simple_returns(closes, start)
    elapsed_ns = _elapsed_ns(record)
    growth = statistics.cagr(start, closes[-1] if closes else start, elapsed_ns, sessions)
    interval = statistics.sharpe_interval(returns)
    values.set(
        cagr_pct=pct(growth),
        sharpe=statistics.sharpe(returns),
        sharpe_standard_error=interval
        if isinstance(interval, NotAvailable)
        else interval.standard_error,
        sharpe_bars=statistics.bar_sharpe(equity, start, elapsed_ns, sessions),
        sortino=statistics.sortino(returns),
        calmar=statistics.calmar(growth, depth),
        volatility_pct=pct(statistics.annual_volatility(returns)),
        skewness=statistics.skewness(returns),
        excess_kurtosis=statistics.excess_kurtosis(returns),
    )
    if isinstance(interval, NotAvailable):
        return None
    return [rounded(interval.low), rounded(interval.high)]


def _set_holding(
    values: SummaryValues,
    record: RunRecord,
    rows: Sequence[int],
    actions: Sequence[CorporateAction],
) -> None:
    curve = buy_and_hold_curve(record, actions)
    if not curve:
        values.set(
            buy_and_hold_return_pct=NO_HOLDING, excess_return_pct=NO_HOLDING,
            buy_and_hold_cagr_pct=NO_HOLDING, buy_and_hold_sharpe=NO_HOLDING,
            buy_and_hold_max_drawdown_pct=NO_HOLDING,
        )  # fmt: skip
        return
    returns = statistics.simple_returns([curve[row] for row in rows], 1.0)
    held = (curve[-1] - 1) * 100
    made = (record.equity[-1] / record.starting_cash_micros - 1) * 100
    growth = statistics.cagr(1.0, curve[-1], _elapsed_ns(record), len(rows))
    values.set(
        buy_and_hold_return_pct=held,
        excess_return_pct=made - held,
        buy_and_hold_cagr_pct=pct(growth),
        buy_and_hold_sharpe=statistics.sharpe(returns),
        buy_and_hold_max_drawdown_pct=deepest_fraction(curve, curve, 1.0) * 100,
    )


def _set_sessions(
    values: SummaryValues, record: RunRecord, rows: Sequence[int], closes: Sequence[int]
) -> None:
    changes = [after - before for before, after in pairwise((record.starting_cash_micros, *closes))]
    values.set(
        winning_sessions=sum(change > 0 for change in changes),
        flat_sessions=sum(change == 0 for change in changes),
        losing_sessions=sum(change < 0 for change in changes),
        exposure_pct=share_pct(
            len(record.held) - record.held.count(0), len(record.held), NO_BAR.reason
        ),
    )
    if not rows or min(closes) <= 0:
        missing = statistics.RUINED if rows else NO_BAR
        values.set(
            best_session_pct=missing, best_session_date=missing,
            worst_session_pct=missing, worst_session_date=missing,
        )  # fmt: skip
        return
    returns = statistics.simple_returns(closes, record.starting_cash_micros)
    best, worst = returns.index(max(returns)), returns.index(min(returns))
    values.set(
        best_session_pct=returns[best] * 100,
        best_session_date=iso_date(record.session_dates[rows[best]]),
        worst_session_pct=returns[worst] * 100,
        worst_session_date=iso_date(record.session_dates[rows[worst]]),
    )


def _set_equity(
    values: SummaryValues, record: RunRecord, closes: Sequence[int], depth: float, lowest: int
) -> None:
    start, equity = record.starting_cash_micros, record.equity
    values.set(
        lowest_equity_usd=usd(lowest) if equity else NO_BAR,
        highest_equity_usd=usd(max(equity)) if equity else NO_BAR,
        max_drawdown_pct=depth * 100,
        max_drawdown_session_close_pct=deepest_fraction(closes, closes, start) * 100,
        worst_intrabar_drawdown_pct=deepest_fraction(record.worst, equity, start) * 100,
    )


def _set_drawdowns(values: SummaryValues, record: RunRecord, spells: Sequence[Drawdown]) -> None:
    deepest = min(spells, key=lambda spell: spell.depth_fraction, default=None)
    lasting = longest(spells, record.ends, record.first_start)
    if deepest is None or lasting is None:
        none = NotAvailable("no drawdown")
        values.set(
            max_drawdown_usd=0.0, profit_at_drawdown_start_usd=none,
            profit_at_drawdown_trough_usd=none, drawdown_start=none, drawdown_trough=none,
            drawdown_end=none, drawdown_days=0.0, longest_drawdown_days=0.0,
        )  # fmt: skip
        return
    start, recovered = record.starting_cash_micros, deepest.recovered_row
    values.set(
        max_drawdown_usd=usd(int(deepest.trough - deepest.peak)),
        profit_at_drawdown_start_usd=usd(int(deepest.peak - start)),
        profit_at_drawdown_trough_usd=usd(int(deepest.trough - start)),
        drawdown_start=iso_z(_instant(record, deepest.peak_row)),
        drawdown_trough=iso_z(record.ends[deepest.trough_row]),
        drawdown_end=NotAvailable("not recovered by the end of the run")
        if recovered is None
        else iso_z(record.ends[recovered]),
        drawdown_days=duration_ns(deepest, record.ends, record.first_start) / DAY_NS,
        longest_drawdown_days=duration_ns(lasting, record.ends, record.first_start) / DAY_NS,
    )


# --- the tables -----------------------------------------------------------------------------------


def _trade_tables(record: RunRecord) -> dict[str, Any]:
    return {
        "by_symbol": by_symbol(record.trades, record.symbols),
        "by_entry_reason": by_reason(record.trades, lambda trade: trade.entry_reason),
        "by_exit_reason": by_reason(record.trades, lambda trade: trade.exit_reason),
        "open_trade_list": open_trade_rows(record.open_trades),
    }


def _period_tables(record: RunRecord, rows: Sequence[int], closes: Sequence[int]) -> dict[str, Any]:
    dates = [record.session_dates[row] for row in rows]
    start = record.starting_cash_micros
    months = statistics.period_returns(dates, closes, start, statistics.month_of)
    years = statistics.period_returns(dates, closes, start, statistics.year_of)
    return {
        "monthly_returns": [
            {"month": f"{month.period // 100:04}-{month.period % 100:02}", **_period(month)}
            for month in months
        ],
        "yearly_returns": [{"year": f"{year.period:04}", **_period(year)} for year in years],
    }


def _period(period: PeriodReturn) -> dict[str, Any]:
    return {"return_pct": rounded(period.return_fraction * 100), "sessions": period.sessions}


def _drawdown_rows(record: RunRecord, spells: Sequence[Drawdown]) -> list[dict[str, Any]]:
    deepest = sorted(spells, key=lambda spell: spell.depth_fraction)[:DRAWDOWNS_LISTED]
    return [
        {
            "depth_pct": rounded(spell.depth_fraction * 100),
            "start": iso_z(_instant(record, spell.peak_row)),
            "trough": iso_z(record.ends[spell.trough_row]),
            "end": None if spell.recovered_row is None else iso_z(record.ends[spell.recovered_row]),
            "days": rounded(duration_ns(spell, record.ends, record.first_start) / DAY_NS),
        }
        for spell in deepest
    ]


# --- helpers --------------------------------------------------------------------------------------


def _elapsed_ns(record: RunRecord) -> int:
    return record.last_end - record.first_start


def _instant(record: RunRecord, row: int) -> int:
    return record.ends[row] if row >= 0 else record.first_start


def _adjustment(record: RunRecord) -> str:
    return str((record.config.get("tape") or {}).get("adjustment", "not stated"))


def _suspected_factor(record: RunRecord) -> float | NotAvailable:
    factor = record.notes.get("suspected_factor")
    return NotAvailable("none suspected") if factor is None else float(factor)


def _actions(record: RunRecord) -> Sequence[CorporateAction]:
    """The corporate actions the run applied: on an adjusted tape its prices hold the splits."""
    return record.notes.get("actions") or ()


def _count(messages: int | Sequence[object] | None) -> int:
    """A number, or how many there are."""
    if messages is None:
        return 0
    return messages if isinstance(messages, int) else len(messages)
