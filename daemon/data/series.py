"""One symbol's bars as they were seen: what each was first, and what it was said to be later.

A bar's first numbers count: they are what was known, and what was decided on. Numbers that differ
and came later are revisions, kept beside them. Series merge like sets: in any order, any number of
times and with any overlap the result is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median
from typing import NamedTuple

from daemon.core.events import Split
from daemon.feeds.times import zone_date
from daemon.text_table import EXCHANGE_ZONE

NO_VOLUME = -1
"""The volume of every bar of a source that has none."""
SPLIT_BARS_MIN = 3
"""That many bars asked for again must agree before their ratio is taken for a split's."""
SPLIT_SPREAD = 0.01
SPLIT_LEAST = 1.05
SPLIT_OLD_MAX = 20
STRANGERS_OF_MIN = 3
"""So many bars must be there twice before they are taken for those of another stock."""


class Numbers(NamedTuple):
    """A bar without its place: dollars with four decimals, whole shares."""

    open: float
    high: float
    low: float
    close: float
    volume: int


class Seen(NamedTuple):
    """Numbers, when they were seen first (UTC ns; 0: before anybody kept count), and from where."""

    seen: int
    numbers: Numbers
    source: str


Sightings = tuple[Seen, ...]
"""What one bar was said to be, earliest first, each set of numbers once."""


class Key(NamedTuple):
    """Which bars a series is of; `grid` says where they are cut."""

    symbol: str
    size: str
    grid: str


@dataclass(slots=True)
class Series:
    """Bars by start.

    `adjustment` is raw, splits or splits_dividends. Prices that are adjusted for splits were so for
    all that took effect by the date `adjusted_until` when they came, and are for `splits` since.
    """

    key: Key
    adjustment: str
    adjusted_until: int = 0
    splits: tuple[Split, ...] = ()
    bars: dict[int, Sightings] = field(default_factory=dict)

    @property
    def starts(self) -> list[int]:
        """The starts of the bars, in order."""
        return sorted(self.bars)

    @property
    def last(self) -> int | None:
        """The start of the last bar; None without one."""
        return max(self.bars, default=None)

    @property
    def has_volume(self) -> bool:
        """Whether the bars have one."""
        return any(seen[0].numbers.volume != NO_VOLUME for seen in self.bars.values())

    def revised(self) -> Iterator[tuple[int, Sightings]]:
        """The bars that were said to be something else later, in order."""
        for start in self.starts:
            if len(self.bars[start]) > 1:
                yield start, self.bars[start]


class Merged(NamedTuple):
    """What a merge did: bars that are new, that were known as they are, and that differ."""

    added: int = 0
    known: int = 0
    differing: int = 0


def sighted(rows: Iterable[tuple[int, Numbers]], seen: int, source: str) -> dict[int, Sightings]:
    """Bars that were all seen at one time."""
    return {start: (Seen(seen, numbers, source),) for start, numbers in rows}


def merge(into: Series, more: Mapping[int, Sightings]) -> Merged:
    """Add what was seen to a series; both are of the same adjustment."""
    added = known = differing = 0
    for start, sightings in more.items():
        before = into.bars.get(start)
        if before is None:
            into.bars[start] = in_order(sightings)
            added += 1
            continue
        after = into.bars[start] = in_order((*before, *sightings))
        if len(after) > len(before):
            differing += 1
        else:
            known += 1
    return Merged(added, known, differing)


def in_order(sightings: Sequence[Seen]) -> Sightings:
    """Each set of numbers once, as of when it was seen first."""
    if len(sightings) == 1:
        return tuple(sightings)
    first: dict[Numbers, Seen] = {}
    for one in sorted(sightings, key=lambda one: (one.seen, one.source)):
        first.setdefault(one.numbers, one)
    return tuple(sorted(first.values()))


# --- adjustment -----------------------------------------------------------------------------------


def bring_to_date(series: Series, table: Iterable[Split], today: int) -> None:
    """Adjust prices for the splits of the table that took effect since they came.

    One that was adjusted for and is not in the table any more is taken back.
    """
    if series.adjustment == "splits":
        until, symbol = series.adjusted_until, series.key.symbol
        due = splits_until(table, symbol, today)
        hold_splits(series, [split for split in due if split.effective > until])


