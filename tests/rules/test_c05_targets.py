"""C5: from targets to orders, with position and working orders in view."""

from __future__ import annotations

import pytest

from tests.harness import Result, play, rules
from tests.rules.tools import fills, flat, order, target, why

PARTLY = rules(participation_ppm=100_000)
# the first order meets a budget of 40 in bar 1, plenty after
THIN = [flat(100.0), flat(100.0, 400), flat(100.0), flat(100.0), flat(100.0)]


def moves(result: Result) -> list[tuple[int, int]]:
    return [(i, q) for i, q, _ in fills(result)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([100, 100, 100], [(1, 100)]),  # a level, not an order
        ([100, 150, 150], [(1, 100), (2, 50)]),
        ([100, 60, 60], [(1, 100), (2, -40)]),
        ([100, 0, 0], [(1, 100), (2, -100)]),
        ([100, -40, -40], [(1, 100), (2, -140)]),  # a flip is one order
        ([100, None, None], [(1, 100)]),  # no opinion
        ([100, None, 0], [(1, 100), (3, -100)]),
        ([0, 0, 0], []),
    ],
)
def test_the_difference_is_ordered(
    sign: int, targets: list[int | None], expected: list[tuple[int, int]]
) -> None:
    plan = {i: [target(sign * q)] for i, q in enumerate(targets) if q is not None}
    result = play({"NVDA": [flat(100.0)] * 5}, at=plan)
    assert moves(result) == [(i, sign * q) for i, q in expected]
    assert len(result.orders) == len(expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("second", "quantities", "expected", "first_ends"),
    [
        # held 40, 60 still working after bar 1
        (100, [100], [(1, 40), (2, 60)], None),
        (None, [100], [(1, 40), (2, 60)], None),
        (130, [100, 30], [(1, 40), (2, 60), (2, 30)], None),  # needs 90: 30 more
        (80, [100, 40], [(1, 40), (2, 40)], "TARGET_CHANGED"),  # needs 40: the 60 go
        (40, [100], [(1, 40)], "TARGET_CHANGED"),
        (10, [100, 30], [(1, 40), (2, -30)], "TARGET_CHANGED"),  # the other way
        (0, [100, 40], [(1, 40), (2, -40)], "TARGET_CHANGED"),
        (-20, [100, 60], [(1, 40), (2, -60)], "TARGET_CHANGED"),
    ],
)
def test_what_is_working_counts(
    sign: int,
    second: int | None,
    quantities: list[int],
    expected: list[tuple[int, int]],
    first_ends: str | None,
) -> None:
    plan = {0: [target(100 * sign)]}
    if second is not None:
        plan[1] = [target(second * sign)]
    result = play({"NVDA": THIN}, at=plan, pricing=PARTLY)
    assert [accepted.quantity for accepted in result.orders] == quantities
    assert moves(result) == [(i, sign * q) for i, q in expected]
    if first_ends is None:
        assert [u for u in result.updates if u.order_id == 1 and u.status == "cancelled"] == []
    else:
        assert why(result, 1) == ("cancelled", first_ends)


@pytest.mark.parametrize("sign", [1, -1])
def test_protective_orders_do_not_count_and_follow_the_position(sign: int) -> None:
    stop = 100.0 - 20 * sign
    result = play(
        {"NVDA": [flat(100.0)] * 6 + [flat(stop)]},
        at={
            0: [target(100 * sign, stop_price=stop)],
            1: [target(100 * sign)],
            2: [target(70 * sign)],
            3: [target(70 * sign)],
        },
    )
    assert moves(result) == [(1, 100 * sign), (3, -30 * sign), (6, -70 * sign)]
    assert [str(o.origin) for o in result.orders] == ["target", "protective", "target"]


def test_growing_keeps_the_bracket_for_all() -> None:
    """100 then 50 more: the protective order is for 150 afterwards."""
    result = play(
        {"NVDA": [flat(100.0)] * 4 + [flat(90.0)]},
        at={0: [target(100, stop_price=95.0)], 1: [target(150, stop_price=95.0)]},
    )
    assert moves(result) == [(1, 100), (2, 50), (4, -150)]
    assert why(result, 2) == ("cancelled", "RESIZED")


def test_an_exit_at_target_zero_ends_the_bracket() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 4 + [flat(90.0)]},
        at={0: [target(100, stop_price=95.0)], 1: [target(0)]},
    )
    assert moves(result) == [(1, 100), (2, -100)]
    stop = result.orders[1]
    assert why(result, stop.order_id)[0] == "cancelled"
    assert why(result, stop.order_id)[1] in {"POSITION_CLOSED", "OCO"}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_flip_changes_brackets(sign: int) -> None:
    """Long with stop 95, flip to short with stop 105: the old one ends, the new one works."""
    low, high = 100.0 - 5 * sign, 100.0 + 5 * sign
    bars = [flat(100.0)] * 3 + [flat(100.0 - 6 * sign), flat(100.0), flat(100.0 + 6 * sign)]
    result = play(
        {"NVDA": bars},
        at={
            0: [target(60 * sign, stop_price=low)],
            1: [target(-40 * sign, stop_price=high)],
        },
    )
    # bar 3 would have hit the old stop; bar 5 hits the new one by a gap
    assert fills(result) == [
        (1, 60 * sign, 100.0),
        (2, -100 * sign, 100.0),
        (5, 40 * sign, 100.0 + 6 * sign),
    ]


def test_a_flip_without_a_bracket_leaves_none() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3 + [flat(90.0), flat(110.0)]},
        at={0: [target(60, stop_price=95.0)], 1: [target(-40)]},
    )
    assert moves(result) == [(1, 60), (2, -100)]
    assert result.position() == -40


def test_explicit_orders_are_no_target_orders() -> None:
    """A working limit of the strategy's own does not count against a target."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 100.0, 94.0, 95.0)]},
        at={0: [order(50, limit_price=95.0), target(100)]},
    )
    assert moves(result) == [(1, 100), (2, 50)]


def test_symbols_do_not_mix() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3, "AAPL": [flat(50.0)] * 3},
        at={0: [target(10), target(-20, "AAPL")], 1: [target(5, "AAPL")]},
    )
    assert [(f.symbol, f.quantity, str(f.side)) for f in result.fills] == [
        ("NVDA", 10, "buy"),
        ("AAPL", 20, "sell"),
        ("AAPL", 25, "buy"),
    ]


def test_growing_without_a_bracket_keeps_the_one_there_is() -> None:
    """What protects is always as large as the position."""
    result = play(
        {"NVDA": [flat(100.0)] * 4 + [flat(94.0)]},
        at={0: [target(100, stop_price=95.0)], 1: [target(150)]},
    )
    assert moves(result) == [(1, 100), (2, 50), (4, -150)]


@pytest.mark.parametrize(("sign", "level"), [(1, 99.75), (-1, 110.25)])
def test_growing_moves_levels_in_percent_to_the_new_average(sign: int, level: float) -> None:
    """100 at 100 and 100 at 110: 105; 5 % away from it."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(110.0), flat(105.0), flat(level)]},
        at={
            0: [target(100 * sign, stop_loss_pct=5.0 if sign > 0 else 15.0)],
            1: [target(200 * sign, stop_loss_pct=5.0)],
        },
    )
    assert fills(result)[1:] == [(2, 100 * sign, 110.0), (4, -200 * sign, level)]
