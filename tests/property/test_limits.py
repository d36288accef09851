"""Limits: what is accepted keeps each of them at the closes it was decided at, counted afresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given

from daemon.core.events import MarketSlice, Reset
from daemon.core.outputs import Denial, Fill, OrderAccepted, Reason
from daemon.core.units import HOUR_NS, PPM
from tests.property.lives import Orders
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.tracing import Trace, run

STRATEGY = ("target", "explicit")
STATE_OR_LATE = {Reason.HALTED, Reason.PAUSED, Reason.REDUCING, Reason.TOO_LATE}
NOT_A_LIMIT = {Reason.BAD_ORDER, Reason.NO_PRICE, Reason.UNKNOWN_ORDER}


@dataclass
class Decision:
    """An order of the strategy being accepted, and the world it is accepted into."""

    order: OrderAccepted
    number: int
    expected: dict[str, int]
    closes_e4: dict[str, int]
    equity_micros: int
    cash_micros: int
    accepted: list[int]
    held: int = 0
    leaving: int = 0

    @property
    def change(self) -> int:
        return self.order.quantity if self.order.side == "buy" else -self.order.quantity

    @property
    def only_shrinks(self) -> bool:
        room = max(0, abs(self.held) - self.leaving)
        return self.held * self.change < 0 and self.order.quantity <= room

    @property
    def after(self) -> int:
        return self.expected[self.order.symbol] + self.change

    @property
    def gross_micros(self) -> int:
        total = 0
        for symbol, shares in self.expected.items():
            after = self.after if symbol == self.order.symbol else shares
            total += abs(after) * self.closes_e4[symbol] * 100
        return total


def decisions(trace: Trace) -> Iterator[Decision]:
    """Every order of the strategy with what was held, working and accepted before it."""
    scenario = trace.scenario
    orders = Orders()
    closes = dict.fromkeys(scenario.symbols, 0)
    equities = {end: equity for _, end, equity in trace.rows()}
    accepted: list[int] = []
    cash = scenario.cash_usd * 1_000_000
    number = 0
    for snapshot in trace.snapshots:
        turn = snapshot.turn
        if isinstance(turn.input, MarketSlice):
            for passed in range(number, trace.ends.index(turn.instant) + 1):
                for symbol in scenario.symbols:
                    bar = trace.bar(symbol, passed)
                    closes[symbol] = closes[symbol] if bar is None else bar[3]
            number = trace.ends.index(turn.instant)
        for output in turn.outputs:
            if isinstance(output, Fill):
                sign = 1 if output.side == "buy" else -1
                cash -= sign * output.quantity * output.price_e4 * 100
                cash -= output.commission_micros + output.regulatory_micros
            if isinstance(output, OrderAccepted) and output.origin in STRATEGY:
                found = Decision(output, number, dict(snapshot.positions), dict(closes),
                                 equities[turn.instant], cash, list(accepted))  # fmt: skip
                yield _with_working(found, orders, snapshot.positions)
                accepted.append(turn.instant)
            orders.enter(output)


def _with_working(found: Decision, orders: Orders, positions: dict[str, int]) -> Decision:
    """Add what is working: market orders both ways, resting ones where they grow a position."""
    order, closes = found.order, found.closes_e4
    found.held = positions[order.symbol]
    resting: dict[str, list[int]] = {symbol: [] for symbol in positions}
    for life in orders.working:
        if life.is_protective:
            continue
        held, signed = positions[life.symbol], life.sign * life.remaining
        leaves, same = held * signed < 0, life.sign == _sign(order)
        if leaves and life.symbol == order.symbol and same:
            found.leaving += life.remaining
        if life.at_market:
            found.expected[life.symbol] += signed
        elif leaves:
            continue
        elif life.symbol == order.symbol:  # a resting order gives no room to the other direction
            found.expected[life.symbol] += signed if same else 0
        else:
            resting[life.symbol].append(signed)
        if life.at_market or signed > 0:
            found.cash_micros -= signed * closes[life.symbol] * 100
    for symbol, waiting in resting.items():
        ups, downs = (sum(x for x in waiting if x * sign > 0) for sign in (1, -1))
        before = found.expected[symbol]
        found.expected[symbol] = max(before + ups, before + downs, key=abs)
    return found


def _sign(order: OrderAccepted) -> int:
    return 1 if order.side == "buy" else -1


@often
@given(scenarios(actions=False))
def test_no_accepted_order_exceeds_a_limit(scenario: Scenario) -> None:
    trace = run(scenario)
    limits = scenario.limits
    for found in decisions(trace):
        order = found.order
        if found.only_shrinks:
            continue
        close = found.closes_e4[order.symbol] * 100
        measured = [
            (limits.max_position_shares, abs(found.after)),
            (limits.max_position_usd, abs(found.after) * close),
            (limits.max_order_usd, order.quantity * close),
        ]
        for limit, value in measured:
            assert limit is None or value <= limit.value, (limit, value, order)
        if limits.max_gross_leverage is not None:
            allowed = found.equity_micros * limits.max_gross_leverage.value
            assert found.gross_micros * PPM <= allowed
        if limits.min_cash_usd is not None and order.side == "buy":
            assert found.cash_micros - found.change * close >= limits.min_cash_usd.value
        if limits.price_collar_pct is not None:
            for level in (order.limit_e4, order.stop_e4):
                trails = order.trail_ppm is not None  # its level is the venue's, not the strategy's
                if level is not None and close and not trails:
                    away = abs(level * 100 - close) * PPM
                    assert away < (limits.price_collar_pct.value + 1) * close
        if not limits.allow_short:
            assert found.after >= 0


@often
@given(scenarios(actions=False))
def test_orders_that_grow_a_position_keep_the_rates(scenario: Scenario) -> None:
    trace = run(scenario)
    limits = scenario.limits
    for found in decisions(trace):
        if found.only_shrinks:
            continue
        now = trace.ends[found.number]
        opened = now - HOUR_NS * (1 + found.number % scenario.per_session)
        if limits.max_orders_per_hour is not None:
            recent = [instant for instant in found.accepted if instant > now - HOUR_NS]
            assert len(recent) + 1 <= limits.max_orders_per_hour.value
        if limits.max_orders_per_day is not None:
            today = [instant for instant in found.accepted if instant > opened]
            assert len(today) + 1 <= limits.max_orders_per_day.value


@often
@given(scenarios(actions=False))
def test_nothing_grows_while_an_account_limit_stands(scenario: Scenario) -> None:
    trace = run(scenario)
    limits = scenario.limits
    if any(isinstance(command, Reset) for command in scenario.commands):
        return  # an accepted cause counts from another baseline
    loss, drawdown = limits.max_daily_loss_usd, limits.max_drawdown_pct
    start = scenario.cash_usd * 1_000_000
    equities = {number: equity for number, _, equity in trace.rows()}
    for found in decisions(trace):
        if found.only_shrinks:
            continue
        equity = equities[found.number]
        first = found.number - found.number % scenario.per_session
        before = [equities[number] for number in equities if number < first]
        if loss is not None:
            assert (before[-1] if before else start) - equity < loss.value
        if drawdown is not None:
            peak = max(start, *(equities[n] for n in equities if n <= found.number))
            assert equity > peak * (PPM - drawdown.value) // PPM


@often
@given(scenarios(actions=False))
def test_entries_respect_the_clock(scenario: Scenario) -> None:
    trace = run(scenario)
    for found in decisions(trace):
        place = found.number % scenario.per_session
        if found.only_shrinks:
            continue
        if scenario.limits.flat_before_close:
            assert place != scenario.per_session - 2, "NEAR_CLOSE"
        if not scenario.limits.overnight_orders:
            assert place != scenario.per_session - 1, "MARKET_CLOSED"


@often
@given(scenarios(actions=False))
def test_a_limit_denies_only_what_would_grow(scenario: Scenario) -> None:
    """C8: of a single intent that closes a position, the closing part is always accepted."""
    trace = run(scenario)
    for snapshot in trace.snapshots:
        if not isinstance(snapshot.turn.input, MarketSlice):
            continue
        number = trace.ends.index(snapshot.turn.instant)
        if len(scenario.at.get(number, ())) != 1 or snapshot.state.name != "ACTIVE":
            continue
        for denial in snapshot.turn.outputs:
            if not isinstance(denial, Denial) or denial.reason in STATE_OR_LATE | NOT_A_LIMIT:
                continue
            held = snapshot.positions[denial.symbol]
            if held * denial.quantity >= 0:
                continue
            leaving = sum(
                order.remaining
                for order in snapshot.working
                if order.symbol == denial.symbol
                and order.sign * held < 0
                and order.origin != "protective"
            )
            assert leaving >= abs(held), denial


@often
@given(scenarios())
def test_without_permission_nothing_is_ever_short(scenario: Scenario) -> None:
    trace = run(scenario)
    if scenario.limits.allow_short:
        return
    for snapshot in trace.snapshots:
        assert all(position >= 0 for position in snapshot.positions.values())
