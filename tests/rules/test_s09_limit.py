"""S9: a limit fills at the open when that is better, else when the price goes through by a tick."""

from __future__ import annotations

import pytest

from tests.harness import Quote, play, rules
from tests.rules.tools import E4, GTC, fills, flat, mirrored, order, why

QUIET = (103.0, 103.0, 103.0, 103.0)

# a buy at 100; what the next bar does; the price paid or None
CASES: list[tuple[Quote, float | None]] = [
    ((99.0, 101.0, 98.0, 100.0), 99.0),  # opens below: at the open
    ((99.99, 101.0, 99.0, 100.0), 99.99),
    ((100.0, 101.0, 100.0, 100.5), None),  # opens at the limit and never goes through
    ((100.0, 101.0, 99.99, 100.5), 100.0),  # opens at the limit, goes through by one tick
    ((101.0, 102.0, 100.0, 101.0), None),  # touch
    ((101.0, 102.0, 99.995, 101.0), None),  # through by half a tick
    ((101.0, 102.0, 99.9901, 101.0), None),
    ((101.0, 102.0, 99.99, 101.0), 100.0),  # through by a tick
    ((101.0, 102.0, 95.0, 96.0), 100.0),  # far through: still the limit
    ((101.0, 102.0, 100.01, 101.0), None),
]


@pytest.mark.parametrize(("bar", "price"), CASES)
@pytest.mark.parametrize("slippage_ppm", [0, 5000])
def test_buy(bar: Quote, price: float | None, slippage_ppm: int) -> None:
    result = play(
        {"NVDA": [QUIET, bar]},
        at={0: [order(10, limit_price=100.0)]},
        pricing=rules(slippage_ppm=slippage_ppm),
    )
    assert fills(result) == ([] if price is None else [(1, 10, price)])


@pytest.mark.parametrize(("bar", "price"), CASES)
@pytest.mark.parametrize("slippage_ppm", [0, 5000])
def test_sell_mirrored(bar: Quote, price: float | None, slippage_ppm: int) -> None:
    result = play(
        {"NVDA": mirrored([QUIET, bar])},
        at={0: [order(-10, limit_price=100.0)]},
        pricing=rules(slippage_ppm=slippage_ppm),
    )
    assert fills(result) == ([] if price is None else [(1, -10, round(200 - price, 4))])


@pytest.mark.parametrize(
    ("signed", "asked", "made"),
    [
        (10, 100.005, 100.00),  # against filling: a buy down, a sell up
        (-10, 100.005, 100.01),
        (10, 100.00, 100.00),
        (-10, 100.00, 100.00),
    ],
)
def test_the_limit_is_rounded_to_the_tick(signed: int, asked: float, made: float) -> None:
    result = play({"NVDA": [flat(100.0)] * 2}, at={0: [order(signed, limit_price=asked)]})
    assert [accepted.limit_e4 for accepted in result.orders] == [round(made * E4)]


def test_it_rests_until_reached_within_its_session() -> None:
    bars = [flat(103.0), flat(102.0), flat(101.0), (101.0, 101.0, 99.5, 100.5)]
    result = play({"NVDA": bars}, at={0: [order(10, limit_price=100.0)]})
    assert fills(result) == [(3, 10, 100.0)]


def test_a_day_limit_expires_at_the_session_end_and_a_gtc_limit_does_not() -> None:
    bars = [flat(103.0)] * 3 + [(103.0, 103.0, 99.0, 100.0)]
    day = order(10, limit_price=100.0)
    until_cancelled = order(20, limit_price=100.0, time_in_force=GTC)
    result = play({"NVDA": bars}, at={0: [day, until_cancelled]}, per_session=3)
    assert fills(result) == [(3, 20, 100.0)]
    assert why(result, 1) == ("expired", "NOT_REACHED")
