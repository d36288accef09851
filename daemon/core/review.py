"""One review: intents become orders, and each order is let through, clamped or denied.

Deciding only: the result is a list of what the gate may carry out. Reductions come first, then
the order of the config; every approved order reserves its exposure at the slice's closes (C8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from daemon.core.events import (
    Bracket,
    CancelRequest,
    Intent,
    OrderRequest,
    OrderType,
    TargetPosition,
    TimeInForce,
)
from daemon.core.exposure import Exposure
from daemon.core.outputs import Denial, Origin, Reason
from daemon.core.planning import BadOrderError, plan_request, plan_target
from daemon.core.portfolio import Portfolio
from daemon.core.venue import Venue
from daemon.core.working_order import OrderSpec, side_of, sign_of


class CancelOrder(Struct, frozen=True, gc=False):
    """The gate shall withdraw a working order."""

    order_id: int
    reason: Reason


class MoveExits(Struct, frozen=True, gc=False):
    """The gate shall replace the bracket of a position."""

    symbol: str
    bracket: Bracket


Approved = OrderSpec | CancelOrder | MoveExits


class Verdict(Struct, frozen=True, gc=False):
    """How many of an order's shares pass, and why the rest does not (None: all pass)."""

    passes: int
    reason: Reason | None = None
    detail: str = ""


Judge = Callable[[OrderSpec, int, Callable[[], Exposure], int], Verdict]
"""(order, shares that only shrink the position, exposure, orders approved so far) -> verdict."""


