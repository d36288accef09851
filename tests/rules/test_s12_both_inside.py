"""S12: stop and target of one bracket in one bar: the open decides, else the stop comes first."""

from __future__ import annotations

import pytest

from tests.harness import Quote, Result, play
from tests.rules.tools import E4, fills, flat, mirrored, target

# long 10 from 100, stop 95, target 105; the bar after the entry; the exit, ambiguous?, the other
CASES: list[tuple[Quote, float | None, bool, float | None]] = [
    ((100.0, 104.0, 96.0, 100.0), None, False, None),
    ((100.0, 106.0, 94.0, 100.0), 95.0, True, 105.0),
    ((100.0, 105.01, 95.0, 100.0), 95.0, True, 105.0),  # stop: touch; target: through by a tick
    ((100.0, 105.0, 95.0, 100.0), 95.0, False, None),  # the target was only touched
    ((100.0, 105.01, 95.01, 100.0), 105.0, False, None),
    ((100.0, 106.0, 96.0, 100.0), 105.0, False, None),
    ((100.0, 104.0, 94.0, 100.0), 95.0, False, None),
    ((94.0, 106.0, 93.0, 100.0), 94.0, False, None),  # gap below the stop: at the open
    ((95.0, 106.0, 94.0, 100.0), 95.0, False, None),  # opens at the stop
    ((106.0, 107.0, 94.0, 100.0), 106.0, False, None),  # gap above the target: at the open
    ((105.01, 107.0, 94.0, 100.0), 105.01, False, None),
    ((105.0, 106.0, 94.0, 100.0), 95.0, True, 105.0),  # at the target is not yet better than it
    ((105.0, 105.0, 96.0, 100.0), None, False, None),
]


@pytest.mark.parametrize(("bar", "price", "ambiguous", "other"), CASES)
def test_long(bar: Quote, price: float | None, ambiguous: bool, other: float | None) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), bar]},
        at={0: [target(10, stop_price=95.0, take_profit_price=105.0)]},
    )
    _check(result, 10, price, ambiguous, other)


@pytest.mark.parametrize(("bar", "price", "ambiguous", "other"), CASES)
def test_short_mirrored(
    bar: Quote, price: float | None, ambiguous: bool, other: float | None
) -> None:
    result = play(
        {"NVDA": mirrored([flat(100.0), flat(100.0), bar])},
        at={0: [target(-10, stop_price=105.0, take_profit_price=95.0)]},
    )
    _check(
        result,
        -10,
        None if price is None else round(200 - price, 4),
        ambiguous,
        None if other is None else 200 - other,
    )


def _check(
    result: Result, entry: int, price: float | None, ambiguous: bool, other: float | None
) -> None:
    found = fills(result)
    assert found == [(1, entry, 100.0)] + ([] if price is None else [(2, -entry, price)])
    last = result.fills[-1]
    assert last.ambiguous is ambiguous
    assert last.other_e4 == (None if other is None else round(other * E4))


def test_the_sibling_ends_with_the_position() -> None:
    result = play(
        {
            "NVDA": [
                flat(100.0),
                flat(100.0),
                (100.0, 106.0, 94.0, 100.0),
                (100.0, 106.0, 90.0, 100.0),
            ]
        },
        at={0: [target(10, stop_price=95.0, take_profit_price=105.0)]},
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 95.0)]
    (limit,) = [accepted for accepted in result.orders if accepted.limit_e4]
    (update,) = [u for u in result.updates if u.order_id == limit.order_id]
    assert str(update.status) == "cancelled"
    assert str(update.reason) in {"OCO", "POSITION_CLOSED"}
    assert update.instant == result.slice_ends[2]
