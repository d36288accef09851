"""A clock over a few sessions, driven by hand, and what came out of it as words.

Sessions are those of New York on real dates; a calendar with the dates around them is made here
and not read from a file. T is "05-28 10:31:30" (2024, New York) or "10:31:30" on the first date.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from daemon.core.events import (
    Bar,
    CorporateAction,
    ForTheFeed,
    MarketSlice,
    Outcome,
    Pause,
    Resume,
    Tick,
)
from daemon.core.units import SECOND_NS
from daemon.feeds.bar_clock import BarClock
from daemon.feeds.calendar import Calendar, Facts
from daemon.feeds.clock_rules import ClockRules
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.feeds.schedule import TICK, calendar_schedule
from daemon.feeds.times import zone_text

NEW_YORK = "America/New_York"
RULES = ClockRules(
    grace_s=5, decide_within_s=60, pause_after_s=120, stable_s=120, resume_after="backfilled"
)
Hours = tuple[str, str]
FULL: Hours = ("09:30", "16:00")
HALF: Hours = ("09:30", "13:00")


def at(text: str, date: str = "2024-05-28") -> int:
    """The instant of a New York time, on `date` unless the text has one (MM-DD)."""
    day, _, clock = text.rpartition(" ")
    day = f"{date[:4]}-{day}" if day else date
    clock = clock if clock.count(":") == 2 else f"{clock}:00"
    moment = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=ZoneInfo(NEW_YORK))
    return int(moment.timestamp()) * SECOND_NS


def calendar_of(days: dict[str, Hours]) -> Calendar:
    """A calendar of these dates (2024-05-28) alone, between a session before and one after."""
    all_days = {"2000-01-03": FULL, **days, "2099-01-05": FULL}
    dates = [int(day.replace("-", "")) for day in all_days]
    opens = [at(hours[0], day) // SECOND_NS for day, hours in all_days.items()]
    closes = [at(hours[1], day) // SECOND_NS for day, hours in all_days.items()]
    return Calendar(
        Facts("XNYS", NEW_YORK, "test", 20000101, 20991231, dates, opens, closes, "test")
    )


class Day:
    """A clock, and the words of what it lets out.

    `slice 10:30 NVDA-AMD` is a slice that ends at 10:30 with a bar of NVDA and AMD missing; `late
    slice` one that is BACKFILLED. `gaps` is the ledger so far as `AMD 10:30 missing`.
    """

    def __init__(
        self,
        days: dict[str, Hours] | None = None,
        symbols: tuple[str, ...] = ("NVDA",),
        rules: ClockRules = RULES,
        *,
        start: str = "09:00",
        size: str = "1h",
        held: bool = False,
        warmup: int = 0,
        actions: tuple[CorporateAction, ...] = (),
    ) -> None:
        days = days or {"2024-05-28": FULL}
        self.date = next(iter(days))
        self.size = BAR_SIZES_NS[size]
        schedule = calendar_schedule(
            calendar_of(days), symbols, self.size, "session", (self.at(start), TICK), warmup=warmup,
            actions=actions,
        )  # fmt: skip
        self.clock = BarClock(schedule, rules, symbols, held=held)
        self.clock.advance(self.at(start))
        self.facts: list[str] = []
        self.events: list[str] = []
        self.slices: list[MarketSlice] = []
        self.closes = {self.at(hours[1], day) for day, hours in days.items()}

    def at(self, text: str, date: str | None = None) -> int:
        return at(text, date or self.date)

    def made(self, end: str, symbol: str = "NVDA", price: float = 100.0) -> Bar:
        """The bar that ends then; the session's last one is a short one."""
        ends = self.at(end)
        start = ends - self.size
        if ends in self.closes and self.size == BAR_SIZES_NS["1h"]:
            start = ends - self.size // 2
        return Bar(symbol, start, ends, price, price, price, price, 1000)

    # --- what happens; each returns what came out -------------------------------------------------

    def bar(self, end: str, now: str, symbol: str = "NVDA", price: float = 100.0) -> list[str]:
        self.clock.bar(self.made(end, symbol, price), self.at(now))
        return self.out()

    def absent(self, end: str, now: str, symbol: str = "NVDA") -> list[str]:
        self.clock.absent(symbol, self.made(end, symbol).start, self.at(now), "no data")
        return self.out()

    def quarantine(self, end: str, now: str, symbol: str = "NVDA") -> list[str]:
        self.clock.quarantine(symbol, self.made(end, symbol).start, self.at(now), "high below low")
        return self.out()

    def lost(self, now: str) -> list[str]:
        self.clock.lost(self.at(now), "socket closed")
        return self.out()

    def restored(self, now: str) -> list[str]:
        self.clock.restored(self.at(now))
        return self.out()

    def advance(self, now: str) -> list[str]:
        self.clock.advance(self.at(now))
        return self.out()

    def until(self, now: str) -> list[str]:
        """Let time pass as a driver does, from one due instant to the next."""
        out: list[str] = []
        while (due := self.clock.due()) is not None and due <= self.at(now):
            self.clock.advance(due)
            out += [f"{self.text(due)} {word}" for word in self.out()]
        return out

    def due(self) -> str | None:
        due = self.clock.due()
        return None if due is None else self.text(due)

    # --- in words ---------------------------------------------------------------------------------

    def text(self, instant: int) -> str:
        shown = zone_text(instant, NEW_YORK)
        return shown[11:] if shown[:10] == self.date else shown[5:]

    def out(self) -> list[str]:
        words = []
        for item, facts in self.clock.take():
            for fact in facts:
                if fact.kind == "feed":
                    self.events.append(f"{fact.outcome} {self.text(fact.instant)}")
                else:
                    assert fact.end is not None
                    self.facts.append(f"{fact.symbol} {self.text(fact.end)} {fact.outcome}")
            if isinstance(item, MarketSlice):
                self.slices.append(item)
            words.append(self._word(item))
        return words

    def _word(self, item: MarketSlice | Tick | Pause | Resume | ForTheFeed) -> str:
        if isinstance(item, Tick):
            return f"{item.kind.value} {self.text(item.instant)}"
        if isinstance(item, MarketSlice):
            prefix = {Outcome.BACKFILLED: "late ", Outcome.WARMUP: "warm "}.get(item.outcome, "")
            bars = ",".join(bar.symbol for bar in item.bars)
            missing = "".join(f"-{symbol}" for symbol in item.missing)
            return f"{prefix}slice {self.text(item.end)} {bars}{missing}"
        assert item.source == ("feed" if isinstance(item, Pause | Resume) else "operator")
        return f"{type(item).__name__} {self.text(item.instant)}"
