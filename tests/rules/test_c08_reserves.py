"""C8: reductions first, then the order of the config; what is accepted reserves its room."""

from __future__ import annotations

import pytest

from daemon.core.limits import Limit, Limits
from tests.harness import play
from tests.rules.tools import USD, denied, fills, flat, limits, order, target

PPM = 1_000_000
BARS = [flat(100.0)] * 8


def test_accepted_orders_reserve_in_config_order() -> None:
    """Leverage 1 on 10,000: NVDA's 60 shares leave room for 40, whoever is named first."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(50, "AAPL"), target(60, "NVDA")]},
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert [(f.symbol, f.quantity) for f in result.fills] == [("NVDA", 60)]
    assert [(d.symbol, str(d.reason), d.quantity) for d in result.denials] == [
        ("AAPL", "MAX_GROSS_LEVERAGE", 50)
    ]


@pytest.mark.parametrize("second", [40, -40])
def test_exactly_the_room_that_is_left(second: int) -> None:
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(60, "NVDA"), target(second, "AAPL")]},
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == []
    assert result.position("AAPL") == second


def test_cash_is_reserved_too() -> None:
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(60, "NVDA"), target(41, "AAPL")]},
        cash_usd=10_000,
        limits=limits(min_cash_usd=Limit(0)),
    )
    assert denied(result) == [("MIN_CASH", 41)]


def test_reductions_come_first_and_make_room() -> None:
    """AAPL is last in the config, yet its sale is reviewed first, so NVDA's purchase fits."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={
            0: [target(100, "AAPL")],
            2: [target(100, "NVDA"), target(0, "AAPL")],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == []
    assert [(o.symbol, str(o.side)) for o in result.orders] == [
        ("AAPL", "buy"),
        ("AAPL", "sell"),
        ("NVDA", "buy"),
    ]
    assert result.position("NVDA") == 100
    assert result.position("AAPL") == 0


def test_a_resting_entry_keeps_its_room() -> None:
    """60 shares wait at a limit; 41 more would be too many if it filled."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={
            0: [order(60, "NVDA", limit_price=99.0)],
            1: [target(41, "AAPL")],
            2: [target(40, "AAPL")],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert [(d.symbol, d.quantity) for d in result.denials] == [("AAPL", 41)]
    assert result.position("AAPL") == 40


def test_a_resting_entry_of_the_same_symbol_counts() -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [order(60, limit_price=99.0)], 1: [order(41)], 2: [order(40)]},
        limits=limits(max_position_shares=Limit(100)),
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 41)]
    assert result.position() == 40


@pytest.mark.parametrize("sign", [1, -1])
def test_equity_after_a_loss_counts(sign: int) -> None:
    """50 shares went 10 dollars against us: equity 9500, so 105.55 shares of 90 or 86.36 of 110."""
    price = 100.0 - 10 * sign
    most = 105 if sign > 0 else 86
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(price), flat(price), flat(price)]},
        at={
            0: [target(50 * sign)],
            2: [target(sign * most)],
            3: [target(sign * (most + 1))],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == [("MAX_GROSS_LEVERAGE", sign)]
    assert result.position() == most * sign


def test_allowed_prices_are_those_of_the_close_not_of_the_fill() -> None:
    """Passes at a close of 100, fills at 120: a limit holds at review prices."""
    result = play(
        {"NVDA": [flat(100.0), flat(120.0), flat(120.0)]},
        at={0: [target(50)]},
        limits=limits(max_position_usd=Limit(5000 * USD)),
    )
    assert fills(result) == [(1, 50, 120.0)]
    assert result.denials == []


def test_holding_above_a_limit_is_no_order() -> None:
    """The price doubles: nothing is bought, so nothing is denied; selling passes."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(200.0), flat(200.0), flat(200.0)]},
        at={0: [target(50)], 2: [target(50)], 3: [target(40)]},
        limits=limits(max_position_usd=Limit(5000 * USD)),
    )
    assert result.denials == []
    assert result.position() == 40


def test_two_sales_at_market_do_not_sell_twice() -> None:
    result = play({"NVDA": BARS}, at={0: [target(10)], 2: [order(-10), order(-6)]}, limits=Limits())
    assert result.position() == 0
    assert denied(result) == [("SHORT_NOT_ALLOWED", -6)]
