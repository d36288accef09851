"""C14: on a split-adjusted tape, ticks, costs and participation are those of the day's market."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from daemon.core.events import Split
from daemon.core.split_factors import SplitFactors
from daemon.fees import load_fee_tables
from tests import harness
from tests.harness import play, rules
from tests.rules.tools import fills, flat, order, target

TABLES = load_fee_tables()
FACTORS = SplitFactors([Split("NVDA", 20240610, 10, 1), Split("NVDA", 20210720, 4, 1)])


def venue(**more: Any) -> Any:
    return rules(**({"factors": FACTORS, "commission": TABLES.commission("ibkr_fixed")} | more))


def run(
    day: date, opens: float, signed: int, pricing: Any, monkeypatch: Any, volume: int = 10**9
) -> Any:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    return play(
        {"NVDA": [flat(opens, volume)] * 3},
        at={0: [target(signed)]},
        cash_usd=100_000_000,
        pricing=pricing,
    )


BEFORE_BOTH, BETWEEN, AFTER = date(2020, 3, 2), date(2024, 1, 2), date(2024, 6, 10)


@pytest.mark.parametrize(
    ("day", "opens", "slippage_ppm", "buy", "sell"),
    [
        (BETWEEN, 48.1234, 0, 48.124, 48.123),  # 481.234 raw -> 481.24 / 481.23
        (BETWEEN, 48.1230, 0, 48.123, 48.123),  # a cent of that day
        (BETWEEN, 48.1234, 100, 48.129, 48.118),  # 481.282123 -> .29; 481.185877 -> .18
        (BEFORE_BOTH, 3.50, 0, 3.50, 3.50),  # 140.00 raw
        (BEFORE_BOTH, 3.50, 100, 3.5005, 3.4995),  # 140.014 -> 140.02; 139.986 -> 139.98
        (BEFORE_BOTH, 3.5001, 0, 3.5003, 3.5000),  # 140.004 -> .01 / 40 = 3.50025, and up; .00
        (AFTER, 48.1234, 0, 48.13, 48.12),  # traded as it stands
        (AFTER, 48.1234, 100, 48.13, 48.11),  # 48.12821234; 48.11858766
    ],
)
def test_slippage_and_tick(
    monkeypatch: Any, day: date, opens: float, slippage_ppm: int, buy: float, sell: float
) -> None:
    for signed, price in ((10, buy), (-10, sell)):
        result = run(day, opens, signed, venue(slippage_ppm=slippage_ppm), monkeypatch)
        assert fills(result) == [(1, signed, price)]


@pytest.mark.parametrize(
    ("day", "shares", "micros"),
    [
        # at 0.005 a share as traded; the price of 50 keeps the cap away
        (BETWEEN, 10_000, 5_000_000),  # 1000 shares that day, not 50.00
        (BETWEEN, 100, 1_000_000),  # 10 shares: the minimum
        (BETWEEN, 2_005, 1_002_500),  # 200.5 shares
        (BEFORE_BOTH, 40_000, 5_000_000),  # 1000
        (AFTER, 10_000, 50_000_000),
    ],
)
def test_commission_by_the_share_of_the_day(
    monkeypatch: Any, day: date, shares: int, micros: int
) -> None:
    result = run(day, 50.0, shares, venue(), monkeypatch)
    assert [fill.commission_micros for fill in result.fills] == [micros]


def test_the_cap_is_of_the_money_and_that_is_the_same(monkeypatch: Any) -> None:
    """10 adjusted shares at 5.00 = one share at 50: the cap, 0.50."""
    result = run(BETWEEN, 5.0, 10, venue(), monkeypatch)
    assert [fill.commission_micros for fill in result.fills] == [500_000]


@pytest.mark.parametrize(
    ("day", "sec", "taf"),
    [
        # 10,000 adjusted at 48 = 480,000 dollars
        (BETWEEN, 3_840_000, 166_000),  # 8.00 a million; 1000 shares x 0.000166
        (BEFORE_BOTH, 10_608_000, 29_750),  # 22.10 a million; 250 shares x 0.000119
        (AFTER, 13_344_000, 1_660_000),  # 27.80 a million; 10,000 shares
    ],
)
def test_fees(monkeypatch: Any, day: date, sec: int, taf: int) -> None:
    result = run(day, 48.0, -10_000, venue(tables=TABLES.regulatory), monkeypatch)
    (fill,) = result.fills
    assert (fill.sec_micros, fill.taf_micros) == (sec, taf)


@pytest.mark.parametrize(
    ("day", "volume", "shares"),
    [
        (BETWEEN, 1_000_000, 25_000),
        (BETWEEN, 1_234_567, 30_860),  # 3086.4175 shares that day -> 3086
        (BETWEEN, 399, 0),  # 0.9975 shares
        (BETWEEN, 400, 10),
        (AFTER, 1_234_567, 30_864),
        (AFTER, 39, 0),
    ],
)
def test_participation_in_the_shares_of_the_day(
    monkeypatch: Any, day: date, volume: int, shares: int
) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    result = play(
        {"NVDA": [flat(48.0), flat(48.0, volume)]},
        at={0: [target(100_000)]},
        cash_usd=100_000_000,
        pricing=venue(participation_ppm=25_000),
    )
    assert [fill.quantity for fill in result.fills] == ([shares] if shares else [])


@pytest.mark.parametrize(
    ("day", "level"),
    [
        (BETWEEN, 45.714),  # 48.12 x 0.95: 457.14 that day
        (AFTER, 45.71),
    ],
)
def test_levels_of_a_bracket(monkeypatch: Any, day: date, level: float) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    result = play(
        {"NVDA": [flat(48.12), flat(48.12), (48.0, 48.0, 40.0, 41.0)]},
        at={0: [target(100, stop_loss_pct=5.0)]},
        pricing=venue(),
    )
    assert fills(result) == [(1, 100, 48.12), (2, -100, level)]


@pytest.mark.parametrize(
    ("symbol", "day", "factor"),
    [
        ("NVDA", 20200302, 40),
        ("NVDA", 20210719, 40),
        ("NVDA", 20210720, 10),  # the session it takes effect in is at the new price
        ("NVDA", 20240607, 10),
        ("NVDA", 20240610, 1),
        ("AAPL", 20200302, 1),
    ],
)
def test_factors(symbol: str, day: int, factor: int) -> None:
    assert FACTORS.factor(symbol, day) == factor


def test_the_ledger_stays_in_adjusted_shares(monkeypatch: Any) -> None:
    """No split is applied to a position on an adjusted tape."""
    monkeypatch.setattr(harness, "FIRST_DAY", date(2024, 6, 7))
    result = play(
        {"NVDA": [flat(120.0)] * 6},
        at={0: [target(100)]},
        per_session=2,
        pricing=rules(factors=FACTORS),
    )
    assert result.position() == 100
    assert result.equity == [1_000_000_000_000] * 6


@pytest.mark.parametrize(
    ("day", "low", "filled"),
    [
        # a buy limit at 48.00: 480.00 that day, so through is 479.99, which is 47.999 here
        (BETWEEN, 47.9995, False),
        (BETWEEN, 47.999, True),
        (BETWEEN, 47.995, True),
        (AFTER, 47.995, False),
        (AFTER, 47.99, True),
    ],
)
def test_through_a_limit_by_a_tick_of_the_day(
    monkeypatch: Any, day: date, low: float, filled: bool
) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    result = play(
        {"NVDA": [flat(49.0), (49.0, 49.0, low, 48.5)]},
        at={0: [order(100, limit_price=48.0)]},
        pricing=venue(),
    )
    assert fills(result) == ([(1, 100, 48.0)] if filled else [])


@pytest.mark.parametrize(
    ("day", "details", "level"),
    [
        (BETWEEN, {"limit_price": 48.125}, 48.125),  # 481.25 was a price that day
        (BETWEEN, {"limit_price": 48.1257}, 48.125),  # 481.257: down
        (BETWEEN, {"stop_price": 48.1257}, 48.126),  # up
        (AFTER, {"limit_price": 48.125}, 48.12),
        (AFTER, {"stop_price": 48.125}, 48.13),
    ],
)
def test_levels_of_an_explicit_order(
    monkeypatch: Any, day: date, details: dict[str, Any], level: float
) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    result = play({"NVDA": [flat(48.0)] * 2}, at={0: [order(100, **details)]}, pricing=venue())
    (accepted,) = result.orders
    assert (accepted.limit_e4 or accepted.stop_e4) == round(level * 10_000)
