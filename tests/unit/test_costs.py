"""C11-C14, C17 and S17-S21 by hand: commission, fees, slippage, ticks, levels, split factors."""

from __future__ import annotations

from fractions import Fraction

import pytest

from daemon.core.costs import (
    FREE,
    CommissionPlan,
    DatedTable,
    DateOutsideTableError,
    RegulatoryFees,
    commission_due,
    regulatory_fees,
)
from daemon.core.events import Side, Split
from daemon.core.prices import fill_price_e4, level_away_e4
from daemon.core.split_factors import SplitFactors
from daemon.fees import load_fee_tables

USD = 1_000_000
FIXED = CommissionPlan(Fraction(5000), 1 * USD, 10_000)  # 0.005 a share, 1.00, 1 %
TABLES = load_fee_tables().regulatory


@pytest.mark.parametrize(
    ("shares", "price_usd", "due_usd"),
    [
        (1, 50, 0.50),  # the cap, 1 % of 50, beats the minimum
        (10, 0.20, 0.02),  # 1 % of 2.00
        (100, 180, 1.00),  # 0.50 is raised to the minimum
        (200, 180, 1.00),
        (201, 180, 1.005),
        (1000, 180, 5.00),
        (1000, 0.40, 4.00),  # 5.00 is cut to 1 % of 400
        (0, 180, 0),
    ],
)
def test_ibkr_fixed_commission(shares: int, price_usd: float, due_usd: float) -> None:
    notional_micros = round(shares * price_usd * USD)
    assert commission_due(FIXED, shares, notional_micros) == round(due_usd * USD)


def test_no_cap_and_no_commission() -> None:
    plan = CommissionPlan(Fraction(5000), 1 * USD, None)
    assert commission_due(plan, 1, 10_000) == 1 * USD
    assert commission_due(FREE, 1000, 180_000 * USD) == 0


def test_parts_of_an_order_pay_its_minimum_once() -> None:
    first = commission_due(FIXED, 50, 9_000 * USD)
    second = commission_due(FIXED, 300, 54_000 * USD) - first
    assert (first, second) == (1_000_000, 500_000)


