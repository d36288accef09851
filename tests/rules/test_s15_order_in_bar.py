"""S15 and C4: fills at the open (exits first), then stops, then limits, then by number; OCO."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.limits import Limits
from tests.harness import play, rules
from tests.rules.tools import GTC, fills, flat, order, target


def test_open_then_stops_then_limits() -> None:
    """Numbers 1 to 4: a limit, a stop, a market order, a limit that the open betters."""
    result = play(
        {"NVDA": [flat(100.0), (100.0, 103.0, 97.0, 100.0)]},
        at={
            0: [
                order(1, limit_price=98.0),
                order(2, stop_price=102.0),
                order(3),
                order(4, limit_price=101.0),
            ]
        },
    )
    assert fills(result) == [(1, 3, 100.0), (1, 4, 100.0), (1, 2, 102.0), (1, 1, 98.0)]


def test_sells_alike() -> None:
    result = play(
        {"NVDA": [flat(100.0), (100.0, 103.0, 97.0, 100.0)]},
        at={
            0: [
                order(-1, limit_price=102.0),
                order(-2, stop_price=98.0),
                order(-3),
                order(-4, limit_price=99.0),
            ]
        },
    )
    assert fills(result) == [(1, -3, 100.0), (1, -4, 100.0), (1, -2, 98.0), (1, -1, 102.0)]


def test_two_stops_and_two_limits_by_number() -> None:
    result = play(
        {"NVDA": [flat(100.0), (100.0, 105.0, 95.0, 100.0)]},
        at={
            0: [
                order(1, limit_price=96.0),
                order(2, limit_price=98.0),  # nearer to the open, yet number 2
                order(3, stop_price=104.0),
                order(4, stop_price=101.0),
            ]
        },
    )
    assert fills(result) == [(1, 3, 104.0), (1, 4, 101.0), (1, 1, 96.0), (1, 2, 98.0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_at_the_open_exits_come_before_entries(sign: int) -> None:
    """An entry limit resting since slice 0 is bettered by the open at which an exit fills."""
    limit = 95.0 if sign > 0 else 105.0
    opens = 94.0 if sign > 0 else 106.0
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(100.0), flat(opens)]},
        at={
            0: [order(10 * sign), order(5 * sign, limit_price=limit, time_in_force=GTC)],
            2: [order(-3 * sign)],
        },
    )
    assert fills(result) == [(1, 10 * sign, 100.0), (3, -3 * sign, opens), (3, 5 * sign, opens)]


def test_across_symbols_exits_first_then_by_number() -> None:
    """NVDA's entry has the lower number, AAPL's exit comes first all the same."""
    nvda = [flat(100.0), flat(100.0), flat(90.0)]
    aapl = [flat(50.0), flat(50.0), flat(51.0)]
    result = play(
        {"NVDA": nvda, "AAPL": aapl},
        at={
            0: [order(10, limit_price=95.0), order(7, "AAPL")],
            1: [order(-7, "AAPL")],
        },
    )
    moves = [(f.symbol, f.quantity, str(f.side)) for f in result.fills]
    assert moves == [("AAPL", 7, "buy"), ("AAPL", 7, "sell"), ("NVDA", 10, "buy")]


def test_across_symbols_stops_before_limits() -> None:
    inside = (100.0, 105.0, 95.0, 100.0)
    result = play(
        {"NVDA": [flat(100.0), inside], "AAPL": [flat(100.0), inside]},
        at={
            0: [
                order(1, "NVDA", limit_price=96.0),
                order(2, "AAPL", limit_price=96.0),
                order(3, "AAPL", stop_price=104.0),
            ]
        },
    )
    assert [(f.symbol, f.quantity) for f in result.fills] == [("AAPL", 3), ("NVDA", 1), ("AAPL", 2)]


def test_oco_a_whole_fill_cancels_the_other() -> None:
    result = play(
        {
            "NVDA": [
                flat(100.0),
                flat(100.0),
                (100.0, 111.0, 99.0, 110.0),
                (110.0, 110.0, 80.0, 80.0),
            ]
        },
        at={
            0: [order(10)],
            1: [
                order(-10, limit_price=110.0, group="out", time_in_force=GTC),
                order(-10, stop_price=90.0, group="out", time_in_force=GTC),
            ],
        },
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 110.0)]
    (update,) = result.updates
    assert (str(update.status), str(update.reason)) == ("cancelled", "OCO")
    assert update.instant == result.slice_ends[2]


def test_oco_a_part_takes_as_much_off_the_other() -> None:
    """Budget 40 in bar 2: 40 of the limit, so the stop is left with 60."""
    result = play(
        {
            "NVDA": [
                flat(100.0),
                flat(100.0),
                (100.0, 111.0, 99.0, 105.0, 400),
                (105.0, 105.0, 89.0, 89.0),
            ]
        },
        at={
            0: [order(100)],
            1: [
                order(-100, limit_price=110.0, group="out", time_in_force=GTC),
                order(-100, stop_price=90.0, group="out", time_in_force=GTC),
            ],
        },
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result) == [(1, 100, 100.0), (2, -40, 110.0), (3, -60, 90.0)]
    assert result.position() == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_oco_of_a_bracket_in_parts(sign: int) -> None:
    """The target takes 40 of 100 in bar 2 (budget 40); the stop takes the other 60 in bar 3."""
    up, down = 105.0, 95.0
    bars = [(100.0, 106.0, 99.0, 100.0, 400), (100.0, 101.0, 94.0, 94.0, 10_000)]
    if sign < 0:
        up, down = down, up
        bars = [(100.0, 101.0, 94.0, 100.0, 400), (100.0, 106.0, 99.0, 106.0, 10_000)]
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *bars]},
        at={0: [target(100 * sign, stop_price=down, take_profit_price=up)]},
        pricing=rules(participation_ppm=100_000),
    )
    assert fills(result) == [(1, 100 * sign, 100.0), (2, -40 * sign, up), (3, -60 * sign, down)]
    assert result.position() == 0


def test_an_exit_order_joins_the_bracket() -> None:
    """An exit of 30 at the open of bar 2; the stop in the same bar is for the other 70."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 94.0, 95.0), flat(90.0)]},
        at={0: [target(100, stop_price=95.0)], 1: [order(-30)]},
    )
    assert fills(result) == [(1, 100, 100.0), (2, -30, 100.0), (2, -70, 95.0)]


