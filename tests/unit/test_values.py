"""An account by value: complete, and refused where it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.core.account import Account
from daemon.core.book import Book
from daemon.core.control import Control
from daemon.core.events import Bracket, Halt, OrderRequest, OrderType, Side, Split, TargetPosition
from daemon.core.limits import Action, Limit, Limits
from daemon.core.portfolio import Portfolio, Position, Trade
from daemon.core.protection import Protection
from daemon.core.risk import Risk
from daemon.core.units import HOUR_NS, MICROS_PER_USD
from daemon.core.values import (
    OrderValues,
    PositionValues,
    TradeValues,
    restore,
    values_of,
)
from daemon.core.working_order import WorkingOrder
from tests.harness import opens_ns, play, rules

USD = MICROS_PER_USD
FLAT = (100.0, 101.0, 99.0, 100.0)
STOP_AT_95 = Bracket(stop_price=95.0)


def fields(kind: Any) -> set[str]:
    return set(kind.__struct_fields__)


def opened(symbols: Sequence[str] = ("NVDA",), limits: Limits | None = None) -> Account:
    return Account(tuple(symbols), 5 * USD, rules(), limits or Limits(allow_short=True))


def test_every_attribute_is_carried_or_follows_from_others() -> None:
    """A new attribute has to be put into the values, or among those that need not be there."""
    assert fields(TradeValues) == set(Trade.__slots__)
    assert fields(PositionValues) == set(Position.__slots__)
    assert fields(OrderValues) == set(WorkingOrder.__slots__) - {"sign", "symbol"}
    account = opened()
    wiring = {"_portfolio", "pricing", "_outputs", "_venue", "_control", "_holds"}

    def state(part: object) -> set[str]:
        return set(vars(part)) - wiring

    portfolio, book = account.portfolio, account.venue.book
    assert (type(portfolio), type(book)) == (Portfolio, Book)
    assert state(portfolio) == {
        "cash_micros", "positions", "predictions", "receivables",
        "_next_fill_id", "_next_trade_id",
        "equity_micros", "symbols", "_symbols",  # worked out, given
    }  # fmt: skip
    assert state(book) == {
        "working", "withdrawn", "last", "_next_order_id", "_next_group", "_labels",
        "_met", "_not_before",  # of the turn that is open
    }  # fmt: skip
    assert (type(account.venue.protection), type(account.control)) == (Protection, Control)
    assert state(account.venue.protection) == {"_brackets", "_groups", "_orders"}
    assert state(account.control) == {"holds", "flattening", "model_failures"}
    assert type(account.risk) is Risk
    assert state(account.risk) == {
        "starting_cash_micros", "peak_micros", "baseline_micros",
        "_accepted", "_accepted_today", "_breached", "shares",
        "limits", "_measured", "floor_micros", "ceiling_micros",  # given, worked out
    }  # fmt: skip


def test_a_held_symbol_may_not_disappear() -> None:
    bars = {"NVDA": [FLAT] * 3, "AMD": [FLAT] * 3}
    played = play(bars, at={0: [TargetPosition("AMD", 10)]})
    with pytest.raises(ValueError, match=r"^AMD: held or with working orders"):
        restore(opened(["NVDA"]), values_of(played.account))


def test_a_symbol_with_a_working_order_may_not_disappear() -> None:
    resting = OrderRequest("AMD", Side.BUY, 10, OrderType.LIMIT, limit_price=90.0)
    played = play({"NVDA": [FLAT] * 3, "AMD": [FLAT] * 3}, at={0: [resting]})
    account = opened(["NVDA"])
    with pytest.raises(ValueError, match=r"^AMD: held or with working orders"):
        restore(account, values_of(played.account))
    assert account.portfolio.cash_micros == 5 * USD  # nothing has been taken over


def test_other_symbols_come_and_go() -> None:
    """AMD was traded and is flat: it may go. SPY is new and starts empty."""
    at = {0: [TargetPosition("NVDA", 10), TargetPosition("AMD", 5)], 1: [TargetPosition("AMD", 0)]}
    played = play({"AMD": [FLAT] * 4, "NVDA": [FLAT] * 4}, at=at, cash_usd=10_000)
    account = opened(["SPY", "NVDA"])
    restore(account, values_of(played.account))
    quantities = {s: p.quantity for s, p in account.portfolio.positions.items()}
    assert quantities == {"SPY": 0, "NVDA": 10}
    assert account.portfolio.positions["SPY"].bars == 0
    assert account.portfolio.positions["NVDA"].bars == 4
    assert account.portfolio.cash_micros == 9_000 * USD
    assert account.portfolio.equity_micros == 10_000 * USD


def test_numbers_go_on() -> None:
    """Two orders, two fills and a trade before; the next ones are 3, 3 and 2."""
    played = play({"NVDA": [FLAT] * 4}, at={0: [TargetPosition("NVDA", 10)], 1: _flat()})
    account = opened()
    restore(account, values_of(played.account))
    values = values_of(account)
    assert values.book.next_order_id == 3
    assert values.portfolio.next_fill_id == 3
    assert values.portfolio.next_trade_id == 2


def _flat() -> list[Any]:
    return [TargetPosition("NVDA", 0)]


def test_a_limit_that_is_gone_is_not_breached_and_another_value_counts() -> None:
    """10 shares from 100 to 80 lose 200 of 1,000 USD."""
    limits = Limits(
        allow_short=True,
        max_daily_loss_usd=Limit(150 * USD, Action.DENY),
        max_drawdown_pct=Limit(100_000, Action.DENY),
    )
    bars: list[Any] = [FLAT, FLAT, (80.0, 80.0, 80.0, 80.0)]
    played = play(
        {"NVDA": bars}, at={0: [TargetPosition("NVDA", 10)]}, limits=limits, cash_usd=1_000
    )
    values = values_of(played.account)
    assert values.risk.breached == ("max_daily_loss_usd", "max_drawdown_pct")
    wider = Limits(allow_short=True, max_drawdown_pct=Limit(300_000, Action.DENY))
    account = opened(limits=wider)
    restore(account, values)
    assert values_of(account).risk.breached == ("max_drawdown_pct",)
    assert account.risk.starting_cash_micros == 1_000 * USD
    assert account.risk.standing_halts() == {}  # 20 % is within 30 %


def test_orders_of_more_than_an_hour_ago_are_not_carried() -> None:
    at = {0: [TargetPosition("NVDA", 10)], 1: _flat(), 2: [TargetPosition("NVDA", 10)]}
    played = play({"NVDA": [FLAT] * 4}, at=at)
    values = values_of(played.account)
    # orders at the ends of bars 0 to 2, an hour apart; bar 3 is the last that was seen
    assert values.risk.accepted == ()
    assert values.risk.accepted_today == 3


def test_a_withdrawn_stop_is_still_the_brackets_own() -> None:
    """Halted in the second session's first bar, to which a 2:1 split belongs: the stop of 95,
    withdrawn before the bar is known, is judged at 47.5."""
    session = opens_ns(1)
    options: dict[str, Any] = {
        "at": {0: [TargetPosition("NVDA", 10, STOP_AT_95)]},
        "per_session": 2,
        "commands": [Halt(session + HOUR_NS // 2, "operator", "look")],
    }
    played = play({"NVDA": [FLAT] * 2}, **options)
    (withdrawn,) = played.account.venue.book.withdrawn
    account = opened()
    restore(account, values_of(played.account))
    account.venue.protection.split(Split("NVDA", 20240103, 2, 1), session)
    (restored,) = account.venue.book.withdrawn
    assert (withdrawn[0].stop_e4, restored[0].stop_e4) == (95_0000, 47_5000)
    assert restored[1] == session + HOUR_NS // 2


def test_only_a_fresh_account_takes_over() -> None:
    resting = OrderRequest("NVDA", Side.BUY, 10, OrderType.LIMIT, limit_price=90.0)
    played = play({"NVDA": [FLAT] * 3}, at={0: [resting]})
    with pytest.raises(AssertionError, match="freshly opened"):
        restore(played.account, values_of(opened()))


def test_failed_predictions_are_counted_on() -> None:
    """Four failures in a row before, the fifth after: paused."""
    account, other = opened(), opened()
    for instant in range(4):
        account.control.count_model("time-out", instant)
    restore(other, values_of(account))
    other.control.count_model("time-out", 4)
    assert (account.control.state.name, other.control.state.name) == ("ACTIVE", "PAUSED")
