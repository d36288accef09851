"""S11: a stop-limit fills at once where its limit allows, else it rests from the next bar."""

from __future__ import annotations

import pytest

from tests.harness import Quote, play, rules
from tests.rules.tools import E4, fills, order

QUIET = (100.0, 100.0, 100.0, 100.0)
FAR_UP = (110.0, 111.0, 109.0, 110.0)
FAR_DOWN = (90.0, 91.0, 89.0, 90.0)

# buy: stop 105, limit 106; the bar, slippage in bps, the price in that bar or None
BUY: list[tuple[Quote, int, float | None]] = [
    ((104.0, 104.99, 103.0, 104.0), 0, None),  # not triggered
    ((104.0, 105.0, 103.0, 104.0), 0, 105.0),  # touch
    ((104.0, 108.0, 103.0, 107.0), 0, 105.0),
    ((104.0, 108.0, 103.0, 107.0), 50, 105.53),  # 105 x 1.005 = 105.525 <= 106
    ((104.0, 108.0, 103.0, 107.0), 95, 106.0),  # 105 x 1.0095 = 105.9975 -> 106.00 = the limit
    ((104.0, 108.0, 103.0, 107.0), 100, None),  # 106.05 is beyond the limit: rests
    ((105.0, 108.0, 103.0, 107.0), 0, 105.0),
    ((105.5, 108.0, 103.0, 107.0), 0, 105.5),  # opens between stop and limit
    ((106.0, 108.0, 103.0, 107.0), 0, 106.0),
    ((106.01, 108.0, 103.0, 107.0), 0, None),  # beyond the limit; the low is of no use
    ((107.0, 108.0, 100.0, 101.0), 0, None),
]
# sell: stop 95, limit 94
SELL: list[tuple[Quote, int, float | None]] = [
    ((96.0, 97.0, 95.01, 96.0), 0, None),
    ((96.0, 97.0, 95.0, 96.0), 0, 95.0),
    ((96.0, 97.0, 92.0, 93.0), 0, 95.0),
    ((96.0, 97.0, 92.0, 93.0), 100, 94.05),  # 95 x 0.99
    ((96.0, 97.0, 92.0, 93.0), 105, 94.0),  # 95 x 0.9895 = 94.0025 -> 94.00
    ((96.0, 97.0, 92.0, 93.0), 150, None),  # 93.575
    ((95.0, 97.0, 92.0, 93.0), 0, 95.0),
    ((94.5, 97.0, 92.0, 93.0), 0, 94.5),
    ((94.0, 97.0, 92.0, 93.0), 0, 94.0),
    ((93.99, 97.0, 92.0, 93.0), 0, None),
    ((93.0, 100.0, 92.0, 99.0), 0, None),
]


@pytest.mark.parametrize(("bar", "slippage_bps", "price"), BUY)
def test_buy(bar: Quote, slippage_bps: int, price: float | None) -> None:
    result = play(
        {"NVDA": [QUIET, bar, FAR_UP]},
        at={0: [order(10, stop_price=105.0, limit_price=106.0)]},
        pricing=rules(slippage_ppm=slippage_bps * 100),
    )
    assert [fill for fill in fills(result) if fill[0] == 1] == (
        [] if price is None else [(1, 10, price)]
    )


@pytest.mark.parametrize(("bar", "slippage_bps", "price"), SELL)
def test_sell(bar: Quote, slippage_bps: int, price: float | None) -> None:
    result = play(
        {"NVDA": [QUIET, bar, FAR_DOWN]},
        at={0: [order(-10, stop_price=95.0, limit_price=94.0)]},
        pricing=rules(slippage_ppm=slippage_bps * 100),
    )
    assert [fill for fill in fills(result) if fill[0] == 1] == (
        [] if price is None else [(1, -10, price)]
    )


# once triggered beyond its limit it is a limit (S9) from the next bar on: buy at 106
AFTER: list[tuple[Quote, float | None]] = [
    ((105.0, 107.0, 104.0, 106.0), 105.0),
    ((104.0, 104.5, 103.0, 104.0), 104.0),  # below the stop as well: it stays triggered
    ((107.0, 108.0, 106.0, 107.0), None),
    ((107.0, 108.0, 105.99, 107.0), 106.0),
]


@pytest.mark.parametrize(("bar", "price"), AFTER)
def test_rests_as_a_limit(bar: Quote, price: float | None) -> None:
    gap = (107.0, 108.0, 104.0, 107.0)
    result = play(
        {"NVDA": [QUIET, gap, bar]},
        at={0: [order(10, stop_price=105.0, limit_price=106.0)]},
        pricing=rules(slippage_ppm=2000),
    )
    assert fills(result) == ([] if price is None else [(2, 10, price)])
    assert "triggered" in [str(update.status) for update in result.updates]


def test_both_levels_are_shown() -> None:
    result = play(
        {"NVDA": [QUIET, QUIET]}, at={0: [order(10, stop_price=105.0, limit_price=106.0)]}
    )
    (accepted,) = result.orders
    assert (accepted.stop_e4, accepted.limit_e4) == (105 * E4, 106 * E4)