def test_a_stop_leaves_nothing_for_a_resting_exit() -> None:
    """Stop (protective) 100 shares and an exit limit of 100: stop first, the limit goes too."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 111.0, 94.0, 95.0), (95.0, 120.0, 95.0, 95.0)]},
        at={
            0: [target(100, stop_price=95.0)],
            1: [order(-100, limit_price=110.0, time_in_force=GTC)],
        },
    )
    assert fills(result) == [(1, 100, 100.0), (2, -100, 95.0)]
    assert result.position() == 0


def test_exits_of_one_position_share_it_without_a_group() -> None:
    """A limit and a stop for the same 10 shares: what fills first ends the other."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(106.0), flat(80.0)]},
        at={
            0: [target(10)],
            1: [
                order(-10, limit_price=105.0, time_in_force=GTC),
                order(-10, stop_price=95.0, time_in_force=GTC),
            ],
        },
        limits=Limits(),
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 106.0)]
    assert result.position() == 0


@pytest.mark.parametrize("bracket", [{}, {"stop_price": 80.0}])
def test_an_exit_that_is_left_over_opens_nothing(bracket: dict[str, Any]) -> None:
    """A resting exit of 10; the target goes to 0 first; later the exit's price is reached."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(100.0), flat(100.0), flat(106.0)]},
        at={
            0: [target(10, **bracket)],
            1: [order(-10, limit_price=105.0, time_in_force=GTC)],
            2: [target(0)],
        },
        limits=Limits(),
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 100.0)]


@pytest.mark.parametrize("limits", [Limits(), Limits(allow_short=True)])
def test_two_exits_beside_a_bracket_do_not_sell_twice(limits: Limits) -> None:
    """Both joined the bracket's group: the limit's 10 shares are the stop's 10 shares."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(106.0), flat(90.0)]},
        at={
            0: [target(10, stop_price=70.0)],
            1: [
                order(-10, limit_price=105.0, time_in_force=GTC),
                order(-10, stop_price=95.0, time_in_force=GTC),
            ],
        },
        limits=limits,
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 106.0)]


@pytest.mark.parametrize("bracket", [{}, {"stop_price": 80.0}])
@pytest.mark.parametrize("limits", [Limits(), Limits(allow_short=True)])
@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        # half at 105, half at 110: parts of one way out, so both fill
        ([flat(106.0), flat(111.0)], [(2, -5, 106.0), (3, -5, 111.0)]),
        ([(100.0, 112.0, 100.0, 111.0)], [(2, -5, 105.0), (2, -5, 110.0)]),
        ([flat(106.0), flat(100.0)], [(2, -5, 106.0)]),
    ],
)
def test_scaling_out(
    bracket: dict[str, Any], limits: Limits, bars: list[Any], expected: list[Any]
) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *bars]},
        at={
            0: [target(10, **bracket)],
            1: [
                order(-5, limit_price=105.0, time_in_force=GTC),
                order(-5, limit_price=110.0, time_in_force=GTC),
            ],
        },
        limits=limits,
    )
    assert fills(result)[1:] == expected


def test_scaling_out_leaves_the_rest_to_the_stop() -> None:
    """5 of 10 at 105; the bracket's stop then takes the other 5, and the second limit goes."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(106.0), flat(79.0), flat(120.0)]},
        at={
            0: [target(10, stop_price=80.0)],
            1: [
                order(-5, limit_price=105.0, time_in_force=GTC),
                order(-5, limit_price=110.0, time_in_force=GTC),
            ],
        },
    )
    assert fills(result)[1:] == [(2, -5, 106.0), (3, -5, 79.0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_exits_never_exceed_what_a_thin_bar_left(sign: int) -> None:
    """Limit and stop for 100 each, no group: the limit gets 40, so the stop sells 60."""
    limit, stop = (105.0, 95.0) if sign > 0 else (95.0, 105.0)
    reached = (100.0, 106.0, 100.0, 101.0, 400) if sign > 0 else (100.0, 100.0, 94.0, 99.0, 400)
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), reached, flat(stop), flat(stop)]},
        at={
            0: [target(100 * sign)],
            1: [
                order(-100 * sign, limit_price=limit, time_in_force=GTC),
                order(-100 * sign, stop_price=stop, time_in_force=GTC),
            ],
        },
        pricing=rules(participation_ppm=100_000),
        limits=Limits(allow_short=sign < 0),
    )
    assert fills(result)[1:] == [(2, -40 * sign, limit), (3, -60 * sign, stop)]
    assert result.position() == 0
