"""C11: integers of 1/10,000 dollar; slippage, then the tick, against us; limits take neither."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.harness import play, rules
from tests.rules.tools import E4, GTC, fills, flat, order, target


@pytest.mark.parametrize(
    ("opens", "slippage_ppm", "tick_e4", "buy", "sell"),
    [
        (3.50, 100, 100, 3.51, 3.49),  # 3.50035 and 3.49965
        (3.50, 100, 1, 3.5004, 3.4996),
        (3.50, 0, 100, 3.50, 3.50),
        (100.0049, 0, 100, 100.01, 100.00),
        (100.0049, 0, 1, 100.0049, 100.0049),
        (100.0001, 0, 100, 100.01, 100.00),  # one unit of the venue is enough
        (0.02, 10_000, 100, 0.03, 0.01),  # 0.0202 and 0.0198
        (1234.56, 500, 100, 1235.18, 1233.94),  # 1235.17728 and 1233.94272
        (180.0, 50, 100, 180.01, 179.99),  # half a basis point: 180.009, 179.991
        (100.0, 1_000, 1000, 100.10, 99.90),  # dime ticks, hit exactly
        (100.0, 1_001, 1000, 100.20, 99.80),  # and passed by one part in a million
    ],
)
def test_against_us(opens: float, slippage_ppm: int, tick_e4: int, buy: float, sell: float) -> None:
    for signed, price in ((1, buy), (-1, sell)):
        result = play(
            {"NVDA": [flat(opens), flat(opens)]},
            at={0: [target(signed)]},
            pricing=rules(slippage_ppm=slippage_ppm, tick_e4=tick_e4),
        )
        assert fills(result) == [(1, signed, price)]
        assert result.fills[0].reference_e4 == round(opens * E4)


def test_slippage_is_taken_at_market_and_stops_but_not_at_limits() -> None:
    """1 %: 101.00 at market, 103 x 1.01 = 104.03 at the stop, 98 at the limit."""
    result = play(
        {"NVDA": [flat(100.0), (100.0, 103.0, 97.0, 100.0)]},
        at={0: [order(1), order(2, stop_price=103.0), order(3, limit_price=98.0)]},
        pricing=rules(slippage_ppm=10_000),
    )
    assert fills(result) == [(1, 1, 101.0), (1, 2, 104.03), (1, 3, 98.0)]


@pytest.mark.parametrize("seed", range(6))
def test_the_reference_is_a_price_of_the_bar_and_we_never_gain_by_rounding(seed: int) -> None:
    draw = random.Random(seed)
    bars: list[Any] = []
    for _ in range(40):
        prices = sorted(round(draw.uniform(90, 110), 4) for _ in range(4))
        opens, close = draw.sample(prices[1:3], 2)
        bars.append((opens, prices[3], prices[0], close, draw.choice([100, 1000])))
    plan = {}
    for number in range(39):
        signed = draw.choice([-1, 1]) * draw.randint(1, 90)
        level = round(draw.uniform(92, 108), 2)
        plan[number] = [
            draw.choice(
                [
                    order(signed, limit_price=level, time_in_force=GTC),
                    order(signed, stop_price=level),
                    target(signed, stop_loss_pct=1.0, take_profit_pct=2.0),
                ]
            )
        ]
    result = play(
        {"NVDA": bars}, at=plan, pricing=rules(slippage_ppm=300, participation_ppm=100_000)
    )
    limits = {accepted.order_id: accepted.limit_e4 for accepted in result.orders}
    assert len(result.fills) > 20
    for fill in result.fills:
        bar = bars[result.slice_starts.index(fill.effective)]
        assert round(bar[2] * E4) <= fill.reference_e4 <= round(bar[1] * E4)
        worse = fill.price_e4 - fill.reference_e4
        assert worse * (1 if str(fill.side) == "buy" else -1) >= 0
        if limits[fill.order_id] is None:
            assert fill.price_e4 % 100 == 0
