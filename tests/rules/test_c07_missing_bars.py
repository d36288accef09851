"""C7 and S8: only the expected next bar fills; what happens when it is missing."""

from __future__ import annotations

import pytest

from daemon.core.events import OrderRequest
from tests.harness import play, rules
from tests.rules.tools import USD, fills, flat, order, target, why


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [1, 2, 3])
def test_an_entry_waits_for_the_next_bar_of_the_session(sign: int, gap: int) -> None:
    bars = [flat(100.0), *([None] * gap), flat(110.0), flat(111.0)]
    result = play({"NVDA": bars}, at={0: [target(10 * sign)]})
    assert fills(result) == [(1 + gap, 10 * sign, 110.0)]
    assert result.fills[0].after_gap
    first = result.updates[0]
    assert (str(first.status), str(first.reason)) == ("waiting_data", "WAITING_DATA")
    assert first.instant == result.slice_ends[1]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_entry_expires_with_its_session(sign: int) -> None:
    bars = [flat(100.0), None, None, flat(110.0), flat(111.0)]
    result = play({"NVDA": bars}, at={0: [target(10 * sign)]}, per_session=3)
    assert result.fills == []
    assert why(result, 1) == ("expired", "DATA_MISSING")
    assert result.updates[-1].instant == result.slice_ends[2]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_exit_waits_on_over_the_night(sign: int) -> None:
    bars = [flat(100.0), flat(100.0), None, flat(110.0), flat(111.0)]
    result = play({"NVDA": bars}, at={0: [target(10 * sign)], 1: [target(0)]}, per_session=3)
    assert fills(result) == [(1, 10 * sign, 100.0), (3, -10 * sign, 110.0)]
    assert result.fills[1].after_gap


def test_an_overnight_entry_whose_first_bar_is_missing_waits_in_that_session() -> None:
    bars = [flat(100.0), flat(100.0), None, flat(105.0), flat(106.0)]
    result = play({"NVDA": bars}, at={1: [target(10)]}, per_session=2)
    assert fills(result) == [(3, 10, 105.0)]
    assert result.fills[0].after_gap


def test_an_overnight_entry_whose_session_is_missing_expires_there() -> None:
    bars = [flat(100.0), flat(100.0), None, None, flat(105.0), flat(106.0)]
    result = play({"NVDA": bars}, at={1: [target(10)]}, per_session=2)
    assert result.fills == []
    assert why(result, 1) == ("expired", "DATA_MISSING")
    assert result.updates[-1].instant == result.slice_ends[3]


def test_a_missing_bar_of_one_symbol_leaves_the_other_alone() -> None:
    result = play(
        {"NVDA": [flat(100.0), None, flat(110.0)], "AAPL": [flat(50.0), flat(51.0), flat(52.0)]},
        at={0: [target(10), target(20, "AAPL")]},
    )
    assert [(f.symbol, f.after_gap) for f in result.fills] == [("AAPL", False), ("NVDA", True)]
    assert fills(result) == [(1, 20, 51.0), (2, 10, 110.0)]
    assert len(result.strategy.seen) == 3
    assert result.strategy.seen[1].missing == ("NVDA",)


def test_without_any_bar_the_strategy_is_not_asked() -> None:
    result = play({"NVDA": [flat(100.0), None, flat(110.0)]})
    assert [market.index for market in result.strategy.seen] == [0, 2]


@pytest.mark.parametrize(
    ("request_", "after"),
    [(order(10, limit_price=95.0), 94.0), (order(10, stop_price=105.0), 106.0)],
)
def test_resting_orders_rest_through_a_gap(request_: OrderRequest, after: float) -> None:
    result = play({"NVDA": [flat(100.0), None, flat(after)]}, at={0: [request_]})
    assert fills(result) == [(2, 10, after)]


def test_a_protective_stop_meets_the_bar_after_the_gap() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), None, flat(90.0)]},
        at={0: [target(10, stop_price=95.0)]},
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 90.0)]


def test_the_mark_is_carried() -> None:
    result = play({"NVDA": [flat(100.0), flat(104.0), None, flat(107.0)]}, at={0: [target(10)]})
    start = 1_000_000 * USD
    assert result.equity == [start, start, start, start + 30 * USD]


def test_a_target_asked_again_while_waiting_is_not_ordered_twice() -> None:
    result = play(
        {"NVDA": [flat(100.0), None, flat(110.0)], "AAPL": [flat(50.0)] * 3},
        at={0: [target(10)], 1: [target(10)]},
    )
    assert fills(result, "NVDA") == [(2, 10, 110.0)]
    assert len(result.orders) == 1


def test_an_exit_that_has_filled_in_part_waits_on_as_well() -> None:
    """Sell 100: 40 in slice 2, the session's last slice 3 is missing, 60 at the next open."""
    bars = [flat(100.0), flat(100.0), flat(100.0, 400), None, flat(99.0), flat(98.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100)], 1: [target(0)]},
        per_session=4,
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result)[1:] == [(2, -40, 100.0), (4, -60, 99.0)]


def test_an_entry_that_has_filled_in_part_expires_for_want_of_data() -> None:
    bars = [flat(100.0), flat(100.0), flat(100.0, 400), None, flat(99.0), flat(98.0)]
    result = play(
        {"NVDA": bars},
        at={1: [target(100)]},
        per_session=4,
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result) == [(2, 40, 100.0)]
    assert why(result, 1) == ("expired", "DATA_MISSING")


def test_a_resting_limit_whose_last_bar_is_missing_was_not_reached() -> None:
    """DATA_MISSING is for market entries; WAITING_DATA is no end."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), None, flat(100.0)]},
        at={0: [order(10, limit_price=95.0)]},
        per_session=3,
    )
    assert why(result, 1) == ("expired", "NOT_REACHED")
