"""The simulated venue: working orders meet bars.

Within one slice (S15): fills at the open, exits before entries; then stops; then limits; each by
order number. `accept` is the only way in and has one caller, the gate in the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daemon.core import fill_rules
from daemon.core.actions import apply_actions
from daemon.core.book import Book
from daemon.core.events import Bar, MarketSlice, OrderType, TimeInForce
from daemon.core.fill_rules import REST, Touch, prices_for
from daemon.core.hindsight import ambiguous_cancels, stop_touch
from daemon.core.orders import OrderTrigger
from daemon.core.outputs import Reason
from daemon.core.portfolio import Portfolio
from daemon.core.pricing import Pricing
from daemon.core.protection import Protection
from daemon.core.trading_state import Holds
from daemon.core.units import price_e4
from daemon.core.working_order import STOPS, OrderSpec, WorkingOrder, sign_of


class Venue:
    """What the next bar does to the orders of the book."""

    def __init__(
        self, portfolio: Portfolio, pricing: Pricing, holds: Holds, outputs: list[Any]
    ) -> None:
        self.portfolio = portfolio
        self.pricing = pricing
        self.book = Book(portfolio, pricing, outputs)
        self.protection = Protection(self, holds)
        self._outputs = outputs
        self._budget: dict[str, int | None] = {}
        self._market: MarketSlice | None = None

    def reprice(self, pricing: Pricing) -> None:
        """Go by other rules from now on; working orders stay as they are."""
        self.pricing = self.book.pricing = pricing

    def accept(self, spec: OrderSpec, decided: int, eligible_from: int) -> WorkingOrder:
        """Make an order exist; the gate in the pipeline is the only caller."""
        order = self.book.enter(spec, decided, eligible_from, self._group_of(spec))
        position = self.portfolio.positions[spec.symbol].quantity
        order.is_exit = position * order.sign < 0 and spec.quantity <= abs(position)
        return order

    def _group_of(self, spec: OrderSpec) -> int | None:
        """The OCO group an order joins: its label's, or as an exit the bracket's (C5)."""
        if spec.group is not None:
            return self.book.labelled_group(spec.group)
        position = self.portfolio.positions[spec.symbol].quantity
        leaves = position * sign_of(spec.side) < 0
        return self.protection.group(spec.symbol) if leaves else None

    # --- matching -----------------------------------------------------------------------------

    def match(self, market: MarketSlice) -> None:
        """One slice: corporate actions, then fills, then what the bar changes for the next one."""
        self._market = market
        self.book.open(market)
        if self.portfolio.receivables:
            self.portfolio.pay(market)
        if market.actions:
            apply_actions(self, market)
        if self.book.withdrawn:
            self._judge_withdrawn(market)
        if self.book.working:
            self._meet(market)
        self.book.close()

    def _judge_withdrawn(self, market: MarketSlice) -> None:
        """C3: once, and until the symbol has a bar that ends after the withdrawal."""
        found = ambiguous_cancels(self.book.withdrawn, market, self.pricing)
        self._outputs += found
        judged = {cancel.order_id for cancel in found}
        ends = {bar.symbol: bar.end for bar in market.bars}
        self.book.withdrawn[:] = [
            (order, instant)
            for order, instant in self.book.withdrawn
            if order.order_id not in judged and ends.get(order.symbol, 0) <= instant
        ]

    def _meet(self, market: MarketSlice) -> None:
        bars = {bar.symbol: bar for bar in market.bars}
        self._budget = {
            bar.symbol: self.pricing.budget(bar, market.session.date) for bar in market.bars
        }
        if market.missing:
            self._wait_for_data(market)
        for order in self._opening(market, bars):
            self._at_open(order, bars[order.symbol])
        for order in list(self.book.working.values()):
            born_now = order.is_protective and order.decided == market.end
            if born_now and order.symbol in bars and order.eligible_from <= market.start:
                self._at_open(order, bars[order.symbol])
        if self.book.working:
            self._within(market, bars)
            self._after_bar(market, bars)

    def _within(self, market: MarketSlice, bars: dict[str, Bar]) -> None:
        """After the open: stops, then limits, then what fills at the close."""
        for order in self._resting(market, bars):
            if order.awaits_trigger:
                self._at_stop(order, bars[order.symbol])
        for order in self._resting(market, bars):
            if order.limit_e4 is not None and not order.awaits_trigger:
                self._at_limit(order, bars[order.symbol])
        if self.pricing.fills_at_close:
            for order in self._resting(market, bars, at_market=True):
                self._at_close(order, bars[order.symbol])

    def _wait_for_data(self, market: MarketSlice) -> None:
        for symbol in market.missing:
            for order in self.book.orders_of(symbol):
                if not order.at_market or order.eligible_from > market.start:
                    continue
                order.unfilled = Reason.WAITING_DATA
                if order.missed is None:
                    order.missed = market.start
                    order.move(OrderTrigger.MISS_DATA)
                    self.book.report(order, Reason.WAITING_DATA, market.end)

    def _opening(self, market: MarketSlice, bars: dict[str, Bar]) -> list[WorkingOrder]:
        positions = self.portfolio.positions
        ready = [
            order
            for order in self.book.working.values()
            if order.eligible_from <= market.start and order.symbol in bars
        ]
        if len(ready) > 1:
            ready.sort(
                key=lambda order: (
                    positions[order.symbol].quantity * order.sign >= 0,
                    order.order_id,
                )
            )
        return ready

    def _resting(
        self, market: MarketSlice, bars: dict[str, Bar], *, at_market: bool = False
    ) -> Iterator[WorkingOrder]:
        for order in list(self.book.working.values()):
            if (
                order.order_id in self.book.working
                and order.at_market is at_market
                and order.eligible_from <= market.start
                and order.symbol in bars
            ):
                yield order

    def _at_open(self, order: WorkingOrder, bar: Bar) -> None:
        if order.order_id not in self.book.working:
            return  # a sibling has filled at this open
        if order.at_market and self.pricing.fills_at_close:
            return
        touch = fill_rules.at_open(order, bar)
        if touch is REST:
            self._rest(order)
        elif touch is not None:
            self._fill(order, bar, touch, "open")

    def _at_stop(self, order: WorkingOrder, bar: Bar) -> None:
        assert self._market is not None, "matching outside a slice"
        touch = stop_touch(order, bar, self.pricing, self._market.session.date)
        if touch is REST:
            self._rest(order)
        elif touch is not None:
            gapped = touch.reference_e4 == price_e4(bar.open)  # then the open decides, no guess
            other = None if gapped else self._other_outcome(order, bar)
            self._fill(order, bar, touch, "stop", other_e4=other)

    def _at_limit(self, order: WorkingOrder, bar: Bar) -> None:
        touch = fill_rules.limit_in_bar(
            order, prices_for(bar, order.sign), self.pricing, self.book.date
        )
        if touch is not None and order.eligible_from <= bar.start:
            self._fill(order, bar, touch, "limit")

    def _at_close(self, order: WorkingOrder, bar: Bar) -> None:
        close = order.sign * prices_for(bar, order.sign).close
        self._fill(order, bar, Touch(close, slips=True), "close")

    def _other_outcome(self, order: WorkingOrder, bar: Bar) -> int | None:
        """S12: the price of the group's limit order that this bar reaches as well."""
        if order.group is None:
            return None
        for sibling in self.book.working.values():
            if sibling.group == order.group and sibling.spec.order_type is OrderType.LIMIT:
                prices = prices_for(bar, sibling.sign)
                if fill_rules.limit_in_bar(sibling, prices, self.pricing, self.book.date):
                    return sibling.limit_e4
        return None

    def _rest(self, order: WorkingOrder) -> None:
        assert self._market is not None, "matching outside a slice"
        order.move(OrderTrigger.TRIGGER)
        order.eligible_from = self._market.end
        self.book.report(order, Reason.NOT_REACHED, self._market.end)

    # --- one fill -----------------------------------------------------------------------------

    def _fill(
        self,
        order: WorkingOrder,
        bar: Bar,
        touch: Touch,
        how: str,
        *,
        other_e4: int | None = None,
    ) -> int:
        """Fill what budget and funds allow; returns the quantity filled."""
        market = self._market
        assert market is not None, "matching outside a slice"
        budget = self._budget[order.symbol]
        quantity = order.remaining if budget is None else min(order.remaining, budget)
        if quantity == 0:
            order.unfilled = Reason.PARTICIPATION if bar.volume else Reason.NO_VOLUME
            self._go_on_at_market(order, market)
            return 0
        wanted, short_of = quantity, Reason.INSUFFICIENT_FUNDS
        before = self.portfolio.positions[order.symbol].quantity
        if order.sign < 0 and not self.pricing.shorts_allowed and quantity > before:
            # what was an exit when it was approved may find less to sell by now
            quantity, short_of = max(before, 0), Reason.SHORT_NOT_ALLOWED
        price = self.pricing.price_e4(
            order.symbol,
            market.session.date,
            touch.reference_e4,
            order.spec.side,
            slips=touch.slips,
        )
        quantity, costs = self.pricing.affordable(self.portfolio, order, price, quantity, market)
        if quantity:
            fill = self.pricing.fill(
                order,
                self.portfolio.next_fill_id(),
                bar,
                price,
                touch.reference_e4,
                quantity,
                costs,
                other_e4,
            )
            if budget is not None:
                self._budget[order.symbol] = budget - quantity
            order.filled += quantity
            order.move(OrderTrigger.FILL_PART if order.remaining else OrderTrigger.FILL_REST)
            if not order.remaining:
                self.book.working.pop(order.order_id, None)
            self._outputs.append(fill)
            self.portfolio.apply(fill)
            if self.book.working:
                self._follow(order, quantity, market)
            self.protection.after_fill(order, before, bar, how)
        if quantity < wanted:
            self.book.end(order, OrderTrigger.CANCEL, short_of, market.end)
        elif order.remaining and not order.ended:
            order.unfilled = Reason.PARTICIPATION
            self._go_on_at_market(order, market)
        return quantity

    def fill_in_entry_bar(self, order: WorkingOrder, bar: Bar, level_e4: int, *, stop: bool) -> int:
        """S13: an exit that counts in the bar of its intrabar entry; a stop there is a guess."""
        other = price_e4(bar.close) if stop else None
        touch = Touch(level_e4, slips=stop)
        return self._fill(order, bar, touch, "stop" if stop else "limit", other_e4=other)

    def _go_on_at_market(self, order: WorkingOrder, market: MarketSlice) -> None:
        """S16: a stop that triggered without filling whole is a market order from the next bar."""
        if order.spec.order_type in STOPS and not order.at_market:
            order.at_market = True
            order.eligible_from = market.end
            order.move(OrderTrigger.TRIGGER)
            self.book.report(order, order.unfilled, market.end)

    def _follow(self, order: WorkingOrder, quantity: int, market: MarketSlice) -> None:
        """What a fill does to the other orders: OCO in its group, and exits keep to the position.

        S15: a fill of q takes q off the group's other orders. In a bracket's group only protective
        fills do: exits beside each other are parts of one way out.
        """
        group = order.group
        takes = group is not None
        if takes and group == self.protection.group(order.symbol):
            takes = order.is_protective
        position = self.portfolio.positions[order.symbol].quantity
        for other in list(self.book.working.values()):
            if other is order or other.symbol != order.symbol or other.is_protective:
                continue
            allowed, reason = other.remaining, Reason.OCO
            if takes and other.group == group:
                allowed -= quantity
            left = abs(position) if position * other.sign < 0 else 0
            if other.is_exit and left < allowed:
                allowed, reason = left, Reason.POSITION_CLOSED if left == 0 else Reason.RESIZED
            if allowed <= 0:
                self.book.end(other, OrderTrigger.CANCEL, reason, market.end)
            elif allowed < other.remaining:
                self.book.resize(other, allowed, reason, market.end)

    # --- around the bar -----------------------------------------------------------------------

    def _after_bar(self, market: MarketSlice, bars: dict[str, Bar]) -> None:
        for order in list(self.book.working.values()):
            bar = bars.get(order.symbol)
            if bar is None or bar.end < order.decided:
                continue  # a bar that comes late says nothing about an order made since
            if order.spec.order_type is OrderType.TRAILING_STOP and not order.at_market:
                born_now = order.decided == market.end
                fill_rules.trail(order, bar, self.pricing, self.book.date, born_now=born_now)
            if order.first_eligible > market.start:
                continue
            if order.spec.time_in_force is TimeInForce.IOC:
                self.book.end(order, OrderTrigger.CANCEL, Reason.IOC_REMAINDER, market.end)
            elif order.withdrawn_for is not None and bar.end >= order.withdrawn_at:
                self.book.end(order, OrderTrigger.CANCEL, order.withdrawn_for, market.end)
