"""Small tapes and what a driver makes of them, in words.

Bars are hourly, 14:30 to 17:30 UTC, three a session, from 2024-01-02 on. Slot i is the i-th bar
over all sessions; its close is i dollars.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.core.events import Input, MarketSlice, Outcome, Tick
from daemon.core.units import SECOND_NS
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.clock_rules import ClockRules
from replay.feed import ReplayFeed, Window
from replay.slices import Part
from replay.tape_source import FaultPlan, TapeDriver
from tests.harness import sessions

PER_SESSION = 3
DAYS = sessions(4, PER_SESSION)
STARTS = [start for day in DAYS for start in day.starts]
ENDS = [end for day in DAYS for end in day.ends]
SLOTS = range(len(STARTS))
WHOLE = Window(STARTS[0], STARTS[0], ENDS[-1])
RULES = ClockRules(0, 60, 120, 90, "backfilled")


def columns(present: Sequence[int]) -> Part:
    """Bars at these slots."""
    price = memoryview(array("d", [float(slot) for slot in present]))
    return Part(
        start=memoryview(array("q", [STARTS[slot] for slot in present])),
        end=memoryview(array("q", [ENDS[slot] for slot in present])),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=memoryview(array("q", [100 + slot for slot in present])),
    )


def feed_of(
    present: Mapping[str, Sequence[int]], window: Window = WHOLE, **options: Any
) -> ReplayFeed:
    """The replay's feed of these bars."""
    tapes = {symbol: columns(slots) for symbol, slots in present.items()}
    return ReplayFeed(tuple(present), tapes, DAYS, window, **options)


def driver_of(
    present: Mapping[str, Sequence[int]],
    plan: FaultPlan | None = None,
    rules: ClockRules = RULES,
    window: Window = WHOLE,
    *,
    held: bool = False,
    **options: Any,
) -> TapeDriver:
    """A driver over such a feed."""
    feed = feed_of(present, window, **options)
    return TapeDriver(feed, rules, tuple(present), plan or FaultPlan(), held=held)


def drive(driver: TapeDriver) -> list[tuple[int, Emitted]]:
    """Everything that comes out, with the tape time at which it does."""
    out = []
    now = 0
    while (at := driver.next_at()) is not None:
        assert at >= now, "tape time went back"
        now = at
        out += [(at, emitted) for emitted in driver.step()]
    return out


def inputs_of(driver: TapeDriver) -> list[Input]:
    """The inputs alone."""
    return [emitted.input for _, emitted in drive(driver)]


def minutes(instant: int) -> int:
    """Minutes since the first open."""
    return (instant - STARTS[0]) // (60 * SECOND_NS)


def told(driver: TapeDriver) -> list[str]:
    """What comes out as `125 late slice 1:A-B`: at minute 125, slot 1 with A and without B."""
    return [f"{minutes(at)} {word(emitted.input)}" for at, emitted in drive(driver)]


def word(item: Input) -> str:
    """One input in a word or two."""
    if isinstance(item, Tick):
        return item.kind.value
    if not isinstance(item, MarketSlice):
        return type(item).__name__
    prefix = {Outcome.BACKFILLED: "late ", Outcome.WARMUP: "warm "}.get(item.outcome, "")
    bars = ",".join(bar.symbol for bar in item.bars)
    missing = "".join(f"-{symbol}" for symbol in item.missing)
    return f"{prefix}slice {STARTS.index(item.start)}:{bars}{missing}"
