"""An account by value goes on exactly as the account itself would have."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import Input
from daemon.core.turn import Turn
from daemon.core.values import AccountValues, restore, values_of
from tests.property.scenarios import Scenario, scenarios
from tests.property.turn_by_turn import Whole, play_on, whole_day, whole_scenario
from tests.simulation import day

_decoder = msgspec.json.Decoder(AccountValues)


def check_going_on(whole: Whole, after: int) -> None:
    """Take the account by value after a turn, as JSON, and play the rest from there."""
    values = _decoder.decode(msgspec.json.encode(whole.after[after]))
    assert values == whole.after[after]
    account = whole.fresh()
    restore(account, values)
    assert values_of(account) == values
    assert account.portfolio.equity_micros == (whole.turns[after].equity or values_equity(values))
    seq = whole.turns[after].seq
    inputs, turns = whole.inputs[after + 1 :], whole.turns[after + 1 :]
    played, _ = play_on(whole, account, inputs, seq)
    assert played == turns
    assert values_of(account) == whole.after[-1]
    check_the_quick_way(whole, values, inputs, turns)


def check_the_quick_way(
    whole: Whole, values: AccountValues, inputs: list[Input], turns: list[Turn]
) -> None:
    """In one chunk quiet turns are not kept, so what came out and the equity are compared."""
    account = whole.fresh()
    restore(account, values)
    played, pipeline = play_on(whole, account, inputs, turns[0].seq - 1 if turns else 0, 512)
    assert loud(played) == loud(turns)
    assert list(pipeline.equity) == [turn.equity for turn in turns if turn.equity is not None]


def loud(turns: list[Turn]) -> list[tuple[int, Any]]:
    return [(turn.seq, turn.outputs) for turn in turns if turn.outputs]


def values_equity(values: AccountValues) -> int:
    """Cash, shares at their last close and what is owed, in micro-dollars."""
    ledger = values.portfolio
    held = sum(each.quantity * round(each.close * 10_000) * 100 for each in ledger.positions)
    return ledger.cash_micros + held + sum(amount for _, _, amount in ledger.receivables)


SEEDS = [7, 8, 9]


def test_the_days_show_everything() -> None:
    everything = [values for seed in SEEDS for values in whole_day(seed).after]
    assert any(values.book.withdrawn for values in everything)
    assert any(order.extreme_e4 for values in everything for order in values.book.orders)
    assert any(order.missed for values in everything for order in values.book.orders)
    assert any(values.protection for values in everything)
    assert any(values.risk.breached for values in everything)
    assert any(values.flattening for values in everything)
    sources = {str(hold.source) for values in everything for hold in values.holds}
    assert sources == {"operator", "model", "limit:max_daily_loss_usd"}


@pytest.mark.parametrize("seed", SEEDS)
def test_days_go_on_after_any_turn(seed: int) -> None:
    whole = whole_day(seed)
    assert len(whole.turns) == day.SLICES + 2 * 12 + len(day.commands())
    for after in Random(seed).sample(range(len(whole.turns)), 30):
        check_going_on(whole, after)


@given(scenarios(), st.integers(0, 1000))
def test_scenarios_go_on_after_any_turn(scenario: Scenario, place: int) -> None:
    whole = whole_scenario(scenario)
    check_going_on(whole, place % len(whole.turns))
