"""The order book: the working orders of one account, how they come in and how they leave.

It knows nothing of prices that trade; the venue matches what lies here.
"""

from __future__ import annotations

from typing import Any

from daemon.core import fill_rules
from daemon.core.events import MarketSlice, Outcome, Session, TimeInForce
from daemon.core.orders import OrderTrigger
from daemon.core.outputs import OrderAccepted, OrderUpdated, Origin, Reason
from daemon.core.portfolio import Portfolio
from daemon.core.pricing import Pricing
from daemon.core.trading_state import Cancels
from daemon.core.values import BookValues, OrderValues, put, taken
from daemon.core.working_order import OrderSpec, WorkingOrder


class Book:
    """Working orders by number; `withdrawn` is what a bar may still judge.

    `last` is the latest slice: a backfilled one of an earlier instant, or one more of the same,
    does not take its place.
    """

    def __init__(self, portfolio: Portfolio, pricing: Pricing, outputs: list[Any]) -> None:
        self.working: dict[int, WorkingOrder] = {}
        self.withdrawn: list[tuple[WorkingOrder, int]] = []
        self.last: MarketSlice | None = None
        self._portfolio = portfolio
        self.pricing = pricing
        self._outputs = outputs
        self._next_order_id = 1
        self._next_group = 1
        self._met: MarketSlice | None = None
        self._not_before = 0
        self._labels: dict[str, int] = {}

    def open(self, market: MarketSlice) -> None:
        """A slice begins to meet the orders."""
        self._met = market
        late = market.outcome is Outcome.BACKFILLED
        if self.last is None or market.end > self.last.end:
            self.last = market
        else:
            assert late, f"a slice of {market.end} after one of {self.last.end}"
        # what is known late is decided after the bar's end, when the next bar has started
        self._not_before = self.last.end + 1 if late else 0

    def close(self) -> None:
        """The slice has met them."""
        self._met = None

    # --- entry --------------------------------------------------------------------------------

    def enter(
        self, spec: OrderSpec, decided: int, eligible_from: int, group: int | None
    ) -> WorkingOrder:
        """Number an order and let it work; brackets come here directly from the fill."""
        assert spec.quantity > 0, "an order for nothing"
        order = WorkingOrder(spec, self._next_order_id, decided, eligible_from, group)
        self._next_order_id += 1
        if order.extreme_e4 is not None:
            order.stop_e4 = fill_rules.trailing_level_e4(order, self.pricing, self.date)
        self.working[order.order_id] = order
        self._outputs.append(
            OrderAccepted(
                order_id=order.order_id,
                symbol=spec.symbol,
                side=spec.side,
                quantity=spec.quantity,
                order_type=spec.order_type,
                time_in_force=spec.time_in_force,
                origin=spec.origin,
                decided=decided,
                eligible_from=eligible_from,
                limit_e4=spec.limit_e4,
                stop_e4=order.stop_e4,
                trail_ppm=spec.trail_ppm,
                group=group,
                reason=spec.reason,
            )
        )
        return order

    def new_group(self) -> int:
        """A number for orders of which one cancels the others."""
        self._next_group += 1
        return self._next_group - 1

    def labelled_group(self, label: str) -> int:
        """The group that a strategy's own label stands for."""
        if label not in self._labels:
            self._labels[label] = self.new_group()
        return self._labels[label]

    @property
    def date(self) -> int:
        """The exchange date of the slice that the orders are meeting, or have seen last."""
        market = self._met or self.last
        assert market is not None, "no slice yet"
        return market.session.date

    def orders_of(self, symbol: str) -> list[WorkingOrder]:
        """The working orders of one symbol, by number."""
        return [order for order in self.working.values() if order.symbol == symbol]

    # --- change and end -----------------------------------------------------------------------

    def end(self, order: WorkingOrder, trigger: OrderTrigger, reason: Reason, instant: int) -> None:
        """Cancel or expire an order, saying why."""
        order.move(trigger)
        self.working.pop(order.order_id, None)
        self.report(order, reason, instant)

    def report(self, order: WorkingOrder, reason: Reason, instant: int) -> None:
        """Put the order as it now stands among the turn's outputs."""
        self._outputs.append(
            OrderUpdated(
                order_id=order.order_id,
                symbol=order.symbol,
                status=order.status,
                reason=reason,
                quantity=order.quantity,
                instant=instant,
                stop_e4=order.stop_e4,
                limit_e4=order.limit_e4,
            )
        )

    def resize(self, order: WorkingOrder, remaining: int, reason: Reason, instant: int) -> None:
        """Leave `remaining` shares to be filled."""
        order.quantity = order.filled + remaining
        order.move(OrderTrigger.RESIZE)
        self.report(order, reason, instant)

    def withdraw(self, order: WorkingOrder, reason: Reason, instant: int) -> bool:
        """Cancel by command or decision at `instant`; False where the market has filled it (C3)."""
        instant = max(instant, self._not_before)
        if self.is_fill_pending(order, instant):
            if order.withdrawn_for is None:
                order.withdrawn_for, order.withdrawn_at = reason, instant
            return False
        if not order.at_market and self._bar_has_started(order, instant):
            self.withdrawn.append((order, instant))
        self.end(order, OrderTrigger.CANCEL, reason, instant)
        return True

    def is_fill_pending(self, order: WorkingOrder, instant: int) -> bool:
        """Whether the market has filled the order at a price that is not known yet."""
        return order.at_market and self._bar_has_started(order, instant)

    def _bar_has_started(self, order: WorkingOrder, instant: int) -> bool:
        if self.last is None:
            return False
        return order.eligible_from <= self.last.next_start < instant

    def restrict(self, cancels: Cancels, reason: Reason, instant: int) -> None:
        """Do away with the working orders that a trading state does not keep."""
        if cancels is Cancels.NONE:
            return
        for order in list(self.working.values()):
            if order.ended or order.spec.origin is Origin.FLATTEN:
                continue
            position = self._portfolio.positions[order.symbol].quantity
            grows = not order.is_protective and order.grows(position)
            if cancels is Cancels.ALL or grows:
                self.withdraw(order, reason, instant)

    def expire_day(self, session: Session, instant: int) -> None:
        """C6, C7: after a session's last bar DAY orders end; exits that lack data wait."""
        for order in list(self.working.values()):
            if order.spec.time_in_force is TimeInForce.GTC:
                continue
            if order.first_eligible > session.last_start:
                continue
            position = self._portfolio.positions[order.symbol].quantity
            waits = order.unfilled is Reason.WAITING_DATA
            if waits and not order.grows(position):
                continue
            reason = Reason.DATA_MISSING if waits else order.unfilled
            self.end(order, OrderTrigger.EXPIRE, reason, instant)

    # --- by value -----------------------------------------------------------------------------

    def known(self) -> dict[int, WorkingOrder]:
        """Every order that still matters: what works, and what was withdrawn and may be judged."""
        withdrawn = {order.order_id: order for order, _ in self.withdrawn}
        return dict(sorted((self.working | withdrawn).items()))

    def values(self) -> BookValues:
        """The book by value."""
        return BookValues(
            orders=tuple(taken(OrderValues, order) for order in self.known().values()),
            working=tuple(self.working),
            withdrawn=tuple((order.order_id, instant) for order, instant in self.withdrawn),
            last=self.last,
            next_order_id=self._next_order_id,
            next_group=self._next_group,
            labels=dict(self._labels),
        )

    def restore(self, values: BookValues) -> None:
        """Take over a book."""
        orders = {each.order_id: _order(each) for each in values.orders}
        self.working.update((number, orders[number]) for number in values.working)
        self.withdrawn[:] = [(orders[number], instant) for number, instant in values.withdrawn]
        self.last = values.last
        self._next_order_id = values.next_order_id
        self._next_group = values.next_group
        self._labels = dict(values.labels)


def _order(values: OrderValues) -> WorkingOrder:
    order = WorkingOrder(
        values.spec, values.order_id, values.decided, values.eligible_from, values.group
    )
    return put(values, order)
