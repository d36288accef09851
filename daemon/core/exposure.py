"""What the account will hold if everything that may fill does: the base of every pre-trade limit.

Market orders count in both directions, since they fill at the next open; resting orders only
where they would grow a position, since an exit at a limit may never come.
"""

from __future__ import annotations

from daemon.core.portfolio import Portfolio
from daemon.core.units import MICROS_PER_E4
from daemon.core.venue import Venue
from daemon.core.working_order import OrderSpec, sign_of


class Exposure:
    """Expected positions during one review: the ledger's, the working orders', the approved."""

    def __init__(self, portfolio: Portfolio, venue: Venue) -> None:
        self._portfolio = portfolio
        self._venue = venue
        self._expected: dict[str, int] = {}
        self._leaving: dict[str, int] = {}
        self._closes_e4: dict[str, int] = {}
        self._cash_micros = portfolio.cash_micros
        for symbol, position in portfolio.positions.items():
            self._expected[symbol] = position.quantity
            self._closes_e4[symbol] = position.close_e4
            self._leaving[symbol] = 0
        for order in venue.working.values():
            if not order.is_protective:
                self._add(order.symbol, order.sign * order.remaining, resting=not order.at_market)

    def _add(self, symbol: str, quantity: int, *, resting: bool) -> None:
        held = self._portfolio.positions[symbol].quantity
        leaves = held * quantity < 0
        if leaves:
            self._leaving[symbol] += abs(quantity)
        if not resting or not leaves:
            self._expected[symbol] += quantity
            self._cash_micros -= quantity * self._closes_e4[symbol] * MICROS_PER_E4

    def withdraw(self, order_id: int) -> None:
        """An order that this review will cancel counts no more."""
        order = self._venue.working[order_id]
        quantity = -order.sign * order.remaining
        held = self._portfolio.positions[order.symbol].quantity
        leaves = held * order.sign < 0
        if leaves:
            self._leaving[order.symbol] -= order.remaining
        if order.at_market or not leaves:
            self._expected[order.symbol] += quantity
            self._cash_micros -= quantity * self._closes_e4[order.symbol] * MICROS_PER_E4

    def reserve(self, spec: OrderSpec) -> None:
        """An approved order takes its share of what is left for the next ones."""
        resting = spec.limit_e4 is not None or spec.stop_e4 is not None
        self._add(spec.symbol, sign_of(spec.side) * spec.quantity, resting=resting)

    def shrinkable(self, symbol: str, sign: int) -> int:
        """How many shares an order of that direction may trade and only shrink the position."""
        held = self._portfolio.positions[symbol].quantity
        if held * sign >= 0:
            return 0
        return max(0, abs(held) - self._leaving[symbol])

    def shares_after(self, symbol: str, change: int) -> int:
        """|position| expected after a further change."""
        return abs(self._expected[symbol] + change)

    def signed_after(self, symbol: str, change: int) -> int:
        """The position expected after a further change."""
        return self._expected[symbol] + change

    def gross_micros_after(self, symbol: str, change: int) -> int:
        """Sum of |expected position| x last close over all symbols after a further change."""
        total = 0
        for name, quantity in self._expected.items():
            expected = quantity + change if name == symbol else quantity
            total += abs(expected) * self._closes_e4[name]
        return total * MICROS_PER_E4

    def cash_micros_after(self, symbol: str, change: int) -> int:
        """Cash expected after a further change, at last closes and before costs."""
        return self._cash_micros - change * self._closes_e4[symbol] * MICROS_PER_E4
