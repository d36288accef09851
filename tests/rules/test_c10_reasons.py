"""C10: whatever does not fill says why, in one word of the list."""

from __future__ import annotations

import random
from typing import Any

import pytest

from daemon.core.events import (
    CancelRequest,
    Halt,
    OrderRequest,
    OrderType,
    Pause,
    Reduce,
    Side,
    Split,
)
from daemon.core.limits import Limit, Limits
from daemon.core.outputs import Origin, Reason
from tests.harness import play, rules
from tests.rules.tools import GTC, IOC, USD, at_end, flat, order, target, why

Q = flat(100.0)
TENTH = rules(participation_ppm=100_000)


def stop(kind: Any) -> list[Any]:
    return [kind(at_end(1), "operator", "because")]


DAY_TRADER = Limits(allow_short=True, flat_before_close=True)
THIN = flat(100.0, 10)
EMPTY = flat(100.0, 0)
RESTING = order(9, limit_price=90.0)
OUT = {
    0: [order(9)],
    1: [order(-9, limit_price=105.0, group="a"), order(-9, stop_price=90.0, group="a")],
}

# name, bars (three a session), intents, what else play() gets, order: how and why it ended
ENDINGS: list[tuple[str, list[Any], dict[int, Any], dict[str, Any], int, str]] = [
    ("limit", [Q] * 4, {0: [RESTING]}, {}, 1, "expired NOT_REACHED"),
    ("stop", [Q] * 4, {0: [order(1, stop_price=110.0)]}, {}, 1, "expired NOT_REACHED"),
    ("thin", [Q, THIN, THIN, Q], {0: [order(9)]}, {"pricing": TENTH}, 1, "expired PARTICIPATION"),
    ("no volume", [Q, EMPTY, EMPTY, Q], {0: [order(9)]}, {}, 1, "expired NO_VOLUME"),
    ("no data", [Q, None, None, Q], {0: [order(9)]}, {}, 1, "expired DATA_MISSING"),
    (
        "ioc",
        [Q, THIN, Q],
        {0: [order(9, time_in_force=IOC)]},
        {"pricing": TENTH},
        1,
        "cancelled IOC_REMAINDER",
    ),
    ("oco", [Q, Q, flat(110.0), Q], OUT, {}, 3, "cancelled OCO"),
    (
        "changed",
        [Q, THIN, Q],
        {0: [target(9)], 1: [target(0)]},
        {"pricing": TENTH},
        1,
        "cancelled TARGET_CHANGED",
    ),
    ("asked", [Q] * 3, {0: [RESTING], 1: [CancelRequest(1)]}, {}, 1, "cancelled REQUESTED"),
    (
        "funds",
        [Q] * 3,
        {0: [target(9)]},
        {"cash_usd": 50, "pricing": rules(leverage_ppm=1_000_000)},
        1,
        "cancelled INSUFFICIENT_FUNDS",
    ),
    ("halt", [Q] * 4, {1: [target(9)]}, {"commands": stop(Halt)}, 1, "cancelled HALTED"),
    ("pause", [Q] * 4, {1: [target(9)]}, {"commands": stop(Pause)}, 1, "cancelled PAUSED"),
    ("reduce", [Q] * 4, {1: [target(9)]}, {"commands": stop(Reduce)}, 1, "cancelled REDUCING"),
    ("close", [Q] * 4, {0: [RESTING]}, {"limits": DAY_TRADER}, 1, "cancelled NEAR_CLOSE"),
    (
        "split",
        [Q, Q, Q, flat(50.0)],
        {2: [target(9)]},
        {"actions": [Split("NVDA", 20240103, 2, 1)]},
        1,
        "cancelled SPLIT",
    ),
]


@pytest.mark.parametrize(
    ("bars", "at", "more", "order_id", "ended"),
    [case[1:] for case in ENDINGS],
    ids=[case[0] for case in ENDINGS],
)
def test_why_a_working_order_ended(
    bars: list[Any], at: dict[int, Any], more: dict[str, Any], order_id: int, ended: str
) -> None:
    result = play({"NVDA": bars}, at=at, per_session=3, **more)
    assert " ".join(why(result, order_id)) == ended


DENIALS: list[tuple[str, Any, Limits, str]] = [
    ("short", target(-1), Limits(), "SHORT_NOT_ALLOWED"),
    ("shares", target(9), Limits(max_position_shares=Limit(8)), "MAX_POSITION_SHARES"),
    ("worth", target(9), Limits(max_position_usd=Limit(899 * USD)), "MAX_POSITION_USD"),
    ("order", target(9), Limits(max_order_usd=Limit(899 * USD)), "MAX_ORDER_USD"),
    ("collar", order(1, limit_price=120.0), Limits(price_collar_pct=Limit(10_000)), "PRICE_COLLAR"),
    ("day", target(1), Limits(max_orders_per_day=Limit(0)), "MAX_ORDERS_PER_DAY"),
    ("hour", target(1), Limits(max_orders_per_hour=Limit(0)), "MAX_ORDERS_PER_HOUR"),
    ("leverage", target(9), Limits(max_gross_leverage=Limit(1)), "MAX_GROSS_LEVERAGE"),
    ("cash", target(9), Limits(min_cash_usd=Limit(999_999 * USD)), "MIN_CASH"),
]