class Review:
    """Plans the intents of one instant, then lets them through."""

    def __init__(
        self,
        portfolio: Portfolio,
        venue: Venue,
        outputs: list[Any],
        instant: int,
        *,
        on_time: bool = True,
    ) -> None:
        self.approved: list[Approved] = []
        self._portfolio = portfolio
        self._venue = venue
        self._outputs = outputs
        self._instant = instant
        self._on_time = on_time
        self._planned: list[OrderSpec] = []
        self._built: Exposure | None = None

    @property
    def _exposure(self) -> Exposure:
        """Made when it is first needed, with what has been approved until then."""
        if self._built is None:
            self._built = Exposure(self._portfolio, self._venue)
            for item in self.approved:
                if isinstance(item, OrderSpec):
                    self._built.reserve(item)
                elif isinstance(item, CancelOrder):
                    self._built.withdraw(item.order_id)
        return self._built

    def withdraw_entries(self) -> None:
        """Before a session's last bar nothing may grow a position."""
        for order in self._venue.book.working.values():
            position = self._portfolio.positions[order.symbol].quantity
            if not order.is_protective and order.grows(position):
                self._cancel(order.order_id, Reason.NEAR_CLOSE)

    def plan(self, intent: Intent) -> None:
        """Turn an intent into cancels and at most one order to be let through."""
        if isinstance(intent, TargetPosition):
            position = self._portfolio.positions.get(intent.symbol)
            if position is None or position.bars == 0:
                self._deny(intent.symbol, intent.quantity, Origin.TARGET, Reason.NO_PRICE)
                return
            plan = plan_target(intent, position.quantity, self._venue.book.orders_of(intent.symbol))
            for order_id in plan.cancels:
                self._cancel(order_id, Reason.TARGET_CHANGED)
            if plan.spec is not None:
                self._planned.append(plan.spec)
            elif intent.bracket is not None and intent.quantity == position.quantity != 0:
                self._move_exits(intent.symbol, intent.bracket)
        elif isinstance(intent, OrderRequest):
            self._plan_request(intent)
        else:
            self._plan_cancel(intent)

    def _move_exits(self, symbol: str, bracket: Bracket) -> None:
        """A target that is reached may still ask for another bracket, or for a first one."""
        if self._venue.protection.bracket(symbol) == bracket:
            return
        if self._on_time:
            self.approved.append(MoveExits(symbol, bracket))
        else:
            self._deny(symbol, 0, Origin.TARGET, Reason.TOO_LATE, "its exits stay as they are")

    def _plan_request(self, request: OrderRequest) -> None:
        position = self._portfolio.positions.get(request.symbol)
        signed = request.quantity if request.side == "buy" else -request.quantity
        if position is None or position.bars == 0:
            self._deny(request.symbol, signed, Origin.EXPLICIT, Reason.NO_PRICE)
            return
        try:
            venue = self._venue
            spec = plan_request(request, position.close_e4, venue.pricing, venue.book.date)
        except BadOrderError as error:
            self._deny(request.symbol, signed, Origin.EXPLICIT, Reason.BAD_ORDER, str(error))
            return
        self._planned.append(spec)

    def _plan_cancel(self, request: CancelRequest) -> None:
        order = self._venue.book.working.get(request.order_id)
        if order is None or order.spec.origin not in (Origin.TARGET, Origin.EXPLICIT):
            detail = f"order {request.order_id}"
            self._deny("", 0, Origin.EXPLICIT, Reason.UNKNOWN_ORDER, detail)
            return
        self._cancel(order.order_id, Reason.REQUESTED)

    def settle(self, judge: Judge) -> None:
        """Let the planned orders through: what shrinks first, then in the order of the config."""
        planned = self._planned if len(self._planned) < 2 else self._in_order()
        counted = 0
        for spec in planned:
            shrink = min(spec.quantity, self._shrinkable(spec))
            verdict = judge(spec, shrink, lambda: self._exposure, counted)
            if verdict.reason is not None:
                refused = sign_of(spec.side) * (spec.quantity - verdict.passes)
                self._deny(spec.symbol, refused, spec.origin, verdict.reason, verdict.detail)
            if verdict.passes:
                counted += 1
                whole = verdict.passes == spec.quantity
                self._approve(spec if whole else replace(spec, quantity=verdict.passes))

    def _in_order(self) -> list[OrderSpec]:
        symbols = self._portfolio.symbols
        rows = [
            (self._shrinkable(spec) < spec.quantity, symbols.index(spec.symbol), place, spec)
            for place, spec in enumerate(self._planned)
        ]
        rows.sort(key=lambda row: row[:3])
        return [row[3] for row in rows]

    def close_positions(self, origin: Origin, reason: str, tif: TimeInForce) -> None:
        """Orders that bring every position to zero, given what is on its way already."""
        for symbol, position in self._portfolio.positions.items():
            sign = -1 if position.quantity > 0 else 1
            wanted = abs(position.quantity) - self._closing(symbol, sign)
            if position.quantity and wanted > 0:
                spec = OrderSpec(
                    symbol=symbol,
                    side=side_of(sign),
                    quantity=wanted,
                    order_type=OrderType.MARKET,
                    time_in_force=tif,
                    origin=origin,
                    reason=reason,
                )
                self._approve(spec)

    def _closing(self, symbol: str, sign: int) -> int:
        """Shares that go that way at market already, be it that the market has filled them."""
        leaving = {one.order_id for one in self.approved if isinstance(one, CancelOrder)}
        total = sum(
            one.remaining
            for one in self._venue.book.orders_of(symbol)
            if one.at_market and one.sign == sign and one.order_id not in leaving
        )
        approved = [item for item in self.approved if isinstance(item, OrderSpec)]
        return total + sum(
            spec.quantity
            for spec in approved
            if spec.order_type is OrderType.MARKET
            and spec.symbol == symbol
            and sign_of(spec.side) == sign
        )

    def _shrinkable(self, spec: OrderSpec) -> int:
        if self._built is None and not self._venue.book.working and not self.approved:
            held = self._portfolio.positions[spec.symbol].quantity
            return abs(held) if held * sign_of(spec.side) < 0 else 0
        return self._exposure.shrinkable(spec.symbol, sign_of(spec.side))

    def _cancel(self, order_id: int, reason: Reason) -> None:
        if any(isinstance(x, CancelOrder) and x.order_id == order_id for x in self.approved):
            return
        if self._built is not None:
            self._built.withdraw(order_id)
        self.approved.append(CancelOrder(order_id, reason))

    def _approve(self, spec: OrderSpec) -> None:
        if self._built is not None:
            self._built.reserve(spec)
        self.approved.append(spec)

    def _deny(
        self, symbol: str, quantity: int, origin: Origin, reason: Reason, detail: str = ""
    ) -> None:
        self._outputs.append(Denial(self._instant, symbol, reason, quantity, origin, detail))
