"""When working orders will fill, and when that will be known: what a person wants to be told.

Only orders at market have an answer; what rests waits for its price.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from daemon.core.book import Book


class DueFill(Struct, frozen=True, gc=False):
    """An order fills in the bar that starts at `effective`; at `known`, its end, the price is.

    `is_pending`: that bar has started, so nothing recalls the order any more. `overnight`: the
    session closes before it, so what is held is held until then.
    """

    effective: int
    known: int
    is_pending: bool
    overnight: bool


def due_fills(book: Book, now: int, bars: Iterable[tuple[int, int]]) -> dict[int, DueFill]:
    """The due fill of each order at market, by its number.

    `bars` are starts and ends of the bars expected after the last slice, in order; they are read
    as far as needed, and an order that is eligible after the last of them has no answer.
    """
    waiting = [order for order in book.working.values() if order.at_market]
    found: dict[int, DueFill] = {}
    reached = None if book.last is None else book.last.end
    overnight = False
    for start, end in bars if waiting else ():
        breaks = reached is not None and start > reached
        overnight = overnight or (breaks and start > now)
        for order in [order for order in waiting if order.eligible_from <= start]:
            found[order.order_id] = DueFill(start, end, start < now, overnight)
            waiting.remove(order)
        if not waiting:
            break
        reached = end
    return found
