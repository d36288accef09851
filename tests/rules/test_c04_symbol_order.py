"""C4: symbols are gone through in the order of the config, never by name or by hash."""

from __future__ import annotations

import pytest

from tests.harness import play
from tests.rules.tools import flat, order, target

NAMES = ("ZM", "AAPL", "NVDA", "MSFT")


@pytest.mark.parametrize("names", [NAMES, tuple(reversed(NAMES)), ("NVDA", "ZM", "MSFT", "AAPL")])
def test_orders_and_fills_follow_the_config(names: tuple[str, ...]) -> None:
    wanted = [target(10, name) for name in sorted(names)]
    result = play({name: [flat(100.0)] * 3 for name in names}, at={0: wanted})
    assert tuple(accepted.symbol for accepted in result.orders) == names
    assert tuple(fill.symbol for fill in result.fills) == names
    assert [fill.fill_id for fill in result.fills] == [1, 2, 3, 4]
    assert [fill.order_id for fill in result.fills] == [1, 2, 3, 4]


def test_bars_of_a_slice_are_in_config_order() -> None:
    result = play({name: [flat(100.0)] * 2 for name in NAMES})
    assert [bar.symbol for bar in result.strategy.seen[0].bars] == list(NAMES)


def test_fills_at_one_instant_follow_the_order_number() -> None:
    """AAPL's order rests since slice 0 (number 1), ZM's is of slice 1 (number 2)."""
    result = play(
        {"ZM": [flat(100.0)] * 3, "AAPL": [flat(100.0), flat(100.0), flat(90.0)]},
        at={0: [order(1, "AAPL", limit_price=95.0)], 1: [target(2, "ZM")]},
    )
    assert [(fill.symbol, fill.order_id) for fill in result.fills] == [("AAPL", 1), ("ZM", 2)]


def test_the_same_twice() -> None:
    def run() -> list[object]:
        bars = {name: [(100.0, 103.0, 97.0, 101.0)] * 6 for name in NAMES}
        wanted = [target(10, name, stop_price=98.0, take_profit_price=102.0) for name in NAMES]
        return [turn.outputs for turn in play(bars, at=dict.fromkeys(range(6), wanted)).turns]

    assert run() == run()
