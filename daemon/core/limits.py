"""The limits of risk as numbers the core can compare, and what happens at each.

Imports nothing of the core: commands carry limits by value.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Action(StrEnum):
    """What a limit does when it is reached; each includes refusing what would break it."""

    DENY = "deny"
    REDUCE = "reduce"
    PAUSE = "pause"
    HALT = "halt"
    HALT_AND_FLATTEN = "halt_and_flatten"


class Limit(Struct, frozen=True):
    """One limit: its value in the unit of its name in `Limits`, and its action."""

    value: int
    action: Action = Action.DENY


class Limits(Struct, frozen=True):
    """Every limit; None is off. Values: shares, micro-dollars, ppm or a count of orders."""

    max_position_shares: Limit | None = None
    max_position_usd: Limit | None = None
    max_order_usd: Limit | None = None
    max_gross_leverage: Limit | None = None
    price_collar_pct: Limit | None = None
    min_cash_usd: Limit | None = None
    max_orders_per_hour: Limit | None = None
    max_orders_per_day: Limit | None = None
    max_daily_loss_usd: Limit | None = None
    max_drawdown_pct: Limit | None = None
    allow_short: bool = False
    flat_before_close: bool = False
    overnight_orders: bool = True
