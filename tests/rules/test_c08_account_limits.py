"""C8: daily loss from the previous close, drawdown from the peak; what they do, when they end."""

from __future__ import annotations

import pytest

from daemon.core.events import Reset, Resume
from daemon.core.limits import Action, Limit
from daemon.core.outputs import CommandRefused
from tests.harness import Quote, play
from tests.rules.tools import USD, at_end, denied, fills, flat, limits, state_names, target

PPM = 1_000_000
BARS = [flat(100.0)] * 8


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
    reason = "MAX_DAILY_LOSS" if state is None else state
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
def test_daily_loss_counts_from_the_previous_close(closes: list[int], trips_at: int | None) -> None:
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


def test_one_limit_that_stands_does_not_keep_another_from_acting_again() -> None:
    """100 shares on 10,000: loss limit 3000 (pause), drawdown 20 % (deny) all the while.

    6900 pauses; at 7500 the loss is gone and a person resumes; 6900 once more pauses once more.
    """
    closes = [100.0, 100.0, 69.0, 75.0, 75.0, 69.0, 69.0]
    result = play(
        {"NVDA": [flat(close) for close in closes]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=limits(
            max_daily_loss_usd=Limit(3000 * USD, Action.PAUSE), max_drawdown_pct=Limit(200_000)
        ),
        commands=[Resume(at_end(3), "operator", "better")],
    )
    assert state_names(result) == ["PAUSED", "ACTIVE", "PAUSED"]
    assert result.states[2].instant == result.slice_ends[5]


def test_a_limit_acts_again_after_a_recovery() -> None:
    closes = [100.0, 100.0, 69.0, 75.0, 75.0, 69.0, 69.0]
    result = play(
        {"NVDA": [flat(close) for close in closes]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=limits(max_daily_loss_usd=Limit(3000 * USD, Action.PAUSE)),
        commands=[Resume(at_end(3), "operator", "better")],
    )
    assert state_names(result) == ["PAUSED", "ACTIVE", "PAUSED"]


def test_the_limit_that_stands_is_the_one_that_is_named() -> None:
    """At 6900 both stand (loss 3000, drawdown 20 %), at 7500 the drawdown alone."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(69.0), flat(75.0), flat(75.0)]},
        at={0: [target(100)], 3: [target(101)]},
        cash_usd=10_000,
        limits=limits(max_daily_loss_usd=Limit(3000 * USD), max_drawdown_pct=Limit(200_000)),
    )
    assert denied(result) == [("MAX_DRAWDOWN", 1)]
