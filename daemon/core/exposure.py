"""What the account will hold if everything that may fill does: the base of every pre-trade limit.

Market orders count in both directions, since they fill at the next open. Resting orders count
only where they would grow a position, and never in favour of another order: they may not fill.
"""

from __future__ import annotations

from daemon.core.events import OrderType
from daemon.core.portfolio import Portfolio
from daemon.core.units import MICROS_PER_E4
from daemon.core.venue import Venue
from daemon.core.working_order import OrderSpec, sign_of


class _Expected:
    """One symbol: `sure` is the position after all market orders, the rest may come on top."""

    __slots__ = ("buys", "close_e4", "held", "leaving", "sells", "sure")

    def __init__(self, held: int, close_e4: int) -> None:
        self.held = self.sure = held
        self.close_e4 = close_e4
        self.buys = 0
        self.sells = 0
        self.leaving = 0

    def count(self, quantity: int, *, resting: bool, times: int) -> None:
        """Add (+1) or take away (-1) an order of a signed quantity."""
        leaves = self.held * quantity < 0
        if leaves:
            self.leaving += times * abs(quantity)
        if not resting:
            self.sure += times * quantity
        elif not leaves and quantity > 0:
            self.buys += times * quantity
        elif not leaves:
            self.sells -= times * quantity

    def after(self, change: int) -> int:
        """The position if this change and everything resting in its direction fills."""
        return self.sure + change + (self.buys if change > 0 else -self.sells)

    def largest(self) -> int:
        """The largest |position| that the resting orders can lead to."""
        return max(abs(self.sure), abs(self.sure + self.buys), abs(self.sure - self.sells))


class Exposure:
    """Expected positions during one review: the ledger's, the working orders', the approved."""

    def __init__(self, portfolio: Portfolio, venue: Venue) -> None:
        self._venue = venue
        self._cash_micros = portfolio.cash_micros
        self._symbols = {
            symbol: _Expected(position.quantity, position.close_e4)
            for symbol, position in portfolio.positions.items()
        }
        for order in venue.book.working.values():
            if not order.is_protective:
                expected = self._symbols[order.symbol]
                quantity = order.sign * order.remaining
                expected.count(quantity, resting=not order.at_market, times=1)

    def withdraw(self, order_id: int) -> None:
        """An order that this review will cancel counts no more."""
        order = self._venue.book.working[order_id]
        expected = self._symbols[order.symbol]
        expected.count(order.sign * order.remaining, resting=not order.at_market, times=-1)

    def reserve(self, spec: OrderSpec) -> None:
        """An approved order takes its share of what is left for the next ones."""
        resting = spec.order_type is not OrderType.MARKET
        quantity = sign_of(spec.side) * spec.quantity
        self._symbols[spec.symbol].count(quantity, resting=resting, times=1)

    def shrinkable(self, symbol: str, sign: int) -> int:
        """How many shares an order of that direction may trade and only shrink the position."""
        expected = self._symbols[symbol]
        if expected.held * sign >= 0:
            return 0
        return max(0, abs(expected.held) - expected.leaving)

    def after(self, symbol: str, change: int) -> int:
        """The position if this change and everything resting in its direction fills."""
        return self._symbols[symbol].after(change)

    def gross_micros_after(self, symbol: str, change: int) -> int:
        """Sum of |expected position| x last close over all symbols after a further change."""
        total = 0
        for name, expected in self._symbols.items():
            shares = abs(expected.after(change)) if name == symbol else expected.largest()
            total += shares * expected.close_e4
        return total * MICROS_PER_E4

    def cash_micros_after(self, symbol: str, change: int) -> int:
        """Cash expected after a further purchase, at last closes and before costs."""
        cash = self._cash_micros
        for name, expected in self._symbols.items():
            bought = expected.sure - expected.held + expected.buys
            bought += change if name == symbol else 0
            cash -= bought * expected.close_e4 * MICROS_PER_E4
        return cash
