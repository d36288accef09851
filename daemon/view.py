"""What a strategy sees of the account: the read-only portfolio of its protocol."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.core import working_order
from daemon.core.account import Account
from daemon.core.units import E4_PER_USD, MICROS_PER_USD
from daemon.strategies.protocol import WorkingOrder


class PortfolioView:
    """Reads the account as it stands after the slice's fills and marks; keeps nothing."""

    __slots__ = ("_portfolio", "_venue")

    def __init__(self, account: Account) -> None:
        self._portfolio = account.portfolio
        self._venue = account.venue

    @property
    def cash_usd(self) -> float:
        """Cash in dollars."""
        return self._portfolio.cash_micros / MICROS_PER_USD

    @property
    def equity_usd(self) -> float:
        """Cash and positions at their last close, in dollars."""
        return self._portfolio.equity_micros / MICROS_PER_USD

    @property
    def equity_micros(self) -> int:
        """Cash and positions at their last close, in micro-dollars."""
        return self._portfolio.equity_micros

    def position(self, symbol: str) -> int:
        """Signed shares held; 0 for a symbol that is not traded."""
        position = self._portfolio.positions.get(symbol)
        return 0 if position is None else position.quantity

    def bars_held(self, symbol: str) -> int:
        """Closes since the entry fill's bar, that one included; 0 while flat."""
        return self._portfolio.positions[symbol].bars_held

    def bars_since_exit(self, symbol: str) -> int | None:
        """Closes since the last exit fill, its bar's own included; None before the first."""
        return self._portfolio.positions[symbol].bars_since_exit

    def average_entry_usd(self, symbol: str) -> float | None:
        """Average price of the shares held, without fees; None while flat."""
        position = self._portfolio.positions[symbol]
        if position.quantity == 0:
            return None
        return position.cost_e4 / abs(position.quantity) / E4_PER_USD

    def working(self, symbol: str) -> Sequence[WorkingOrder]:
        """The symbol's working orders, by number."""
        return [_seen(order) for order in self._venue.book.orders_of(symbol)]


def _seen(order: working_order.WorkingOrder) -> WorkingOrder:
    spec = order.spec
    return WorkingOrder(
        order_id=order.order_id,
        symbol=order.symbol,
        side=spec.side,
        remaining=order.remaining,
        order_type=spec.order_type,
        time_in_force=spec.time_in_force,
        origin=spec.origin,
        limit_price=_usd(order.limit_e4),
        stop_price=_usd(order.stop_e4),
    )


def _usd(price_e4: int | None) -> float | None:
    return None if price_e4 is None else price_e4 / E4_PER_USD
