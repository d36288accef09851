"""From a reference price to the price paid, and from an entry to its protective levels.

Prices are integers of 1/10,000 dollar. Everything rounds against us: a buy up, a sell down; a
protective level away from the entry. The tick is the one of the market on that day: on a
split-adjusted tape `factor` (as-traded price / adjusted price) takes the price there, where
slippage and tick are applied, and back; all of it exact until the roundings.
"""

from __future__ import annotations

from fractions import Fraction

from daemon.core.events import Side
from daemon.core.units import PPM


def fill_price_e4(
    reference_e4: int,
    side: Side,
    slippage_ppm: int,
    tick_e4: int,
    factor: int | Fraction = 1,
) -> int:
    """The price of a market or stop fill: the reference, slipped and rounded against us.

    A buy never pays less than the reference, a sell never gets more. (Rounding up to 1/10,000
    and then to the tick is rounding up to the tick, so one rounding does both.)
    """
    up = side is Side.BUY
    slipped_ppm = PPM + slippage_ppm if up else PPM - slippage_ppm
    if factor == 1:  # the same, without the way there and back
        step = PPM * tick_e4
        scaled = reference_e4 * slipped_ppm
        return (-(-scaled // step) if up else scaled // step) * tick_e4
    return on_tick_e4(reference_e4 * slipped_ppm, PPM, tick_e4, factor, up=up)


def level_away_e4(
    total_e4: int,
    quantity: int,
    offset_ppm: int,
    tick_e4: int,
    factor: int | Fraction = 1,
) -> int:
    """The price `offset_ppm` above (positive) or below (negative) an average, rounded away.

    The average is exact: `total_e4` (the sum of price x shares) over `quantity` > 0 shares.
    A level below the entry rounds down and one above rounds up, which is a long's stop and
    target and a short's target and stop. For a trailing stop the average is the extreme itself
    (`quantity` 1).
    """
    exact = total_e4 * (PPM + offset_ppm)
    return on_tick_e4(exact, quantity * PPM, tick_e4, factor, up=offset_ppm > 0)


def on_tick_e4(
    numerator: int, denominator: int, tick_e4: int, factor: int | Fraction, *, up: bool
) -> int:
    """A quotient in adjusted money, on the tick of as-traded money, and back, rounded one way."""
    to_raw, from_raw = factor.numerator, factor.denominator
    numerator *= to_raw
    denominator *= from_raw * tick_e4
    if up:
        raw_e4 = -(-numerator // denominator) * tick_e4
        return -(-raw_e4 * from_raw // to_raw)
    return numerator // denominator * tick_e4 * from_raw // to_raw
