"""S14 (and C17): a trailing stop knows the extremes of the bars before, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import play, rules
from tests.rules.tools import E4, fills, flat, mirrored, order, target

# trail 10 %; entry at 100 in bar 1, whose close is 102: the level for bar 2 is 91.80
ENTRY = (100.0, 120.0, 50.0, 102.0)  # neither its high nor its low count


@pytest.mark.parametrize(
    ("bars", "exit_fill"),
    [
        ([(102.0, 110.0, 91.81, 105.0)], None),
        ([(102.0, 110.0, 91.80, 105.0)], (2, -10, 91.80)),  # 110 comes too late for bar 2
        # the high of bar 2 sets the level of bar 3: 110 x 0.9 = 99.00
        ([(102.0, 110.0, 91.81, 105.0), (105.0, 106.0, 99.01, 100.0)], None),
        ([(102.0, 110.0, 91.81, 105.0), (105.0, 106.0, 99.0, 100.0)], (3, -10, 99.0)),
        ([(102.0, 110.0, 91.81, 105.0), (98.0, 106.0, 97.0, 100.0)], (3, -10, 98.0)),  # gap
        # a lower high does not lower the level
        (
            [(102.0, 110.0, 95.0, 105.0), (105.0, 106.0, 100.0, 101.0), (101.0, 101.0, 99.0, 99.5)],
            (4, -10, 99.0),
        ),
        # 102.37 x 0.9 = 92.133 -> 92.13, away from the price
        ([(102.0, 102.37, 100.0, 101.0), (101.0, 101.0, 92.14, 95.0)], None),
        ([(102.0, 102.37, 100.0, 101.0), (101.0, 101.0, 92.13, 95.0)], (3, -10, 92.13)),
    ],
)
def test_long(bars: list[Any], exit_fill: tuple[int, int, float] | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), ENTRY, *bars]}, at={0: [target(10, trailing_stop_pct=10.0)]}
    )
    assert fills(result) == [(1, 10, 100.0)] + ([] if exit_fill is None else [exit_fill])


@pytest.mark.parametrize(
    ("bars", "exit_fill"),
    [
        # entry bar's close 98: level for bar 2 = 107.80
        ([(98.0, 107.79, 90.0, 95.0)], None),
        ([(98.0, 107.80, 90.0, 95.0)], (2, 10, 107.80)),
        ([(98.0, 107.79, 90.0, 95.0), (95.0, 99.0, 94.0, 95.0)], (3, 10, 99.0)),  # 90 x 1.1
        ([(98.0, 107.79, 90.0, 95.0), (95.0, 98.99, 94.0, 95.0)], None),
        ([(98.0, 107.79, 90.0, 95.0), (101.0, 102.0, 94.0, 95.0)], (3, 10, 101.0)),
        # 97.37 x 1.1 = 107.107 -> 107.11
        ([(98.0, 100.0, 97.37, 99.0), (99.0, 107.10, 98.0, 105.0)], None),
        ([(98.0, 100.0, 97.37, 99.0), (99.0, 107.11, 98.0, 105.0)], (3, 10, 107.11)),
    ],
)
def test_short(bars: list[Any], exit_fill: tuple[int, int, float] | None) -> None:
    entry = (100.0, 150.0, 80.0, 98.0)
    result = play(
        {"NVDA": [flat(100.0), entry, *bars]}, at={0: [target(-10, trailing_stop_pct=10.0)]}
    )
    assert fills(result) == [(1, -10, 100.0)] + ([] if exit_fill is None else [exit_fill])


@pytest.mark.parametrize("signed", [10, -10])
def test_an_explicit_trailing_order_starts_from_the_last_close(signed: int) -> None:
    """Sell trailing 10 % decided at a close of 100: 90 in bar 1, then 10 % off bar 1's high."""
    bars: list[Any] = [
        flat(100.0),
        (100.0, 110.0, 90.01, 105.0),
        (105.0, 106.0, 99.0, 100.0),  # 110 x 0.9 = 99
    ]
    if signed > 0:  # mirrored: low 90, 90 x 1.1 = 99 in bar 2
        bars = [flat(100.0), (100.0, 109.99, 90.0, 95.0), (95.0, 99.0, 94.0, 98.0)]
    result = play({"NVDA": bars}, at={0: [order(signed, trail_pct=10.0)]})
    assert fills(result) == [(2, signed, 99.0)]


def test_more_shares_start_the_trail_anew() -> None:
    """Budget 60 then 40 of an entry of 100.

    After bar 1 (close 120) 60 shares trail at 108. In bar 2 the other 40 come at the open of 110:
    the trail is made anew and has no level in that bar, whose low of 105 therefore sells nothing.
    Its close of 106 gives 95.40 for bar 3.
    """
    bars = [
        flat(100.0),
        (100.0, 121.0, 100.0, 120.0, 600),
        (110.0, 112.0, 105.0, 106.0, 10_000),
        (106.0, 106.0, 95.41, 96.0, 10_000),
        (95.9, 96.0, 95.40, 96.0, 10_000),
    ]
    result = play(
        {"NVDA": bars},
        at={0: [target(100, trailing_stop_pct=10.0)]},
        pricing=rules(participation_ppm=100_000),
    )
    # after bar 3 the extreme is its high of 106, so the level stays
    assert fills(result) == [(1, 60, 100.0), (2, 40, 110.0), (4, -100, 95.40)]


@pytest.mark.parametrize("signed", [100, -100])
def test_fewer_shares_keep_the_trail(signed: int) -> None:
    """Bar 1 closes at 120: level 108. Half goes at bar 2's open, the rest at its low of 108."""
    bars: list[Any] = [
        flat(100.0),
        (100.0, 121.0, 100.0, 120.0),
        (115.0, 116.0, 108.0, 110.0),
    ]
    level = 108.0
    if signed < 0:  # close 80: 88
        bars, level = mirrored(bars), 88.0
    half = signed // 2
    result = play(
        {"NVDA": bars},
        at={0: [target(signed, trailing_stop_pct=10.0)], 1: [target(half)]},
    )
    assert fills(result)[1:] == [(2, -half, bars[2][0]), (2, -half, level)]
    trailing = [accepted for accepted in result.orders if accepted.trail_ppm]
    assert [(accepted.trail_ppm, accepted.quantity) for accepted in trailing] == [(100_000, 100)]


def test_a_trail_beside_a_target_and_slippage() -> None:
    """Level 91.80 less 1 %: 90.882 -> 90.88; the take-profit goes with the position."""
    result = play(
        {"NVDA": [flat(100.0), ENTRY, (102.0, 103.0, 91.0, 92.0), (92.0, 140.0, 92.0, 140.0)]},
        at={0: [target(10, trailing_stop_pct=10.0, take_profit_price=130.0)]},
        pricing=rules(slippage_ppm=10_000),
    )
    assert fills(result) == [(1, 10, 101.0), (2, -10, 90.88)]
    assert result.fills[1].reference_e4 == round(91.80 * E4)
