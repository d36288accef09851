"""What the console table of a summary says: headings, rows, footnotes; nothing of how it looks.

The rows are Freqtrade's, in its order, under headings. Every label carries its unit; instants are
in exchange time. A figure that is not available says n/a with the number of a footnote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import floor
from typing import Any

from msgspec import Struct

from daemon.text_table import exchange_time
from replay.summary.figures import FIGURE_OF, TOLERANCES, Better, Section, Unit

Json = Mapping[str, Any]

REASONS_SHOWN = 6
HOURS_PER_DAY = 24

# Label and the keys whose values stand in the row, with what stands between them.
_Spec = tuple[str, tuple[str, ...]]

_ROWS: dict[Section, tuple[_Spec, ...]] = {
    Section.PERIOD: (
        ("From", ("first_bar_start",)),
        ("To", ("last_bar_end",)),
        ("Sessions", ("sessions",)),
        ("Bars", ("bars",)),
        ("Coverage (%)", ("coverage_pct",)),
        ("Prices adjusted for", ("adjustment",)),
    ),
    Section.RESULT: (
        ("Starting cash (USD)", ("starting_cash_usd",)),
        ("Final equity (USD)", ("final_equity_usd",)),
        ("Absolute profit (USD)", ("profit_usd",)),
        ("Total profit (%)", ("total_return_pct",)),
        ("CAGR (%)", ("cagr_pct",)),
        ("Sortino", ("sortino",)),
        ("Sharpe", ("sharpe",)),
        ("  95 % interval", ("sharpe_interval",)),
        ("Calmar", ("calmar",)),
        ("SQN", ("sqn",)),
        ("Profit factor", ("profit_factor",)),
        ("Expectancy (USD)", ("expectancy_usd",)),
        ("Expectancy ratio", ("expectancy_ratio",)),
        ("Avg session profit (USD)", ("average_session_profit_usd",)),
        ("Buy and hold (%)", ("buy_and_hold_return_pct",)),
        ("  max drawdown (%)", ("buy_and_hold_max_drawdown_pct",)),
        ("  Sharpe", ("buy_and_hold_sharpe",)),
        ("Excess over it (%)", ("excess_return_pct",)),
    ),
    Section.RISK: (
        ("Max drawdown (%)", ("max_drawdown_pct",)),
        ("  within a bar (%)", ("worst_intrabar_drawdown_pct",)),
        ("  session closes (%)", ("max_drawdown_session_close_pct",)),
        ("  in dollars (USD)", ("max_drawdown_usd",)),
        ("  profit at peak (USD)", ("profit_at_drawdown_start_usd",)),
        ("  at trough (USD)", ("profit_at_drawdown_trough_usd",)),
        ("  peak", ("drawdown_start",)),
        ("  trough", ("drawdown_trough",)),
        ("  recovered", ("drawdown_end",)),
        ("  duration (days)", ("drawdown_days",)),
        ("Longest drawdown (days)", ("longest_drawdown_days",)),
        ("Lowest equity (USD)", ("lowest_equity_usd",)),
        ("Highest equity (USD)", ("highest_equity_usd",)),
        ("Volatility a year (%)", ("volatility_pct",)),
        ("Exposure (% of slices)", ("exposure_pct",)),
        ("Best session (%)", ("best_session_pct",)),
        ("  on", ("best_session_date",)),
        ("Worst session (%)", ("worst_session_pct",)),
        ("  on", ("worst_session_date",)),
        ("Sessions won/flat/lost", ("winning_sessions", "flat_sessions", "losing_sessions")),
    ),
    Section.TRADES: (
        ("Trades", ("trades",)),
        ("  a session", ("trades_per_session",)),
        ("  won/even/lost", ("winning_trades", "even_trades", "losing_trades")),
        ("Win rate (%)", ("win_rate_pct",)),
        ("Long/short trades", ("long_trades", "short_trades")),
        ("Profit of longs (USD)", ("long_profit_usd",)),
        ("Profit of shorts (USD)", ("short_profit_usd",)),
        ("Average trade (%)", ("average_trade_pct",)),
        ("Best trade (%)", ("best_trade_pct",)),
        ("Worst trade (%)", ("worst_trade_pct",)),
        ("Avg duration (bars)", ("average_trade_bars",)),
        (
            "Winners min/avg/max",
            ("shortest_winner_hours", "average_winner_hours", "longest_winner_hours"),
        ),
        (
            "Losers min/avg/max",
            ("shortest_loser_hours", "average_loser_hours", "longest_loser_hours"),
        ),
        ("Max wins/losses in a row", ("max_consecutive_wins", "max_consecutive_losses")),
        ("Open at the end", ("open_trades",)),
        ("  their profit (USD)", ("open_profit_usd",)),
    ),
    Section.COSTS: (
        ("Fills", ("fills",)),
        ("Turnover (USD)", ("turnover_usd",)),
        ("Commission (USD)", ("commission_usd",)),
        ("SEC section 31 (USD)", ("sec_fees_usd",)),
        ("FINRA TAF (USD)", ("taf_fees_usd",)),
        ("CAT (USD)", ("cat_fees_usd",)),
        ("Fees (USD)", ("fees_usd",)),
        ("Slippage (USD)", ("slippage_usd",)),
        ("All costs (USD)", ("costs_usd",)),
        ("  of turnover (bps)", ("costs_bps",)),
    ),
    Section.QUALITY: (
        ("Orders", ("orders",)),
        ("  not filled in full", ("orders_unfilled",)),
        ("Denied intents", ("denials",)),
        ("Limits hit", ("limits_hit",)),
        ("Final trading state", ("trading_state",)),
        ("Ambiguous fills", ("ambiguous_fills",)),
        ("  profit decided (USD)", ("ambiguous_profit_usd",)),
        ("Fills after a gap", ("fills_after_gap",)),
        ("Bars missing/set aside", ("missing_bars", "quarantined_bars")),
        ("Bars unexpected", ("unexpected_bars",)),
        ("Incomplete sessions", ("incomplete_sessions",)),
        ("Predictions", ("predictions",)),
        ("  failed/missing", ("prediction_failures", "predictions_missing")),
        ("  right direction (%)", ("prediction_hit_rate_pct",)),
        ("  correlation", ("information_coefficient",)),
    ),
}

_REASONS_BELOW = {"orders_unfilled": "orders_unfilled_by_reason", "denials": "denials_by_reason"}

# Rows that say something only if one of these is there (not 0, not null), here or in the baseline.
_SHOWN_WITH = {
    **dict.fromkeys(
        (
            "drawdown_start",
            "drawdown_trough",
            "drawdown_end",
            "drawdown_days",
            "longest_drawdown_days",
            "profit_at_drawdown_start_usd",
            "profit_at_drawdown_trough_usd",
            "max_drawdown_usd",
        ),
        ("drawdown_start",),
    ),
    **dict.fromkeys((key for _, (key, *_) in _ROWS[Section.TRADES][1:-2]), ("trades",)),
    "costs_bps": ("fills",),
    "predictions": ("predictions", "prediction_failures", "predictions_missing"),
    "prediction_failures": ("predictions", "prediction_failures", "predictions_missing"),
    "prediction_hit_rate_pct": ("predictions",),
    "information_coefficient": ("predictions",),
    "long_profit_usd": ("short_trades",),
    "short_profit_usd": ("short_trades",),
    "open_profit_usd": ("open_trades",),
    "sec_fees_usd": ("sec_fees_usd",),
    "taf_fees_usd": ("taf_fees_usd",),
    "cat_fees_usd": ("cat_fees_usd",),
    "limits_hit": ("limits_hit",),
    "ambiguous_profit_usd": ("ambiguous_fills",),
    "fills_after_gap": ("fills_after_gap",),
    "unexpected_bars": ("unexpected_bars",),
    "incomplete_sessions": ("incomplete_sessions",),
}


_ADJUSTED_FOR = {"raw": "nothing (raw)", "splits_dividends": "splits, dividends"}


class Tone(StrEnum):
    """What a terminal may colour."""

    PLAIN = ""
    NEGATIVE = "red"
    BETTER = "green"
    WORSE = "red"
    DIM = "dim"


class Cell(Struct, frozen=True, gc=False):
    """One text of the table."""

    text: str
    tone: Tone = Tone.PLAIN


class Row(Struct, frozen=True, gc=False):
    """A label, the run's value, and with a baseline its value and the change."""

    label: str
    value: Cell
    baseline: Cell | None = None
    change: Cell | None = None


