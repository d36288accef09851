"""S7 (and C2): a market order fills in the next expected bar, at its open or at its close."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import play, rules
from tests.rules.tools import E4, fills, flat, target

QUIET = (100.0, 101.0, 99.0, 100.0)
NEXT = (102.0, 103.0, 101.0, 102.5)


@pytest.mark.parametrize(
    ("quantity", "opens", "slippage_ppm", "tick_e4", "price"),
    [
        (10, 102.0, 0, 100, 102.00),
        (-10, 102.0, 0, 100, 102.00),
        (10, 102.0, 100, 100, 102.02),  # 102 x 1.0001 = 102.0102, up to the cent
        (-10, 102.0, 100, 100, 101.98),  # 102 x 0.9999 = 101.9898, down to the cent
        (10, 100.0, 100, 100, 100.01),  # lands on the tick exactly: no further
        (-10, 100.0, 100, 100, 99.99),
        (10, 102.005, 0, 100, 102.01),  # a print between two ticks
        (-10, 102.005, 0, 100, 102.00),
        (10, 102.0, 100, 1, 102.0102),
        (-10, 102.0, 100, 1, 101.9898),
        (10, 102.0, 100, 500, 102.05),  # 5 cents
        (-10, 102.0, 100, 500, 101.95),
        (10, 103.0, 5000, 100, 103.52),  # 103 x 1.005 = 103.515; above the bar's high, unclamped
        (-10, 101.0, 5000, 100, 100.49),  # 101 x 0.995 = 100.495
    ],
)
def test_next_open(
    quantity: int, opens: float, slippage_ppm: int, tick_e4: int, price: float
) -> None:
    bar = (opens, 103.0, 101.0, 102.0) if 101 <= opens <= 103 else flat(opens)
    result = play(
        {"NVDA": [QUIET, bar]},
        at={0: [target(quantity)]},
        pricing=rules(slippage_ppm=slippage_ppm, tick_e4=tick_e4),
    )
    assert fills(result) == [(1, quantity, price)]
    (fill,) = result.fills
    assert fill.reference_e4 == round(opens * E4)
    assert (fill.effective, fill.known) == (result.slice_starts[1], result.slice_ends[1])
    assert not fill.ambiguous
    assert not fill.after_gap


@pytest.mark.parametrize(
    ("quantity", "slippage_ppm", "price"),
    [
        (10, 0, 102.50),
        (-10, 0, 102.50),
        (10, 100, 102.52),  # 102.5 x 1.0001 = 102.51025
        (-10, 100, 102.48),  # 102.5 x 0.9999 = 102.48975
    ],
)
def test_next_close(quantity: int, slippage_ppm: int, price: float) -> None:
    result = play(
        {"NVDA": [QUIET, NEXT]},
        at={0: [target(quantity)]},
        pricing=rules(slippage_ppm=slippage_ppm, fills_at_close=True),
    )
    assert fills(result) == [(1, quantity, price)]
    assert result.fills[0].reference_e4 == 102_5000


def test_at_the_close_the_bracket_is_not_live_in_the_entry_bar() -> None:
    """Both levels lie inside bar 1, but the entry comes after all of its prices."""
    result = play(
        {"NVDA": [QUIET, (100.0, 110.0, 90.0, 100.0), flat(100.0), (100.0, 100.0, 94.0, 95.0)]},
        at={0: [target(10, stop_price=95.0, take_profit_price=105.0)]},
        pricing=rules(fills_at_close=True),
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 95.0)]


def test_a_fill_is_seen_at_the_end_of_its_bar_and_not_before() -> None:
    seen: list[tuple[int, float | None]] = []

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append((portfolio.position("NVDA"), portfolio.average_entry_usd("NVDA")))
        return [target(10)]

    play({"NVDA": [QUIET, NEXT, QUIET]}, decide=decide)
    assert seen == [(0, None), (10, 102.0), (10, 102.0)]


def test_the_last_bar_decides_but_nothing_fills() -> None:
    result = play({"NVDA": [QUIET, NEXT]}, at={1: [target(10)]})
    assert len(result.orders) == 1
    assert result.fills == []
    assert result.position() == 0
