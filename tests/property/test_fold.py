"""Recorded outputs alone give the ledger, the holds and the counters of the account itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from msgspec.structs import replace

from daemon.core.fold import Fold
from daemon.core.turn import Turn
from daemon.core.values import AccountValues, values_of
from tests.property.scenarios import Scenario, often, scenarios
from tests.property.turn_by_turn import Whole, whole_day, whole_scenario


def folded(whole: Whole, first: int = 0) -> Iterator[tuple[Turn, AccountValues, Fold]]:
    """Each turn from `first` on, the account after it, and the fold."""
    opening = values_of(whole.fresh()) if first == 0 else whole.after[first - 1]
    fold = Fold(opening)
    for turn, values in zip(whole.turns[first:], whole.after[first:], strict=True):
        fold.add(turn)
        yield turn, values, fold


def without_orders(values: AccountValues) -> AccountValues:
    """What a fold can know: no orders, and of groups and limits only what outputs tell."""
    book = replace(values.book, orders=(), working=(), withdrawn=(), labels={}, next_group=0)
    return replace(values, book=book, protection=(), risk=replace(values.risk, breached=()))


def check(whole: Whole, first: int = 0) -> None:
    for turn, values, fold in folded(whole, first):
        assert without_orders(fold.values()) == without_orders(values), turn
        assert fold.dropped == tuple(sorted(values.book.working)), turn


@pytest.mark.parametrize("seed", [7, 8, 9, 10, 11])
def test_a_folded_day_equals_the_account_after_every_turn(seed: int) -> None:
    whole = whole_day(seed)
    assert max(values.model_failures for values in whole.after) >= 5
    check(whole)
    check(whole, len(whole.turns) // 2)  # a segment that opens with positions, orders and holds


@often
@given(scenarios())
def test_a_folded_scenario_equals_the_account_after_every_turn(scenario: Scenario) -> None:
    check(whole_scenario(scenario))