class Block(Struct):
    """The rows under one heading."""

    title: str
    rows: list[Row] = []


class Footnotes(Struct):
    """Why values are n/a: one number for each reason, in the order they are met."""

    reasons: list[str] = []

    def marked(self, reason: str | None) -> str:
        """`n/a (1)`, or `n/a` where no reason is known."""
        if not reason:
            return "n/a"
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"n/a ({self.reasons.index(reason) + 1})"


def blocks_of(summary: Json, baseline: Json | None, footnotes: Footnotes) -> list[Block]:
    """The table, heading by heading; `footnotes` collects the reasons."""
    blocks = []
    for section, specs in _ROWS.items():
        block = Block(str(section))
        for label, keys in specs:
            if _is_shown(keys[0], summary, baseline):
                block.rows.append(_row(label, keys, summary, baseline, footnotes))
            if keys[0] in _REASONS_BELOW:
                block.rows += _reason_rows(summary, baseline, _REASONS_BELOW[keys[0]])
        blocks.append(block)
    return blocks


def value_text(key: str, value: object) -> str:
    """A figure's value as people read it, without its unit."""
    if key == "adjustment":
        return _ADJUSTED_FOR.get(str(value), str(value))
    if key == "sharpe_interval" and isinstance(value, Sequence):
        return f"{value[0]:.2f} to {value[1]:.2f}"
    unit = FIGURE_OF[key].unit
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return exchange_time(str(value))[:16] if unit is Unit.INSTANT else str(value)
    if unit is Unit.COUNT:
        return f"{value:,}"
    if unit is Unit.HOURS:
        return f"{value:.1f}h" if value < HOURS_PER_DAY else f"{value / HOURS_PER_DAY:,.1f}d"
    if unit in (Unit.DAYS, Unit.BARS):
        return f"{value:,.1f}"
    if key == "coverage_pct":
        # A tape with a hole must not read as complete.
        return f"{floor(value * 100) / 100:.2f}"
    decimals = 4 if key == "information_coefficient" else 2
    return f"{value:,.{decimals}f}"


