"""Seeded schedules of faults, on virtual time: whatever happens, no invariant is broken.

Every session gets a fault of each class and the night its resets; a seed that fails is repeated by
`feed_with(seed)`. `make soak` plays a thousand.
"""

from __future__ import annotations

from datetime import date
from random import Random

import pytest

from tests.fake_gateway.chaos import trouble
from tests.ib.feeding import TUESDAY, Fed, feed, market_of

SIZES = ("1h", "1h", "1h", "30m", "15m", "5m")
NAMES = ("NVDA", "AMD", "MU", "TSM", "AVGO")


def feed_with(seed: int, days: int = 1) -> Fed:
    """A feed of one to five symbols through some days of trouble."""
    random = Random(seed)
    size, symbols = random.choice(SIZES), NAMES[: random.choice((1, 1, 1, 2, 3, 5))]
    market = market_of(symbols, size, TUESDAY, days + 2)
    steps = trouble(seed, market["NVDA"], date.fromisoformat(TUESDAY), days)
    until = "16:40" if days == 1 else f"2026-11-{23 + days}T16:40"
    return feed(
        until=until,
        market=market,
        symbols=symbols,
        size=size,
        grid=random.choice(("session", "clock")),
        steps=steps,
        warmup=random.choice((0, 5, 40)),
        seed=seed,
    )


def assert_unbroken(fed: Fed) -> None:
    assert fed.broken() == []
    assert fed.standing["connection"] == "live"
    assert fed.slices, "nothing came"


@pytest.mark.parametrize("seed", range(50))
def test_a_day_of_trouble_breaks_nothing(seed: int) -> None:
    assert_unbroken(feed_with(seed))


def test_the_same_seed_is_the_same_day() -> None:
    first, again = feed_with(7), feed_with(7)
    # the port is another one, and stands in what is told
    assert [(when, one.input) for when, one in first.taken] == [
        (when, one.input) for when, one in again.taken
    ]
    assert list(first.gateway.log.lines()) == list(again.gateway.log.lines())


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 2_000))
def test_a_thousand_days_of_trouble_break_nothing(seed: int) -> None:
    assert_unbroken(feed_with(seed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2_000, 2_050))
def test_three_days_of_trouble_break_nothing(seed: int) -> None:
    assert_unbroken(feed_with(seed, days=3))


def test_a_schedule_can_break_something() -> None:
    # the checks have teeth: one bar taken away, one come too early, one changed
    fed = feed_with(0)
    whole = list(fed.taken)
    place = next(n for n, (_, emitted) in enumerate(whole) if emitted.input in fed.slices)
    del fed.taken[place]
    assert "did not come out" in str(fed.broken())
    fed.taken = [(when - 3_600 * 10**9, emitted) for when, emitted in whole]
    assert " came at " in str(fed.broken())
    fed.taken = [*whole, whole[place]]
    assert "went back to" in str(fed.broken())
