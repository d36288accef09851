"""Brackets: the stop, the trailing stop and the take-profit that guard a position.

They are working orders of one OCO group whose open quantity always equals |position|. They are
made by the fill that opens the position, since their levels come from its price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.core.events import Bar, Bracket, OrderType, Split, TimeInForce
from daemon.core.fill_rules import prices_for
from daemon.core.orders import OrderTrigger
from daemon.core.outputs import Origin, Reason
from daemon.core.portfolio import Position
from daemon.core.trading_state import Holds, TradingState
from daemon.core.units import percent_ppm, price_e4
from daemon.core.values import GuardValues
from daemon.core.working_order import OrderSpec, WorkingOrder, side_of

if TYPE_CHECKING:
    from daemon.core.venue import Venue


class Protection:
    """The brackets in force, by symbol."""

    def __init__(self, venue: Venue, holds: Holds) -> None:
        self._venue = venue
        self._holds = holds
        self._brackets: dict[str, Bracket] = {}
        self._groups: dict[str, int] = {}
        self._orders: dict[str, list[WorkingOrder]] = {}

    def group(self, symbol: str) -> int | None:
        """The OCO group that an exit of this symbol joins (C5)."""
        return self._groups.get(symbol)

    def bracket(self, symbol: str) -> Bracket | None:
        """The bracket in force."""
        return self._brackets.get(symbol)

    def values(self) -> tuple[GuardValues, ...]:
        """The brackets by value; orders that have ended for good are left out."""
        known = self._venue.book.known()
        return tuple(
            GuardValues(
                symbol=symbol,
                bracket=bracket,
                group=self._groups[symbol],
                orders=tuple(one.order_id for one in self._orders[symbol] if one.order_id in known),
            )
            for symbol, bracket in self._brackets.items()
        )

    def restore(self, values: tuple[GuardValues, ...]) -> None:
        """Take over brackets; the book has been restored before."""
        known = self._venue.book.known()
        for each in values:
            self._brackets[each.symbol] = each.bracket
            self._groups[each.symbol] = each.group
            self._orders[each.symbol] = [known[number] for number in each.orders]

    def after_fill(self, order: WorkingOrder, before: int, bar: Bar, how: str) -> None:
        """Follow the position: cover what has grown, shrink with what has shrunk."""
        symbol = order.symbol
        if order.spec.bracket is None and symbol not in self._brackets:
            return
        position = self._venue.portfolio.positions[symbol]
        instant = bar.end
        flipped = before * position.quantity < 0
        if position.quantity == 0 or flipped:
            self._drop(symbol, Reason.POSITION_CLOSED, instant)
        if position.quantity == 0:
            return
        if flipped or abs(position.quantity) > abs(before):
            bracket = order.spec.bracket or self._brackets.get(symbol)
            if self._holds.state is TradingState.HALTED:
                bracket = None  # a halt lets no exit rest; it says what is left without a stop
            if bracket is not None:
                self._drop(symbol, Reason.RESIZED, instant)
                eligible_from = instant if how == "close" else bar.start
                self._cover(position, bracket, instant, eligible_from)
                if how in ("stop", "limit"):
                    self._in_entry_bar(symbol, bar, how)
        else:
            self._resize(position, instant)

    def replace(self, symbol: str, bracket: Bracket, instant: int) -> None:
        """The strategy moves its exits: new orders from `instant` on."""
        position = self._venue.portfolio.positions[symbol]
        self._drop(symbol, Reason.REQUESTED, instant)
        self._cover(position, bracket, instant, instant, extreme_e4=position.close_e4)

    def split(self, action: Split, instant: int) -> None:
        """S26: the position's stops go with it, as a holder's broker would rescale them."""
        position = self._venue.portfolio.positions[action.symbol]
        bracket = self._brackets.get(action.symbol)
        if position.quantity == 0:
            self._drop(action.symbol, Reason.SPLIT, instant)
        if position.quantity == 0 or bracket is None:
            return
        for order in self._orders[action.symbol]:
            for name in ("stop_e4", "limit_e4", "extreme_e4"):
                value = getattr(order, name)
                if value is not None:
                    setattr(order, name, value * action.denominator // action.numerator)
        self._resize(position, instant)

    def _drop(self, symbol: str, reason: Reason, instant: int) -> None:
        for order in self._orders.pop(symbol, []):
            if not order.ended:
                self._venue.book.end(order, OrderTrigger.CANCEL, reason, instant)
        self._brackets.pop(symbol, None)
        self._groups.pop(symbol, None)

    def _resize(self, position: Position, instant: int) -> None:
        size = abs(position.quantity)
        for order in self._orders.get(position.symbol, []):
            if not order.ended and order.remaining != size:
                self._venue.book.resize(order, size, Reason.RESIZED, instant)

    def _cover(
        self,
        position: Position,
        bracket: Bracket,
        instant: int,
        eligible_from: int,
        extreme_e4: int | None = None,
    ) -> None:
        """Make the orders; a trailing stop that is given a price to start from works at once."""
        symbol = position.symbol
        self._brackets[symbol] = bracket
        self._groups[symbol] = group = self._venue.book.new_group()
        orders = self._orders[symbol] = []
        sign = -1 if position.quantity > 0 else 1
        for order_type, level, trail_ppm in self._levels(position, bracket):
            limit = level if order_type is OrderType.LIMIT else None
            spec = OrderSpec(
                symbol=symbol,
                side=side_of(sign),
                quantity=abs(position.quantity),
                order_type=order_type,
                time_in_force=TimeInForce.GTC,
                origin=Origin.PROTECTIVE,
                limit_e4=limit,
                stop_e4=level if limit is None else None,
                trail_ppm=trail_ppm,
                extreme_e4=None if trail_ppm is None else extreme_e4,
                reason=_REASONS[order_type],
            )
            orders.append(self._venue.book.enter(spec, instant, eligible_from, group))

    def _levels(
        self, position: Position, bracket: Bracket
    ) -> list[tuple[OrderType, int | None, int | None]]:
        """Order types with their levels; a long's stops lie below its entry, its target above."""
        long = position.quantity > 0
        size = abs(position.quantity)
        pricing, date, symbol = self._venue.pricing, self._venue.book.date, position.symbol
        found: list[tuple[OrderType, int | None, int | None]] = []

        def level(price: float | None, pct: float | None, *, up: bool) -> int | None:
            if price is not None:
                return pricing.rounded_e4(symbol, date, price_e4(price), up=up)
            if pct is None:
                return None
            offset_ppm = percent_ppm(pct) if up else -percent_ppm(pct)
            return pricing.level_e4(symbol, date, position.cost_e4, size, offset_ppm)

        stop = level(bracket.stop_price, bracket.stop_loss_pct, up=not long)
        if stop is not None:
            found.append((OrderType.STOP, stop, None))
        if bracket.trailing_stop_pct is not None:
            found.append((OrderType.TRAILING_STOP, None, percent_ppm(bracket.trailing_stop_pct)))
        target = level(bracket.take_profit_price, bracket.take_profit_pct, up=long)
        if target is not None:
            found.append((OrderType.LIMIT, target, None))
        return found

    def _in_entry_bar(self, symbol: str, bar: Bar, how: str) -> None:
        """S13: after an intrabar entry a stop inside the bar counts, a target seldom.

        This is all that the entry's bar may do to them: for the venue they rest until the next.
        """
        venue = self._venue
        for order in self._orders[symbol]:
            order.eligible_from = bar.end
        for order in list(self._orders.get(symbol, [])):
            if order.stop_e4 is None or order.ended:
                continue
            if price_e4(bar.low) <= order.stop_e4 <= price_e4(bar.high):
                venue.fill_in_entry_bar(order, bar, order.stop_e4, stop=True)
                return
        if how != "stop":
            return
        for order in list(self._orders.get(symbol, [])):
            prices = prices_for(bar, order.sign)
            if order.limit_e4 is None or order.ended:
                continue
            through = (order.sign * order.limit_e4 - prices.low) * venue.pricing.factor(
                symbol, venue.book.date
            )
            if through >= venue.pricing.tick_e4:
                venue.fill_in_entry_bar(order, bar, order.limit_e4, stop=False)
                return


_REASONS = {
    OrderType.STOP: "stop_loss",
    OrderType.TRAILING_STOP: "trailing_stop",
    OrderType.LIMIT: "take_profit",
}
