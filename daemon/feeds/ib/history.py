"""From a gateway's answer to bars that are final: windows, joining, what cannot be true.

The vendor's bars begin at the clock's halves of an hour whatever its own hour bars do, so hourly
bars are asked for in halves and joined at the config's edges. A joined bar needs all its parts.

A bar is final if it was asked for at its end + grace or later, by the clock that is behind the
other: nothing in an answer says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import ceil, isfinite
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from daemon.core.events import Bar
from daemon.core.units import MINUTE_NS, SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.expected import BAR_SIZES_NS, ExpectedSession, expected_session
from daemon.feeds.ib.messages import HistoryAsk, RawBar
from daemon.feeds.times import DAY_NS

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar
    from daemon.feeds.closed_bars import Slot

PARTS: dict[str, tuple[str, int, int]] = {
    "1h": ("30 mins", 30 * MINUTE_NS, 30),
    "30m": ("30 mins", 30 * MINUTE_NS, 30),
    "15m": ("15 mins", 15 * MINUTE_NS, 7),
    "5m": ("5 mins", 5 * MINUTE_NS, 7),
    "1m": ("1 min", MINUTE_NS, 1),
}
"""For each size of ours the vendor's word for what is asked, how long that is, and how many days
one request may cover."""


class BarsWanted(Struct, frozen=True):
    """Which bars a feed asks for, as in the config, and how long after their end (s)."""

    symbols: tuple[str, ...]
    size: str
    grid: str
    grace_s: float

    @property
    def grace_ns(self) -> int:
        """The grace in nanoseconds."""
        return round(self.grace_s * SECOND_NS)


SECONDS_MAX = 28_800
"""The longest duration asked for in seconds: a session and what may be before it."""
SESSIONS_REMEMBERED = 4
OVERLAP_S = 3_900
"""So much before the first wanted bar is asked for as well: what came late or was revised shows.

More than the longest bar, or whether all of the last one is in the answer would be a race.
"""


def ask_for(size: str, first: Slot, now: int) -> HistoryAsk:
    """The request for the bars from `first` on up to now, or for as many as one may ask for.

    Seconds count back on the clock. Days count sessions, by all that is known; the number asked
    for is right if they count calendar days, too.
    """
    bar_size, _, days_max = PARTS[size]
    seconds = ceil((now - first.start) / SECOND_NS) + OVERLAP_S
    if seconds <= SECONDS_MAX:
        return HistoryAsk(None, f"{seconds} S", bar_size)
    days = ceil((now - first.start) / DAY_NS) + 1
    if days <= days_max:
        return HistoryAsk(None, f"{days} D", bar_size)
    end = first.session.closes + (days_max - 1) * DAY_NS
    return HistoryAsk(end if end < now else None, f"{days_max} D", bar_size)


def reaches(ask: HistoryAsk, now: int) -> int:
    """The instant (UTC ns) up to which an answer holds all there is."""
    return now if ask.end is None else ask.end


class Bad(NamedTuple):
    """A bar that cannot be true."""

    start: int
    reason: str


class Made(NamedTuple):
    """What an answer holds: bars that are final, bars that cannot be true, and its last start.

    `strays` begin where no bar does; `incomplete` are starts of bars of which a part is missing.
    """

    bars: list[Bar]
    bad: list[Bad]
    strays: list[Bar]
    incomplete: list[int]
    last: int


class BarMaker:
    """Makes bars of the config's size and grid."""

    def __init__(self, calendar: Calendar, size: str, grid: str) -> None:
        self._calendar = calendar
        self._size_ns = BAR_SIZES_NS[size]
        self._part_ns = PARTS[size][1]
        self._grid = grid
        self._sessions: dict[int, ExpectedSession] = {}

    def make(self, symbol: str, raw: Sequence[RawBar], until: int) -> Made:
        """The bars of an answer that ended at `until` or before, in order of their starts."""
        made = Made([], [], [], [], max((one.start for one in raw), default=0))
        parts: dict[tuple[int, int], list[RawBar]] = {}
        for one in sorted({one.start: one for one in raw}.values(), key=lambda one: one.start):
            edges = self._edges(one.start)
            if edges is not None:
                parts.setdefault(edges, []).append(one)
            elif one.start + self._part_ns <= until and not _fault(one):
                made.strays.append(_bar(symbol, one.start, one.start + self._part_ns, [one]))
        for (start, end), found in parts.items():
            if end > until:
                continue
            fault = next(filter(None, map(_fault, found)), None)
            if fault is not None:
                made.bad.append(Bad(start, fault))
            elif [one.start for one in found] != list(range(start, end, self._part_ns)):
                made.incomplete.append(start)
            else:
                made.bars.append(_bar(symbol, start, end, found))
        return made

    def _edges(self, start: int) -> tuple[int, int] | None:
        """The bar in which a part begins; None where no part may begin there."""
        expected = self._session(start)
        if expected is None:
            return None
        at = bisect_right(expected.starts, start) - 1
        edge = expected.starts[at]
        return (edge, expected.ends[at]) if (start - edge) % self._part_ns == 0 else None

    def _session(self, instant: int) -> ExpectedSession | None:
        try:
            hours = self._calendar.session_of(instant)
        except RefusedError:
            return None  # a date that no calendar knows
        if hours is None:
            return None
        found = self._sessions.get(hours.date)
        if found is None:
            if len(self._sessions) == SESSIONS_REMEMBERED:
                del self._sessions[next(iter(self._sessions))]
            found = expected_session(hours, 0, self._size_ns, self._grid)
            self._sessions[hours.date] = found
        return found


def _fault(one: RawBar) -> str | None:
    """Why a bar cannot be true; None where it can."""
    prices = (one.open, one.high, one.low, one.close)
    if not all(map(isfinite, (*prices, one.volume))):
        return "a price or the volume is not a number"
    if min(prices) <= 0:
        return "a price is not above 0"
    if one.low > min(one.open, one.close) or one.high < max(one.open, one.close):
        return "open or close lies outside low and high"
    return "the volume is below 0" if one.volume < 0 else None


def _bar(symbol: str, start: int, end: int, parts: Sequence[RawBar]) -> Bar:
    return Bar(
        symbol,
        start,
        end,
        round(parts[0].open, 4),
        round(max(one.high for one in parts), 4),
        round(min(one.low for one in parts), 4),
        round(parts[-1].close, 4),
        round(sum(one.volume for one in parts)),
    )
