"""The trading state: what each one lets happen, however it came about."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import Flatten, MarketSlice, Reset
from daemon.core.outputs import Fill, LimitBreached, OrderAccepted, StateChanged
from daemon.core.units import HOUR_NS
from tests.property.lives import Life, told
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import Trace, run

ALLOWED = {
    "ACTIVE": {"target", "explicit", "limit", "flatten", "protective"},
    "REDUCING": {"target", "explicit", "limit", "flatten", "protective"},
    "PAUSED": {"limit", "flatten", "protective"},
    "HALTED": {"flatten"},
}


@often
@given(scenarios())
def test_no_order_is_accepted_that_the_state_forbids(scenario: Scenario) -> None:
    trace = run(scenario)
    state = "ACTIVE"
    positions = dict.fromkeys(scenario.symbols, 0)
    for snapshot in trace.snapshots:
        for output in snapshot.turn.outputs:
            if isinstance(output, StateChanged):
                assert output.previous == state
                state = output.state
            elif isinstance(output, Fill):
                sign = 1 if output.side == "buy" else -1
                positions[output.symbol] += sign * output.quantity
            elif isinstance(output, OrderAccepted):
                assert output.origin in ALLOWED[state], (state, output)
                if state != "ACTIVE" and not scenario.actions:
                    sign = 1 if output.side == "buy" else -1
                    held = positions[output.symbol]
                    assert held * sign < 0 and output.quantity <= abs(held)
        assert state == snapshot.state.name


@often
@given(scenarios())
def test_after_a_halt_only_what_the_market_had_filled_still_fills(scenario: Scenario) -> None:
    """C3: a market order whose bar had started is beyond recall; everything else is gone."""
    trace = run(scenario)
    halted_at: int | None = None
    for orders, turn, output in told(trace):
        if isinstance(output, StateChanged):
            if output.state != "HALTED":
                halted_at = None
            elif output.previous != "HALTED":
                halted_at = turn.instant
        elif isinstance(output, Fill) and halted_at is not None and output.origin != "flatten":
            life = orders.lives[output.order_id]
            assert life.at_market
            assert output.effective < halted_at or _waited(trace, life, halted_at, output), output


def _waited(trace: Trace, life: Life, halted_at: int, fill: Fill) -> bool:
    """C7: the bar that had started at the halt is missing; the next one fills it instead."""
    eligible_from, symbol = life.accepted.eligible_from, life.symbol
    started = [n for n, start in enumerate(trace.starts) if eligible_from <= start < halted_at]
    missing = range(started[-1], trace.starts.index(fill.effective)) if started else range(0)
    waits = all(trace.bar(symbol, number) is None for number in missing)
    return bool(missing) and waits and fill.after_gap


@often
@given(scenarios())
def test_nothing_but_flatten_orders_works_after_a_halted_turn(scenario: Scenario) -> None:
    trace = run(scenario)
    for snapshot in trace.snapshots:
        if snapshot.state.name != "HALTED":
            continue
        for order in snapshot.working:
            if order.origin == "flatten":
                continue
            assert order.at_market, order
            assert order.eligible_from < snapshot.turn.instant
            # the market has filled it in a bar that is missing: it waits for the next one
            bars = getattr(snapshot.turn.input, "bars", ())
            assert order.symbol not in {bar.symbol for bar in bars}, order


@often
@given(scenarios())
def test_while_reducing_or_paused_no_position_grows(scenario: Scenario) -> None:
    """A fill may grow one only where its bar had started when the hold was set."""
    trace = run(scenario)
    if scenario.actions:
        return
    positions = dict.fromkeys(scenario.symbols, 0)
    held_at: int | None = None
    for orders, turn, output in told(trace):
        if isinstance(output, StateChanged):
            if output.state == "ACTIVE":
                held_at = None
            elif held_at is None:
                held_at = turn.instant
        elif isinstance(output, Fill):
            signed = output.quantity if output.side == "buy" else -output.quantity
            before = positions[output.symbol]
            after = positions[output.symbol] = before + signed
            if held_at is None or output.effective < held_at:
                continue
            if not _waited(trace, orders.lives[output.order_id], held_at, output):
                assert abs(after) < abs(before) and before * after >= 0, output


@often
@given(scenarios())
def test_flattening_covers_every_position_until_flat(scenario: Scenario) -> None:
    trace = run(scenario)
    flattening = False
    for snapshot in trace.snapshots:
        turn = snapshot.turn
        if isinstance(turn.input, Flatten):
            flattening = True
        elif isinstance(turn.input, Reset) and snapshot.state.name != "HALTED":
            flattening = False
        for symbol, position in snapshot.positions.items():
            closing = [
                order
                for order in snapshot.working
                if order.origin == "flatten" and order.symbol == symbol
            ]
            assert all(order.sign * position < 0 for order in closing)
            assert sum(order.remaining for order in closing) <= abs(position)
            if flattening and isinstance(turn.input, MarketSlice):
                # what the market has filled already, a triggered stop say, is not asked for again
                leaving = sum(
                    order.remaining
                    for order in snapshot.working
                    if order.symbol == symbol and order.at_market and order.sign * position < 0
                )
                assert leaving == abs(position)


@often
@given(scenarios())
def test_nothing_is_held_past_the_close_without_a_word(scenario: Scenario) -> None:
    """C9: with flat_before_close the exit is working before the last bar, whole."""
    trace = run(scenario)
    if not scenario.limits.flat_before_close:
        return
    free = scenario.pricing.participation_ppm is None and not scenario.pricing.volume_known
    free = free and not scenario.commands and scenario.per_session > 1
    turns = {s.turn.instant: s for s in trace.snapshots if isinstance(s.turn.input, MarketSlice)}
    for snapshot in turns.values():
        market = snapshot.turn.input
        assert isinstance(market, MarketSlice)
        if market.remaining == 1 and snapshot.state.name != "HALTED":
            for symbol, position in snapshot.positions.items():
                leaving = sum(
                    order.remaining
                    for order in snapshot.working
                    if order.symbol == symbol and order.at_market and order.sign * position < 0
                )
                assert leaving >= abs(position)
                growers = [
                    order
                    for order in snapshot.working
                    if order.symbol == symbol
                    and order.origin != "protective"
                    and (order.sign * position >= 0 or order.remaining > abs(position))
                ]
                assert not growers
        if market.remaining == 0:
            if free and snapshot.state.name != "HALTED":
                assert not any(
                    held
                    for symbol, held in snapshot.positions.items()
                    if symbol not in market.missing
                )
            reported = {x.symbol for x in snapshot.turn.outputs if isinstance(x, LimitBreached)}
            assert reported == {symbol for symbol, held in snapshot.positions.items() if held}


@often
@given(
    scenarios(limited=False, commanded=False),
    st.sampled_from([1, HOUR_NS // 2, HOUR_NS - 1, HOUR_NS]),
)
def test_a_flatten_inside_a_bar_fills_in_the_next_one(scenario: Scenario, after: int) -> None:
    """C2: an order of a command is eligible from the command's time, not from its bar's start."""
    before = run(scenario)
    held = next((view for view in before.seen if any(view.positions.values())), None)
    if held is None:
        return
    instant = held.market.end + after
    trace = run(replace(scenario, commands=(Flatten(instant, "operator", "out"),)))
    made = [x for x in trace.result.orders if x.origin == "flatten" and x.decided == instant]
    alone = not any(held.working.values()) and trace.ends.index(held.market.end) not in scenario.at
    if alone and instant < before.ends[-1] and after != HOUR_NS:
        open_then = {symbol for symbol, shares in held.positions.items() if shares}
        assert open_then == {order.symbol for order in made}
    for order in made:
        assert order.eligible_from == instant
        fills = [fill for fill in trace.result.fills if fill.order_id == order.order_id]
        assert all(fill.effective >= instant for fill in fills)
