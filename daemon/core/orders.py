"""The life of an order, as a table.

Everything that may happen to an order's status is a row here; a pair that has no row is a bug,
and raises before anything has changed. A refused intent never becomes an order (it is a Denial),
so there is no status for it.
"""

from __future__ import annotations

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order stands."""

    WORKING = "working"
    WAITING_DATA = "waiting_data"
    TRIGGERED = "triggered"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class OrderTrigger(StrEnum):
    """What happens to an order."""

    FILL_PART = "fill_part"
    FILL_REST = "fill_rest"
    TRIGGER = "trigger"
    MISS_DATA = "miss_data"
    RESIZE = "resize"
    CANCEL = "cancel"
    EXPIRE = "expire"


_S, _T = OrderStatus, OrderTrigger

TRANSITIONS: dict[tuple[OrderStatus, OrderTrigger], OrderStatus] = {
    (_S.WORKING, _T.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.WORKING, _T.FILL_REST): _S.FILLED,
    (_S.WORKING, _T.TRIGGER): _S.TRIGGERED,  # a stop-limit rests, or a stop met no volume
    (_S.WORKING, _T.MISS_DATA): _S.WAITING_DATA,
    (_S.WORKING, _T.RESIZE): _S.WORKING,
    (_S.WORKING, _T.CANCEL): _S.CANCELLED,
    (_S.WORKING, _T.EXPIRE): _S.EXPIRED,
    (_S.WAITING_DATA, _T.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.WAITING_DATA, _T.FILL_REST): _S.FILLED,
    (_S.WAITING_DATA, _T.TRIGGER): _S.TRIGGERED,
    (_S.WAITING_DATA, _T.MISS_DATA): _S.WAITING_DATA,  # a gap of several bars
    (_S.WAITING_DATA, _T.RESIZE): _S.WAITING_DATA,
    (_S.WAITING_DATA, _T.CANCEL): _S.CANCELLED,
    (_S.WAITING_DATA, _T.EXPIRE): _S.EXPIRED,
    (_S.TRIGGERED, _T.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.TRIGGERED, _T.FILL_REST): _S.FILLED,
    (_S.TRIGGERED, _T.MISS_DATA): _S.TRIGGERED,  # still triggered when bars come back
    (_S.TRIGGERED, _T.RESIZE): _S.TRIGGERED,
    (_S.TRIGGERED, _T.CANCEL): _S.CANCELLED,
    (_S.TRIGGERED, _T.EXPIRE): _S.EXPIRED,
    (_S.PARTIALLY_FILLED, _T.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _T.FILL_REST): _S.FILLED,
    (_S.PARTIALLY_FILLED, _T.TRIGGER): _S.PARTIALLY_FILLED,  # a stop's remainder is at market
    (_S.PARTIALLY_FILLED, _T.MISS_DATA): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _T.RESIZE): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _T.CANCEL): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _T.EXPIRE): _S.EXPIRED,
}

ENDED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED})


class IllegalTransitionError(AssertionError):
    """An order was told to do what its status does not allow: a bug, never a refusal."""


def next_status(status: OrderStatus, trigger: OrderTrigger) -> OrderStatus:
    """The status that follows, or IllegalTransitionError with nothing changed."""
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise IllegalTransitionError(f"an order that is {status} cannot {trigger}") from None
