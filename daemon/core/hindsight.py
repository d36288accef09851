"""What an order that was withdrawn inside a bar would have paid in it (C3)."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.core import fill_rules
from daemon.core.events import Bar, MarketSlice
from daemon.core.fill_rules import REST, Touch, prices_for
from daemon.core.outputs import CancelAmbiguous
from daemon.core.pricing import Pricing
from daemon.core.working_order import WorkingOrder


def stop_touch(order: WorkingOrder, bar: Bar, pricing: Pricing, date: int) -> Touch | None:
    """What the bar does to a stop after its open; None also for one without a level yet."""
    if order.stop_e4 is None:
        return None
    slipped = pricing.price_e4(order.symbol, date, order.stop_e4, order.spec.side, slips=True)
    return fill_rules.stop_in_bar(order, prices_for(bar, order.sign), slipped)


def ambiguous_cancels(
    withdrawn: Iterable[tuple[WorkingOrder, int]], market: MarketSlice, pricing: Pricing
) -> list[CancelAmbiguous]:
    """The withdrawn orders that these bars would have filled, had they been known in time.

    A bar that was over before the withdrawal and comes late is looked at as well.
    """
    bars = {bar.symbol: bar for bar in market.bars}
    date = market.session.date
    found = []
    for order, instant in withdrawn:
        bar = bars.get(order.symbol)
        if bar is None or not order.eligible_from <= bar.start < instant:
            continue
        touch = fill_rules.at_open(order, bar)
        if touch is None and order.awaits_trigger:
            touch = stop_touch(order, bar, pricing, date)
        elif touch is None and order.limit_e4 is not None:
            prices = prices_for(bar, order.sign)
            touch = fill_rules.limit_in_bar(order, prices, pricing, date)
        if touch is not None and touch is not REST:
            price = pricing.price_e4(
                order.symbol, date, touch.reference_e4, order.spec.side, slips=touch.slips
            )
            found.append(
                CancelAmbiguous(order.order_id, order.symbol, instant, price, order.remaining)
            )
    return found
