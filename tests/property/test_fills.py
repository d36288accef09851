"""Fills: never too early, never at a price that was not there, never better than is honest."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given

from daemon.core.events import MarketSlice
from daemon.core.outputs import Fill, OrderUpdated
from daemon.core.units import PPM
from tests.property.book import BeforeFill, story
from tests.property.lives import Life, all_lives, told
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import Trace, run


@often
@given(scenarios())
def test_only_a_bar_that_starts_when_the_order_is_eligible_fills_it(scenario: Scenario) -> None:
    trace = run(scenario)
    for orders, turn, output in told(trace):
        if not isinstance(output, Fill):
            continue
        life = orders.lives[output.order_id]
        accepted = life.accepted
        if life.is_protective and accepted.decided == output.known:
            continue  # S13: an exit may count in the bar whose entry it guards
        assert accepted.eligible_from <= output.effective
        if not life.is_protective:
            assert accepted.eligible_from == accepted.decided <= output.effective
        assert isinstance(turn.input, MarketSlice)
        number = trace.starts.index(output.effective)
        assert output.known == trace.ends[number] == turn.instant
        assert trace.bar(output.symbol, number) is not None
        triggered = [update for update in life.updates if update.status == "triggered"]
        if triggered:  # it goes on in the next bar; later updates (OCO) keep the status
            assert triggered[0].instant <= output.effective


@often
@given(scenarios())
def test_nothing_is_known_before_its_bar_has_ended(scenario: Scenario) -> None:
    trace = run(scenario)
    for snapshot in trace.snapshots:
        for output in snapshot.turn.outputs:
            if isinstance(output, Fill):
                assert output.known == snapshot.turn.instant
    for view in trace.seen:
        known = [fill for fill in trace.result.fills if fill.known <= view.market.end]
        if not scenario.actions:
            for symbol, shares in view.positions.items():
                assert shares == sum(_signed(fill) for fill in known if fill.symbol == symbol)


def _signed(fill: Fill) -> int:
    return fill.quantity if fill.side == "buy" else -fill.quantity


@often
@given(scenarios())
def test_prices_are_in_the_bar_and_never_better_than_the_reference(scenario: Scenario) -> None:
    trace = run(scenario)
    for orders, turn, fill in told(trace):
        if not isinstance(fill, Fill):
            continue
        bar = trace.bar(fill.symbol, trace.ends.index(turn.instant))
        assert bar is not None
        opened, high, low, close, _ = bar
        assert low <= fill.reference_e4 <= high
        life = orders.lives[fill.order_id]
        kind, sign = life.accepted.order_type, life.sign
        assert sign * fill.price_e4 >= sign * fill.reference_e4
        if kind == "limit":
            assert fill.price_e4 == fill.reference_e4
        if kind in ("limit", "stop_limit"):
            assert life.limit_e4 is not None
            assert sign * fill.price_e4 <= sign * life.limit_e4
        elif kind == "market":
            assert fill.reference_e4 in (opened, close)
            assert fill.reference_e4 == (close if scenario.pricing.fills_at_close else opened)
        if fill.other_e4 is not None:
            assert fill.ambiguous and low <= fill.other_e4 <= high


@often
@given(scenarios())
def test_costs_are_the_slippage_the_tick_and_the_plan(scenario: Scenario) -> None:
    trace = run(scenario)
    pricing = scenario.pricing
    for life in all_lives(trace):
        charged = sum(fill.commission_micros for fill in life.fills)
        for fill in life.fills:
            slipped = abs(fill.price_e4 - fill.reference_e4)
            if slipped and pricing.factors is None:
                exact = fill.reference_e4 * pricing.slippage_ppm / PPM
                assert exact <= slipped < exact + pricing.tick_e4 + 1e-6
                assert fill.price_e4 % pricing.tick_e4 == 0
            if pricing.tables is None:
                assert fill.regulatory_micros == 0
            elif fill.side == "buy":
                assert fill.sec_micros == fill.taf_micros == 0
            else:
                assert fill.sec_micros > 0
        if life.fills and pricing.factors is None:
            plan = pricing.commission.on(20240102)
            shares = sum(fill.quantity for fill in life.fills)
            notional = 100 * sum(fill.quantity * fill.price_e4 for fill in life.fills)
            due = max(Fraction(plan.per_share_micros * shares), Fraction(plan.minimum_micros))
            if plan.maximum_ppm is not None:
                due = min(due, Fraction(notional * plan.maximum_ppm, PPM))
            assert abs(charged - due) <= 1


@often
@given(scenarios())
def test_volume_is_shared_and_never_exceeded(scenario: Scenario) -> None:
    trace = run(scenario)
    pricing = scenario.pricing
    taken: dict[tuple[str, int], int] = {}
    for fill in trace.result.fills:
        key = (fill.symbol, trace.starts.index(fill.effective))
        taken[key] = taken.get(key, 0) + fill.quantity
    for (symbol, number), quantity in taken.items():
        bar = trace.bar(symbol, number)
        assert bar is not None
        if pricing.volume_known:
            assert bar[4] > 0
        if pricing.participation_ppm is not None:
            assert quantity <= bar[4] * pricing.participation_ppm // PPM


@often
@given(scenarios(limited=False))
def test_after_an_entry_gross_exposure_is_within_the_leverage(scenario: Scenario) -> None:
    trace = run(scenario)
    leverage = scenario.pricing.leverage_ppm
    for step in story(trace):
        if leverage is None or not isinstance(step, BeforeFill):
            continue
        fill, book = step.fill, step.book
        holding = book.holdings[fill.symbol]
        held, signed = holding.shares, _signed(fill)
        if held * signed < 0 and abs(signed) <= abs(held):
            continue
        prices = {fill.symbol: fill.price_e4}
        gain = held * (fill.price_e4 - holding.close_e4) * 100
        costs = fill.commission_micros + fill.regulatory_micros
        equity = book.equity_micros + gain - costs
        others = book.gross_micros(prices) - abs(held) * fill.price_e4 * 100
        gross = others + abs(held + signed) * fill.price_e4 * 100
        assert gross * PPM <= leverage * equity


@often
@given(scenarios())
def test_a_trailing_stop_uses_extremes_of_earlier_bars_only(scenario: Scenario) -> None:
    trace = run(scenario)
    split = {action.symbol for action in scenario.actions}
    for orders, turn, fill in told(trace):
        if not isinstance(fill, Fill) or fill.symbol in split or scenario.pricing.factors:
            continue
        life = orders.lives[fill.order_id]
        if life.accepted.order_type != "trailing_stop" or life.at_market:
            continue
        level = _trailing_level(trace, life, trace.ends.index(turn.instant))
        bar = trace.bar(fill.symbol, trace.ends.index(turn.instant))
        assert level is not None and bar is not None
        if life.sign < 0:
            assert fill.reference_e4 == min(level, bar[0]) and bar[2] <= level
        else:
            assert fill.reference_e4 == max(level, bar[0]) and bar[1] >= level


def _trailing_level(trace: Trace, life: Life, until: int) -> int | None:
    """The level before bar `until`, from the bars since the order was made."""
    accepted, tick = life.accepted, trace.scenario.pricing.tick_e4
    born = trace.ends.index(accepted.decided)
    trail = accepted.trail_ppm
    assert trail is not None
    extremes = []
    for number in range(until):
        bar = trace.bar(life.symbol, number)
        if bar is not None and number <= born:
            extremes = [bar[3]]
        elif bar is not None:
            extremes.append(bar[1] if life.sign < 0 else bar[2])
    if life.sign < 0:
        return max(extremes) * (PPM - trail) // PPM // tick * tick
    exact = -(-min(extremes) * (PPM + trail) // PPM)
    return -(-exact // tick) * tick


@often
@given(scenarios(actions=False))
def test_only_what_a_bar_reaches_fills(scenario: Scenario) -> None:
    """S9: a limit must be traded through, a touch is not enough; S10: a stop must be met."""
    if scenario.pricing.factors is not None:
        return  # a tick through the limit is then one of the day
    trace = run(scenario)
    for orders, turn, fill in told(trace):
        if isinstance(fill, Fill):
            life = orders.lives[fill.order_id]
            in_entry_bar = life.is_protective and life.accepted.decided == fill.known
            if not in_entry_bar:
                assert _reached(trace, life, trace.ends.index(turn.instant)) is not False, fill


@often
@given(scenarios(limited=False, capped=False, commanded=False, actions=False))
def test_what_a_bar_reaches_does_not_go_on_working(scenario: Scenario) -> None:
    """No cap on volume or funds: an order that the bar has met has filled, or ended."""
    if scenario.pricing.factors is not None:
        return  # a tick through the limit is then one of the day
    trace = run(scenario)
    left: dict[int, Life] = {}
    for snapshot in trace.snapshots:
        turn = snapshot.turn
        number = trace.ends.index(turn.instant) if turn.instant in trace.ends else None
        if isinstance(turn.input, MarketSlice) and number is not None:
            working = {order.order_id for order in snapshot.working}
            expired = {
                output.order_id
                for output in turn.outputs
                if isinstance(output, OrderUpdated) and output.status == "expired"
            }
            for life in left.values():
                if life.accepted.order_id in working | expired:
                    assert not _reached(trace, life, number), life.accepted
        left = _resting(trace, turn.seq)


def _resting(trace: Trace, seq: int) -> dict[int, Life]:
    """The orders that work after turn `seq`."""
    orders = next(iter(told(trace)), None)
    if orders is None:
        return {}
    followed = type(orders[0])()
    for turn, output in trace.outputs():
        if turn.seq > seq:
            break
        followed.enter(output)
    return {life.accepted.order_id: life for life in followed.working}


def _reached(trace: Trace, life: Life, number: int) -> bool | None:
    """Whether the bar meets the level of an order (S7, S9, S10); None for a stop-limit."""
    bar = trace.bar(life.symbol, number)
    if bar is None or life.accepted.eligible_from > trace.starts[number]:
        return False
    opened, high, low, _, _ = bar
    sign, tick = life.sign, trace.scenario.pricing.tick_e4
    kind = life.accepted.order_type
    if life.at_market:
        return True
    if kind == "limit":
        assert life.limit_e4 is not None
        if sign > 0:
            return opened < life.limit_e4 or low <= life.limit_e4 - tick
        return opened > life.limit_e4 or high >= life.limit_e4 + tick
    if kind == "stop":
        assert life.stop_e4 is not None
        return high >= life.stop_e4 if sign > 0 else low <= life.stop_e4
    if kind == "trailing_stop":
        level = _trailing_level(trace, life, number)
        assert level is not None
        return high >= level if sign > 0 else low <= level
    return None
