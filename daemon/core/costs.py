"""What a fill costs: commission and the regulatory fees of US stocks.

All arithmetic is in integers: money in micro-dollars, prices in 1/10,000 dollar, rates as exact
fractions; each amount is rounded once, half to even. Which rate holds on which date is data
(`daemon/fee_tables/`), read by `daemon.fees` and handed in as `DatedTable`s: a date that a table
does not cover is an error that names the table, never a fee of zero.

`shares` are always *as traded*: on a split-adjusted tape that is the adjusted quantity divided by
the split factor of the day, which need not be whole, so a `Fraction` is accepted everywhere an
`int` is.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import Generic, TypeVar

from msgspec import Struct

from daemon.core.events import Side
from daemon.core.units import MICROS_PER_E4, PPM, divide_half_even

Row = TypeVar("Row")

USD_MILLION_MICROS = 10**12


class DateOutsideTableError(LookupError):
    """A fee was asked for on a date that its table does not cover."""

    def __init__(self, table: str, date: int, first: int, until: int) -> None:
        super().__init__(
            f"{_iso(date)} is outside the fee table {table}, which covers "
            f"{_iso(first)} up to but not including {_iso(until)}"
        )
        self.table = table
        self.date = date


class DatedTable(Generic[Row]):
    """Rows in force from their date on; immutable.

    `dates` (YYYYMMDD, exchange time) increase strictly and `until` is the first date after the
    last one the table speaks for.
    """

    __slots__ = ("_dates", "_first", "_rows", "name", "until")

    def __init__(
        self, name: str, dates: tuple[int, ...], rows: tuple[Row, ...], until: int
    ) -> None:
        bounds = (*dates, until)
        assert len(dates) == len(rows) > 0, f"{name}: one row a date"
        assert all(a < b for a, b in pairwise(bounds)), f"{name}: dates"
        self.name = name
        self.until = until
        self._dates = dates
        self._first = dates[0]
        self._rows = rows

    def on(self, date: int) -> Row:
        """The row in force on `date` (YYYYMMDD), or DateOutsideTableError."""
        if not self._first <= date < self.until:
            raise DateOutsideTableError(self.name, date, self._first, self.until)
        return self._rows[bisect_right(self._dates, date) - 1]


# --- commission -------------------------------------------------------------------------------


class CommissionPlan(Struct, frozen=True, gc=False):
    """A price per share with a minimum an order and a cap as a share of its value.

    `maximum_ppm` None is no cap; the cap beats the minimum.
    """

    per_share_micros: Fraction
    minimum_micros: int
    maximum_ppm: int | None


FREE = CommissionPlan(Fraction(0), 0, None)


def commission_due(plan: CommissionPlan, shares: int | Fraction, notional_micros: int) -> int:
    """Commission in micro-dollars owed on everything an order has filled so far.

    `shares` and `notional_micros` (price x shares) are the order's totals, this fill included:
    a fill is charged what is due now less what was charged before, so an order filled in parts
    pays its minimum once. Nothing is due on nothing.
    """
    if shares == 0:
        return 0
    due = _times(plan.per_share_micros, shares)
    if due < plan.minimum_micros:
        due = plan.minimum_micros
    if plan.maximum_ppm is not None:
        # rounding keeps order, so the smaller of the rounded is the rounded smaller
        due = min(due, divide_half_even(notional_micros * plan.maximum_ppm, PPM))
    return due


# --- regulatory fees --------------------------------------------------------------------------


class TafRate(Struct, frozen=True, gc=False):
    """FINRA's Trading Activity Fee: a price per share sold, with a cap a trade."""

    per_share_micros: Fraction
    cap_micros: int


class RegulatoryTables(Struct, frozen=True, gc=False):
    """The three dated tables.

    `sec`: dollars per million dollars of sale proceeds (which is micro-dollars per dollar);
    `taf`: per share sold; `cat`: micro-dollars per share bought or sold.
    """

    sec: DatedTable[Fraction]
    taf: DatedTable[TafRate]
    cat: DatedTable[Fraction]


class RegulatoryFees(Struct, frozen=True, gc=False):
    """The fees of one fill in micro-dollars."""

    sec_micros: int
    taf_micros: int
    cat_micros: int


def regulatory_fees(
    tables: RegulatoryTables,
    date: int,
    side: Side,
    shares: int | Fraction,
    price_as_traded_e4: int | Fraction,
    notional_micros: int,
) -> RegulatoryFees:
    """SEC Section 31, FINRA TAF and CAT fees of one fill on `date` (YYYYMMDD, exchange time).

    `shares` and `price_as_traded_e4` are as traded; `notional_micros` is the same money either
    way. A table that does not cover the date raises DateOutsideTableError.
    """
    cat = _times(tables.cat.on(date), shares)
    if side is Side.BUY:
        return RegulatoryFees(0, 0, cat)
    rate = tables.sec.on(date)
    sec = divide_half_even(
        notional_micros * rate.numerator, rate.denominator * (USD_MILLION_MICROS // PPM)
    )
    taf = _taf(tables.taf.on(date), shares, price_as_traded_e4)
    return RegulatoryFees(sec, taf, cat)


def _taf(rate: TafRate, shares: int | Fraction, price_as_traded_e4: int | Fraction) -> int:
    """FINRA By-Laws, Schedule A, section 1(b): no fee where the price is below the rate itself."""
    per_share, price = rate.per_share_micros, price_as_traded_e4
    # price < rate, cross-multiplied: comparing Fractions costs ten times as much
    if price.numerator * MICROS_PER_E4 * per_share.denominator < (
        per_share.numerator * price.denominator
    ):
        return 0
    return min(_times(rate.per_share_micros, shares), rate.cap_micros)


def _times(rate: Fraction, shares: int | Fraction) -> int:
    return divide_half_even(
        rate.numerator * shares.numerator, rate.denominator * shares.denominator
    )


def _iso(date: int) -> str:
    return f"{date // 10000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"
