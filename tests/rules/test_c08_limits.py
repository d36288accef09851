"""C8: the limits of an order one by one, inclusive, with each action; rates, prices, shorts."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.limits import Action, Limit, Limits
from tests.harness import play
from tests.rules.tools import USD, denied, fills, flat, limits, order, state_names, target

PPM = 1_000_000
BARS = [flat(100.0)] * 8


# --- limits of an order, both sides, at the boundary ----------------------------------------------

# (limit, target that passes exactly, target that breaks it, reason); price 100, equity 10,000
ORDER_LIMITS: list[tuple[dict[str, Limit], int, int, str]] = [
    ({"max_position_shares": Limit(100)}, 100, 101, "MAX_POSITION_SHARES"),
    ({"max_position_usd": Limit(5000 * USD)}, 50, 51, "MAX_POSITION_USD"),
    ({"max_order_usd": Limit(2000 * USD)}, 20, 21, "MAX_ORDER_USD"),
    ({"max_gross_leverage": Limit(PPM)}, 100, 101, "MAX_GROSS_LEVERAGE"),
    ({"max_gross_leverage": Limit(PPM // 2)}, 50, 51, "MAX_GROSS_LEVERAGE"),
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("given", "passes", "breaks", "reason"), ORDER_LIMITS)
def test_inclusive(
    sign: int, given: dict[str, Limit], passes: int, breaks: int, reason: str
) -> None:
    good = play(
        {"NVDA": BARS}, at={0: [target(sign * passes)]}, limits=limits(**given), cash_usd=10_000
    )
    assert denied(good) == []
    assert fills(good) == [(1, sign * passes, 100.0)]
    bad = play(
        {"NVDA": BARS}, at={0: [target(sign * breaks)]}, limits=limits(**given), cash_usd=10_000
    )
    assert denied(bad) == [(reason, sign * breaks)]  # the whole of it, not only the excess
    assert bad.orders == []
    assert bad.states == []


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("given", "passes", "breaks", "reason"), ORDER_LIMITS)
@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.DENY, None),
        (Action.REDUCE, "REDUCING"),
        (Action.PAUSE, "PAUSED"),
        (Action.HALT, "HALTED"),
        (Action.HALT_AND_FLATTEN, "HALTED"),
    ],
)
def test_each_action(
    sign: int,
    given: dict[str, Limit],
    passes: int,
    breaks: int,
    reason: str,
    action: Action,
    state: str | None,
) -> None:
    """5 shares pass at slice 0; the target that breaks the limit comes at slice 2."""
    ((name, limit),) = given.items()
    first = 5
    wanted = sign * (breaks + (first if name == "max_order_usd" else 0))
    result = play(
        {"NVDA": BARS},
        at={0: [target(sign * first)], 2: [target(wanted)]},
        limits=limits(**{name: Limit(limit.value, action)}),
        cash_usd=10_000,
    )
    assert denied(result)[0] == (reason, wanted - sign * first)
    assert state_names(result) == ([] if state is None else [state])
    if state is not None:
        (change,) = result.states
        assert change.source == f"limit:{name}"
        assert change.instant == result.slice_ends[2]
    if action is Action.HALT_AND_FLATTEN:
        assert fills(result)[1:] == [(3, -sign * first, 100.0)]
    else:
        assert result.position() == sign * first


# --- short sales ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "moves", "denials"),
    [
        (None, -10, [], [("SHORT_NOT_ALLOWED", -10)]),
        (10, 0, [(1, 10), (2, -10)], []),
        (10, -5, [(1, 10), (2, -10)], [("SHORT_NOT_ALLOWED", -5)]),  # clamped to its shrinking part
    ],
)
def test_no_shorts(
    first: int | None,
    second: int,
    moves: list[tuple[int, int]],
    denials: list[tuple[str, int]],
) -> None:
    plan = {1: [target(second)]}
    if first is not None:
        plan[0] = [target(first)]
    result = play({"NVDA": BARS}, at=plan, limits=Limits())
    assert [(i, q) for i, q, _ in fills(result)] == moves
    assert denied(result) == denials


@pytest.mark.parametrize("sign", [1, -1])
def test_a_flip_is_clamped_to_what_shrinks(sign: int) -> None:
    """+60 to −80 with at most 50 shares: 60 are sold, the 80 are one denial."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(60 * sign)], 2: [target(-80 * sign)]},
        limits=limits(max_position_shares=Limit(60)),
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 60 * sign), (3, -60 * sign)]
    assert denied(result) == [("MAX_POSITION_SHARES", -80 * sign)]


# --- prices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "passes"),
    [
        (order(10, limit_price=110.0), True),  # 10 % from the close of 100
        (order(10, limit_price=110.01), False),
        (order(-10, limit_price=90.0), True),
        (order(-10, limit_price=89.99), False),
        (order(10, stop_price=110.0), True),
        (order(10, stop_price=110.01), False),
        (order(-10, stop_price=90.0), True),
        (order(-10, stop_price=89.99), False),
        (order(10), True),
    ],
)
def test_price_collar(request_: Any, passes: bool) -> None:
    result = play(
        {"NVDA": BARS}, at={0: [request_]}, limits=limits(price_collar_pct=Limit(100_000))
    )
    assert (len(result.orders) == 1) is passes
    assert [str(d.reason) for d in result.denials] == ([] if passes else ["PRICE_COLLAR"])


