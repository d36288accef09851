"""Whether a file holds bars of the configured size, grid and kind of stamp."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import islice, pairwise

from daemon.core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, GRIDS, each_expected_session
from daemon.feeds.times import zone_text
from replay.tapes.placing import accepted_labels
from replay.tapes.reader import RawBars

STEPS_LOOKED_AT = 5_000
STEPS_NEEDED = 3
SESSIONS_LOOKED_AT = 40
DAY_HOURS = 24


def common_step(stamps: array[int]) -> int | None:
    """The most common distance between neighbouring stamps (ns), if most are that far apart."""
    counts: dict[int, int] = {}
    for before, after in islice(pairwise(stamps), STEPS_LOOKED_AT):
        if after > before:
            counts[after - before] = counts.get(after - before, 0) + 1
    if not counts:
        return None
    step, count = max(counts.items(), key=lambda item: (item[1], -item[0]))
    return step if count >= STEPS_NEEDED and 2 * count > sum(counts.values()) else None


def check_size(file: str, bars: RawBars, size: str) -> None:
    """`RefusedError`, naming both sizes, where bars are spaced otherwise than configured."""
    step = common_step(bars.stamps)
    if step is None or step == BAR_SIZES_NS[size]:
        return
    named = next((name for name, ns in BAR_SIZES_NS.items() if ns == step), None)
    advice = f"set bars.size: {named}" if named else f"papertape trades {', '.join(BAR_SIZES_NS)}"
    raise RefusedError(
        f"{file}: {bars.symbol}: bars are {span_text(step)} apart, but bars.size is {size};"
        f" {advice} or use another tape"
    )


def check_grid(
    file: str, bars: RawBars, calendar: Calendar, size: str, grid: str, mode: str
) -> None:
    """`RefusedError` where most stamps inside sessions are no bar's, with what would fit."""
    fitting, off = count_labels(bars.stamps, calendar, size, grid, mode)
    if off <= fitting:
        return
    better = [
        f"bars.grid: {other_grid} and tape.stamps: {other_mode}"
        for other_mode in (mode, "end" if mode == "start" else "start")
        for other_grid in GRIDS
        if _fits(*count_labels(bars.stamps, calendar, size, other_grid, other_mode))
    ]
    advice = f"{better[0]} would fit" if better else "no grid fits: look at tape.timezone"
    example = next(stamp for stamp in bars.stamps if calendar.session_of(stamp) is not None)
    raise RefusedError(
        f"{file}: {bars.symbol}: {off} of {off + fitting} bars inside sessions, like the one"
        f" stamped {zone_text(example, calendar.zone)}, are not on the {size} {grid} grid with"
        f" stamps at the {mode}; {advice}"
    )


def count_labels(
    stamps: Sequence[int], calendar: Calendar, size: str, grid: str, mode: str
) -> tuple[int, int]:
    """How many stamps of the first sessions fit the grid, and how many lie inside but off it."""
    size_ns = BAR_SIZES_NS[size]
    first, last = calendar.exchange_date(stamps[0]), calendar.exchange_date(stamps[-1])
    sessions = each_expected_session(calendar, first, last, size_ns, grid)
    fitting = off = seen = at = 0
    for expected in sessions:
        accepted = accepted_labels(expected, size_ns, mode)
        opens, closes = expected.session.opens, expected.session.closes
        inside = 0
        while at < len(stamps) and stamps[at] <= closes:
            stamp = stamps[at]
            at += 1
            if stamp in accepted:
                fitting += 1
                inside += 1
            elif opens < stamp < closes:
                off += 1
                inside += 1
        seen += inside > 0
        if seen == SESSIONS_LOOKED_AT:
            break
    return fitting, off


def _fits(fitting: int, off: int) -> bool:
    return fitting > 9 * off


def span_text(ns: int) -> str:
    """A distance between bars in the largest unit that fits: 1 hour, 5 minutes."""
    if ns >= DAY_HOURS * HOUR_NS:
        days = ns / (DAY_HOURS * HOUR_NS)
        return f"{days:g} day{'s' * (days != 1)}"
    if ns % HOUR_NS == 0:
        return f"{ns // HOUR_NS} hour{'s' * (ns != HOUR_NS)}"
    if ns % MINUTE_NS == 0:
        return f"{ns // MINUTE_NS} minute{'s' * (ns != MINUTE_NS)}"
    return f"{ns / SECOND_NS:g} seconds"
