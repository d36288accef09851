"""C13: at the fill an entry is cut to the whole shares that leverage x equity allows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import plan, play, rules
from tests.rules.tools import fills, flat, order, target, why

PPM = 1_000_000


def venue(leverage: float = 1.0, **more: Any) -> Any:
    return rules(leverage_ppm=round(leverage * PPM), **more)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("opens", "leverage", "filled"),
    [
        (100.0, 1.0, 100),
        (105.0, 1.0, 95),  # 10,000 / 105 = 95.2
        (100.01, 1.0, 99),
        (95.0, 1.0, 100),
        (105.0, 1.05, 100),  # 10,500 / 105 = 100 exactly
        (105.0, 2.0, 100),
        (250.0, 0.5, 20),
        (10_000.0, 1.0, 1),
        (10_000.01, 1.0, 0),
    ],
)
def test_an_entry_of_100_on_10_000_dollars(
    sign: int, opens: float, leverage: float, filled: int
) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(opens), flat(opens)]},
        at={0: [target(100 * sign)]},
        cash_usd=10_000,
        pricing=venue(leverage),
    )
    assert fills(result) == ([(1, filled * sign, opens)] if filled else [])
    if filled < 100:
        assert why(result, 1) == ("cancelled", "INSUFFICIENT_FUNDS")
        assert result.updates[-1].instant == result.slice_ends[1]


def test_no_leverage_no_cap() -> None:
    result = play({"NVDA": [flat(100.0), flat(105.0)]}, at={0: [target(1000)]}, cash_usd=10_000)
    assert fills(result) == [(1, 1000, 105.0)]


@pytest.mark.parametrize(
    ("costs", "slippage_ppm", "filled", "price"),
    [
        (plan("0", "1", None), 0, 99, 100.0),  # (10,000 - 1) / 100
        (plan("0.005", "1", None), 0, 99, 100.0),
        (plan("1", "0", None), 0, 99, 100.0),  # 99 shares cost 99: 9901 / 100 = 99.01
        (plan("2", "0", None), 0, 98, 100.0),  # 99 cost 198: 98.02; 98 cost 196: 98.04
        (plan(), 10_000, 99, 101.0),  # 10,000 / 101 = 99.0
    ],
)
def test_costs_and_slippage_are_counted(
    costs: Any, slippage_ppm: int, filled: int, price: float
) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0)]},
        at={0: [target(100)]},
        cash_usd=10_000,
        pricing=venue(commission=costs, slippage_ppm=slippage_ppm),
    )
    assert fills(result) == [(1, filled, price)]


@pytest.mark.parametrize("sign", [1, -1])
def test_exits_are_never_cut(sign: int) -> None:
    """Four times leverage at the entry, then the price goes against us: the exit goes through."""
    against = 100.0 - 20 * sign
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(against), flat(against)]},
        at={0: [target(400 * sign)], 1: [target(0)]},
        cash_usd=10_000,
        pricing=venue(4.0),
    )
    assert fills(result) == [(1, 400 * sign, 100.0), (2, -400 * sign, against)]


@pytest.mark.parametrize("sign", [1, -1])
def test_protective_exits_are_never_cut(sign: int) -> None:
    against = 100.0 - 30 * sign
    stop = 100.0 - 5 * sign
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(against)]},
        at={0: [target(400 * sign, stop_price=stop)]},
        cash_usd=10_000,
        pricing=venue(4.0),
    )
    assert fills(result)[1] == (2, -400 * sign, against)


@pytest.mark.parametrize(
    ("opens", "costs", "filled"),
    [
        (100.0, plan(), 200),
        # equity at 80: 8000; 8000 / 80 = 100 short: just so
        (80.0, plan(), 200),
        (80.0, plan("0", "1", None), 199),  # two dollars of commission: 7998 / 80 = 99.97
        (125.0, plan(), 200),
    ],
)
def test_only_the_opening_part_of_a_flip_is_cut(opens: float, costs: Any, filled: int) -> None:
    """Long 100 of 10,000 dollars to short 100."""
    cash = 10_001 if filled == 199 else 10_000  # the first dollar pays for the entry
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(opens), flat(opens)]},
        at={0: [target(100)], 1: [target(-100)]},
        cash_usd=cash,
        pricing=venue(commission=costs),
    )
    assert fills(result) == [(1, 100, 100.0), (2, -filled, opens)]
    if filled < 200:
        assert why(result, 2) == ("cancelled", "INSUFFICIENT_FUNDS")


def test_a_short_that_flips_has_lost_its_room() -> None:
    """Short 100 from 100 on 10,000; at 150 equity is 5000: 33 long are the most."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(150.0)]},
        at={0: [target(-100)], 1: [target(100)]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert fills(result) == [(1, -100, 100.0), (2, 133, 150.0)]
    assert result.position() == 33


def test_what_is_held_in_other_symbols_counts_at_its_last_close() -> None:
    """AAPL 100 x 50 = 5000, marked to 60 = 6000: equity 11,000, room 5000 = 50 NVDA."""
    result = play(
        {
            "AAPL": [flat(50.0), (50.0, 60.0, 50.0, 60.0), flat(60.0)],
            "NVDA": [flat(100.0), flat(100.0), flat(100.0)],
        },
        at={0: [target(100, "AAPL")], 1: [target(80, "NVDA")]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert fills(result, "NVDA") == [(2, 50, 100.0)]


def test_two_entries_at_one_open_share_the_room() -> None:
    """60 NVDA at 100, then AAPL gets 4000 / 50 = 80 of its 100."""
    result = play(
        {"NVDA": [flat(100.0)] * 2, "AAPL": [flat(50.0)] * 2},
        at={0: [target(60), target(100, "AAPL")]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert [(f.symbol, f.quantity) for f in result.fills] == [("NVDA", 60), ("AAPL", 80)]


def test_growing_a_position_counts_what_is_held() -> None:
    """60 held; at 125 equity is 11,500: 92 shares in all, so 32 more."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(125.0)]},
        at={0: [target(60)], 1: [target(100)]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert fills(result) == [(1, 60, 100.0), (2, 32, 125.0)]


@pytest.mark.parametrize("kind", ["limit_price", "stop_price"])
def test_resting_entries_are_cut_as_well(kind: str) -> None:
    """200 shares at 95 (a limit) or 105 (a stop) on 10,000 dollars: 105 or 95 of them."""
    price = 95.0 if kind == "limit_price" else 105.0
    bar = (100.0, 110.0, 99.0, 100.0) if kind == "stop_price" else (100.0, 101.0, 90.0, 100.0)
    result = play(
        {"NVDA": [flat(100.0), bar, bar]},
        at={0: [_resting(200, kind, price)]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert fills(result) == [(1, 105 if price < 100 else 95, price)]
    assert why(result, 1) == ("cancelled", "INSUFFICIENT_FUNDS")


def test_a_bracket_protects_what_was_filled() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(105.0), flat(105.0), flat(90.0)]},
        at={0: [target(100, stop_price=95.0)]},
        cash_usd=10_000,
        pricing=venue(),
    )
    assert fills(result) == [(1, 95, 105.0), (3, -95, 90.0)]


def _resting(signed: int, kind: str, price: float) -> Any:
    details: dict[str, Any] = {kind: price}
    return order(signed, **details)
