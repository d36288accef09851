"""An order's life: only legal steps, never more than asked for, one end, and always a reason."""

from __future__ import annotations

from hypothesis import given

from daemon.core.events import MarketSlice
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Fill, OrderAccepted, OrderUpdated, Reason
from tests.property.lives import Orders, all_lives, told
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import run

S = OrderStatus
NEXT = {
    S.WORKING: {S.WORKING, S.WAITING_DATA, S.TRIGGERED, S.PARTIALLY_FILLED, S.FILLED},
    S.WAITING_DATA: {S.WAITING_DATA, S.TRIGGERED, S.PARTIALLY_FILLED, S.FILLED},
    S.TRIGGERED: {S.TRIGGERED, S.PARTIALLY_FILLED, S.FILLED},
    S.PARTIALLY_FILLED: {S.PARTIALLY_FILLED, S.FILLED},
}
WHY_EXPIRED = {
    Reason.NOT_REACHED,
    Reason.PARTICIPATION,
    Reason.NO_VOLUME,
    Reason.DATA_MISSING,
    Reason.WAITING_DATA,
}


@often
@given(scenarios())
def test_every_step_is_legal_and_nothing_follows_an_end(scenario: Scenario) -> None:
    trace = run(scenario)
    for orders, _, output in told(trace):
        if isinstance(output, OrderAccepted):
            assert output.order_id == len(orders.lives) + 1
            assert output.quantity > 0
        elif isinstance(output, Fill | OrderUpdated):
            life = orders.lives[output.order_id]
            assert not life.ended, f"{output} after {life.status}"
            assert output.symbol == life.symbol
            if isinstance(output, Fill):
                assert 0 < output.quantity <= life.remaining
                assert output.side == life.accepted.side
                assert output.origin == life.accepted.origin
            elif output.status in (S.CANCELLED, S.EXPIRED):
                assert life.remaining > 0
            else:
                assert output.status in NEXT[life.status]
                assert output.status not in (S.FILLED, S.PARTIALLY_FILLED) or life.filled
                assert output.quantity > life.filled


@often
@given(scenarios())
def test_what_the_outputs_leave_working_is_what_the_venue_has(scenario: Scenario) -> None:
    trace = run(scenario)
    orders = Orders()
    for snapshot in trace.snapshots:
        for output in snapshot.turn.outputs:
            orders.enter(output)
        told_working = {life.accepted.order_id: life.remaining for life in orders.working}
        assert told_working == {order.order_id: order.remaining for order in snapshot.working}


@often
@given(scenarios())
def test_an_order_that_ended_unfilled_says_why_once(scenario: Scenario) -> None:
    trace = run(scenario)
    for life in all_lives(trace):
        ends = [u for u in life.updates if u.status in (S.CANCELLED, S.EXPIRED)]
        if life.status is S.FILLED:
            assert not ends and life.remaining == 0
            continue
        assert len(ends) == (1 if life.ended else 0)
        for end in ends:
            assert isinstance(end.reason, Reason)
            if end.status is S.EXPIRED:
                assert end.reason in WHY_EXPIRED
                assert life.accepted.time_in_force != "gtc"
            else:
                assert end.reason not in WHY_EXPIRED


@often
@given(scenarios())
def test_day_orders_end_with_their_session(scenario: Scenario) -> None:
    """C6: alive after the last slice are only orders for the next session, and waiting exits."""
    trace = run(scenario)
    orders = Orders()
    for snapshot in trace.snapshots:
        market = snapshot.turn.input
        for output in snapshot.turn.outputs:
            orders.enter(output)
        if not isinstance(market, MarketSlice) or market.end != market.session.closes:
            continue
        for life in orders.working:
            accepted = life.accepted
            if accepted.time_in_force == "gtc" or accepted.eligible_from >= market.end:
                continue
            assert life.status is S.WAITING_DATA, accepted
            position = snapshot.positions[life.symbol]
            assert position * life.sign < 0 and life.remaining <= abs(position)


@often
@given(scenarios(commanded=False))
def test_immediate_orders_live_for_one_bar(scenario: Scenario) -> None:
    trace = run(scenario)
    for life in all_lives(trace):
        if life.accepted.time_in_force != "ioc":
            continue
        assert len({fill.effective for fill in life.fills}) <= 1
        for fill in life.fills:
            first = next(
                number
                for number, start in enumerate(trace.starts)
                if start >= life.accepted.eligible_from
                and trace.bar(life.symbol, number) is not None
            )
            assert fill.effective == trace.starts[first]
