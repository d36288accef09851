"""C9: flat_before_close: out at the last bar's open, in half days too; nothing in before it."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Pause
from daemon.core.limits import Action, Limit, Limits
from daemon.core.outputs import LimitBreached
from tests.harness import play, rules
from tests.rules.tools import (
    GTC,
    USD,
    at_end,
    by_slice,
    fills,
    flat,
    order,
    target,
    uneven_sessions,
    why,
)

FLAT = Limits(allow_short=True, flat_before_close=True)
BARS = [flat(100.0 + i) for i in range(9)]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_exit_fills_at_the_open_of_the_last_bar(sign: int) -> None:
    """Four bars a session: decided at the close of slice 2, filled at the open of slice 3."""
    result = play({"NVDA": BARS}, at={0: [target(10 * sign)]}, per_session=4, limits=FLAT)
    assert fills(result) == [(1, 10 * sign, 101.0), (3, -10 * sign, 103.0)]
    exit_order = result.orders[-1]
    assert str(exit_order.origin) == "limit"
    assert exit_order.reason == "flat_before_close"
    assert exit_order.decided == result.slice_ends[2]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("slice_number", "denied", "moves"),
    [
        (0, False, [(1, 10), (3, -10)]),
        (1, False, [(2, 10), (3, -10)]),
        (2, True, []),  # could only fill in the last bar
        (3, False, [(4, 10), (7, -10)]),  # waits for the next session's open
    ],
)
def test_entries(sign: int, slice_number: int, denied: bool, moves: list[tuple[int, int]]) -> None:
    result = play(
        {"NVDA": BARS}, at={slice_number: [target(10 * sign)]}, per_session=4, limits=FLAT
    )
    assert [(str(d.reason), d.quantity) for d in result.denials] == (
        [("NEAR_CLOSE", 10 * sign)] if denied else []
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(i, sign * q) for i, q in moves]


def test_a_target_held_up_is_denied_and_the_exit_runs() -> None:
    result = play({"NVDA": BARS}, at={0: [target(10)], 2: [target(15)]}, per_session=4, limits=FLAT)
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("NEAR_CLOSE", 5)]
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -10)]


def test_an_exit_of_the_strategy_at_that_close_is_not_doubled() -> None:
    result = play({"NVDA": BARS}, at={0: [target(10)], 2: [target(0)]}, per_session=4, limits=FLAT)
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -10)]


def test_a_flip_at_that_close_only_closes() -> None:
    result = play(
        {"NVDA": BARS}, at={0: [target(10)], 2: [target(-10)]}, per_session=4, limits=FLAT
    )
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("NEAR_CLOSE", -10)]
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -10)]


def test_a_resting_entry_is_cancelled_at_that_close() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3 + [flat(90.0)] + [flat(90.0)] * 2},
        at={0: [order(10, limit_price=95.0, time_in_force=GTC)]},
        per_session=4,
        limits=FLAT,
    )
    assert result.fills == []
    assert why(result, 1) == ("cancelled", "NEAR_CLOSE")


def test_a_partly_filled_entry_stops_growing() -> None:
    """Budgets 100 × 0.1 = 10 a bar: 10 by slice 1, 20 by slice 2; its close ends the entry."""
    bars = [flat(100.0), flat(100.0, 100), flat(100.0, 100), flat(100.0, 1000), flat(100.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(50)]},
        per_session=4,
        limits=FLAT,
        pricing=rules(participation_ppm=100_000),
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (2, 10), (3, -20)]
    assert why(result, 1) == ("cancelled", "NEAR_CLOSE")
    assert result.of(LimitBreached) == []


@pytest.mark.parametrize("sign", [1, -1])
def test_a_remainder_is_reported(sign: int) -> None:
    """The last bar's budget is 40 of 100 shares: 60 stay over the night and that is a breach."""
    bars = [flat(100.0), flat(100.0), flat(100.0), flat(100.0, 400), flat(100.0), flat(100.0)]
    result = play(
        {"NVDA": bars},
        at={0: [target(100 * sign)]},
        per_session=4,
        limits=FLAT,
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result)[1] == (3, -40 * sign, 100.0)
    (breach,) = result.of(LimitBreached)
    assert breach.limit == "flat_before_close"
    assert breach.symbol == "NVDA"
    assert breach.instant == result.slice_ends[3]


