"""Weeks of running: memory stays flat, and a feed that waits does next to nothing."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from datetime import date, timedelta
from typing import Any

import pytest

from daemon.feeds.ib.poller import Poller
from daemon.feeds.ib.source import IbSource
from tests.fake_gateway import Kind
from tests.ib.feeding import Fed, at, feed, market_of

MONDAY = date(2026, 11, 2)
OURS = ("daemon.", "ib_async.", "ib_insync.", "eventkit.")
CONTAINERS = (dict, list, tuple, set, frozenset, deque)


def held(fed: Fed) -> int:
    """How many things the feed and the library hold in containers, all of them together."""
    waiting: list[Any] = [fed.source]
    waiting += [one for one in gc.get_objects() if type(one).__name__ in ("IB", "Wrapper")]
    seen, count = set[int](), 0
    while waiting:
        one = waiting.pop()
        is_ours = type(one).__module__.startswith(OURS)
        if id(one) in seen or not (is_ours or isinstance(one, CONTAINERS)):
            continue
        seen.add(id(one))
        if isinstance(one, CONTAINERS):
            count += len(one)
        fields = getattr(type(one), "__struct_fields__", ())  # the collector does not know these
        waiting += gc.get_referents(one) + [getattr(one, name) for name in fields]
    return count


def days(count: int) -> tuple[list[int], Fed]:
    """Minute bars of so many sessions; what is held each evening from the third on."""
    evenings: list[int] = []
    last = MONDAY + timedelta(days=7 * (count // 5) + count % 5)

    async def look(fed: Fed, loop: Any) -> None:
        day = MONDAY + timedelta(days=2)  # what is bounded has reached its bound
        while day <= last:
            await asyncio.sleep((at(f"{day}T17:00") - loop.wall_ns()) / 1e9)
            evenings.append(held(fed))
            day += timedelta(days=1)

    market = market_of(("NVDA",), "1m", MONDAY.isoformat(), (last - MONDAY).days + 3)
    fed = feed(
        until=f"{last}T18:00", start=f"{MONDAY}T09:00", market=market, size="1m", script=look,
        keeps=False,
    )  # fmt: skip
    return evenings, fed


def assert_flat(evenings: list[int]) -> None:
    assert evenings[0] > 2_000  # it has looked at something
    # a session is 390 bars, each held once at least if they were kept
    assert max(evenings) - evenings[0] < 100, evenings


def test_what_is_held_does_not_grow_with_the_bars() -> None:
    evenings, fed = days(3)
    assert fed.count > 3 * 390
    assert_flat(evenings)


@pytest.mark.soak
def test_nor_over_ten_thousand_bars() -> None:
    evenings, fed = days(26)
    assert fed.count > 10_000
    assert_flat(evenings)


def test_a_feed_that_waits_wakes_twice_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = {"poller": 0, "source": 0}

    def counted(owner: type, name: str, key: str) -> None:
        real = getattr(owner, name)

        async def count(self: Any, *arguments: Any) -> Any:
            turns[key] += 1
            return await real(self, *arguments)

        monkeypatch.setattr(owner, name, count)

    counted(Poller, "_step", "poller")
    counted(IbSource, "_rest", "source")
    fed = feed(until="2026-11-25T08:00", start="2026-11-24T17:00")
    minutes = 15 * 60
    assert turns["poller"] <= 2 * minutes + 10
    assert turns["source"] <= 2 * minutes + 10
    # over the wire, a heartbeat every half minute and nothing else
    asked = [one for one in fed.gateway.log.entries if one.at_ns > at("2026-11-24T17:01")]
    assert {one.kind for one in asked} == {Kind.CURRENT_TIME}
    assert len(asked) == 2 * (minutes - 1)
