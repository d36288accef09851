"""At what price, if any, an order fills in a bar: the rules S7 to S11, one place each.

The rules are written for a buyer. A seller's prices are negated, which turns a high into a low
and leaves every comparison as it is, so each rule exists once. All prices are 1/10,000 dollar.
"""

from __future__ import annotations

from msgspec import Struct

from daemon.core.events import Bar, OrderType
from daemon.core.orders import OrderStatus
from daemon.core.pricing import Pricing
from daemon.core.units import price_e4
from daemon.core.working_order import STOPS, WorkingOrder


class Prices(Struct, frozen=True, gc=False):
    """A bar seen from one side: `high` is where this side's stops trigger."""

    open: int
    high: int
    low: int
    close: int


def prices_for(bar: Bar, sign: int) -> Prices:
    """The bar's prices as a buyer (+1) or, negated, as a seller (-1) sees them."""
    opened, high, low, close = (
        price_e4(bar.open),
        price_e4(bar.high),
        price_e4(bar.low),
        price_e4(bar.close),
    )
    if sign > 0:
        return Prices(opened, high, low, close)
    return Prices(-opened, -low, -high, -close)


class Touch(Struct, frozen=True, gc=False):
    """A price at which an order fills: the reference, and whether slippage comes on top."""

    reference_e4: int
    slips: bool


REST = Touch(0, slips=False)
"""A stop-limit that triggered beyond its limit: it rests as a limit order from the next bar."""


def at_open(order: WorkingOrder, bar: Bar) -> Touch | None:
    """What the bar's first price does to the order."""
    sign = order.sign
    opened = sign * price_e4(bar.open)
    if order.at_market:
        return Touch(sign * opened, slips=True)
    kind = order.spec.order_type
    if kind in STOPS:
        level = order.stop_e4
        if level is not None and opened >= sign * level:
            return Touch(sign * opened, slips=True)
        return None
    assert order.limit_e4 is not None, "a limit order without a limit"
    limit = sign * order.limit_e4
    if kind is OrderType.STOP_LIMIT and order.status is not OrderStatus.TRIGGERED:
        assert order.stop_e4 is not None, "a stop-limit order without a stop"
        if opened < sign * order.stop_e4:
            return None
        return Touch(sign * opened, slips=False) if opened <= limit else REST
    return Touch(sign * opened, slips=False) if opened < limit else None


def stop_in_bar(order: WorkingOrder, prices: Prices, slipped_e4: int) -> Touch | None:
    """Whether the bar reaches a stop; `slipped_e4` is the level after slippage.

    An exit born at this bar's open may find that open beyond its level already.
    """
    sign = order.sign
    level = order.stop_e4
    if level is None or prices.high < sign * level:
        return None
    level = sign * max(sign * level, prices.open)
    if order.spec.order_type in STOPS:
        return Touch(level, slips=True)
    assert order.limit_e4 is not None, "a stop-limit order without a limit"
    return Touch(level, slips=True) if sign * slipped_e4 <= sign * order.limit_e4 else REST


def limit_in_bar(order: WorkingOrder, prices: Prices, pricing: Pricing, date: int) -> Touch | None:
    """S9: the bar must trade through the limit by a tick as traded; a touch does not fill."""
    assert order.limit_e4 is not None, "a limit order without a limit"
    if prices.open < order.sign * order.limit_e4:
        return Touch(order.sign * prices.open, slips=False)
    through = (order.sign * order.limit_e4 - prices.low) * pricing.factor(order.symbol, date)
    if through >= pricing.tick_e4:
        return Touch(order.limit_e4, slips=False)
    return None


def trailing_level_e4(order: WorkingOrder, pricing: Pricing, date: int) -> int:
    """A trailing stop's level from the best price seen, rounded to the tick away from it."""
    extreme, trail = order.extreme_e4, order.spec.trail_ppm
    assert extreme is not None and trail is not None, "not a trailing stop that has started"
    return pricing.level_e4(order.symbol, date, extreme, 1, order.sign * trail)


def trail(order: WorkingOrder, bar: Bar, pricing: Pricing, date: int, *, born_now: bool) -> None:
    """S14: move a trailing stop by what this bar showed, for the bars after it.

    In the bar in which it is born only the close counts, since the bar's extreme may have come
    before the entry.
    """
    best = price_e4(bar.close if born_now else bar.high if order.sign < 0 else bar.low)
    if order.extreme_e4 is None:
        order.extreme_e4 = best
    elif order.sign < 0:
        order.extreme_e4 = max(order.extreme_e4, best)
    else:
        order.extreme_e4 = min(order.extreme_e4, best)
    order.stop_e4 = trailing_level_e4(order, pricing, date)
