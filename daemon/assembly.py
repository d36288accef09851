"""From a config to the core's parts: the one place where config keys meet core names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon.config import Config
from daemon.core.account import Account
from daemon.core.events import Split
from daemon.core.limits import Action, Limit, Limits
from daemon.core.pricing import Pricing
from daemon.core.split_factors import SplitFactors
from daemon.core.units import bps_ppm, percent_ppm, ppm, price_e4, usd_micros
from daemon.fees import FeeTables

_UNITS: dict[str, Callable[[float], int]] = {
    "max_position_shares": int,
    "max_position_usd": usd_micros,
    "max_order_usd": usd_micros,
    "max_gross_leverage": ppm,
    "price_collar_pct": percent_ppm,
    "min_cash_usd": usd_micros,
    "max_orders_per_hour": int,
    "max_orders_per_day": int,
    "max_daily_loss_usd": usd_micros,
    "max_drawdown_pct": percent_ppm,
}
"""How each limit of the config becomes the integer the core compares."""


def open_account(
    config: Config,
    tables: FeeTables,
    *,
    volume_known: bool,
    adjustment: str,
    splits: Sequence[Split],
) -> Account:
    """A new account: cash, venue and limits as configured.

    `splits` are the recorded splits; on an adjusted tape they lead from adjusted to as-traded
    prices, on a raw one they are applied as they come and prices need no factor.
    """
    adjusted = adjustment != "raw" and bool(splits)
    execution = config.execution
    pricing = Pricing(
        tick_e4=price_e4(execution.tick_usd),
        slippage_ppm=bps_ppm(execution.slippage_bps),
        commission=tables.commission(execution.commission),
        tables=tables.regulatory if execution.regulatory_fees else None,
        participation_ppm=(
            None
            if execution.participation_fraction is None
            else ppm(execution.participation_fraction)
        ),
        volume_known=volume_known,
        fills_at_close=execution.fill == "next_close",
        factors=SplitFactors(splits) if adjusted else None,
    )
    cash_micros, limits = usd_micros(config.account.cash_usd), limits_of(config)
    return Account(tuple(config.symbols), cash_micros, pricing.under(limits), limits)


def limits_of(config: Config) -> Limits:
    """The limits as the core compares them; they also say what is lent and whether to short."""
    risk = config.risk
    numbers = {
        name: Limit(_UNITS[name](limit.limit), Action(limit.action))
        for name, limit in risk.limits().items()
    }
    return Limits(
        **numbers,
        allow_short=risk.allow_short,
        flat_before_close=risk.flat_before_close,
        overnight_orders=config.execution.overnight == "next_open",
    )
