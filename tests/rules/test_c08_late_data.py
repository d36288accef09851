"""C3, C8, DESIGN 6: a backfilled slice fills what works, and nothing may be ordered on it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from daemon.core.events import Halt, MarketSlice, Outcome
from tests import harness
from tests.harness import play
from tests.rules.tools import GTC, fills, flat, middle, order, target


@pytest.fixture
def backfilled(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers put in here are the slices that come late."""
    late: set[int] = set()

    class LateFeed(harness.ReplayFeed):
        async def chunks(self) -> Any:
            number = -1
            async for chunk in super().chunks():
                items = []
                for item in chunk:
                    if isinstance(item, MarketSlice):
                        number += 1
                        if number in late:
                            item = msgspec.structs.replace(item, outcome=Outcome.BACKFILLED)  # noqa: PLW2901 - the feed's own item, dressed up
                    items.append(item)
                yield items

    monkeypatch.setattr(harness, "ReplayFeed", LateFeed)
    return late


@pytest.mark.parametrize("sign", [1, -1])
def test_entries_are_denied_and_come_again_on_time(backfilled: set[int], sign: int) -> None:
    backfilled.add(1)
    result = play(
        {"NVDA": [flat(100.0 + i) for i in range(5)]},
        at={1: [target(10 * sign)], 2: [target(10 * sign)]},
    )
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("TOO_LATE", 10 * sign)]
    assert fills(result) == [(3, 10 * sign, 103.0)]


def test_exits_are_denied_as_well(backfilled: set[int]) -> None:
    """Late data is one of the two things that deny an order that only shrinks."""
    backfilled.add(2)
    result = play(
        {"NVDA": [flat(100.0)] * 5}, at={0: [target(10)], 2: [target(0)], 3: [target(0)]}
    )
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("TOO_LATE", -10)]
    assert [(i, q) for i, q, _ in fills(result)] == [(1, 10), (4, -10)]


def test_working_orders_fill_in_it(backfilled: set[int]) -> None:
    backfilled |= {1, 2}
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 94.0, 95.0), flat(95.0)]},
        at={0: [target(10, stop_price=95.0), order(5, limit_price=96.0, time_in_force=GTC)]},
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 95.0), (2, 5, 96.0)]


def test_a_pending_fill_comes_with_the_backfill(backfilled: set[int]) -> None:
    backfilled.add(1)
    result = play(
        {"NVDA": [flat(100.0), flat(101.0), flat(102.0)]},
        at={0: [target(10)]},
        commands=[Halt(middle(1), "operator", "feed looks dead")],
    )
    assert fills(result) == [(1, 10, 101.0)]


def test_it_warms_the_strategy(backfilled: set[int]) -> None:
    backfilled.add(1)
    result = play({"NVDA": [flat(100.0)] * 3})
    assert len(result.strategy.seen) == 3


def test_warm_up_makes_no_orders() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 6}, at={i: [target(10)] for i in range(5)}, warmup=3
    )
    assert fills(result) == [(4, 10, 100.0)]
    assert len(result.equity) == 3
    assert result.orders[0].decided == result.slice_ends[3]
