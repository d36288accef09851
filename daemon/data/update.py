"""`papertape data update`: each symbol's bars up to the last that is complete.

What is asked for begins some sessions before the last bar that is there, so holes are filled and
revisions found; further back only what is missing since a date that somebody names. Each answer is
merged and written before the next one is asked for: whoever is interrupted goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from daemon.core.events import Bar, Split
from daemon.core.units import SECOND_NS
from daemon.data.files import read_series, write_series
from daemon.data.folder import DataFolder
from daemon.data.history import History, Wanted
from daemon.data.progress import Progress
from daemon.data.series import (
    Merged,
    Numbers,
    Series,
    adjust_together,
    bring_to_date,
    is_another,
    make_raw,
    merge,
    sighted,
    splits_until,
    strangers,
    suspected_split,
)
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, ExpectedSession, each_expected_session
from daemon.feeds.times import DAY_NS, date_text, number_date
from daemon.text_table import counted

SETTLED_NS = 60 * SECOND_NS
"""A bar that ended so short a time ago may still be on its way."""
LOOKED_AT_AGAIN = 5
"""Sessions before the last bar that are asked for again."""
DAYS_AT_FIRST = {"1h": 730, "30m": 365, "15m": 180, "5m": 60, "1m": 20}
"""How far back a symbol without bars is asked for, by size."""


class Updated(NamedTuple):
    """What came of one symbol.

    `strange` bars fit no expected one or cannot be true; `missing` ones are expected between the
    first and the last that are there.
    """

    symbol: str
    merged: Merged
    strange: int
    last: int | None
    missing: int


class Updater:
    """Brings series up to date from one source; the caller holds the folder."""

    def __init__(
        self,
        folder: DataFolder,
        wanted: Wanted,
        history: History,
        calendar: Calendar,
        table: Sequence[Split],
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._wanted = wanted
        self._history = history
        self._calendar = calendar
        self._table = table
        self._progress = progress

    async def update(self, symbol: str, now: int, since: int | None = None) -> Updated:
        """Everything that has ended by `now`, and what is missing since the date `since`."""
        wanted, today = self._wanted, self._calendar.exchange_date(now)
        file = self._folder.file(symbol, wanted.size)
        series = read_series(file, wanted.grid, wanted.adjustment)
        self._check(series, str(file.path))
        written = series.splits
        bring_to_date(series, self._table, today)
        until, tail = now - SETTLED_NS, self._tail(series, now)
        sessions = self._sessions(series, until, tail, since)
        chunks = list(_chunks(sessions, self._history.days_at_once(wanted.size), self._calendar))
        total, strange = Merged(), 0
        for number, chunk in enumerate(chunks, 1):
            first, last = chunk[0], chunk[-1]
            end = max(end for end in last.ends if end <= until)
            self._progress.show(
                f"{symbol} {wanted.size}, part {number} of {len(chunks)}",
                f"{date_text(first.session.date)} to {date_text(last.session.date)}, "
                f"{counted(total.added, 'new bar')} so far",
            )
            bars, untrue = await self._history.fetch(symbol, wanted.size, first.starts[0], end)
            told, odd = self._told(bars, chunk, end, series, now, tail)
            merged = merge(series, told.bars)
            adjust_together(series, told, self._table, today)
            if merged.added or merged.differing or series.splits != written:
                write_series(file, series)
                written = series.splits
            total = Merged(*(a + b for a, b in zip(total, merged, strict=True)))
            strange += odd + untrue
        missing = missing_bars(series, self._calendar)
        return Updated(symbol, total, strange, series.last, missing)

    def _check(self, series: Series, path: str) -> None:
        """RefusedError where what the source gives does not fit to what is there."""
        wanted = self._wanted
        there, given = series.adjustment, self._history.adjustment
        if there != given and (there, given) != ("raw", "splits"):
            raise RefusedError(
                f"{path}: its prices are adjusted as {there}, those of {self._history.name} as "
                f"{given}: begin anew with `papertape data import --replace`, or move it away"
            )
        if series.key.grid != wanted.grid and series.bars:
            raise RefusedError(
                f"{path}: its bars are cut on the {series.key.grid} grid, wanted is "
                f"{wanted.grid} (bars.grid of the config)"
            )

    def _tail(self, series: Series, now: int) -> int:
        """The date from which on bars are asked for even though they are there."""
        calendar, wanted = self._calendar, self._wanted
        today = calendar.exchange_date(now)
        if series.last is None:
            return calendar.exchange_date(now - DAYS_AT_FIRST[wanted.size] * DAY_NS)
        last = first = calendar.exchange_date(series.last)
        for _ in range(LOOKED_AT_AGAIN):
            first = calendar.previous_session(first).date
        # What is older than a split that was applied here was rounded, and would seem revised.
        following = calendar.next_session(last).date
        applied = series.splits
        if series.adjustment == "raw":
            applied = splits_until(self._table, series.key.symbol, today)
        for split in applied:
            first = max(first, min(split.effective, following))
        return min(first, today)

    def _sessions(
        self, series: Series, until: int, tail: int, since: int | None
    ) -> list[ExpectedSession]:
        """Those of the tail, and before it those since a date that lack a bar; all have begun."""
        wanted, today = self._wanted, self._calendar.exchange_date(until)
        begin = tail if since is None else since if not series.bars else min(since, tail)
        sessions = each_expected_session(
            self._calendar, min(begin, today), today, BAR_SIZES_NS[wanted.size], wanted.grid
        )
        bars = series.bars
        return [
            session
            for session in sessions
            if session.ends[0] <= until
            and (session.session.date >= tail or any(start not in bars for start in session.starts))
        ]

    def _told(
        self,
        bars: Sequence[Bar],
        chunk: list[ExpectedSession],
        end: int,
        known: Series,
        now: int,
        tail: int,
    ) -> tuple[Series, int]:
        """What the source says of expected bars, in the series' own adjustment.

        Before the tail it only fills holes.
        """
        edges = {
            start: stop
            for session in chunk
            for start, stop in zip(session.starts, session.ends, strict=True)
            if stop <= end
        }
        usable = [bar for bar in bars if edges.get(bar.start) == bar.end and _can_be_true(bar)]
        asked = {
            start
            for session in chunk
            for start in session.starts
            if session.session.date >= tail or start not in known.bars
        }
        rows = ((bar.start, Numbers(bar.open, bar.high, bar.low, bar.close, bar.volume))
                for bar in usable if bar.start in asked)  # fmt: skip
        seen = now // SECOND_NS * SECOND_NS
        today = self._calendar.exchange_date(now)
        bars_told = sighted(rows, seen, self._history.name)
        fetched = Series(known.key, self._history.adjustment, today, bars=bars_told)
        if (known.adjustment, fetched.adjustment) == ("raw", "splits"):
            make_raw(fetched, self._table, today)
        self._take_or_refuse_a_split(known, fetched, today)
        self._refuse_strangers(known, fetched)
        return fetched, len(bars) - len(usable)

    def _take_or_refuse_a_split(self, known: Series, fetched: Series, today: int) -> None:
        """Apply a split that is listed and of whose first day the source had not heard in time."""
        found = suspected_split(known, fetched.bars)
        if found is None or known.last is None:
            return
        calendar, (symbol, ratio) = self._calendar, (known.key.symbol, found.ratio)
        for split in splits_until(self._table, symbol, today):
            told = Fraction(split.numerator, split.denominator)
            if told == ratio and split not in known.splits:
                before = calendar.previous_session(split.effective).date
                known.adjusted_until = min(known.adjusted_until, before)
                bring_to_date(known, self._table, today)
                return
        if found.since is None:
            effective = calendar.next_session(calendar.exchange_date(known.last)).date
        else:
            effective = calendar.exchange_date(found.since)
        raise RefusedError(
            f"{symbol}: {self._history.name} gives prices of before {date_text(effective)} that "
            f"are {1 / ratio} times those seen then: if that was a split, `papertape data action "
            f"add {symbol} split {ratio.numerator}:{ratio.denominator} --effective "
            f"{date_text(effective)}` and update again"
        )

    def _refuse_strangers(self, known: Series, fetched: Series) -> None:
        apart, both = strangers(known, fetched.bars)
        if is_another(apart, both):
            symbol, source = known.key.symbol, self._history.name
            raise RefusedError(
                f"{symbol}: {apart:,} of {both:,} bars have no price in common with those of "
                f"{source}: is that another stock, or another adjustment? Nothing was changed"
            )


def missing_bars(series: Series, calendar: Calendar) -> int:
    """How many bars are expected between the first and the last, and are not there."""
    if not series.bars:
        return 0
    first, last = min(series.bars), max(series.bars)
    sessions = each_expected_session(
        calendar, calendar.exchange_date(first), calendar.exchange_date(last),
        BAR_SIZES_NS[series.key.size], series.key.grid,
    )  # fmt: skip
    return sum(
        first < start < last and start not in series.bars
        for session in sessions
        for start in session.starts
    )


def _chunks(
    sessions: Sequence[ExpectedSession], days: int, calendar: Calendar
) -> Iterator[list[ExpectedSession]]:
    """Sessions that follow one another, so many days from the first one on at the most."""
    chunk: list[ExpectedSession] = []
    for session in sessions:
        date = session.session.date
        if chunk:
            first, before = chunk[0].session.date, chunk[-1].session.date
            far = (number_date(date) - number_date(first)).days >= days
            if far or calendar.next_session(before).date != date:
                yield chunk
                chunk = []
        chunk.append(session)
    if chunk:
        yield chunk


def _can_be_true(bar: Bar) -> bool:
    prices = (bar.open, bar.high, bar.low, bar.close)
    inside = bar.low <= min(bar.open, bar.close) and max(bar.open, bar.close) <= bar.high
    return inside and all(0 < price < float("inf") for price in prices) and bar.volume >= 0