def adjust_together(series: Series, more: Series, table: Iterable[Split], today: int) -> None:
    """Two series that were brought to date are one now: say what its prices are adjusted for."""
    if series.adjusted_until:
        series.adjusted_until = min(series.adjusted_until, more.adjusted_until)
    else:
        series.adjusted_until = more.adjusted_until
    if series.adjustment == "splits":
        due = splits_until(table, series.key.symbol, today)
        series.splits = tuple(split for split in due if split.effective > series.adjusted_until)


def make_raw(series: Series, table: Iterable[Split], today: int) -> None:
    """Turn prices that are adjusted for all splits until today into those that were traded at."""
    series.splits = splits_until(table, series.key.symbol, today)
    hold_splits(series, ())
    series.adjustment = "raw"


def splits_until(table: Iterable[Split], symbol: str, date: int) -> tuple[Split, ...]:
    """The splits of a symbol that have taken effect by a date (YYYYMMDD), by date."""
    due = [split for split in table if split.symbol == symbol and split.effective <= date]
    return tuple(sorted(due, key=lambda split: split.effective))


def hold_splits(series: Series, wanted: Sequence[Split]) -> None:
    """Let prices be adjusted for exactly these splits: bars of before one are divided by it."""
    steps = [(split, True) for split in wanted if split not in series.splits]
    steps += [(split, False) for split in series.splits if split not in wanted]
    for split, into in steps:
        new, old = split.numerator, split.denominator
        price, volume = (old / new, new / old) if into else (new / old, old / new)
        for start, sightings in series.bars.items():
            if zone_date(start, EXCHANGE_ZONE) < split.effective:
                scaled = [
                    one._replace(numbers=_scaled(one.numbers, price, volume)) for one in sightings
                ]
                series.bars[start] = in_order(scaled)
    series.splits = tuple(wanted)


def _scaled(numbers: Numbers, price: float, volume: float) -> Numbers:
    shares = numbers.volume
    return Numbers(
        round(numbers.open * price, 4),
        round(numbers.high * price, 4),
        round(numbers.low * price, 4),
        round(numbers.close * price, 4),
        shares if shares == NO_VOLUME else round(shares * volume),
    )


class SuspectedSplit(NamedTuple):
    """New shares for old ones, and the start of the first bar that is known in new shares."""

    ratio: Fraction
    since: int | None


def suspected_split(known: Series, told: Mapping[int, Sightings]) -> SuspectedSplit | None:
    """The one ratio by which prices that were known differ from what they are said to be now.

    From some bar on they may be the same: those were seen in new shares. None where there is no
    such ratio, or too few bars tell.
    """
    ratios = [
        (start, [
            old / new
            for old, new in zip(
                known.bars[start][0].numbers[:4], told[start][0].numbers[:4], strict=True
            )
        ])
        for start in sorted(told)
        if start in known.bars
    ]  # fmt: skip
    since = None
    while ratios and all(abs(ratio - 1) <= SPLIT_SPREAD for ratio in ratios[-1][1]):
        since, _ = ratios.pop()
    if len(ratios) < SPLIT_BARS_MIN:
        return None
    each = [ratio for _, bar in ratios for ratio in bar]
    middle = median(each)
    if any(abs(ratio / middle - 1) > SPLIT_SPREAD for ratio in each):
        return None
    if 1 / SPLIT_LEAST < middle < SPLIT_LEAST:
        return None
    return SuspectedSplit(_simplest(middle), since)


def strangers(known: Series, told: Mapping[int, Sightings]) -> tuple[int, int]:
    """How many bars have no price in common with what they are said to be now, and of how many."""
    apart = both = 0
    for start, sightings in told.items():
        if start in known.bars:
            was, now = known.bars[start][0].numbers, sightings[0].numbers
            both += 1
            apart += was.low > now.high or now.low > was.high
    return apart, both


def is_another(apart: int, both: int) -> bool:
    """Whether `strangers` are too many for revisions."""
    return both >= STRANGERS_OF_MIN and 2 * apart > both


def _simplest(ratio: float) -> Fraction:
    """The fraction with the smallest parts that is as good as the ratio."""
    if ratio < 1:
        return 1 / _simplest(1 / ratio)
    for old in range(1, SPLIT_OLD_MAX):
        new = round(ratio * old)
        if abs(new / old / ratio - 1) <= SPLIT_SPREAD:
            return Fraction(new, old)
    return Fraction(ratio).limit_denominator(SPLIT_OLD_MAX)
