"""How much of each limit is used, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.config.models import DEFAULT_ACTIONS
from daemon.core.events import OrderRequest, OrderType, Side, TargetPosition
from daemon.core.limits import Limit, Limits
from daemon.observability.limits import UNITS, LimitUse, limit_uses
from tests.harness import Quote, Result, play

FLAT: Quote = (100, 100, 100, 100)
USD = 1_000_000


def _uses(result: Result) -> dict[str, LimitUse]:
    return {use.name: use for use in limit_uses(result.account)}


def _played(limits: Limits, bars: list[Quote | None], at: Any = None, **how: Any) -> Result:
    at = {0: [TargetPosition("NVDA", 40)]} if at is None else at
    return play({"NVDA": bars}, at=at, limits=limits, cash_usd=10_000, **how)


def test_every_limit_of_the_config_has_a_unit() -> None:
    assert list(UNITS) == list(DEFAULT_ACTIONS)


def test_a_limit_that_is_not_set_is_not_told() -> None:
    assert _uses(_played(Limits(), [FLAT])) == {}


def test_positions_leverage_and_cash() -> None:
    """Forty shares at 105 of 10,000 - 4,000 + 4,200: 6,000 in cash, 4,200 held."""
    limits = Limits(
        max_position_shares=Limit(50),
        max_position_usd=Limit(8_400 * USD),
        max_gross_leverage=Limit(1_000_000),
        min_cash_usd=Limit(200 * USD),
    )
    uses = _uses(_played(limits, [FLAT, FLAT, (105, 105, 105, 105)]))
    assert uses["max_position_shares"] == LimitUse("max_position_shares", 40, 50, 0.8)
    assert uses["max_position_usd"] == LimitUse("max_position_usd", 4_200, 8_400, 0.5)
    leverage = uses["max_gross_leverage"]
    assert leverage.limit == 1.0
    assert leverage.current == leverage.use == pytest.approx(4_200 / 10_200, abs=1e-6)
    assert uses["min_cash_usd"][:3] == ("min_cash_usd", 6_000, 200)
    assert uses["min_cash_usd"].use == pytest.approx(4_200 / 10_000)  # of 10,200 less 200


def test_a_floor_of_cash_is_used_up_where_nothing_may_be_spent() -> None:
    limits = Limits(min_cash_usd=Limit(20_000 * USD))
    assert _uses(_played(limits, [FLAT]))["min_cash_usd"].use == 1
    limits = Limits(min_cash_usd=Limit(0), allow_short=True)
    flat = _uses(_played(limits, [FLAT], at={}))["min_cash_usd"]
    assert flat == LimitUse("min_cash_usd", 10_000, 0, 0)
    short = _played(limits, [FLAT, FLAT], at={0: [TargetPosition("NVDA", -10)]})
    assert _uses(short)["min_cash_usd"] == LimitUse("min_cash_usd", 11_000, 0, 0)


def test_shorts_use_limits_as_well() -> None:
    limits = Limits(
        max_position_shares=Limit(50), max_gross_leverage=Limit(1_000_000), allow_short=True
    )
    uses = _uses(_played(limits, [FLAT, FLAT], at={0: [TargetPosition("NVDA", -40)]}))
    assert uses["max_position_shares"].use == 0.8
    assert uses["max_gross_leverage"].use == 0.4


def test_orders_of_the_last_slice() -> None:
    """A buy of five at a limit of 95 while the close is 100: 500 dollars, five percent away."""
    limits = Limits(max_order_usd=Limit(2_000 * USD), price_collar_pct=Limit(100_000))
    order = OrderRequest("NVDA", Side.BUY, 5, OrderType.LIMIT, limit_price=95)
    uses = _uses(_played(limits, [FLAT], at={0: [order]}))
    assert uses["max_order_usd"] == LimitUse("max_order_usd", 500, 2_000, 0.25)
    assert uses["price_collar_pct"] == LimitUse("price_collar_pct", 5, 10, 0.5)
    resting = _uses(_played(limits, [FLAT, FLAT], at={0: [order]}))
    assert resting["max_order_usd"].use == 0  # it was judged when it was new
    assert resting["price_collar_pct"].use == 0


def test_rates_of_orders() -> None:
    """An order a bar: the first is an hour old when the second is decided, and counts no more."""
    limits = Limits(max_orders_per_hour=Limit(2), max_orders_per_day=Limit(8))
    at = {slot: [TargetPosition("NVDA", slot + 1)] for slot in range(3)}
    uses = _uses(_played(limits, [FLAT] * 3, at=at))
    assert uses["max_orders_per_hour"] == LimitUse("max_orders_per_hour", 1, 2, 0.5)
    assert uses["max_orders_per_day"] == LimitUse("max_orders_per_day", 3, 8, 0.375)
    next_day = _uses(_played(limits, [FLAT] * 8, at=at, per_session=7))
    assert next_day["max_orders_per_hour"].current == 0
    assert next_day["max_orders_per_day"].current == 0


def test_losses_and_drawdown() -> None:
    """Forty shares: bought at 100, once worth 110, now 90: 400 lost, 800 below the peak."""
    limits = Limits(max_daily_loss_usd=Limit(1_000 * USD), max_drawdown_pct=Limit(200_000))
    up, down = (110, 110, 110, 110), (90, 90, 90, 90)
    uses = _uses(_played(limits, [FLAT, FLAT, up, down]))
    assert uses["max_daily_loss_usd"] == LimitUse("max_daily_loss_usd", 400, 1_000, 0.4)
    assert uses["max_drawdown_pct"].current == pytest.approx(100 * 800 / 10_400, abs=1e-4)
    assert uses["max_drawdown_pct"].use == pytest.approx(800 / 10_400 / 0.2, abs=1e-5)
    gained = _uses(_played(limits, [FLAT, FLAT, up]))
    assert gained["max_daily_loss_usd"].use == gained["max_drawdown_pct"].use == 0