@pytest.mark.parametrize(
    ("intent", "limits", "reason"),
    [case[1:] for case in DENIALS],
    ids=[case[0] for case in DENIALS],
)
def test_why_an_intent_was_denied(intent: Any, limits: Limits, reason: str) -> None:
    result = play({"NVDA": [Q] * 3}, at={0: [intent]}, limits=limits)
    assert [str(denial.reason) for denial in result.denials] == [reason]
    assert result.orders == []


@pytest.mark.parametrize(
    "request_",
    [
        OrderRequest("NVDA", Side.BUY, 0),
        OrderRequest("NVDA", Side.SELL, -5),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.LIMIT),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.STOP),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.STOP_LIMIT, limit_price=100.0),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.TRAILING_STOP),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.LIMIT, limit_price=-1.0),
        OrderRequest("NVDA", Side.BUY, 5, OrderType.LIMIT, limit_price=float("nan")),
    ],
)
def test_an_order_that_makes_no_sense_is_denied(request_: OrderRequest) -> None:
    result = play({"NVDA": [Q] * 3}, at={0: [request_]})
    assert [str(denial.reason) for denial in result.denials] == ["BAD_ORDER"]
    assert result.denials[0].detail
    assert result.orders == []


@pytest.mark.parametrize("order_id", [1, 99])
def test_cancelling_what_does_not_work_is_denied(order_id: int) -> None:
    """Order 1 has filled, order 99 never was."""
    result = play({"NVDA": [Q] * 4}, at={0: [order(1)], 2: [CancelRequest(order_id)]})
    assert [str(denial.reason) for denial in result.denials] == ["UNKNOWN_ORDER"]


def test_a_symbol_that_is_not_traded() -> None:
    result = play({"NVDA": [Q] * 3}, at={0: [target(1, "AAPL")]})
    assert result.orders == []
    assert len(result.denials) == 1


@pytest.mark.parametrize("seed", range(12))
def test_every_order_accounts_for_its_shares(seed: int) -> None:
    """Random walks, random intents: an order is filled, working, or ended with a reason.

    And C5: what protects a position is as large as the position.
    """
    draw = random.Random(seed)
    names = ("NVDA", "AAPL")
    bars = {name: _walk(draw, 60) for name in names}
    plan = {i: [_intent(draw, draw.choice(names)) for _ in range(2)] for i in range(59)}
    calls = iter(range(60))
    working: dict[int, int] = {}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        working.clear()
        for name in names:
            for one in portfolio.working(name):
                working[one.order_id] = one.remaining
                if one.origin is Origin.PROTECTIVE:
                    assert one.remaining == abs(portfolio.position(name))
        return plan.get(next(calls)) if market.end < at_end(59, 5) else None

    result = play(bars, decide=decide, per_session=5, pricing=TENTH)
    filled: dict[int, int] = {}
    for fill in result.fills:
        filled[fill.order_id] = filled.get(fill.order_id, 0) + fill.quantity
    total = {accepted.order_id: accepted.quantity for accepted in result.orders}
    total |= {update.order_id: update.quantity for update in result.updates}
    ended = {u.order_id for u in result.updates if str(u.status) in {"cancelled", "expired"}}
    left = {i: quantity - filled.get(i, 0) for i, quantity in total.items() if i not in ended}
    assert len(result.fills) > 10
    assert {i: quantity for i, quantity in left.items() if quantity} == working
    assert {update.reason for update in result.updates} <= set(Reason)
    assert {denial.reason for denial in result.denials} <= set(Reason)


def _walk(draw: random.Random, count: int) -> list[Any]:
    price = 100.0
    rows: list[Any] = []
    for _ in range(count):
        if draw.random() < 0.05:
            rows.append(None)
            continue
        opens = round(price + draw.uniform(-2, 2), 2)
        close = round(opens + draw.uniform(-3, 3), 2)
        high = round(max(opens, close) + draw.uniform(0, 2), 2)
        low = round(min(opens, close) - draw.uniform(0, 2), 2)
        rows.append((opens, high, low, close, draw.choice([0, 50, 500, 5000])))
        price = close
    rows[0] = rows[-1] = (100.0, 100.0, 100.0, 100.0, 1000)
    return rows


def _intent(draw: random.Random, name: str) -> Any:
    quantity = draw.randint(-80, 80) or 7
    choice = draw.randint(0, 4)
    near = round(100 + draw.uniform(-5, 5), 2)
    if choice == 0:
        return order(quantity, name, limit_price=near, time_in_force=draw.choice([GTC, IOC]))
    if choice == 1:
        return order(quantity, name, stop_price=near)
    if choice == 2:
        return target(quantity, name, stop_loss_pct=2.0, take_profit_pct=3.0)
    if choice == 3:
        return target(quantity, name, trailing_stop_pct=2.0)
    return target(quantity, name)
