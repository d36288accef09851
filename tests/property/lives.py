"""The orders of a run as its outputs tell them, one life each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from daemon.core.orders import OrderStatus
from daemon.core.outputs import Fill, OrderAccepted, OrderUpdated, Output
from daemon.core.turn import Turn
from tests.property.tracing import Trace

ENDS = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED)


@dataclass
class Life:
    """One order: how it began, what is left of it, and its present levels."""

    accepted: OrderAccepted
    quantity: int
    stop_e4: int | None
    limit_e4: int | None
    filled: int = 0
    status: OrderStatus = OrderStatus.WORKING
    fills: list[Fill] = field(default_factory=list)
    updates: list[OrderUpdated] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def ended(self) -> bool:
        return self.status in ENDS

    @property
    def sign(self) -> int:
        return 1 if self.accepted.side == "buy" else -1

    @property
    def symbol(self) -> str:
        return self.accepted.symbol

    @property
    def is_protective(self) -> bool:
        return self.accepted.origin == "protective"

    @property
    def at_market(self) -> bool:
        """A market order, or a stop that has triggered and did not fill whole."""
        kind = self.accepted.order_type
        if kind in ("stop", "trailing_stop"):
            return self.filled > 0 or any(u.status == "triggered" for u in self.updates)
        return kind == "market"

    @property
    def is_triggered(self) -> bool:
        return any(update.status == "triggered" for update in self.updates)


class Orders:
    """Lives by number; `enter` follows one output."""

    def __init__(self) -> None:
        self.lives: dict[int, Life] = {}

    def enter(self, output: Output) -> None:
        if isinstance(output, OrderAccepted):
            life = Life(output, output.quantity, output.stop_e4, output.limit_e4)
            self.lives[output.order_id] = life
        elif isinstance(output, Fill):
            life = self.lives[output.order_id]
            life.filled += output.quantity
            life.fills.append(output)
            left = life.remaining > 0
            life.status = OrderStatus.PARTIALLY_FILLED if left else OrderStatus.FILLED
        elif isinstance(output, OrderUpdated):
            life = self.lives[output.order_id]
            life.status, life.quantity = output.status, output.quantity
            life.stop_e4, life.limit_e4 = output.stop_e4, output.limit_e4
            life.updates.append(output)

    @property
    def working(self) -> list[Life]:
        """The orders that may still fill, by number."""
        return [life for life in self.lives.values() if not life.ended]


def told(trace: Trace) -> Iterator[tuple[Orders, Turn, Output]]:
    """Each output in order, with the orders as they stand just before it."""
    orders = Orders()
    for turn, output in trace.outputs():
        yield orders, turn, output
        orders.enter(output)


def all_lives(trace: Trace) -> list[Life]:
    """Every order of the run as it ended."""
    orders = Orders()
    for _, output in trace.outputs():
        orders.enter(output)
    return list(orders.lives.values())