@pytest.mark.parametrize(
    ("minimum_usd", "shares", "passes"),
    [(0, 100, True), (0, 101, False), (5000, 50, True), (5000, 51, False)],
)
def test_min_cash(minimum_usd: int, shares: int, passes: bool) -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [target(shares)]},
        limits=limits(min_cash_usd=Limit(minimum_usd * USD)),
        cash_usd=10_000,
    )
    assert denied(result) == ([] if passes else [("MIN_CASH", shares)])
    assert result.position() == (shares if passes else 0)


# --- rates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "state"), [(Action.DENY, None), (Action.PAUSE, "PAUSED"), (Action.HALT, "HALTED")]
)
def test_orders_per_hour(action: Action, state: str | None) -> None:
    """Three at once where two are allowed; an hour later the window (t − 60 min, t] is empty."""
    result = play(
        {"NVDA": BARS},
        at={0: [order(1), order(2), order(3)], 1: [order(4), order(5)]},
        limits=limits(max_orders_per_hour=Limit(2, action)),
    )
    assert denied(result)[0] == ("MAX_ORDERS_PER_HOUR", 3)
    assert state_names(result) == ([] if state is None else [state])
    moves = [(i, q) for i, q, _ in fills(result)]
    if action is Action.DENY:
        assert moves == [(1, 1), (1, 2), (2, 4), (2, 5)]
    else:
        # the state of that instant takes along what the same turn wanted before
        assert moves == []
        assert {(state, 4), (state, 5)} <= set(denied(result))


@pytest.mark.parametrize("action", [Action.DENY, Action.HALT])
def test_orders_per_day(action: Action) -> None:
    """Two a session; the last slice's order counts for the session in which it was decided."""
    plan = {i: [target(i + 1)] for i in range(6)}
    result = play(
        {"NVDA": BARS},
        at=plan,
        per_session=3,
        limits=limits(max_orders_per_day=Limit(2, action)),
    )
    moves = [(i, q) for i, q, _ in fills(result)]
    if action is Action.DENY:
        # slices 0, 1 pass, 2 is denied (+1); session 2: slice 3 wants 4 - 2 = 2, slice 4 one more
        assert denied(result) == [("MAX_ORDERS_PER_DAY", 1), ("MAX_ORDERS_PER_DAY", 1)]
        assert moves == [(1, 1), (2, 1), (4, 2), (5, 1)]
    else:
        assert denied(result)[0] == ("MAX_ORDERS_PER_DAY", 1)
        assert state_names(result) == ["HALTED"]
        # the halt comes at slice 2's close; the order of slice 1 has filled by then
        assert moves == [(1, 1), (2, 1)]


def test_reductions_pass_the_rates_but_count() -> None:
    """Two a day: buy, sell (counts), sell again passes though it is the third, a buy does not."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(6)], 2: [target(3)], 3: [target(5)]},
        limits=limits(max_orders_per_day=Limit(2)),
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (2, -4), (3, -3)]
    assert denied(result) == [("MAX_ORDERS_PER_DAY", 2)]


def test_protective_orders_do_not_count() -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [target(10, stop_price=95.0, take_profit_price=105.0)], 1: [target(20)]},
        limits=limits(max_orders_per_day=Limit(2)),
    )
    assert denied(result) == []


@pytest.mark.parametrize(
    ("request_", "sold"),
    [
        (order(-20), 10),
        (order(-20, limit_price=100.0), 10),  # through in bar 3
        (order(-20, stop_price=100.0), 10),
    ],
)
def test_an_explicit_sale_of_more_than_is_held(request_: Any, sold: int) -> None:
    bars = [flat(100.0), flat(100.0), flat(100.0), (100.0, 101.0, 99.0, 100.0)]
    result = play({"NVDA": bars}, at={0: [target(10)], 2: [request_]}, limits=Limits())
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -sold)]
    assert denied(result) == [("SHORT_NOT_ALLOWED", -10)]


def test_a_symbol_without_a_price_yet() -> None:
    """AAPL's first bar is that of slice 2."""
    result = play(
        {"NVDA": BARS, "AAPL": [None, None, *([flat(50.0)] * 6)]},
        at={0: [target(10, "AAPL")], 2: [target(10, "AAPL")]},
    )
    assert denied(result) == [("NO_PRICE", 10)]
    assert fills(result) == [(3, 10, 50.0)]


def test_an_order_that_was_denied_does_not_count() -> None:
    """Two an hour: the one above the share limit is none of them."""
    result = play(
        {"NVDA": BARS},
        at={0: [order(200), order(1), order(2)]},
        limits=limits(max_orders_per_hour=Limit(2), max_position_shares=Limit(100)),
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 200)]
    assert [q for _, q, _ in fills(result)] == [1, 2]
