"""Brackets and groups: what guards a position always has its size, and never opens another."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given

from daemon.core.events import Bracket, MarketSlice, OrderRequest, TargetPosition
from daemon.core.outputs import Fill, OrderAccepted, StateChanged, TradeClosed
from tests.property.lives import Orders
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import Snapshot, Trace, run


@often
@given(scenarios())
def test_open_protective_quantity_equals_the_position(scenario: Scenario) -> None:
    trace = run(scenario)
    for snapshot in trace.snapshots:
        for order in snapshot.working:
            if order.origin == "protective":
                position = snapshot.positions[order.symbol]
                assert order.remaining == abs(position) > 0
                assert order.sign * position < 0


@often
@given(scenarios())
def test_a_bracket_has_one_order_of_each_kind_in_one_group(scenario: Scenario) -> None:
    trace = run(scenario)
    orders = Orders()
    for snapshot in trace.snapshots:
        for output in snapshot.turn.outputs:
            orders.enter(output)
        for symbol in scenario.symbols:
            guards = [x for x in orders.working if x.is_protective and x.symbol == symbol]
            kinds = [life.accepted.order_type for life in guards]
            assert len(kinds) == len(set(kinds))
            assert len({life.accepted.group for life in guards}) <= 1
            assert all(life.accepted.time_in_force == "gtc" for life in guards)


@often
@given(scenarios(actions=False))
def test_a_position_opened_with_a_bracket_stays_guarded(scenario: Scenario) -> None:
    """From the entry's fill until flat, unless a halt or a change has taken the guards away."""
    trace = run(scenario)
    brackets = list(_brackets(trace))
    guarded: set[str] = set()
    orders = Orders()
    for snapshot, bracketed in zip(trace.snapshots, brackets, strict=True):
        for output in snapshot.turn.outputs:
            if isinstance(output, Fill) and output.order_id in bracketed:
                before = _position_before(trace, output)
                signed = output.quantity if output.side == "buy" else -output.quantity
                if abs(before + signed) > abs(before) or before * (before + signed) < 0:
                    guarded.add(output.symbol)
            elif isinstance(output, TradeClosed):
                guarded.discard(output.symbol)
            elif isinstance(output, StateChanged) and output.state == "HALTED":
                guarded.clear()
            orders.enter(output)
        guarded = {symbol for symbol in guarded if snapshot.positions[symbol]}
        if snapshot.state.name == "HALTED":
            guarded.clear()
        for symbol in guarded:
            assert any(x.is_protective and x.symbol == symbol for x in orders.working), symbol


def _brackets(trace: Trace) -> Iterator[set[int]]:
    """After each turn, the orders so far that carry a bracket which guards something."""
    found: set[int] = set()
    for snapshot in trace.snapshots:
        wanted = _wanted(trace, snapshot)
        for output in snapshot.turn.outputs:
            if isinstance(output, OrderAccepted) and output.origin in ("target", "explicit"):
                same = [x for x in wanted if x.symbol == output.symbol]
                if same and all(_guards(x.bracket) for x in same):
                    found.add(output.order_id)
        yield set(found)


def _wanted(trace: Trace, snapshot: Snapshot) -> list[TargetPosition | OrderRequest]:
    if not isinstance(snapshot.turn.input, MarketSlice):
        return []
    number = trace.ends.index(snapshot.turn.instant)
    intents = trace.scenario.at.get(number, ())
    return [intent for intent in intents if isinstance(intent, TargetPosition | OrderRequest)]


def _guards(bracket: Bracket | None) -> bool:
    if bracket is None:
        return False
    return any(getattr(bracket, name) is not None for name in bracket.__struct_fields__)


def _position_before(trace: Trace, fill: Fill) -> int:
    earlier = [
        x for x in trace.result.fills if x.fill_id < fill.fill_id and x.symbol == fill.symbol
    ]
    return sum(x.quantity if x.side == "buy" else -x.quantity for x in earlier)


@often
@given(scenarios(actions=False))
def test_an_exit_never_opens_a_position(scenario: Scenario) -> None:
    """Whatever else closes it first: what was accepted as an exit, in a bracket or not, ends."""
    trace = run(scenario)
    orders = Orders()
    exits: set[int] = set()
    positions = dict.fromkeys(scenario.symbols, 0)
    for _, output in trace.outputs():
        if isinstance(output, OrderAccepted):
            sign = 1 if output.side == "buy" else -1
            held = positions[output.symbol]
            leaving = sum(
                life.remaining
                for life in orders.working
                if life.symbol == output.symbol and life.sign == sign and not life.is_protective
            )
            pure = held * sign < 0 and output.quantity <= abs(held) - leaving
            if output.origin == "protective" or pure:
                exits.add(output.order_id)
        elif isinstance(output, Fill):
            sign = 1 if output.side == "buy" else -1
            held = positions[output.symbol]
            if output.order_id in exits:
                assert held * sign < 0 and output.quantity <= abs(held), output
            positions[output.symbol] += sign * output.quantity
        orders.enter(output)


@often
@given(scenarios(actions=False))
def test_a_fill_takes_its_shares_off_the_other_orders_of_a_named_group(scenario: Scenario) -> None:
    trace = run(scenario)
    orders = Orders()
    taken: dict[int, int] = {}
    for _, output in trace.outputs():
        if isinstance(output, OrderAccepted):
            taken[output.order_id] = 0
        orders.enter(output)
        if isinstance(output, Fill):
            group = orders.lives[output.order_id].accepted.group
            for other in orders.lives.values():
                same = group is not None and other.accepted.group == group
                if same and other.accepted.order_id != output.order_id:
                    taken[other.accepted.order_id] += output.quantity
    brackets = {x.accepted.group for x in orders.lives.values() if x.is_protective}
    for life in orders.lives.values():
        accepted = life.accepted
        if accepted.group is None or accepted.group in brackets:
            continue
        assert life.filled + taken[accepted.order_id] <= accepted.quantity or life.ended
        if not life.ended and not any(update.reason == "RESIZED" for update in life.updates):
            assert life.remaining == accepted.quantity - taken[accepted.order_id] - life.filled
        total = sum(x.filled for x in orders.lives.values() if x.accepted.group == accepted.group)
        others = [x for x in orders.lives.values() if x.accepted.group == accepted.group]
        if len({x.accepted.decided for x in others}) == 1:
            assert total <= max(x.accepted.quantity for x in others)
