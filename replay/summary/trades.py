"""The figures and tables of a summary that come from trades: flat to flat, profit net of fees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import fsum, sqrt
from typing import Any

from daemon.core.outputs import TradeClosed
from daemon.core.units import E4_PER_USD, HOUR_NS, MICROS_PER_E4
from daemon.feeds.times import iso_z
from replay.summary.statistics import NotAvailable, Number
from replay.summary.values import SummaryValues, rounded, share_pct, usd

NO_TRADE = NotAvailable("no closed trade")
NO_WINNER = NotAvailable("no trade won")
NO_LOSER = NotAvailable("no trade lost")

Trades = Sequence[TradeClosed]
Row = dict[str, Any]


def trade_return_fraction(trade: TradeClosed) -> float:
    """Net profit / value at the entry; 0 for a trade whose shares a reverse split took away."""
    value_micros = trade.entry_e4 * MICROS_PER_E4 * trade.quantity
    return trade.pnl_micros / value_micros if value_micros else 0.0


def set_trade_figures(
    values: SummaryValues, trades: Trades, open_trades: Trades, sessions: int
) -> None:
    """Set every figure of the section on trades, and those of the result that need them."""
    won = [trade for trade in trades if trade.pnl_micros > 0]
    lost = [trade for trade in trades if trade.pnl_micros < 0]
    values.set(
        trades=len(trades),
        trades_per_session=len(trades) / sessions if sessions else NotAvailable("no session"),
        open_trades=len(open_trades),
        open_profit_usd=usd(_profit(open_trades)),
        winning_trades=len(won),
        even_trades=len(trades) - len(won) - len(lost),
        losing_trades=len(lost),
        win_rate_pct=share_pct(len(won), len(trades), NO_TRADE.reason),
        sqn=_system_quality(trades),
    )
    _set_profits(values, trades, won, lost)
    _set_directions(values, trades)
    _set_durations(values, trades, won, lost)


def _set_profits(values: SummaryValues, trades: Trades, won: Trades, lost: Trades) -> None:
    average_win = usd(_profit(won)) / len(won) if won else NO_WINNER
    average_loss = usd(_profit(lost)) / len(lost) if lost else NO_LOSER
    returns = [trade_return_fraction(trade) * 100 for trade in trades]
    profits = [trade.pnl_micros for trade in trades]
    values.set(
        profit_factor=_profit_factor(trades, won, lost),
        expectancy_usd=usd(sum(profits)) / len(trades) if trades else NO_TRADE,
        expectancy_ratio=_expectancy_ratio(trades, won, lost),
        average_win_usd=average_win,
        average_loss_usd=average_loss,
        average_trade_pct=fsum(returns) / len(returns) if trades else NO_TRADE,
        best_trade_pct=max(returns) if trades else NO_TRADE,
        best_trade_usd=usd(max(profits)) if trades else NO_TRADE,
        worst_trade_pct=min(returns) if trades else NO_TRADE,
        worst_trade_usd=usd(min(profits)) if trades else NO_TRADE,
        max_consecutive_wins=_longest_run(profits, lambda profit: profit > 0),
        max_consecutive_losses=_longest_run(profits, lambda profit: profit < 0),
    )


def _set_directions(values: SummaryValues, trades: Trades) -> None:
    longs = [trade for trade in trades if trade.direction == "long"]
    shorts = [trade for trade in trades if trade.direction != "long"]
    values.set(
        long_trades=len(longs),
        short_trades=len(shorts),
        long_profit_usd=usd(_profit(longs)),
        short_profit_usd=usd(_profit(shorts)),
    )


def _set_durations(values: SummaryValues, trades: Trades, won: Trades, lost: Trades) -> None:
    count = len(trades)
    values.set(
        average_trade_bars=sum(t.bars_held for t in trades) / count if trades else NO_TRADE,
        average_trade_hours=_average_hours(trades, NO_TRADE),
        shortest_winner_hours=min(map(_hours, won)) if won else NO_WINNER,
        average_winner_hours=_average_hours(won, NO_WINNER),
        longest_winner_hours=max(map(_hours, won)) if won else NO_WINNER,
        shortest_loser_hours=min(map(_hours, lost)) if lost else NO_LOSER,
        average_loser_hours=_average_hours(lost, NO_LOSER),
        longest_loser_hours=max(map(_hours, lost)) if lost else NO_LOSER,
    )


# --- tables ---------------------------------------------------------------------------------------


def by_symbol(trades: Trades, symbols: Iterable[str]) -> list[Row]:
    """One row a symbol, those without a trade too, in the config's order."""
    return [
        _group("symbol", symbol, [trade for trade in trades if trade.symbol == symbol])
        for symbol in symbols
    ]