def _row(
    label: str, keys: tuple[str, ...], summary: Json, baseline: Json | None, footnotes: Footnotes
) -> Row:
    value = _cell(keys, summary, footnotes)
    if baseline is None:
        return Row(label, value)
    before = _cell(keys, baseline, None)
    return Row(
        label,
        value,
        before,
        _change(keys, summary, baseline, looks_equal=value.text == before.text),
    )


def _cell(keys: tuple[str, ...], summary: Json, footnotes: Footnotes | None) -> Cell:
    values = [summary.get(key) for key in keys]
    if keys[0] == "drawdown_end" and values[0] is None and summary.get("drawdown_start"):
        return Cell("not yet")
    if all(value is None for value in values):
        reasons = summary.get("not_available") or {}
        reason = reasons.get("sharpe" if keys[0] == "sharpe_interval" else keys[0])
        return Cell(footnotes.marked(reason) if footnotes else "n/a", Tone.DIM)
    texts = ["n/a" if v is None else value_text(k, v) for k, v in zip(keys, values, strict=True)]
    is_negative = len(values) == 1 and isinstance(values[0], (int, float)) and values[0] < 0
    return Cell("/".join(texts), Tone.NEGATIVE if is_negative else Tone.PLAIN)


def _change(keys: tuple[str, ...], summary: Json, baseline: Json, *, looks_equal: bool) -> Cell:
    """The difference of single numbers; for the rest whether they are the same."""
    after, before = summary.get(keys[0]), baseline.get(keys[0])
    is_number = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in (after, before)
    )
    if len(keys) > 1 or not is_number:
        return Cell("=", Tone.DIM) if looks_equal else Cell("differs")
    assert after is not None
    assert before is not None
    figure, difference = FIGURE_OF[keys[0]], after - before
    if abs(difference) <= TOLERANCES[figure.tolerance]:
        return Cell("=", Tone.DIM)
    text = value_text(figure.key, difference)
    if not text.strip("-0.,hd"):
        text = f"{difference:.1e}"
    signed = text if text.startswith("-") else f"+{text}"
    if figure.better is Better.NEITHER:
        return Cell(signed)
    is_better = (difference > 0) == (figure.better is Better.HIGHER)
    return Cell(signed, Tone.BETTER if is_better else Tone.WORSE)


def _reason_rows(summary: Json, baseline: Json | None, table: str) -> list[Row]:
    """The most frequent reasons of a table of counts, each a row."""
    found: Json = summary.get(table) or {}
    before: Json = (baseline or {}).get(table) or {}
    rows = []
    for reason, count in list(found.items())[:REASONS_SHOWN]:
        label, value = f"    {reason}", Cell(f"{count:,}")
        if baseline is None:
            rows.append(Row(label, value))
            continue
        change = count - before.get(reason, 0)
        told = Cell(f"{change:+,}") if change else Cell("=", Tone.DIM)
        rows.append(Row(label, value, Cell(f"{before.get(reason, 0):,}"), told))
    if len(found) > REASONS_SHOWN:
        rest = sum(list(found.values())[REASONS_SHOWN:])
        rows.append(Row(f"    {len(found) - REASONS_SHOWN} more reasons", Cell(f"{rest:,}")))
    return rows


def _is_shown(key: str, summary: Json, baseline: Json | None) -> bool:
    needed = _SHOWN_WITH.get(key)
    if needed is None:
        return True
    return any(side.get(name) for side in (summary, baseline or {}) for name in needed)
