"""Corporate actions, before anything else happens in a slice (S26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.core.events import Dividend, MarketSlice, Split
from daemon.core.orders import OrderTrigger
from daemon.core.outputs import Reason

if TYPE_CHECKING:
    from daemon.core.venue import Venue


def apply_actions(venue: Venue, market: MarketSlice) -> None:
    """Book the slice's splits and dividends; actions of other symbols are not ours."""
    for action in market.actions:
        if action.symbol not in venue.portfolio.positions:
            continue
        if isinstance(action, Dividend):
            venue.portfolio.dividend(action, market.start)
        else:
            _split(venue, action, market.start)


def _split(venue: Venue, action: Split, instant: int) -> None:
    """Orders are re-decided by the strategy; a position's own exits are rescaled with it."""
    for order in list(venue.book.working.values()):
        if order.symbol == action.symbol and not order.is_protective:
            venue.book.end(order, OrderTrigger.CANCEL, Reason.SPLIT, instant)
    venue.portfolio.split(action, instant)
    venue.protection.split(action, instant)