def by_reason(trades: Trades, reason_of: Callable[[TradeClosed], str]) -> list[Row]:
    """One row a reason, the most frequent first."""
    ordered = sorted(trades, key=reason_of)
    rows = [
        _group("reason", reason or "(none)", list(group))
        for reason, group in groupby(ordered, key=reason_of)
    ]
    return sorted(rows, key=lambda row: (-row["trades"], row["reason"]))


def open_trade_rows(open_trades: Trades) -> list[Row]:
    """The trades that are open at the end, marked at the last close."""
    return [
        {
            "trade_id": trade.trade_id,
            "symbol": trade.symbol,
            "direction": trade.direction,
            "quantity": trade.quantity,
            "entry_ts": iso_z(trade.entry),
            "entry_price_usd": rounded(trade.entry_e4 / E4_PER_USD),
            "mark_ts": iso_z(trade.exit),
            "mark_price_usd": rounded(trade.exit_e4 / E4_PER_USD),
            "profit_usd": rounded(usd(trade.pnl_micros)),
            "return_pct": rounded(trade_return_fraction(trade) * 100),
            "bars_held": trade.bars_held,
            "entry_reason": trade.entry_reason,
        }
        for trade in open_trades
    ]


def _group(kind: str, name: str, trades: Trades) -> Row:
    count = len(trades)
    won = sum(trade.pnl_micros > 0 for trade in trades)
    returns = fsum(trade_return_fraction(trade) for trade in trades)
    return {
        kind: name,
        "trades": count,
        "winning_trades": won,
        "win_rate_pct": rounded(won / count * 100) if count else None,
        "profit_usd": rounded(usd(_profit(trades))),
        "average_trade_pct": rounded(returns / count * 100) if count else None,
    }


# --- arithmetic -----------------------------------------------------------------------------------


def _profit(trades: Trades) -> int:
    return sum(trade.pnl_micros for trade in trades)


def _profit_factor(trades: Trades, won: Trades, lost: Trades) -> Number:
    if not trades:
        return NO_TRADE
    return _profit(won) / -_profit(lost) if lost else NO_LOSER


def _expectancy_ratio(trades: Trades, won: Trades, lost: Trades) -> Number:
    """(1 + mean win / |mean loss|) x share of wins - 1, as Freqtrade reports it."""
    if not trades:
        return NO_TRADE
    if not lost:
        return NO_LOSER
    reward = (_profit(won) / len(won)) / (-_profit(lost) / len(lost)) if won else 0.0
    return (1 + reward) * len(won) / len(trades) - 1


def _system_quality(trades: Trades) -> Number:
    """Van Tharp's SQN: sqrt(n) x mean profit / standard deviation (ddof 1)."""
    count = len(trades)
    if not trades:
        return NO_TRADE
    if count < 2:
        return NotAvailable("fewer than two closed trades")
    profits = [usd(trade.pnl_micros) for trade in trades]
    mean = fsum(profits) / count
    deviation = sqrt(fsum([(profit - mean) ** 2 for profit in profits]) / (count - 1))
    if deviation == 0:
        return NotAvailable("all trades have the same profit")
    return sqrt(count) * mean / deviation


def _longest_run(profits: Sequence[int], counts: Callable[[int], bool]) -> int:
    runs = (len(list(run)) for is_counted, run in groupby(profits, key=counts) if is_counted)
    return max(runs, default=0)


def _hours(trade: TradeClosed) -> float:
    return (trade.exit - trade.entry) / HOUR_NS


def _average_hours(trades: Trades, missing: NotAvailable) -> Number:
    if not trades:
        return missing
    return sum(trade.exit - trade.entry for trade in trades) / HOUR_NS / len(trades)
