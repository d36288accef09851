"""S16: the bar's volume is a budget, shared in the order of fills; the rest works on."""

from __future__ import annotations

import pytest

from daemon.core.pricing import Pricing
from tests.harness import play, rules
from tests.rules.tools import GTC, IOC, fills, flat, order, target, why

FORTIETH = rules(participation_ppm=25_000)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ((4000, 4000), [(1, 100)]),  # 0.025 x 4000 = 100: exactly all
        ((3999, 4000), [(1, 99), (2, 1)]),  # 99.975
        ((1999, 1000, 100_000), [(1, 49), (2, 25), (3, 26)]),  # 49.975, 25
        ((40, 4000), [(1, 1), (2, 99)]),
        ((39, 4000), [(2, 100)]),  # 0.975: nothing
        ((0, 4000), [(2, 100)]),
    ],
)
def test_a_market_order_in_parts(
    sign: int, volumes: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    prices = [101.0, 102.0, 103.0]
    bars = [flat(price, volume) for price, volume in zip(prices, volumes, strict=False)]
    result = play({"NVDA": [flat(100.0), *bars]}, at={0: [target(100 * sign)]}, pricing=FORTIETH)
    assert fills(result) == [(i, q * sign, prices[i - 1]) for i, q in expected]
    assert len(result.orders) == 1


@pytest.mark.parametrize(
    ("pricing", "volume", "filled"),
    [
        (rules(), 10, 100),  # no rate: any number
        (rules(), 0, None),  # but no volume is no fill
        (rules(volume_known=False), 0, 100),  # a tape without volume
        (rules(participation_ppm=1_000_000), 100, 100),
        (rules(participation_ppm=1_000_000), 99, 99),
    ],
)
def test_without_a_rate(pricing: Pricing, volume: int, filled: int | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, volume)]},
        at={0: [target(100)]},
        pricing=pricing,
    )
    assert fills(result) == ([] if filled is None else [(1, filled, 100.0)])


def test_shared_in_the_order_of_fills() -> None:
    """Budget 100: market (number 3) 60, then the stop (2) 40, and nothing for the limit (1)."""
    result = play(
        {"NVDA": [flat(100.0), (100.0, 103.0, 97.0, 100.0, 4000), flat(100.0)]},
        at={0: [order(50, limit_price=98.0), order(60, stop_price=102.0), order(60)]},
        pricing=FORTIETH,
    )
    # the stop's remainder of 20 is a market order in bar 2
    assert fills(result) == [(1, 60, 100.0), (1, 40, 102.0), (2, 20, 100.0)]


