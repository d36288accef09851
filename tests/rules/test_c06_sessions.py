"""C6: DAY belongs to the session of the first bar that may fill; the night; GTC."""

from __future__ import annotations

import pytest

from daemon.core.limits import Limits
from tests.harness import play, rules
from tests.rules.tools import GTC, fills, flat, order, target, why

CLOSED_NIGHT = Limits(allow_short=True, overnight_orders=False)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_target_of_the_last_bar_fills_at_the_next_open(sign: int) -> None:
    bars = [flat(100.0), flat(100.0), flat(107.0), flat(108.0)]
    result = play({"NVDA": bars}, at={1: [target(10 * sign)]}, per_session=2)
    assert fills(result) == [(2, 10 * sign, 107.0)]
    assert result.orders[0].time_in_force == "day"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("slice_number", "denied"), [(0, False), (1, True), (2, False)])
def test_deny_overnight(sign: int, slice_number: int, denied: bool) -> None:
    bars = [flat(100.0), flat(101.0), flat(102.0), flat(103.0), flat(104.0)]
    result = play(
        {"NVDA": bars},
        at={slice_number: [target(10 * sign)]},
        per_session=2,
        limits=CLOSED_NIGHT,
    )
    if denied:
        assert [(str(d.reason), d.quantity) for d in result.denials] == [
            ("MARKET_CLOSED", 10 * sign)
        ]
        assert result.orders == []
    else:
        assert result.denials == []
        assert fills(result) == [(slice_number + 1, 10 * sign, 101.0 + slice_number)]


def test_deny_overnight_lets_exits_pass() -> None:
    """C8: what only shrinks a position passes every limit."""
    bars = [flat(100.0), flat(101.0), flat(102.0), flat(103.0)]
    result = play(
        {"NVDA": bars}, at={0: [target(10)], 1: [target(0)]}, per_session=2, limits=CLOSED_NIGHT
    )
    assert fills(result) == [(1, 10, 101.0), (2, -10, 102.0)]


def test_deny_overnight_clamps_a_flip() -> None:
    bars = [flat(100.0), flat(101.0), flat(102.0), flat(103.0)]
    result = play(
        {"NVDA": bars}, at={0: [target(10)], 1: [target(-5)]}, per_session=2, limits=CLOSED_NIGHT
    )
    assert fills(result) == [(1, 10, 101.0), (2, -10, 102.0)]
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("MARKET_CLOSED", -5)]


def test_a_day_remainder_ends_with_the_session_it_belongs_to() -> None:
    """Decided at the last bar of session 1, so it lives through session 2 and ends there."""
    bars = [flat(100.0), flat(100.0), flat(100.0, 400), flat(100.0, 300), flat(100.0), flat(100.0)]
    result = play(
        {"NVDA": bars},
        at={1: [target(100)]},
        per_session=2,
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result) == [(2, 40, 100.0), (3, 30, 100.0)]
    assert why(result, 1) == ("expired", "PARTICIPATION")
    assert result.updates[-1].instant == result.slice_ends[3]


@pytest.mark.parametrize("slice_number", [0, 1])
def test_a_day_limit(slice_number: int) -> None:
    """Decided in mid-session it ends at that close; at the last bar, at the next one."""
    bars = [flat(100.0)] * 4 + [flat(90.0)]
    result = play({"NVDA": bars}, at={slice_number: [order(10, limit_price=95.0)]}, per_session=2)
    assert result.fills == []
    assert why(result, 1) == ("expired", "NOT_REACHED")
    assert result.updates[-1].instant == result.slice_ends[1 if slice_number == 0 else 3]


@pytest.mark.parametrize("sign", [1, -1])
def test_gtc_lives_through_sessions(sign: int) -> None:
    bars = [flat(100.0)] * 7 + [flat(90.0 if sign > 0 else 110.0)]
    limit = 95.0 if sign > 0 else 105.0
    result = play(
        {"NVDA": bars},
        at={0: [order(10 * sign, limit_price=limit, time_in_force=GTC)]},
        per_session=2,
    )
    assert fills(result) == [(7, 10 * sign, 90.0 if sign > 0 else 110.0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_protection_lives_through_sessions(sign: int) -> None:
    stop = 95.0 if sign > 0 else 105.0
    bars = [flat(100.0)] * 7 + [flat(stop)]
    result = play({"NVDA": bars}, at={0: [target(10 * sign, stop_price=stop)]}, per_session=2)
    assert fills(result) == [(1, 10 * sign, 100.0), (7, -10 * sign, stop)]
    assert result.orders[1].time_in_force == "gtc"


def test_a_target_that_expired_is_ordered_again_when_asked_again() -> None:
    bars = [flat(100.0), flat(100.0, 0), flat(101.0), flat(102.0)]
    result = play({"NVDA": bars}, at={0: [target(10)], 2: [target(10)]}, per_session=2)
    assert why(result, 1) == ("expired", "NO_VOLUME")
    assert fills(result) == [(3, 10, 102.0)]
