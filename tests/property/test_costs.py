"""What holds for all orders, prices and splits, not only for the hand-made ones."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.costs import CommissionPlan, commission_due, regulatory_fees
from daemon.core.events import Side, Split
from daemon.core.prices import fill_price_e4, level_away_e4
from daemon.core.split_factors import SplitFactors
from daemon.fees import load_fee_tables

TABLES = load_fee_tables().regulatory

prices_e4 = st.integers(1, 20_000_000)
ticks_e4 = st.sampled_from([1, 10, 100, 500])
factors = st.builds(Fraction, st.integers(1, 120), st.integers(1, 120))
fills = st.lists(st.tuples(st.integers(1, 5000), prices_e4), min_size=1, max_size=12)
plans = st.builds(
    CommissionPlan,
    st.fractions(0, 20_000, max_denominator=1000),
    st.integers(0, 2_000_000),
    st.none() | st.integers(0, 50_000),
)
dates = st.integers(1998, 2027).map(lambda year: year * 10000 + 615)


@given(plans, fills, factors)
def test_charging_fill_by_fill_equals_charging_once(
    plan: CommissionPlan, parts: list[tuple[int, int]], factor: Fraction
) -> None:
    shares, notional, charged = Fraction(0), 0, 0
    for quantity, price_e4 in parts:
        shares += quantity / factor
        notional += quantity * price_e4 * 100
        increment = commission_due(plan, shares, notional) - charged
        assert increment >= 0
        charged += increment
    assert charged == commission_due(plan, shares, notional)


@given(plans, st.integers(1, 100_000), prices_e4)
def test_commission_is_the_formula_within_half_a_micro(
    plan: CommissionPlan, shares: int, price_e4: int
) -> None:
    notional = shares * price_e4 * 100
    exact: Fraction = max(plan.per_share_micros * shares, Fraction(plan.minimum_micros))
    if plan.maximum_ppm is not None:
        exact = min(exact, Fraction(notional * plan.maximum_ppm, 1_000_000))
    assert abs(commission_due(plan, shares, notional) - exact) <= Fraction(1, 2)


@given(dates, st.sampled_from(list(Side)), st.integers(1, 100_000), prices_e4, factors)
def test_regulatory_fees_are_never_negative_and_a_purchase_pays_cat_alone(
    date: int, side: Side, quantity: int, price_e4: int, factor: Fraction
) -> None:
    fees = regulatory_fees(
        TABLES, date, side, quantity / factor, price_e4 * factor, quantity * price_e4 * 100
    )
    assert min(fees.sec_micros, fees.taf_micros, fees.cat_micros) >= 0
    if side is Side.BUY:
        assert fees.sec_micros == fees.taf_micros == 0


@given(dates, st.integers(1, 100_000), prices_e4)
def test_a_whole_fraction_costs_what_the_integer_costs(
    date: int, shares: int, price_e4: int
) -> None:
    notional = shares * price_e4 * 100
    whole = regulatory_fees(TABLES, date, Side.SELL, shares, price_e4, notional)
    fraction = regulatory_fees(
        TABLES, date, Side.SELL, Fraction(shares), Fraction(price_e4), notional
    )
    assert whole == fraction


@given(prices_e4, st.integers(0, 50_000), ticks_e4, factors)
def test_a_buy_pays_at_least_the_reference_and_a_sell_gets_at_most_it(
    reference_e4: int, slippage_ppm: int, tick_e4: int, factor: Fraction
) -> None:
    buy = fill_price_e4(reference_e4, Side.BUY, slippage_ppm, tick_e4, factor)
    sell = fill_price_e4(reference_e4, Side.SELL, slippage_ppm, tick_e4, factor)
    slip = Fraction(reference_e4 * slippage_ppm, 1_000_000)
    assert reference_e4 + slip <= buy
    assert 0 <= sell <= reference_e4 - slip
    # and never by more than one tick of the day and one unit of our own rounding
    assert buy < reference_e4 + slip + tick_e4 / factor + 1
    assert sell > reference_e4 - slip - tick_e4 / factor - 1


@given(prices_e4, st.integers(0, 50_000), ticks_e4, st.sampled_from(list(Side)))
def test_without_splits_the_price_lies_on_the_tick(
    reference_e4: int, slippage_ppm: int, tick_e4: int, side: Side
) -> None:
    price = fill_price_e4(reference_e4, side, slippage_ppm, tick_e4)
    assert price % tick_e4 == 0
    assert price == fill_price_e4(reference_e4, side, slippage_ppm, tick_e4, Fraction(1))


@given(fills, st.integers(1, 900_000), ticks_e4, factors)
def test_levels_never_come_nearer_to_the_entry_than_asked(
    parts: list[tuple[int, int]], offset_ppm: int, tick_e4: int, factor: Fraction
) -> None:
    quantity = sum(shares for shares, _ in parts)
    total_e4 = sum(shares * price_e4 for shares, price_e4 in parts)
    average = Fraction(total_e4, quantity)
    distance = average * offset_ppm / 1_000_000
    below = level_away_e4(total_e4, quantity, -offset_ppm, tick_e4, factor)
    above = level_away_e4(total_e4, quantity, offset_ppm, tick_e4, factor)
    room = tick_e4 / factor + 1
    assert average - distance - room < below <= average - distance
    assert average + distance <= above < average + distance + room


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 20), st.integers(1, 20)),
        max_size=6,
        unique_by=lambda row: row[0],
    ),
    st.integers(-1, 21),
)
def test_the_factor_is_the_product_of_the_later_splits(
    rows: list[tuple[int, int, int]], date: int
) -> None:
    splits = [Split("X", effective, new, old) for effective, new, old in rows]
    product = Fraction(1)
    for split in splits:
        if split.effective > date:
            product *= Fraction(split.numerator, split.denominator)
    assert SplitFactors(splits).factor("X", date) == product
