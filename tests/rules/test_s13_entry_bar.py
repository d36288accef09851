"""S13: which exits count in the bar of the entry itself."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Bracket
from tests.harness import Quote, Result, play
from tests.rules.tools import E4, fills, flat, mirrored, order, target

BRACKET: dict[str, Any] = {"stop_price": 95.0, "take_profit_price": 105.0}

# A market entry at the open of 100: both exits are live, stop first.
AT_OPEN: list[tuple[Quote, float | None, float | None]] = [
    ((100.0, 104.0, 96.0, 101.0), None, None),
    ((100.0, 106.0, 96.0, 101.0), 105.0, None),
    ((100.0, 105.0, 96.0, 101.0), None, None),  # touch
    ((100.0, 104.0, 95.0, 101.0), 95.0, None),
    ((100.0, 106.0, 94.0, 101.0), 95.0, 105.0),  # both: ambiguous
]


@pytest.mark.parametrize(("bar", "price", "other"), AT_OPEN)
def test_market_entry_long(bar: Quote, price: float | None, other: float | None) -> None:
    result = play({"NVDA": [flat(100.0), bar]}, at={0: [target(10, **BRACKET)]})
    _check(result, (1, 10, 100.0), price, other)


@pytest.mark.parametrize(("bar", "price", "other"), AT_OPEN)
def test_market_entry_short(bar: Quote, price: float | None, other: float | None) -> None:
    result = play(
        {"NVDA": mirrored([flat(100.0), bar])},
        at={0: [target(-10, stop_price=105.0, take_profit_price=95.0)]},
    )
    _check(result, (1, -10, 100.0), _turn(price), _turn(other))


@pytest.mark.parametrize(("bar", "price", "other"), AT_OPEN)
def test_limit_entry_at_the_open_is_like_a_market_entry(
    bar: Quote, price: float | None, other: float | None
) -> None:
    """A buy limit at 101 with an open of 100: filled there, so both exits are live."""
    result = play(
        {"NVDA": [flat(102.0), bar]},
        at={0: [order(10, limit_price=101.0, bracket=Bracket(**BRACKET))]},
    )
    _check(result, (1, 10, 100.0), price, other)


# A limit entry inside the bar: buy at 98. The stop counts, the target never does.
LIMIT_ENTRY: list[tuple[Quote, float | None, float | None]] = [
    ((100.0, 104.0, 97.0, 103.0), None, None),
    ((100.0, 106.0, 97.0, 103.0), None, None),  # the high may have come before the entry
    ((100.0, 104.0, 95.0, 103.0), 95.0, 103.0),  # the low is in the bar: stop, the other: no fill
    ((100.0, 104.0, 93.0, 94.0), 95.0, 94.0),
    ((100.0, 104.0, 95.01, 103.0), None, None),
]


@pytest.mark.parametrize(("bar", "price", "other"), LIMIT_ENTRY)
def test_limit_entry_long(bar: Quote, price: float | None, other: float | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), bar]},
        at={0: [order(10, limit_price=98.0, bracket=Bracket(**BRACKET))]},
    )
    _check(result, (1, 10, 98.0), price, other)


@pytest.mark.parametrize(("bar", "price", "other"), LIMIT_ENTRY)
def test_limit_entry_short(bar: Quote, price: float | None, other: float | None) -> None:
    bracket = Bracket(stop_price=105.0, take_profit_price=95.0)
    result = play(
        {"NVDA": mirrored([flat(100.0), bar])},
        at={0: [order(-10, limit_price=102.0, bracket=bracket)]},
    )
    _check(result, (1, -10, 102.0), _turn(price), _turn(other))


# A stop entry inside the bar: buy at 102. The target counts where the stop is untouched.
STOP_ENTRY: list[tuple[Quote, float | None, float | None]] = [
    ((100.0, 104.0, 96.0, 103.0), None, None),
    ((100.0, 106.0, 96.0, 103.0), 105.0, None),
    ((100.0, 105.0, 96.0, 103.0), None, None),  # touch of the target
    ((100.0, 104.0, 95.0, 103.0), 95.0, 103.0),
]


@pytest.mark.parametrize(("bar", "price", "other"), STOP_ENTRY)
def test_stop_entry_long(bar: Quote, price: float | None, other: float | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), bar]},
        at={0: [order(10, stop_price=102.0, bracket=Bracket(**BRACKET))]},
    )
    _check(result, (1, 10, 102.0), price, other)


@pytest.mark.parametrize(("bar", "price", "other"), STOP_ENTRY)
def test_stop_entry_short(bar: Quote, price: float | None, other: float | None) -> None:
    bracket = Bracket(stop_price=105.0, take_profit_price=95.0)
    result = play(
        {"NVDA": mirrored([flat(100.0), bar])},
        at={0: [order(-10, stop_price=98.0, bracket=bracket)]},
    )
    _check(result, (1, -10, 98.0), _turn(price), _turn(other))


@pytest.mark.parametrize("signed", [10, -10])
def test_stop_entry_with_both_levels_inside_takes_the_stop(signed: int) -> None:
    bars: list[Any] = [flat(100.0), (100.0, 106.0, 94.0, 103.0)]
    bracket = Bracket(**BRACKET)
    if signed < 0:
        bars, bracket = mirrored(bars), Bracket(stop_price=105.0, take_profit_price=95.0)
    entry = 102.0 if signed > 0 else 98.0
    result = play({"NVDA": bars}, at={0: [order(signed, stop_price=entry, bracket=bracket)]})
    assert fills(result) == [(1, signed, entry), (1, -signed, 95.0 if signed > 0 else 105.0)]
    assert result.fills[1].ambiguous


def test_stop_entry_at_the_open_after_a_gap_has_both_exits_live() -> None:
    """Buy stop 102, open 103: filled at the open; the target at 105 is reached later on."""
    result = play(
        {"NVDA": [flat(100.0), (103.0, 106.0, 96.0, 104.0)]},
        at={0: [order(10, stop_price=102.0, bracket=Bracket(**BRACKET))]},
    )
    _check(result, (1, 10, 103.0), 105.0, None)


def test_what_was_left_out_in_the_entry_bar_counts_in_the_next() -> None:
    result = play(
        {"NVDA": [flat(100.0), (100.0, 106.0, 97.0, 104.0), (104.0, 106.0, 97.0, 104.0)]},
        at={0: [order(10, limit_price=98.0, bracket=Bracket(**BRACKET))]},
    )
    assert fills(result) == [(1, 10, 98.0), (2, -10, 105.0)]


def _turn(price: float | None) -> float | None:
    return None if price is None else round(200 - price, 4)


def _check(
    result: Result, entry: tuple[int, int, float], price: float | None, other: float | None
) -> None:
    slice_number, signed, _ = entry
    exits = [] if price is None else [(slice_number, -signed, price)]
    assert fills(result) == [entry, *exits]
    assert not result.fills[0].ambiguous
    if price is not None:
        assert result.fills[1].ambiguous is (other is not None)
        assert result.fills[1].other_e4 == (None if other is None else round(other * E4))
