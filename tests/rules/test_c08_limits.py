"""C8: the limits one by one, inclusive, each with each action; reductions first; reserves."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Reset
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import CommandRefused
from tests.harness import Quote, Result, play
from tests.rules.tools import USD, at_end, fills, flat, order, target

PPM = 1_000_000
BARS = [flat(100.0)] * 8


def limits(**given: Any) -> Limits:
    return Limits(**({"allow_short": True} | given))


def denied(result: Result) -> list[tuple[str, int]]:
    return [(str(denial.reason), denial.quantity) for denial in result.denials]


def state_names(result: Result) -> list[str]:
    return [change.state.upper() for change in result.states]


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


# --- daily loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("action", "state", "moves"),
    [
        (Action.DENY, None, []),
        (Action.REDUCE, "REDUCING", []),
        (Action.PAUSE, "PAUSED", []),
        (Action.HALT, "HALTED", []),
        (Action.HALT_AND_FLATTEN, "HALTED", [(3, -100)]),
    ],
)
def test_daily_loss_is_reached_at_equality(
    sign: int, action: Action, state: str | None, moves: list[tuple[int, int]]
) -> None:
    """100 shares, 15 dollars against us: exactly 1500."""
    against = 100.0 - 15.0 * sign
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(against), flat(against), flat(against)]},
        at={0: [target(100 * sign)], 2: [target(120 * sign)]},
        limits=limits(max_daily_loss_usd=Limit(1500 * USD, action)),
    )
    reason = {None: "MAX_DAILY_LOSS"}.get(state, state)
    assert denied(result) == [(reason, 20 * sign)]
    assert state_names(result) == ([] if state is None else [state])
    assert [(i, q) for i, q, _ in fills(result)][1:] == [(i, sign * q) for i, q in moves]
    if state is not None:
        assert result.states[0].instant == result.slice_ends[2]
        assert result.states[0].source == "limit:max_daily_loss_usd"


@pytest.mark.parametrize("sign", [1, -1])
def test_daily_loss_a_cent_short_of_it(sign: int) -> None:
    """One share, so that a tick is a cent: loses 14.99 of 15."""
    price = 100.0 - 14.99 * sign
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(price), flat(price)]},
        at={0: [target(sign)]},
        limits=limits(max_daily_loss_usd=Limit(15 * USD, Action.HALT)),
    )
    assert result.states == []


def test_daily_loss_looks_at_closes_not_at_lows() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 100.0, 50.0, 90.0), flat(90.0)]},
        at={0: [target(100)]},
        limits=limits(max_daily_loss_usd=Limit(1500 * USD, Action.HALT)),
    )
    assert result.states == []


@pytest.mark.parametrize(
    ("closes", "trips_at"),
    [
        # two bars a session; the position is bought at 100 in slice 1; a limit of 1000
        ([100, 100, 95, 91], None),  # 900 since the previous close
        ([100, 100, 90, 95], 2),  # the gap of the night counts: 1000
        ([100, 95, 90, 86], None),  # 500 on the first day, 900 on the second, 1400 together
        ([100, 95, 90, 85], 3),  # 1000 since the close of 95
        ([100, 100, 110, 100], None),  # measured from the previous close, not from the day's high
    ],
)
def test_daily_loss_counts_from_the_previous_close(
    closes: list[int], trips_at: int | None
) -> None:
    bars: list[Quote | None] = [flat(float(close)) for close in closes]
    bars[1] = (100.0, 100.0, float(closes[1]), float(closes[1]))
    result = play(
        {"NVDA": bars},
        at={0: [target(100)]},
        per_session=2,
        limits=limits(max_daily_loss_usd=Limit(1000 * USD, Action.HALT)),
    )
    instants = [change.instant for change in result.states]
    assert instants == ([] if trips_at is None else [result.slice_ends[trips_at]])


def test_a_denying_loss_limit_ends_with_the_session() -> None:
    """Down 1000 in session 1: no entries there, exits pass; the next session starts anew."""
    bars = [flat(100.0), flat(100.0), flat(90.0), flat(90.0), flat(90.0), flat(90.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100)], 2: [target(110)], 3: [target(50)], 4: [target(60)]},
        per_session=4,
        limits=limits(max_daily_loss_usd=Limit(1000 * USD)),
    )
    assert denied(result) == [("MAX_DAILY_LOSS", 10)]
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 100), (4, -50), (5, 10)]


# --- drawdown -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("moves", "trips_at"),
    [
        # 100 shares on 10,000 dollars: a dollar is 1 %; limit 15 %
        ([-14, -14], None),
        ([-15, -15], 2),  # 8500 of 10,000
        ([+20, +3], None),  # peak 12,000: 10,300 is 14.17 %
        ([+20, +2], 3),  # 10,200 is 15 %
        ([+20, +1], 3),
        ([-10, -15], 3),  # the peak is the starting cash
    ],
)
def test_drawdown_from_the_peak(sign: int, moves: list[int], trips_at: int | None) -> None:
    bars = [flat(100.0), flat(100.0), *(flat(100.0 + sign * move) for move in moves)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100 * sign)]},
        cash_usd=10_000,
        limits=limits(max_drawdown_pct=Limit(150_000, Action.HALT)),
    )
    instants = [change.instant for change in result.states]
    assert instants[:1] == ([] if trips_at is None else [result.slice_ends[trips_at]])


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
def test_drawdown_actions_run_over_sessions(action: Action, state: str | None) -> None:
    """Down 15 % in session 1; unlike the daily loss it still stands in session 2."""
    bars = [flat(100.0), flat(100.0), flat(85.0), flat(85.0), flat(85.0), flat(85.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100)], 4: [target(110)]},
        per_session=3,
        cash_usd=10_000,
        limits=limits(max_drawdown_pct=Limit(150_000, action)),
    )
    if action is Action.HALT_AND_FLATTEN:
        assert denied(result) == [("HALTED", 110)]
        assert fills(result)[1:] == [(3, -100, 85.0)]
    else:
        assert denied(result) == [("MAX_DRAWDOWN" if state is None else state, 10)]
    assert state_names(result) == ([] if state is None else [state])


# --- across symbols -------------------------------------------------------------------------------


def test_accepted_orders_reserve_in_config_order() -> None:
    """Leverage 1 on 10,000: NVDA's 60 shares leave room for 40, whoever is named first."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(50, "AAPL"), target(60, "NVDA")]},
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert [(f.symbol, f.quantity) for f in result.fills] == [("NVDA", 60)]
    assert [(d.symbol, str(d.reason), d.quantity) for d in result.denials] == [
        ("AAPL", "MAX_GROSS_LEVERAGE", 50)
    ]


