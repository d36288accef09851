"""A plan of what goes wrong with a tape feed, and what of it befalls one bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from daemon.config import Config, TapeFeedConfig
from daemon.config.faults import BarFault, LostFault, ReviseFault, SilentFault, WithholdFault
from daemon.core.events import Bar
from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import BarClock
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, bar_edges
from daemon.feeds.times import zone_text

Tell = Callable[[BarClock, int], None]
"""Tells the clock, at an instant, what has happened."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing comes; with `is_lost` the source says so."""

    begins: int
    ends: int
    is_lost: bool


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What goes wrong: outages in order of time, and what befalls the bars that begin then."""

    outages: Sequence[Outage] = ()
    bars: dict[int, list[BarFault]] = field(default_factory=dict)

    @property
    def first(self) -> int | None:
        """Before this instant nothing goes wrong; None: it never does."""
        times = [*self.bars, *(outage.begins for outage in self.outages)]
        return min(times, default=None)

    def arrivals(self, bar: Bar, at: int) -> Iterator[tuple[int, Tell]]:
        """When and as what a bar comes that is due at `at`."""
        faults = [one for one in self.bars.get(bar.start, ()) if one.symbol in (None, bar.symbol)]
        kinds = {fault.kind for fault in faults}
        for fault in faults:
            if isinstance(fault, WithholdFault):
                at += round(fault.for_s * SECOND_NS)
        at = self.after_outages(at)
        if "drop" in kinds:
            yield at, absent(bar.symbol, bar.start, "dropped by the fault plan")
            return
        if "quarantine" in kinds:
            yield at, quarantined(bar.symbol, bar.start, "quarantined by the fault plan", bar)
            return
        yield at, partial(_bar, bar)
        for fault in faults:
            if fault.kind == "duplicate":
                yield at, partial(_bar, bar)
            elif isinstance(fault, ReviseFault):
                yield at, partial(_bar, _revised(bar, fault.close))

    def after_outages(self, at: int) -> int:
        """When something comes that is due at `at`."""
        for outage in self.outages:
            if outage.begins <= at < outage.ends:
                at = outage.ends
        return at


NO_FAULTS = FaultPlan()


def fault_plan(feed: TapeFeedConfig) -> FaultPlan:
    """The plan of a config's feed."""
    outages: list[Outage] = []
    bars: dict[int, list[BarFault]] = {}
    for fault in feed.faults:
        if isinstance(fault, LostFault | SilentFault):
            ends = fault.instant + round(fault.for_s * SECOND_NS)
            outages.append(Outage(fault.instant, ends, fault.kind == "lost"))
        else:
            bars.setdefault(fault.start, []).append(fault)
    return FaultPlan(sorted(outages, key=lambda outage: outage.begins), bars)


def check_faults(config: Config, feed: TapeFeedConfig, calendar: Calendar) -> None:
    """RefusedError where a fault is of a bar that never begins: it would not happen."""
    problems = []
    for number, fault in enumerate(feed.faults):
        if isinstance(fault, LostFault | SilentFault):
            continue
        session = calendar.session_of(fault.start)
        starts: list[int] = []
        if session is not None:
            size_ns = BAR_SIZES_NS[config.bars.size]
            starts, _ = bar_edges(session.opens, session.closes, size_ns, config.bars.grid)
        if fault.start not in starts:
            shown = ", ".join(zone_text(start, calendar.zone)[11:] for start in starts[:8])
            words = f"that session's begin at {shown}" if shown else "the exchange is closed then"
            place = config.origins.get(("feed", "faults", number, "bar"), str(config.path))
            key = f"feed.faults[{number}].bar"
            problems.append(f"{place}: {key}: no bar begins at {fault.bar}: {words}")
    if problems:
        raise RefusedError(*problems)


def absent(symbol: str, start: int, reason: str) -> Tell:
    """The source says that there is no such bar."""
    return lambda clock, now: clock.absent(symbol, start, now, reason)


def quarantined(symbol: str, start: int, reason: str, bar: Bar | None = None) -> Tell:
    """The source does not believe the bar; with its numbers it may be released."""
    return lambda clock, now: clock.quarantine(symbol, start, now, reason, bar)


def _bar(bar: Bar, clock: BarClock, now: int) -> None:
    clock.bar(bar, now)


def _revised(bar: Bar, close: float) -> Bar:
    return replace(bar, close=close, high=max(bar.high, close), low=min(bar.low, close))
