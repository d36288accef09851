"""The core's integer units and the few conversions between them.

Three units, named by the last word of a variable:

* `*_e4`      a price in 1/10,000 dollar, the venue's unit; a bar's float prices have four decimals
* `*_micros`  an amount of money in 1/1,000,000 dollar, the ledger's unit
* `*_ppm`     a fraction in parts per million (2 % = 20_000)

Instants are UTC nanoseconds since 1970.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

MICROS_PER_USD = 1_000_000
E4_PER_USD = 10_000
MICROS_PER_E4 = 100
PPM = 1_000_000

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS


def price_e4(price_usd: float) -> int:
    """A float price with four decimals as an integer of 1/10,000 dollar."""
    return round(price_usd * E4_PER_USD)


def usd_micros(amount_usd: float | str | Decimal) -> int:
    """Dollars as micro-dollars, half-even; a float is read as the decimal it prints as."""
    exact = Decimal(str(amount_usd)) * MICROS_PER_USD
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def ppm(fraction: float | str | Decimal) -> int:
    """A fraction (0.025) as parts per million (25_000), half-even."""
    return int((Decimal(str(fraction)) * PPM).to_integral_value(ROUND_HALF_EVEN))


def percent_ppm(percent: float | str | Decimal) -> int:
    """A percentage (2 = 2 %) as parts per million (20_000)."""
    return ppm(Decimal(str(percent)) / 100)


def bps_ppm(bps: float | str | Decimal) -> int:
    """Basis points (1 = 0.01 %) as parts per million (100)."""
    return ppm(Decimal(str(bps)) / 10_000)


def divide_half_even(numerator: int, denominator: int) -> int:
    """The quotient of two integers rounded half to even; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient
