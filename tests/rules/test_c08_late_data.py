"""C3, C8, DESIGN 6: a backfilled slice fills what works, and nothing may be ordered on it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from daemon.core.events import Flatten, Halt, MarketSlice, Outcome
from daemon.core.limits import Limits
from daemon.core.outputs import CancelAmbiguous, LimitBreached
from replay.feed import ReplayFeed
from tests import harness
from tests.harness import play
from tests.rules.tools import GTC, fills, flat, middle, order, target


@pytest.fixture
def backfilled(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers put in here are the slices that come late."""
    late: set[int] = set()

    class LateFeed(ReplayFeed):
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
    result = play({"NVDA": [flat(100.0)] * 5}, at={0: [target(10)], 2: [target(0)], 3: [target(0)]})
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
    result = play({"NVDA": [flat(100.0)] * 6}, at={i: [target(10)] for i in range(5)}, warmup=3)
    assert fills(result) == [(4, 10, 100.0)]
    assert len(result.equity) == 3
    assert result.orders[0].decided == result.slice_ends[3]


def test_a_limits_exit_is_too_late_as_well(backfilled: set[int]) -> None:
    """The last-but-one slice comes late: the last bar's open is history. It is held: a breach."""
    backfilled.add(2)
    result = play(
        {"NVDA": [flat(100.0 + i) for i in range(6)]},
        at={0: [target(10)]},
        per_session=4,
        limits=Limits(allow_short=True, flat_before_close=True),
    )
    assert [f for f in fills(result) if f[0] == 3] == []
    assert [breach.limit for breach in result.of(LimitBreached)] == ["flat_before_close"]


def test_flattening_waits_for_a_slice_that_is_on_time(backfilled: set[int]) -> None:
    """The entry fills in the late slice 1; bar 2's open is history by then: out in bar 3."""
    backfilled.add(1)
    result = play(
        {"NVDA": [flat(100.0 + i) for i in range(6)]},
        at={0: [target(10)]},
        commands=[Flatten(middle(1), "operator", "out")],
    )
    assert fills(result) == [(1, 10, 101.0), (3, -10, 103.0)]


@pytest.fixture
def halted_while_bars_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars 1 to 3 arrive after the Halt of mid-bar 3: waiting inputs are admitted Halt first."""

    class QueueFeed(ReplayFeed):
        async def chunks(self) -> Any:
            number = -1
            async for chunk in super().chunks():
                for item in chunk:
                    if isinstance(item, MarketSlice):
                        number += 1
                        if number == 1:
                            yield [Halt(middle(3), "operator", "the feed is dead")]
                        if number in {1, 2, 3}:
                            yield [msgspec.structs.replace(item, outcome=Outcome.BACKFILLED)]
                            continue
                    yield [item]

    monkeypatch.setattr(harness, "ReplayFeed", QueueFeed)


def test_a_market_order_of_before_the_halt_fills(halted_while_bars_are_late: None) -> None:
    result = play({"NVDA": [flat(100.0 + i) for i in range(6)]}, at={0: [target(10)]})
    assert fills(result) == [(1, 10, 101.0)]


@pytest.mark.parametrize(
    ("touched_in", "noted"),
    [
        # The cancellation was committed before these bars were known, so nothing fills any more;
        # what they would have done is stored.
        (1, True),
        (2, True),
        (3, True),  # the bar of the command itself
        (4, False),
    ],
)
def test_a_resting_order_is_cancelled_from_the_command_on(
    halted_while_bars_are_late: None, touched_in: int, noted: bool
) -> None:
    bars: list[Any] = [flat(100.0) for _ in range(6)]
    bars[touched_in] = (100.0, 100.0, 97.0, 99.0)
    result = play({"NVDA": bars}, at={0: [order(10, limit_price=98.0)]})
    assert fills(result) == []
    guesses = [(c.price_e4, c.quantity) for c in result.of(CancelAmbiguous)]
    assert guesses == ([(98_0000, 10)] if noted else [])