def test_exits_at_the_open_take_first() -> None:
    """Budget 100 in bar 2: the sale of 80 (number 2) leaves 20 for the purchase (number 1)."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(90.0, 4000), flat(96.0)]},
        at={0: [order(80), order(50, limit_price=95.0)], 1: [order(-80)]},
        pricing=FORTIETH,
    )
    assert fills(result) == [(1, 80, 100.0), (2, -80, 90.0), (2, 20, 90.0)]


def test_each_symbol_has_its_own_budget() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 400)], "AAPL": [flat(50.0), flat(50.0, 800)]},
        at={0: [target(100), target(100, "AAPL")]},
        pricing=FORTIETH,
    )
    assert [(f.symbol, f.quantity) for f in result.fills] == [("NVDA", 10), ("AAPL", 20)]


def test_ioc_keeps_what_it_got() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 1000), flat(100.0)]},
        at={0: [order(100, time_in_force=IOC)]},
        pricing=FORTIETH,
    )
    assert fills(result) == [(1, 25, 100.0)]
    assert why(result, 1) == ("cancelled", "IOC_REMAINDER")
    assert result.updates[-1].instant == result.slice_ends[1]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_ioc_limit_that_is_not_reached_ends_with_its_first_bar(sign: int) -> None:
    limit = 95.0 if sign > 0 else 105.0
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(90.0 if sign > 0 else 110.0)]},
        at={0: [order(10 * sign, limit_price=limit, time_in_force=IOC)]},
    )
    assert fills(result) == []
    status, reason = why(result, 1)
    assert status in {"cancelled", "expired"}
    assert reason in {"IOC_REMAINDER", "NOT_REACHED"}
    assert result.updates[-1].instant == result.slice_ends[1]


def test_a_limit_in_parts_must_be_reached_again() -> None:
    bars = [
        (101.0, 101.0, 99.0, 100.0, 1600),  # 40
        (101.0, 101.0, 100.0, 101.0, 100_000),  # touch
        (101.0, 101.0, 99.99, 101.0, 100_000),
    ]
    result = play(
        {"NVDA": [flat(102.0), *bars]}, at={0: [order(100, limit_price=100.0)]}, pricing=FORTIETH
    )
    assert fills(result) == [(1, 40, 100.0), (3, 60, 100.0)]


@pytest.mark.parametrize(
    ("volumes", "filled", "reason"),
    [
        ((1000, 1000), [(1, 25), (2, 25)], "PARTICIPATION"),
        ((39, 39), [], "PARTICIPATION"),
        ((0, 0), [], "NO_VOLUME"),
    ],
)
def test_a_remainder_expires_with_the_day_and_says_why(
    volumes: tuple[int, int], filled: list[tuple[int, int]], reason: str
) -> None:
    bars = [flat(100.0), *(flat(100.0, volume) for volume in volumes), flat(100.0)]
    result = play({"NVDA": bars}, at={0: [target(100)]}, per_session=3, pricing=FORTIETH)
    assert fills(result) == [(i, q, 100.0) for i, q in filled]
    assert why(result, 1) == ("expired", reason)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_triggered_protective_stop_goes_on_at_market(sign: int) -> None:
    """The stop of 100 is hit in bar 2, budget 40; the rest goes at bar 3's open, above the stop."""
    stop = 95.0 if sign > 0 else 105.0
    low, high = (94.0, 100.0) if sign > 0 else (100.0, 106.0)
    result = play(
        {
            "NVDA": [
                flat(100.0),
                flat(100.0),
                (100.0, high, low, 100.0, 1600),
                flat(99.0 if sign > 0 else 101.0),
            ]
        },
        at={0: [target(100 * sign, stop_price=stop)]},
        pricing=FORTIETH,
    )
    rest = 99.0 if sign > 0 else 101.0
    assert fills(result)[1:] == [(2, -40 * sign, stop), (3, -60 * sign, rest)]


def test_a_stop_triggered_without_volume_goes_on_at_market() -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 94.0, 100.0, 0), flat(101.0)]
    result = play({"NVDA": bars}, at={0: [target(100, stop_price=95.0)]}, pricing=FORTIETH)
    assert fills(result) == [(1, 100, 100.0), (3, -100, 101.0)]
    assert "triggered" in [str(update.status) for update in result.updates]


def test_a_stop_in_an_entry_bar_whose_volume_is_used_up() -> None:
    """Budget 60 goes to the entry; the stop triggers at 95 and waits for bar 2's open.

    There the exit of 60 comes first, then the 40 that the entry still lacked.
    """
    result = play(
        {"NVDA": [flat(100.0), (100.0, 100.0, 94.0, 96.0, 600), flat(96.0), flat(96.0)]},
        at={0: [target(100, stop_price=95.0)]},
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result) == [(1, 60, 100.0), (2, -60, 96.0), (2, 40, 96.0)]


def test_a_gtc_remainder_goes_on_in_the_next_session() -> None:
    bars = [flat(100.0), flat(100.0, 400), flat(100.0, 300), flat(100.0, 300), flat(100.0)]
    result = play(
        {"NVDA": bars},
        at={0: [order(100, time_in_force=GTC)]},
        per_session=2,
        pricing=rules(participation_ppm=100_000),
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 40), (2, 30), (3, 30)]
