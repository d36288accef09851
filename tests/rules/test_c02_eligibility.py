"""C2: decided, eligible_from, effective, known; only a bar that starts late enough may fill."""

from __future__ import annotations

import pytest

from daemon.core.events import Bracket, Flatten
from daemon.core.units import MINUTE_NS
from tests.harness import play, rules
from tests.rules.tools import at_end, fills, flat, middle, order, target


@pytest.mark.parametrize("slice_number", [0, 1, 6])  # 6: the session's last, fills next day
def test_an_order_waits_from_the_end_of_its_slice(slice_number: int) -> None:
    prices = [100.0 + i for i in range(9)]
    result = play({"NVDA": [flat(p) for p in prices]}, at={slice_number: [target(10)]})
    (accepted,) = result.orders
    assert accepted.decided == result.slice_ends[slice_number]
    assert accepted.eligible_from == result.slice_ends[slice_number]
    (fill,) = result.fills
    assert fill.effective == result.slice_starts[slice_number + 1] >= accepted.eligible_from
    assert fill.known == result.slice_ends[slice_number + 1]
    assert fills(result) == [(slice_number + 1, 10, prices[slice_number + 1])]


@pytest.mark.parametrize(
    ("instant", "fills_in"),
    [
        (at_end(2) - 1, 3),  # an instant before bar 3 starts
        (at_end(2), 3),  # just when it starts: start >= eligible_from
        (at_end(2) + 1, 4),
        (middle(3), 4),
        (at_end(3) - 1, 4),
        (at_end(6) + MINUTE_NS, 7),  # in the night
    ],
)
def test_an_order_of_a_command_waits_from_the_command(instant: int, fills_in: int) -> None:
    result = play(
        {"NVDA": [flat(100.0 + i) for i in range(9)]},
        at={0: [target(10)]},
        commands=[Flatten(instant, "operator", "out")],
    )
    assert fills(result) == [(1, 10, 101.0), (fills_in, -10, 100.0 + fills_in)]
    closing = result.orders[-1]
    assert str(closing.origin) == "flatten"
    assert (closing.decided, closing.eligible_from) == (instant, instant)


def test_a_protective_order_made_by_a_fill_at_the_open_counts_from_the_bars_start() -> None:
    result = play({"NVDA": [flat(100.0)] * 3}, at={0: [target(10, stop_price=95.0)]})
    stop = result.orders[-1]
    assert str(stop.origin) == "protective"
    assert stop.decided == result.slice_ends[1]
    assert stop.eligible_from == result.slice_starts[1]


def test_a_protective_order_of_a_fill_inside_the_bar_counts_from_its_start_too() -> None:
    """It may fill in that very bar (S13), and only a bar that starts late enough may fill it."""
    result = play(
        {"NVDA": [flat(100.0), (100.0, 100.0, 97.0, 99.0), flat(99.0)]},
        at={0: [order(10, limit_price=98.0, bracket=Bracket(stop_price=95.0))]},
    )
    stop = result.orders[-1]
    assert str(stop.origin) == "protective"
    assert (stop.decided, stop.eligible_from) == (result.slice_ends[1], result.slice_starts[1])


def test_a_protective_order_of_a_fill_at_the_close_counts_from_there() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        at={0: [target(10, stop_price=95.0)]},
        pricing=rules(fills_at_close=True),
    )
    stop = result.orders[-1]
    assert (stop.decided, stop.eligible_from) == (result.slice_ends[1], result.slice_ends[1])
