"""DESIGN 5: a reload puts other limits in force from the next decision on; it touches no order."""

from __future__ import annotations

import msgspec
import pytest

from daemon.core.account import Account
from daemon.core.events import Reload
from daemon.core.limits import Action, Limit, Limits
from daemon.core.turn import Turn
from daemon.journal.codec import decode_command, encode_input
from tests.harness import Result, play, rules
from tests.rules.tools import (
    GTC,
    USD,
    at_end,
    denied,
    fills,
    flat,
    limits,
    middle,
    order,
    state_names,
    target,
)

BARS = [flat(100.0 + i) for i in range(7)]


def reload(instant: int, new: Limits) -> Reload:
    return Reload(instant, "operator", "other limits", new, {"allow_short": True}, ("x: 1 -> 2",))


def turn_of(result: Result, kind: type) -> Turn:
    (found,) = [turn for turn in result.turns if isinstance(turn.input, kind)]
    return found


@pytest.mark.parametrize(
    ("old", "new", "refused", "filled"),
    [
        (5, None, 1, [3]),
        (None, 5, 1, [1, 2]),
        (5, 10, 1, [3]),
        (10, 5, 1, [1, 2]),
        (5, 9, 2, []),
    ],
)
def test_the_next_decision_goes_by_the_new_limits(
    old: int | None, new: int | None, refused: int, filled: list[int]
) -> None:
    """10 shares are wanted at slices 0 and 2; the reload comes between them."""

    def most(shares: int | None) -> Limits:
        return limits(max_position_shares=None if shares is None else Limit(shares))

    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(0)], 2: [target(10)]},
        limits=most(old),
        commands=[reload(at_end(1), most(new))],
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 10)] * refused
    assert [number for number, _, _ in fills(result)] == filled


def test_it_says_nothing_and_leaves_orders_and_holds_alone() -> None:
    """A limit order for 50 shares rests on although 5 are the most from now on."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(100.0), flat(90.0)]},
        at={0: [order(50, limit_price=95.0, time_in_force=GTC)]},
        commands=[reload(middle(1), limits(max_position_shares=Limit(5)))],
    )
    assert turn_of(result, Reload).outputs == ()
    assert fills(result) == [(3, 50, 90.0)]
    assert state_names(result) == []


def test_funds_and_shorts_at_the_fill_follow() -> None:
    """1,000 USD, 10 shares at 100 are wanted; half of the equity from now on: 5."""
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        at={0: [target(10)]},
        cash_usd=1_000,
        pricing=rules(leverage_ppm=1_000_000),
        limits=limits(max_gross_leverage=Limit(1_000_000)),
        commands=[reload(middle(1), limits(max_gross_leverage=Limit(500_000)))],
    )
    assert fills(result) == [(1, 5, 100.0)]


def test_a_short_on_its_way_is_not_sold_any_more() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        at={0: [target(-10)]},
        commands=[reload(middle(1), Limits(allow_short=False))],
    )
    assert result.fills == []
    assert str(result.updates[-1].reason) == "SHORT_NOT_ALLOWED"


def test_counters_are_not_forgotten() -> None:
    """Two orders today; a third is one too many for the new limit."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(0)], 3: [target(10)]},
        commands=[reload(at_end(2), limits(max_orders_per_day=Limit(2)))],
    )
    assert denied(result) == [("MAX_ORDERS_PER_DAY", 10)]


def test_a_drawdown_is_from_the_peak_of_before() -> None:
    """10,000 USD in shares: 12,000 at the peak, 11,000 at the reload; 10 % below 12,000 is 10,800,
    which is reached at 10,800 although it is far above the 9,900 that 11,000 would allow."""
    closes = [100.0, 100.0, 120.0, 110.0, 109.0, 108.0, 108.0]
    result = play(
        {"NVDA": [flat(close) for close in closes]},
        at={0: [target(100)]},
        cash_usd=10_000,
        commands=[reload(at_end(3), limits(max_drawdown_pct=Limit(100_000, Action.HALT)))],
    )
    assert state_names(result) == ["HALTED"]
    assert result.states[0].instant == result.slice_ends[5]


def test_a_breach_of_a_wider_limit_is_over() -> None:
    """1,500 lost: no entries. From now on 2,000 are allowed: entries again."""
    lost = limits(max_daily_loss_usd=Limit(1_500 * USD, Action.DENY))
    wider = limits(max_daily_loss_usd=Limit(2_000 * USD, Action.DENY))
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *([flat(85.0)] * 5)]},
        at={0: [target(100)], 2: [target(110)], 4: [target(110)]},
        limits=lost,
        commands=[reload(at_end(3), wider)],
    )
    assert denied(result) == [("MAX_DAILY_LOSS", 10)]
    assert fills(result)[1:] == [(5, 10, 85.0)]


def test_a_hold_of_the_old_limit_stays_until_it_is_lifted() -> None:
    lost = limits(max_daily_loss_usd=Limit(1_500 * USD, Action.HALT))
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *([flat(85.0)] * 3)]},
        at={0: [target(100)]},
        limits=lost,
        commands=[reload(at_end(2), limits())],
    )
    assert state_names(result) == ["HALTED"]
    assert result.account.risk.standing_halts() == {}  # so that a reset needs no word


def test_the_account_goes_by_them_everywhere() -> None:
    account = Account(("NVDA",), USD, rules(shorts_allowed=False), Limits())
    new = limits(max_gross_leverage=Limit(2_000_000), flat_before_close=True)
    account.obey(new)
    assert account.risk.limits is new
    pricing = account.venue.pricing
    assert account.venue.book.pricing is pricing
    assert (pricing.leverage_ppm, pricing.shorts_allowed) == (2_000_000, True)


def test_it_is_journaled_by_value() -> None:
    new = limits(max_daily_loss_usd=Limit(2_000 * USD, Action.HALT_AND_FLATTEN))
    command = Reload(
        5, "operator", "wider", new, {"max_daily_loss_usd": {"limit": 2000.0}}, ("a", "b")
    )
    assert decode_command(encode_input(command)[1]) == command
    with pytest.raises(msgspec.ValidationError):
        decode_command('{"type": "Reload", "instant": 5, "source": "operator", "reason": ""}')