@pytest.mark.parametrize("second", [40, -40])
def test_exactly_the_room_that_is_left(second: int) -> None:
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(60, "NVDA"), target(second, "AAPL")]},
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == []
    assert result.position("AAPL") == second


def test_cash_is_reserved_too() -> None:
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(60, "NVDA"), target(41, "AAPL")]},
        cash_usd=10_000,
        limits=limits(min_cash_usd=Limit(0)),
    )
    assert denied(result) == [("MIN_CASH", 41)]


def test_reductions_come_first_and_make_room() -> None:
    """AAPL is last in the config, yet its sale is reviewed first, so NVDA's purchase fits."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={
            0: [target(100, "AAPL")],
            2: [target(100, "NVDA"), target(0, "AAPL")],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == []
    assert [(o.symbol, str(o.side)) for o in result.orders] == [
        ("AAPL", "buy"),
        ("AAPL", "sell"),
        ("NVDA", "buy"),
    ]
    assert result.position("NVDA") == 100
    assert result.position("AAPL") == 0


def test_a_resting_entry_keeps_its_room() -> None:
    """60 shares wait at a limit; 41 more would be too many if it filled."""
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={
            0: [order(60, "NVDA", limit_price=99.0)],
            1: [target(41, "AAPL")],
            2: [target(40, "AAPL")],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert [(d.symbol, d.quantity) for d in result.denials] == [("AAPL", 41)]
    assert result.position("AAPL") == 40


def test_a_resting_entry_of_the_same_symbol_counts() -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [order(60, limit_price=99.0)], 1: [order(41)], 2: [order(40)]},
        limits=limits(max_position_shares=Limit(100)),
    )
    assert denied(result) == [("MAX_POSITION_SHARES", 41)]
    assert result.position() == 40


@pytest.mark.parametrize("sign", [1, -1])
def test_equity_after_a_loss_counts(sign: int) -> None:
    """50 shares went 10 dollars against us: equity 9500, so 105.55 shares of 90 or 86.36 of 110."""
    price = 100.0 - 10 * sign
    most = 105 if sign > 0 else 86
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(price), flat(price), flat(price)]},
        at={
            0: [target(50 * sign)],
            2: [target(sign * most)],
            3: [target(sign * (most + 1))],
        },
        cash_usd=10_000,
        limits=limits(max_gross_leverage=Limit(PPM)),
    )
    assert denied(result) == [("MAX_GROSS_LEVERAGE", sign)]
    assert result.position() == most * sign


def test_allowed_prices_are_those_of_the_close_not_of_the_fill() -> None:
    """Passes at a close of 100, fills at 120: a limit holds at review prices."""
    result = play(
        {"NVDA": [flat(100.0), flat(120.0), flat(120.0)]},
        at={0: [target(50)]},
        limits=limits(max_position_usd=Limit(5000 * USD)),
    )
    assert fills(result) == [(1, 50, 120.0)]
    assert result.denials == []


def test_holding_above_a_limit_is_no_order() -> None:
    """The price doubles: nothing is bought, so nothing is denied; selling passes."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(200.0), flat(200.0), flat(200.0)]},
        at={0: [target(50)], 2: [target(50)], 3: [target(40)]},
        limits=limits(max_position_usd=Limit(5000 * USD)),
    )
    assert result.denials == []
    assert result.position() == 40


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
    result = play(
        {"NVDA": bars}, at={0: [target(10)], 2: [request_]}, limits=Limits()
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -sold)]
    assert denied(result) == [("SHORT_NOT_ALLOWED", -10)]


