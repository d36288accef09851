"""The account as it stands after a turn, by value: what metrics and the status page may look at.

They run in other threads and the account changes under them, so they are given this instead.
"""

from __future__ import annotations

from msgspec import Struct

from daemon.core.account import Account
from daemon.core.trading_state import Hold, TradingState
from daemon.core.units import MICROS_PER_E4
from daemon.observability.hours import Hours
from daemon.observability.limits import LimitUse, limit_uses


class Holding(Struct, frozen=True, gc=False):
    """One symbol: signed shares, their value at the last close, and how many orders work."""

    symbol: str
    quantity: int
    value_micros: int
    working: int


class Standing(Struct, frozen=True, gc=False):
    """The account between two turns.

    `day_start_micros` is the equity that the daily loss counts from, `peak_micros` the one that the
    drawdown counts from (None: that limit is not set, so the account keeps none). What is realised
    is all that came and went since the account was opened: closed shares, fees, dividends. `hours`
    are the exchange's around the feed's time.
    """

    state: TradingState
    holds: tuple[Hold, ...]
    holdings: tuple[Holding, ...]
    cash_micros: int
    equity_micros: int
    day_start_micros: int
    peak_micros: int | None
    realised_micros: int
    unrealised_micros: int
    limits: tuple[LimitUse, ...]
    flattening: bool
    latched: bool
    next_bar: int | None
    orders_day: int
    model_failures: int
    flat_before_close: bool
    hours: Hours | None


def standing_of(
    account: Account,
    *,
    latched: bool,
    next_bar: int | None = None,
    hours: Hours | None = None,
) -> Standing:
    """The account as it stands; `next_bar` is the end of the next expected bar (UTC ns)."""
    portfolio, risk, book = account.portfolio, account.risk, account.venue.book
    working = dict.fromkeys(portfolio.positions, 0)
    for order in book.working.values():
        working[order.symbol] += 1
    holdings = []
    unrealised = 0
    for symbol, position in portfolio.positions.items():
        quantity, value = position.quantity, 0
        if quantity:
            value = quantity * position.close_e4 * MICROS_PER_E4
            cost = position.cost_e4 if quantity > 0 else -position.cost_e4
            unrealised += value - cost * MICROS_PER_E4
        holdings.append(Holding(symbol, quantity, value, working[symbol]))
    gained = portfolio.equity_micros - risk.starting_cash_micros
    counted = risk.values()
    limited = risk.limits.max_drawdown_pct is not None
    return Standing(
        state=account.control.state,
        holds=tuple(account.control.holds),
        holdings=tuple(holdings),
        cash_micros=portfolio.cash_micros,
        equity_micros=portfolio.equity_micros,
        day_start_micros=risk.baseline_micros,
        peak_micros=risk.peak_micros if limited else None,
        realised_micros=gained - unrealised,
        unrealised_micros=unrealised,
        limits=tuple(limit_uses(account, counted)),
        flattening=account.control.flattening,
        latched=latched,
        next_bar=next_bar,
        orders_day=counted.accepted_today,
        model_failures=account.control.model_failures,
        flat_before_close=risk.limits.flat_before_close,
        hours=hours,
    )
