"""An order while it works: the one mutable thing the venue keeps, changed through the table."""

from __future__ import annotations

from msgspec import Struct

from daemon.core.events import Bracket, OrderType, Side, TimeInForce
from daemon.core.orders import ENDED, OrderStatus, OrderTrigger, next_status
from daemon.core.outputs import Origin, Reason


class OrderSpec(Struct, frozen=True, gc=False):
    """An order as it is asked for, before the gate; quantities are unsigned, prices rounded."""

    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    time_in_force: TimeInForce
    origin: Origin
    limit_e4: int | None = None
    stop_e4: int | None = None
    trail_ppm: int | None = None
    extreme_e4: int | None = None
    bracket: Bracket | None = None
    group: str | None = None
    reason: str = ""


# Before Python 3.12 a member looked up in its class costs a call, and every order asks for these.
_BUY, _SELL = Side.BUY, Side.SELL
_MARKET, _WORKING, _NOT_REACHED = OrderType.MARKET, OrderStatus.WORKING, Reason.NOT_REACHED


def sign_of(side: Side) -> int:
    """+1 for a buy, -1 for a sell."""
    return 1 if side is _BUY else -1


def side_of(sign: int) -> Side:
    """The side that changes a position by `sign` shares."""
    return _BUY if sign > 0 else _SELL


STOPS = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})


class WorkingOrder:
    """A spec that passed the gate, and what has become of it so far.

    `at_market` is set once a stop has triggered without filling whole: the rest is a market order
    from the next bar, so `eligible_from` moves on while `first_eligible` stays. `withdrawn_for` is
    set when a withdrawal, at `withdrawn_at`, came too late for the bar that has started: what that
    bar leaves over is cancelled. `missed` is the start of the first bar that should have met it and
    was not there. `is_exit`: when it was accepted it could only shrink a position, so it may never
    do more than close what is left of it. `extreme_e4` is the best price a trailing stop has seen.
    `charged_micros` and `notional_micros` are commission and notional of all its fills so far.
    """

    __slots__ = (
        "at_market",
        "charged_micros",
        "decided",
        "eligible_from",
        "extreme_e4",
        "filled",
        "first_eligible",
        "group",
        "is_exit",
        "limit_e4",
        "missed",
        "notional_micros",
        "order_id",
        "quantity",
        "sign",
        "spec",
        "status",
        "stop_e4",
        "symbol",
        "unfilled",
        "withdrawn_at",
        "withdrawn_for",
    )

    def __init__(
        self, spec: OrderSpec, order_id: int, decided: int, eligible_from: int, group: int | None
    ) -> None:
        self.spec = spec
        self.order_id = order_id
        self.symbol = spec.symbol
        self.sign = sign_of(spec.side)
        self.decided = decided
        self.eligible_from = self.first_eligible = eligible_from
        self.group = group
        self.is_exit = False
        self.quantity = spec.quantity
        self.filled = 0
        self.limit_e4 = spec.limit_e4
        self.stop_e4 = spec.stop_e4
        self.extreme_e4 = spec.extreme_e4
        self.status = _WORKING
        self.at_market = spec.order_type is _MARKET
        self.missed: int | None = None
        self.unfilled = _NOT_REACHED
        self.withdrawn_for: Reason | None = None
        self.withdrawn_at = 0
        self.charged_micros = 0
        self.notional_micros = 0

    @property
    def remaining(self) -> int:
        """Shares still to be filled."""
        return self.quantity - self.filled

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in ENDED

    @property
    def is_protective(self) -> bool:
        """Whether it is part of a position's bracket."""
        return self.spec.origin is Origin.PROTECTIVE

    @property
    def awaits_trigger(self) -> bool:
        """Whether it is a stop of any kind that has not triggered."""
        kind = self.spec.order_type
        if kind is OrderType.STOP_LIMIT:
            return self.status is not OrderStatus.TRIGGERED
        return kind in STOPS and not self.at_market

    def move(self, trigger: OrderTrigger) -> None:
        """Follow the transition table; IllegalTransitionError changes nothing."""
        self.status = next_status(self.status, trigger)

    def grows(self, position: int) -> bool:
        """Whether filling it whole would leave more shares, or the other direction, than now."""
        return position * self.sign >= 0 or self.remaining > abs(position)
