"""Bars that come after their slices: nothing is met twice, forgotten, or met before it existed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.core.events import Bar, Input, MarketSlice, Outcome
from daemon.core.fold import Fold
from daemon.core.outputs import CancelAmbiguous, Denial, Fill, OrderAccepted
from daemon.core.values import values_of
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.test_values import check_going_on
from tests.property.turn_by_turn import Whole, played_again, whole_day, whole_scenario
from tests.simulation.day import SYMBOLS

LATE_DENIALS = {"TOO_LATE", "HALTED", "PAUSED", "BAD_ORDER", "NO_PRICE", "UNKNOWN_ORDER"}


def delayed(inputs: Iterable[Input], symbols: Sequence[str], seed: int) -> list[Input]:
    """Some bars are taken out of their slices and come as late ones, before their symbol's next."""
    random = Random(seed)
    waiting: dict[str, list[MarketSlice]] = {symbol: [] for symbol in symbols}
    found: list[Input] = []
    for item in inputs:
        if isinstance(item, MarketSlice):
            there = {bar.symbol for bar in item.bars}
            for symbol in symbols:
                if symbol in there or random.random() < 0.2:
                    found += waiting[symbol]
                    waiting[symbol] = []
            item = _thinned(item, symbols, waiting, random)  # noqa: PLW2901 - what is left of it
        found.append(item)
    return [*found, *(late for each in waiting.values() for late in each)]


def _thinned(
    market: MarketSlice,
    symbols: Sequence[str],
    waiting: dict[str, list[MarketSlice]],
    random: Random,
) -> MarketSlice:
    kept: list[Bar] = []
    for bar in market.bars:
        if random.random() < 0.25:
            waiting[bar.symbol].append(
                replace(market, bars=(bar,), missing=(), actions=(), outcome=Outcome.BACKFILLED)
            )
        else:
            kept.append(bar)
    gone = tuple(s for s in symbols if waiting[s] and waiting[s][-1].end == market.end)
    outcome = Outcome.BACKFILLED if random.random() < 0.1 else market.outcome
    return replace(market, bars=tuple(kept), missing=(*market.missing, *gone), outcome=outcome)


def check(whole: Whole) -> None:
    check_orders(whole)
    latest = -1
    fold = Fold(values_of(whole.fresh()))
    for turn, values in zip(whole.turns, whole.after, strict=True):
        if isinstance(turn.input, MarketSlice):
            latest = max(latest, turn.input.end)
        last = values.book.last
        assert (-1 if last is None else last.end) == latest
        fold.add(turn)
        assert fold.values().portfolio == values.portfolio
        assert fold.values().holds == values.holds
        assert fold.dropped == tuple(sorted(values.book.working))


def check_orders(whole: Whole) -> None:
    """Fills lie in bars that their orders could meet; late slices make no orders of their own."""
    orders: dict[int, OrderAccepted] = {}
    filled: dict[int, list[int]] = {}
    judged: set[int] = set()
    for turn in whole.turns:
        late = isinstance(turn.input, MarketSlice) and turn.input.outcome is Outcome.BACKFILLED
        for output in turn.outputs:
            if isinstance(output, OrderAccepted):
                orders[output.order_id] = output
                assert output.origin == "protective" or not late
            elif isinstance(output, Fill):
                order = orders[output.order_id]
                born_now = order.origin == "protective" and order.decided == output.known
                assert order.eligible_from <= output.effective or born_now
                before = filled.setdefault(output.order_id, [])
                assert not before or before[-1] <= output.effective
                before.append(output.effective)
            elif isinstance(output, CancelAmbiguous):
                assert output.order_id not in judged
                judged.add(output.order_id)
            elif isinstance(output, Denial) and late:
                assert output.reason in LATE_DENIALS, output


@often
@given(scenarios(), st.integers(0, 1 << 30))
def test_scenarios_with_late_bars(scenario: Scenario, seed: int) -> None:
    whole = whole_scenario(scenario)
    late = played_again(whole, delayed(whole.inputs, scenario.symbols, seed))
    check(late)
    check_going_on(late, seed % len(late.turns))


@pytest.mark.parametrize("seed", range(6))
def test_days_with_late_bars(seed: int) -> None:
    whole = whole_day(seed)
    late = played_again(whole, delayed(whole.inputs, SYMBOLS, seed))
    assert len(late.inputs) > len(whole.inputs) + 30
    check(late)
    for after in Random(seed).sample(range(len(late.turns)), 10):
        check_going_on(late, after)
