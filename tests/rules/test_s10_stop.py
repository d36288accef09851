"""S10: a stop fills at the open after a gap, else at its level, slipped against us."""

from __future__ import annotations

import pytest

from tests.harness import Quote, play, rules
from tests.rules.tools import E4, fills, flat, mirrored, order, target

QUIET = (100.0, 100.0, 100.0, 100.0)

# a buy stop at 105; what the next bar does; the price without and with 10 bps of slippage
BUY: list[tuple[Quote, float | None, float | None]] = [
    ((104.0, 104.99, 103.0, 104.0), None, None),
    ((104.0, 105.0, 103.0, 104.0), 105.0, 105.11),  # touch: 105 x 1.001 = 105.105
    ((104.0, 108.0, 103.0, 107.0), 105.0, 105.11),
    ((105.0, 106.0, 104.0, 105.5), 105.0, 105.11),  # opens at the stop
    ((107.0, 108.0, 104.0, 106.0), 107.0, 107.11),  # gap: 107 x 1.001 = 107.107, never 105
    ((105.01, 105.01, 105.01, 105.01), 105.01, 105.12),  # 105.11501
]
# a sell stop at 95: the same upside down, slipped downwards
SELL: list[tuple[Quote, float | None, float | None]] = [
    ((96.0, 97.0, 95.01, 96.0), None, None),
    ((96.0, 97.0, 95.0, 96.0), 95.0, 94.90),  # 95 x 0.999 = 94.905
    ((96.0, 97.0, 92.0, 93.0), 95.0, 94.90),
    ((95.0, 96.0, 94.0, 94.5), 95.0, 94.90),
    ((93.0, 96.0, 92.0, 94.0), 93.0, 92.90),  # 93 x 0.999 = 92.907
    ((94.99, 94.99, 94.99, 94.99), 94.99, 94.89),  # 94.89501
]


@pytest.mark.parametrize(("bar", "bare", "slipped"), BUY)
def test_buy(bar: Quote, bare: float | None, slipped: float | None) -> None:
    _check(10, 105.0, bar, bare, slipped)


@pytest.mark.parametrize(("bar", "bare", "slipped"), SELL)
def test_sell(bar: Quote, bare: float | None, slipped: float | None) -> None:
    _check(-10, 95.0, bar, bare, slipped)


def _check(signed: int, stop: float, bar: Quote, bare: float | None, slipped: float | None) -> None:
    for slippage_ppm, price in ((0, bare), (1000, slipped)):
        result = play(
            {"NVDA": [QUIET, bar]},
            at={0: [order(signed, stop_price=stop)]},
            pricing=rules(slippage_ppm=slippage_ppm),
        )
        assert fills(result) == ([] if price is None else [(1, signed, price)])
        for fill in result.fills:
            assert bar[2] * E4 <= fill.reference_e4 <= bar[1] * E4


@pytest.mark.parametrize(
    ("signed", "asked", "made"), [(10, 105.005, 105.01), (-10, 94.995, 94.99), (10, 105.0, 105.0)]
)
def test_the_stop_is_rounded_away(signed: int, asked: float, made: float) -> None:
    result = play({"NVDA": [QUIET, QUIET]}, at={0: [order(signed, stop_price=asked)]})
    assert [accepted.stop_e4 for accepted in result.orders] == [round(made * E4)]


@pytest.mark.parametrize("signed", [10, -10])
def test_a_protective_stop_after_a_gap(signed: int) -> None:
    """Long at 100 with a stop at 95; the night brings 90."""
    bars = [flat(100.0), flat(100.0), (90.0, 97.0, 89.0, 96.0)]
    stop = 95.0 if signed > 0 else 105.0
    result = play(
        {"NVDA": bars if signed > 0 else mirrored(bars)},
        at={0: [target(signed, stop_price=stop)]},
        per_session=2,
    )
    assert fills(result) == [(1, signed, 100.0), (2, -signed, 90.0 if signed > 0 else 110.0)]
