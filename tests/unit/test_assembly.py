"""From a config's limits to the core's integers, for a new account and for a reload alike."""

from __future__ import annotations

from pathlib import Path

from daemon.assembly import limits_of, open_account
from daemon.core.limits import Action, Limit, Limits
from daemon.fees import load_fee_tables
from tests.unit.config_files import FOUR_LINES, load

RISK = """\
execution: {overnight: deny}
risk:
  max_position_shares: 500
  max_order_usd: 20000.5
  max_gross_leverage: {limit: 1.5, action: reduce}
  price_collar_pct: 10
  max_orders_per_hour: 4
  max_daily_loss_usd: 1500
  max_drawdown_pct: {limit: 15, action: deny}
  flat_before_close: true
"""


def test_limits_become_integers_with_their_actions(tmp_path: Path) -> None:
    assert limits_of(load(tmp_path, FOUR_LINES + RISK)) == Limits(
        max_position_shares=Limit(500, Action.DENY),
        max_order_usd=Limit(20_000_500_000, Action.DENY),
        max_gross_leverage=Limit(1_500_000, Action.REDUCE),
        price_collar_pct=Limit(100_000, Action.DENY),
        max_orders_per_hour=Limit(4, Action.PAUSE),
        max_daily_loss_usd=Limit(1_500_000_000, Action.HALT_AND_FLATTEN),
        max_drawdown_pct=Limit(150_000, Action.DENY),
        allow_short=False,
        flat_before_close=True,
        overnight_orders=False,
    )


def test_no_section_is_no_limit(tmp_path: Path) -> None:
    assert limits_of(load(tmp_path, FOUR_LINES)) == Limits()


def test_an_account_opens_as_if_its_limits_had_just_been_reloaded(tmp_path: Path) -> None:
    config = load(tmp_path, FOUR_LINES + RISK)
    account = open_account(
        config, load_fee_tables(), volume_known=True, adjustment="raw", splits=()
    )
    pricing = account.venue.pricing
    assert (pricing.leverage_ppm, pricing.shorts_allowed) == (1_500_000, False)
    account.obey(limits_of(config))
    assert account.venue.pricing == pricing