def test_commission_rounds_half_to_even() -> None:
    half = CommissionPlan(Fraction(1, 2), 0, None)
    assert [commission_due(half, shares, 0) for shares in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_commission_on_as_traded_shares() -> None:
    # 4,000 adjusted shares with factor 40 were 100 shares: 0.50, so the minimum, not 20.00
    assert commission_due(FIXED, Fraction(4000, 40), 14_000 * USD) == 1 * USD
    # 4,010 adjusted were 100.25; without a minimum 0.50125
    plan = CommissionPlan(Fraction(5000), 0, None)
    assert commission_due(plan, Fraction(4010, 40), 14_035 * USD) == 501_250


def test_round_trip_of_100_shares_at_180() -> None:
    """Buy 1.0003; sell 1.00 + 0.3708 + 0 + 0.0003; together 2.3714."""
    notional = 18_000 * USD
    commission = commission_due(FIXED, 100, notional)
    buy = regulatory_fees(TABLES, 20261120, Side.BUY, 100, 1_800_000, notional)
    sell = regulatory_fees(TABLES, 20261120, Side.SELL, 100, 1_800_000, notional)
    assert buy == RegulatoryFees(0, 0, 300)
    assert sell == RegulatoryFees(370_800, 0, 300)
    assert 2 * commission + 300 + 370_800 + 300 == 2_371_400


@pytest.mark.parametrize(
    ("date", "shares", "price_e4", "sec", "taf", "cat"),
    [
        # 100/3 dollars a million of 1,000 dollars; TAF and CAT did not exist
        (19980102, 100, 100_000, 33_333, 0, 0),
        # 15.00 and 0.0001 a share
        (20020329, 100, 100_000, 15_000, 0, 0),
        (20021001, 100, 100_000, 30_100, 10_000, 0),
        # 27.80, 0.000166 a share
        (20240603, 100, 100_000, 27_800, 16_600, 0),
        # cap 8.30: 100,000 shares would be 16.60
        (20240603, 100_000, 100_000, 27_800_000, 8_300_000, 0),
        # 0 from 2025-05-14; CAT in force
        (20250513, 100, 100_000, 27_800, 16_600, 3_500),
        (20250514, 100, 100_000, 0, 16_600, 3_500),
        # TAF 0.000195 until the pause of the last quarter of 2026, and again after it
        (20260930, 100, 100_000, 20_600, 19_500, 300),
        (20261001, 100, 100_000, 20_600, 0, 300),
        (20270104, 100, 100_000, 20_600, 19_500, 300),
    ],
)
def test_fees_of_a_sale(
    date: int, shares: int, price_e4: int, sec: int, taf: int, cat: int
) -> None:
    fees = regulatory_fees(TABLES, date, Side.SELL, shares, price_e4, shares * price_e4 * 100)
    assert fees == RegulatoryFees(sec, taf, cat)


def test_taf_is_not_due_below_its_own_rate() -> None:
    # 0.0001 < 0.000166: none; 0.0002: due
    below = regulatory_fees(TABLES, 20240603, Side.SELL, 10_000, 1, 1 * USD)
    above = regulatory_fees(TABLES, 20240603, Side.SELL, 10_000, 2, 2 * USD)
    assert (below.taf_micros, above.taf_micros) == (0, 1_660_000)
    # as traded 1/10,000 dollar x 3/2 is still below, x 2 is not
    assert not regulatory_fees(TABLES, 20240603, Side.SELL, 100, Fraction(3, 2), 100).taf_micros
    assert regulatory_fees(TABLES, 20240603, Side.SELL, 100, Fraction(2), 100).taf_micros


def test_fee_per_share_on_as_traded_quantity() -> None:
    # 1,000 adjusted shares, factor 10: 100 as traded, so 0.0166 and not 0.166
    fees = regulatory_fees(TABLES, 20240603, Side.SELL, Fraction(1000, 10), 1_000_000, 10_000 * USD)
    assert fees == RegulatoryFees(278_000, 16_600, 0)


@pytest.mark.parametrize(
    ("date", "side", "table"),
    [
        (19971231, Side.BUY, "cat_fee"),
        (20280103, Side.SELL, "cat_fee"),
    ],
)
def test_a_date_outside_a_table_names_the_table(date: int, side: Side, table: str) -> None:
    with pytest.raises(DateOutsideTableError, match=table) as caught:
        regulatory_fees(TABLES, date, side, 1, 10_000, USD)
    assert isinstance(caught.value, LookupError)
    assert (caught.value.table, caught.value.date) == (table, date)


def test_dated_table_holds_from_its_date_on() -> None:
    table = DatedTable("t", (20200101, 20200301), ("a", "b"), 20210101)
    dates = (20200101, 20200229, 20200301, 20201231)
    assert [table.on(date) for date in dates] == ["a", "a", "b", "b"]
    with pytest.raises(DateOutsideTableError, match="2019-12-31 is outside the fee table t"):
        table.on(20191231)
    with pytest.raises(DateOutsideTableError, match="up to but not including 2021-01-01"):
        table.on(20210101)


@pytest.mark.parametrize(
    ("reference_e4", "side", "slippage_ppm", "tick_e4", "price_e4"),
    [
        (1_000_000, Side.BUY, 0, 100, 1_000_000),
        (1_000_000, Side.BUY, 100, 100, 1_000_100),  # 100.00 + 1 bp = 100.01
        (1_000_000, Side.SELL, 100, 100, 999_900),
        (1_234_567, Side.BUY, 0, 100, 1_234_600),  # the tick alone, against us
        (1_234_567, Side.SELL, 0, 100, 1_234_500),
        (1_234_567, Side.BUY, 100, 1, 1_234_691),  # 123.4567 x 1.0001 = 123.46904567
        (1_234_567, Side.SELL, 100, 1, 1_234_443),  # 123.44435433
        (50, Side.SELL, 0, 100, 0),  # half a cent sold on a tick of one cent
    ],
)
def test_slippage_then_tick(
    reference_e4: int, side: Side, slippage_ppm: int, tick_e4: int, price_e4: int
) -> None:
    assert fill_price_e4(reference_e4, side, slippage_ppm, tick_e4) == price_e4


def test_tick_of_the_price_as_traded() -> None:
    # adjusted 3.5001 was 140.004: a buy pays 140.01, which is 3.50025, so 3.5003;
    # on the adjusted price itself the tick would have made it 3.51, 0.28 % instead of 0.005 %
    assert fill_price_e4(35_001, Side.BUY, 0, 100, Fraction(40)) == 35_003
    # a sell gets 140.00, which is 3.50
    assert fill_price_e4(35_001, Side.SELL, 0, 100, Fraction(40)) == 35_000
    # 1 bp on 140.004 is 140.0180004, so 140.02 = 3.5005
    assert fill_price_e4(35_001, Side.BUY, 100, 100, Fraction(40)) == 35_005
    # a 3:2 split: adjusted 66.6667 was 100.00005, a buy pays 100.01 = 66.67333, so 66.6734
    assert fill_price_e4(666_667, Side.BUY, 0, 100, Fraction(3, 2)) == 666_734
    # a reverse split 1:8: adjusted 80.04 was 10.005; a sell gets 10.00 = 80.00
    assert fill_price_e4(800_400, Side.SELL, 0, 100, Fraction(1, 8)) == 800_000


@pytest.mark.parametrize(
    ("total_e4", "quantity", "offset_ppm", "level_e4"),
    [
        (100 * 1_000_000, 100, -20_000, 980_000),  # long stop 2 % below 100.00
        (100 * 1_000_000, 100, 40_000, 1_040_000),  # long target
        # average 100.015 (50 at 100.01, 50 at 100.02): 98.0147 down, 104.0156 up
        (50 * 1_000_100 + 50 * 1_000_200, 100, -20_000, 980_100),
        (50 * 1_000_100 + 50 * 1_000_200, 100, 40_000, 1_040_200),
        # a third: 100.00 + 1/3 of 0.01
        (1_000_000 * 2 + 1_000_100, 3, -20_000, 980_000),
        # a short's stop is above (up), its target below (down): the same two functions
        (3 * 333_333, 3, 15_000, 338_400),  # 33.8332995 up
        (3 * 333_333, 3, -15_000, 328_300),  # 32.8333005 down
    ],
)
def test_levels_round_away_from_the_entry(
    total_e4: int, quantity: int, offset_ppm: int, level_e4: int
) -> None:
    assert level_away_e4(total_e4, quantity, offset_ppm, 100) == level_e4


def test_level_on_the_tick_as_traded() -> None:
    # adjusted 3.50, raw 140.00, 1.3 % below: 138.18 = 3.4545 exactly; above 141.82 = 3.5455
    assert level_away_e4(35_000, 1, -13_000, 100, Fraction(40)) == 34_545
    assert level_away_e4(35_000, 1, 13_000, 100, Fraction(40)) == 35_455
    # 1.31 %: 138.166 down to 138.16 = 3.4540; 141.834 up to 141.84 = 3.5460
    assert level_away_e4(35_000, 1, -13_100, 100, Fraction(40)) == 34_540
    assert level_away_e4(35_000, 1, 13_100, 100, Fraction(40)) == 35_460


def test_split_factors() -> None:
    factors = SplitFactors(
        [Split("NVDA", 20240610, 10, 1), Split("NVDA", 20210720, 4, 1), Split("X", 20200203, 1, 8)]
    )
    dates = (20210719, 20210720, 20240607, 20240610)
    assert [factors.factor("NVDA", date) for date in dates] == [40, 10, 10, 1]
    assert factors.factor("X", 20200131) == Fraction(1, 8)
    assert factors.factor("X", 20200203) == 1
    assert factors.factor("UNKNOWN", 20200101) == 1
