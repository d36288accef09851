"""C12, S17 and S19-S21: commission by order, fees by fill, micro-dollars, half to even."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from daemon.fees import load_fee_tables
from tests import harness
from tests.harness import plan, play, rules
from tests.rules.tools import USD, fills, flat, order, target

TABLES = load_fee_tables()
FIXED = rules(commission=TABLES.commission("ibkr_fixed"))
REAL = rules(commission=TABLES.commission("ibkr_fixed"), tables=TABLES.regulatory)


def commissions(result: Any) -> list[int]:
    return [fill.commission_micros for fill in result.fills]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("shares", "price", "usd"),
    [
        (100, 180.0, "1.00"),  # 0.50 is under the minimum
        (200, 180.0, "1.00"),
        (201, 180.0, "1.005"),
        (1000, 180.0, "5.00"),
        (1, 50.0, "0.50"),  # the cap of 1 % beats the minimum
        (10, 0.20, "0.02"),
        (100, 1.00, "1.00"),  # cap = minimum
        (99, 1.00, "0.99"),
        (1000, 0.40, "4.00"),  # 5.00 capped at 4.00
        (1000, 0.50, "5.00"),
    ],
)
def test_ibkr_fixed(sign: int, shares: int, price: float, usd: str) -> None:
    result = play({"NVDA": [flat(price)] * 2}, at={0: [target(sign * shares)]}, pricing=FIXED)
    assert commissions(result) == [round(float(usd) * USD)]


@pytest.mark.parametrize(
    ("volumes", "parts", "charged"),
    [
        # an order of 300 in parts of a tenth of the volume: due 1.50 in the end
        ((1500, 1500), [150, 150], [1_000_000, 500_000]),  # 0.75 -> 1.00, then 1.50 in all
        ((1000, 1000, 1000), [100, 100, 100], [1_000_000, 0, 500_000]),
        ((2500, 500), [250, 50], [1_250_000, 250_000]),
        ((10, 2990), [1, 299], [1_000_000, 500_000]),  # 1 share at 100: cap 1.00 = minimum
    ],
)
def test_an_order_pays_its_minimum_once(
    volumes: tuple[int, ...], parts: list[int], charged: list[int]
) -> None:
    bars = [flat(100.0), *(flat(100.0, volume) for volume in volumes)]
    result = play(
        {"NVDA": bars},
        at={0: [target(300)]},
        pricing=rules(commission=TABLES.commission("ibkr_fixed"), participation_ppm=100_000),
    )
    assert [fill.quantity for fill in result.fills] == parts
    assert commissions(result) == charged


def test_the_cap_too_is_of_the_whole_order() -> None:
    """Two shares at 50 in two fills: 1 % of 50 = 0.50, then 1 % of 100 = 1.00 in all."""
    result = play(
        {"NVDA": [flat(50.0), flat(50.0, 10), flat(50.0, 10)]},
        at={0: [target(2)]},
        pricing=rules(commission=TABLES.commission("ibkr_fixed"), participation_ppm=100_000),
    )
    assert commissions(result) == [500_000, 500_000]


def test_two_orders_pay_two_minimums() -> None:
    result = play({"NVDA": [flat(100.0)] * 2}, at={0: [order(10), order(20)]}, pricing=FIXED)
    assert commissions(result) == [1_000_000, 1_000_000]


def test_a_protective_order_is_an_order() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(90.0)]},
        at={0: [target(300, stop_price=95.0)]},
        pricing=FIXED,
    )
    assert commissions(result) == [1_500_000, 1_500_000]


@pytest.mark.parametrize(
    ("given", "shares", "due"),
    [
        (("0.005", "1", None), 10, 1_000_000),  # no cap: the minimum even of 10 x 0.20
        (("0.005", "0", None), 1, 5_000),
        (("0", "0", None), 100, 0),
        (("0.01", "0", "0.5"), 100, 100_000),  # 1.00 against 0.5 % of 20 = 0.10
        (("0.0000005", "0", None), 1, 0),  # half a micro-dollar: to even
        (("0.0000005", "0", None), 3, 2),  # 1.5
        (("0.0000005", "0", None), 5, 2),  # 2.5
        (("0.0000005", "0", None), 7, 4),  # 3.5
    ],
)
def test_a_plan_of_ones_own(given: tuple[str, str, str | None], shares: int, due: int) -> None:
    result = play(
        {"NVDA": [flat(0.20)] * 2}, at={0: [target(shares)]}, pricing=rules(commission=plan(*given))
    )
    assert commissions(result) == [due]


@pytest.mark.parametrize(
    ("day", "sec", "taf", "cat_buy", "cat_sell"),
    [
        # 100 at 180: 18,000 dollars of proceeds; micro-dollars
        (date(2020, 6, 1), 397_800, 11_900, 0, 0),  # 22.10 a million; 0.000119
        (date(2021, 6, 1), 91_800, 11_900, 0, 0),  # 5.10
        (date(2022, 6, 1), 412_200, 13_000, 0, 0),  # 22.90; 0.000130
        (date(2024, 1, 2), 144_000, 16_600, 0, 0),  # 8.00; 0.000166
        (date(2024, 11, 4), 500_400, 16_600, 4_800, 4_800),  # 27.80; CAT 0.000048
        (date(2025, 6, 2), 0, 16_600, 3_500, 3_500),  # the SEC's rate is 0 from 2025-05-14
        (date(2026, 6, 1), 370_800, 19_500, 300, 300),  # 20.60; 0.000195; 0.000003
        (date(2026, 10, 5), 370_800, 0, 300, 300),  # the TAF pauses
        (date(2027, 1, 4), 370_800, 19_500, 300, 300),
    ],
)
def test_regulatory_fees_by_date(
    monkeypatch: Any, day: date, sec: int, taf: int, cat_buy: int, cat_sell: int
) -> None:
    monkeypatch.setattr(harness, "FIRST_DAY", day)
    result = play({"NVDA": [flat(180.0)] * 4}, at={0: [target(100)], 1: [target(0)]}, pricing=REAL)
    bought, sold = result.fills
    assert (bought.sec_micros, bought.taf_micros, bought.cat_micros) == (0, 0, cat_buy)
    assert (sold.sec_micros, sold.taf_micros, sold.cat_micros) == (sec, taf, cat_sell)


def test_the_check_value_of_a_round_trip(monkeypatch: Any) -> None:
    """100 NVDA at 180: buy 1.0003; sell 1.00 + 0.3708 + 0 + 0.0003; together 2.3714."""
    monkeypatch.setattr(harness, "FIRST_DAY", date(2026, 10, 5))
    result = play({"NVDA": [flat(180.0)] * 4}, at={0: [target(100)], 1: [target(0)]}, pricing=REAL)
    bought, sold = (f.commission_micros + f.regulatory_micros for f in result.fills)
    assert (bought, sold) == (1_000_300, 1_371_100)
    assert result.equity[-1] == 1_000_000 * USD - 2_371_400
    (trade,) = result.trades
    assert (trade.fees_micros, trade.pnl_micros) == (2_371_400, -2_371_400)


def test_a_short_sale_pays_as_a_sale() -> None:
    result = play({"NVDA": [flat(180.0)] * 4}, at={0: [target(-100)], 1: [target(0)]}, pricing=REAL)
    assert [(f.sec_micros, f.taf_micros) for f in result.fills] == [(144_000, 16_600), (0, 0)]


@pytest.mark.parametrize(
    ("price", "micros"),
    # 8 dollars a million on so little is a matter of half micro-dollars
    [(0.0625, 0), (0.1875, 2), (0.3125, 2), (0.4375, 4), (0.0626, 1), (0.0624, 0)],
)
def test_the_sec_fee_is_rounded_half_to_even(price: float, micros: int) -> None:
    result = play(
        {"NVDA": [flat(price)] * 2},
        at={0: [order(-1)]},
        pricing=rules(tables=TABLES.regulatory, tick_e4=1),
    )
    assert [fill.sec_micros for fill in result.fills] == [micros]


def test_fees_are_of_each_fill_and_the_taf_has_a_cap_a_trade() -> None:
    """60,000 shares x 0.000166 = 9.96, capped at 8.30; in two fills of 30,000: 4.98 each."""
    for volume, expected in ((600_000, [8_300_000]), (300_000, [4_980_000, 4_980_000])):
        result = play(
            {"NVDA": [flat(10.0), *([flat(10.0, volume)] * 2)]},
            at={0: [target(-60_000)]},
            pricing=rules(tables=TABLES.regulatory, participation_ppm=100_000),
        )
        assert [fill.taf_micros for fill in result.fills] == expected


def test_slippage_is_in_the_price_not_in_the_fees() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 2},
        at={0: [target(300)]},
        pricing=rules(commission=TABLES.commission("ibkr_fixed"), slippage_ppm=1000),
    )
    assert fills(result) == [(1, 300, 100.10)]
    assert commissions(result) == [1_500_000]
    assert result.equity[-1] == 1_000_000 * USD - 30 * USD - 1_500_000