def test_the_bracket_of_the_position_does_not_matter() -> None:
    """The stop and the exit share the position: one sale."""
    result = play(
        {"NVDA": [flat(100.0)] * 3 + [(100.0, 100.0, 90.0, 92.0)] + [flat(80.0)] * 2},
        at={0: [target(10, stop_price=95.0)]},
        per_session=4,
        limits=FLAT,
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 100.0)]
    assert result.position() == 0


@pytest.mark.parametrize(
    ("minutes", "entry_at", "moves"),
    [
        # a normal day of 6.5 hours has seven bars, the last of half an hour
        ([390, 390], 0, [(1, 10), (6, -10)]),
        # a half day (09:30-13:00) has four
        ([210, 390], 0, [(1, 10), (3, -10)]),
        # bought on the last bar of a normal day, for the half day's open
        ([390, 210, 390], 6, [(7, 10), (10, -10)]),
        # a session of two bars: the exit is decided at the close of the bar of the entry
        ([390, 120, 390], 6, [(7, 10), (8, -10)]),
    ],
)
def test_long_and_short_days(
    monkeypatch: Any, minutes: list[int], entry_at: int, moves: list[tuple[int, int]]
) -> None:
    uneven_sessions(monkeypatch, minutes)
    count = sum(-(-length // 60) for length in minutes)
    result = play(
        {"NVDA": [flat(100.0)] * count}, decide=by_slice({entry_at: [target(10)]}), limits=FLAT
    )
    assert [(i, q) for i, q, _ in fills(result)] == moves


def test_near_the_close_of_a_half_day(monkeypatch: Any) -> None:
    uneven_sessions(monkeypatch, [210, 390])
    result = play({"NVDA": [flat(100.0)] * 11}, decide=by_slice({2: [target(10)]}), limits=FLAT)
    assert [str(d.reason) for d in result.denials] == ["NEAR_CLOSE"]


def test_the_exit_passes_a_pause() -> None:
    """DESIGN: a pause lets exits pass that a limit demands."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)]},
        per_session=4,
        limits=FLAT,
        commands=[Pause(at_end(1, 4), "operator", "look")],
    )
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -10)]


def test_the_exit_passes_every_limit() -> None:
    strict = Limits(
        allow_short=True,
        flat_before_close=True,
        overnight_orders=False,
        max_order_usd=Limit(1500 * USD),
        max_orders_per_day=Limit(1, Action.DENY),
    )
    bars = [flat(100.0), flat(100.0), flat(200.0), flat(200.0), flat(200.0)]
    result = play({"NVDA": bars}, at={0: [target(10)]}, per_session=4, limits=strict)
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (3, -10)]


def test_the_slice_of_the_decision_may_be_missing() -> None:
    """Slice 2 has no bar; the exit is decided there all the same and fills in slice 3."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), None, flat(103.0), flat(104.0)]},
        at={0: [target(10)]},
        per_session=4,
        limits=FLAT,
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 103.0)]


def test_every_symbol_goes_out() -> None:
    result = play(
        {"NVDA": BARS, "AAPL": BARS},
        at={0: [target(10), target(-5, "AAPL")]},
        per_session=4,
        limits=FLAT,
    )
    assert [(f.symbol, str(f.side), f.quantity) for f in result.fills][2:] == [
        ("NVDA", "sell", 10),
        ("AAPL", "buy", 5),
    ]


def test_where_orders_fill_at_the_close_the_exit_does_too() -> None:
    bars = [flat(100.0)] * 3 + [(103.0, 105.0, 103.0, 104.0)] + [flat(100.0)] * 2
    result = play(
        {"NVDA": bars},
        at={0: [target(10)]},
        per_session=4,
        limits=FLAT,
        pricing=rules(fills_at_close=True),
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 104.0)]
    assert result.of(LimitBreached) == []
