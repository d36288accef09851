"""From an intent to an order: what a target still lacks, and whether a request makes sense."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from daemon.core.events import OrderRequest, OrderType, Side, TargetPosition, TimeInForce
from daemon.core.outputs import Origin
from daemon.core.pricing import Pricing
from daemon.core.units import percent_ppm, price_e4
from daemon.core.working_order import OrderSpec, WorkingOrder, side_of

# Before Python 3.12 a member looked up in its class costs a call, and every target asks for these.
_MARKET, _DAY, _TARGET = OrderType.MARKET, TimeInForce.DAY, Origin.TARGET


class BadOrderError(ValueError):
    """A request that no venue would take; the text says what is wrong."""


class Plan(Struct, frozen=True, gc=False):
    """What a target needs: working orders to cancel, and one order or none."""

    cancels: tuple[int, ...]
    spec: OrderSpec | None


def plan_target(target: TargetPosition, position: int, working: Iterable[WorkingOrder]) -> Plan:
    """C5: order = target - position - same-direction working target orders.

    Working target orders of the other direction are cancelled, and those of the same direction
    too where together they would go beyond the target.
    """
    need = target.quantity - position
    along: list[WorkingOrder] = []
    cancels: list[int] = []
    for order in working:
        if order.spec.origin is _TARGET:
            if order.sign * need > 0:
                along.append(order)
            else:
                cancels.append(order.order_id)
    on_the_way = sum(order.remaining for order in along) if along else 0
    if on_the_way > abs(need):
        cancels.extend(order.order_id for order in along)
        on_the_way = 0
    quantity = abs(need) - on_the_way
    if quantity == 0:
        return Plan(tuple(cancels), None)
    spec = OrderSpec(
        symbol=target.symbol,
        side=side_of(need),
        quantity=quantity,
        order_type=_MARKET,
        time_in_force=_DAY,
        origin=_TARGET,
        bracket=target.bracket,
        reason=target.reason,
    )
    return Plan(tuple(cancels), spec)


_NEEDS: dict[OrderType, frozenset[str]] = {
    OrderType.MARKET: frozenset(),
    OrderType.LIMIT: frozenset({"limit_price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"limit_price", "stop_price"}),
    OrderType.TRAILING_STOP: frozenset({"trail_pct"}),
}


def plan_request(request: OrderRequest, close_e4: int, pricing: Pricing, date: int) -> OrderSpec:
    """An explicit order with its prices on the tick, never better for us than asked for.

    Limits are rounded to the side that fills less, stops to the side that triggers later; a
    trailing stop starts from the last close. Raises BadOrderError.
    """
    needs = _NEEDS[request.type]
    for name in ("limit_price", "stop_price", "trail_pct"):
        value = getattr(request, name)
        if name in needs and (value is None or not value > 0):
            raise BadOrderError(f"a {request.type} order needs a positive {name}")
        if name not in needs and value is not None:
            raise BadOrderError(f"a {request.type} order takes no {name}")
    if request.quantity <= 0:
        raise BadOrderError(f"quantity {request.quantity}: an order is for one share or more")
    buys = request.side is Side.BUY
    limit, stop = request.limit_price, request.stop_price
    limit_e4 = stop_e4 = None
    if limit is not None:
        limit_e4 = pricing.rounded_e4(request.symbol, date, price_e4(limit), up=not buys)
    if stop is not None:
        stop_e4 = pricing.rounded_e4(request.symbol, date, price_e4(stop), up=buys)
    if request.type is OrderType.STOP_LIMIT:
        assert limit_e4 is not None and stop_e4 is not None, "checked above"
        if (limit_e4 < stop_e4) if buys else (limit_e4 > stop_e4):
            raise BadOrderError(f"limit {limit} can never fill once stop {stop} has triggered")
    trails = request.type is OrderType.TRAILING_STOP
    return OrderSpec(
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        order_type=request.type,
        time_in_force=request.time_in_force,
        origin=Origin.EXPLICIT,
        limit_e4=limit_e4,
        stop_e4=stop_e4,
        trail_ppm=percent_ppm(request.trail_pct) if request.trail_pct is not None else None,
        extreme_e4=close_e4 if trails else None,
        bracket=request.bracket,
        group=request.group,
        reason=request.reason,
    )