def test_two_sales_at_market_do_not_sell_twice() -> None:
    result = play(
        {"NVDA": BARS}, at={0: [target(10)], 2: [order(-10), order(-6)]}, limits=Limits()
    )
    assert result.position() == 0
    assert denied(result) == [("SHORT_NOT_ALLOWED", -6)]


def test_accepting_a_drawdown_starts_a_new_peak() -> None:
    """8500 of 10,000 halts; accepted, 15 % of 8500 are left: 7225, not 8499."""
    closes = [100.0, 100.0, 85.0, 85.0, 80.0, 72.26, 72.25]
    result = play(
        {"NVDA": [flat(close) for close in closes]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=limits(max_drawdown_pct=Limit(150_000, Action.HALT)),
        commands=[Reset(at_end(2), "operator", "go on", accept="drawdown")],
    )
    assert state_names(result) == ["HALTED", "ACTIVE", "HALTED"]
    assert result.states[2].instant == result.slice_ends[6]


@pytest.mark.parametrize("accept", [None, "loss"])
def test_a_drawdown_is_not_lifted_without_its_word(accept: str | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(85.0), flat(85.0)]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=limits(max_drawdown_pct=Limit(150_000, Action.HALT)),
        commands=[Reset(at_end(2), "operator", "go on", accept=accept)],
    )
    assert state_names(result) == ["HALTED"]
    (refused,) = result.of(CommandRefused)
    assert "drawdown" in refused.detail


def test_a_cause_that_is_gone_needs_no_word() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(85.0), flat(95.0), flat(95.0)]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=limits(max_drawdown_pct=Limit(150_000, Action.HALT)),
        commands=[Reset(at_end(3), "operator", "it came back")],
    )
    assert state_names(result) == ["HALTED", "ACTIVE"]


def test_a_hold_of_a_limit_stays_over_the_night() -> None:
    """The next session's loss is nothing, yet only a person resumes."""
    bars = [flat(100.0), flat(90.0), flat(90.0), flat(90.0), flat(90.0)]
    bars[1] = (100.0, 100.0, 90.0, 90.0)
    result = play(
        {"NVDA": bars},
        at={0: [target(100)], 3: [target(110)]},
        per_session=2,
        limits=limits(max_daily_loss_usd=Limit(1000 * USD, Action.PAUSE)),
        commands=[],
    )
    assert denied(result) == [("PAUSED", 10)]


def test_a_symbol_without_a_price_yet() -> None:
    """AAPL's first bar is that of slice 2."""
    result = play(
        {"NVDA": BARS, "AAPL": [None, None, *([flat(50.0)] * 6)]},
        at={0: [target(10, "AAPL")], 2: [target(10, "AAPL")]},
    )
    assert denied(result) == [("NO_PRICE", 10)]
    assert fills(result) == [(3, 10, 50.0)]
