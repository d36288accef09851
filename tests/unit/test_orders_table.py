"""The life of an order as a table: every pair of status and trigger is here, legal or not."""

from __future__ import annotations

import pytest

from daemon.core.events import OrderType, Side, TimeInForce
from daemon.core.orders import (
    ENDED,
    TRANSITIONS,
    IllegalTransitionError,
    OrderStatus,
    OrderTrigger,
    next_status,
)
from daemon.core.outputs import Origin
from daemon.core.working_order import OrderSpec, WorkingOrder

# Columns: fill_part, fill_rest, trigger, miss_data, resize, cancel, expire; "-" is illegal.
WRITTEN_OUT = """
working           partially_filled filled triggered        waiting_data     working          cancelled expired
waiting_data      partially_filled filled triggered        waiting_data     waiting_data     cancelled expired
triggered         partially_filled filled -                triggered        triggered        cancelled expired
partially_filled  partially_filled filled partially_filled partially_filled partially_filled cancelled expired
filled            -                -      -                -                -                -         -
cancelled         -                -      -                -                -                -         -
expired           -                -      -                -                -                -         -
"""  # noqa: E501 - a table
TRIGGERS = ("fill_part", "fill_rest", "trigger", "miss_data", "resize", "cancel", "expire")

ROWS = [line.split() for line in WRITTEN_OUT.strip().splitlines()]
PAIRS = [
    (status, trigger, outcome)
    for status, *outcomes in ROWS
    for trigger, outcome in zip(TRIGGERS, outcomes, strict=True)
]


def _order(status: str) -> WorkingOrder:
    spec = OrderSpec("NVDA", Side.BUY, 10, OrderType.MARKET, TimeInForce.DAY, Origin.TARGET)
    order = WorkingOrder(spec, 1, 0, 0, None)
    order.status = OrderStatus(status)
    return order


def _fields(order: WorkingOrder) -> dict[str, object]:
    return {name: getattr(order, name) for name in order.__slots__}


def test_the_table_above_has_every_pair() -> None:
    written = {(status, trigger) for status, trigger, _ in PAIRS}
    assert written == {(s.value, t.value) for s in OrderStatus for t in OrderTrigger}
    assert len(TRANSITIONS) == sum(outcome != "-" for _, _, outcome in PAIRS)


@pytest.mark.parametrize(("status", "trigger", "outcome"), PAIRS)
def test_each_pair_is_as_written_or_raises_and_changes_nothing(
    status: str, trigger: str, outcome: str
) -> None:
    order = _order(status)
    before = _fields(order)
    if outcome == "-":
        with pytest.raises(IllegalTransitionError, match=f"{status} cannot {trigger}"):
            order.move(OrderTrigger(trigger))
        assert _fields(order) == before
        with pytest.raises(IllegalTransitionError):
            next_status(OrderStatus(status), OrderTrigger(trigger))
    else:
        order.move(OrderTrigger(trigger))
        assert _fields(order) == before | {"status": OrderStatus(outcome)}
        assert next_status(OrderStatus(status), OrderTrigger(trigger)) == outcome


def test_an_end_is_where_nothing_leads_on() -> None:
    leads_on = {status for status, _ in TRANSITIONS}
    assert set(ENDED) == {status for status in OrderStatus if status not in leads_on}
    assert {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED} == ENDED


def test_only_fills_fill() -> None:
    for (status, trigger), following in TRANSITIONS.items():
        if following is OrderStatus.FILLED:
            assert trigger is OrderTrigger.FILL_REST
        if following is OrderStatus.PARTIALLY_FILLED and status is not following:
            assert trigger is OrderTrigger.FILL_PART


def test_an_illegal_transition_is_a_bug_not_a_refusal() -> None:
    assert issubclass(IllegalTransitionError, AssertionError)
