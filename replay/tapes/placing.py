"""Bars onto the slots of the calendar: which expected bar each row is, and which are missing.

A row is the bar of a slot if its stamp is the slot's start (or end, as configured). Two habits of
labelling are accepted besides: clock-hour labels, where 09:00 holds 09:30 to 10:00, and end labels
that ignore the close (16:30 for 15:30 to 16:00). Everything else inside a session is off the
grid; outside, it is unexpected, counted and never traded.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from daemon.core.units import E4_PER_USD
from daemon.feeds.expected import ExpectedSession
from daemon.feeds.times import zone_text
from replay.tapes.model import EMPTY, MISSING, QUARANTINED, Action
from replay.tapes.ordering import Verdict, repeated
from replay.tapes.reader import RawBars
from replay.tapes.rules import (
    DIFFERING_ROWS,
    OFF_GRID,
    OUTSIDE_RANGE,
    PLACEHOLDER,
    REPEATED_ROW,
    SILENT_MOVE,
    UNFINISHED,
    Findings,
)

UNEXPECTED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Span:
    """One session of a symbol: rows `begin` to `stop` of its columns, of `expected` bars."""

    date: int
    begin: int
    stop: int
    expected: int
    has_first: bool
    has_last: bool


@dataclass(slots=True)
class Placed:
    """One symbol's usable bars on their slots, with what is missing and what was left out.

    `lines` and the price columns are parallel; `gap_kind` says MISSING, QUARANTINED or EMPTY
    (a placeholder without trades).
    """

    symbol: str
    start: array[int] = field(default_factory=lambda: array("q"))
    end: array[int] = field(default_factory=lambda: array("q"))
    open: array[float] = field(default_factory=lambda: array("d"))
    high: array[float] = field(default_factory=lambda: array("d"))
    low: array[float] = field(default_factory=lambda: array("d"))
    close: array[float] = field(default_factory=lambda: array("d"))
    volume: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    spans: list[Span] = field(default_factory=list)
    gap_start: array[int] = field(default_factory=lambda: array("q"))
    gap_end: array[int] = field(default_factory=lambda: array("q"))
    gap_session: array[int] = field(default_factory=lambda: array("q"))
    gap_kind: array[int] = field(default_factory=lambda: array("q"))
    dropped: dict[str, int] = field(default_factory=dict)
    unexpected_first: list[tuple[int, int]] = field(default_factory=list)
    first_session: int = 0
    last_session: int = 0
    sessions: int = 0
    at_close: int = 0
    early_trades: int = 0

    def __len__(self) -> int:
        """How many usable bars there are."""
        return len(self.start)

    def gaps(self) -> tuple[array[int], ...]:
        """The columns of gaps: start, end, session, kind."""
        return self.gap_start, self.gap_end, self.gap_session, self.gap_kind

    def drop(self, reason: str, rows: int = 1) -> None:
        """Count rows that make no bar."""
        self.dropped[reason] = self.dropped.get(reason, 0) + rows


def accepted_labels(expected: ExpectedSession, size_ns: int, mode: str) -> dict[int, int]:
    """Each stamp that means a slot of this session, with the slot's number."""
    starts, ends = expected.starts, expected.ends
    session = expected.session
    if mode == "end":
        accepted = {end: slot for slot, end in enumerate(ends)}
        uncut = starts[-1] + size_ns
        if uncut > session.closes:
            accepted[uncut] = len(ends) - 1
        return accepted
    accepted = {start: slot for slot, start in enumerate(starts)}
    on_clock = ends[0] - size_ns
    if on_clock < session.opens:
        accepted[on_clock] = 0
    return accepted


def place(
    bars: RawBars,
    sessions: Iterable[ExpectedSession],
    size_ns: int,
    mode: str,
    zone: str,
    findings: Findings,
) -> Placed:
    """Put the rows (sorted by stamp) onto the sessions' slots; `mode` is start or end."""
    placer = _Placer(bars, size_ns, mode, zone, findings)
    for expected in sessions:
        placer.session(expected)
    placer.finish()
    return placer.placed


class _Placer:
    def __init__(
        self, bars: RawBars, size_ns: int, mode: str, zone: str, findings: Findings
    ) -> None:
        self.placed = Placed(bars.symbol)
        self._bars = bars
        self._size_ns = size_ns
        self._mode = mode
        self._zone = zone
        self._findings = findings
        self._at = 0
        self._special: dict[int, Verdict] = {
            at: (rule, message, Action.QUARANTINED) for at, (rule, message) in bars.broken.items()
        }
        self._special.update(repeated(bars))
        self._has_volume = any(volume > 0 for volume in bars.volume)
        self._waiting: list[tuple[int, int, int, int]] = []
        self._waiting_sessions = 0

    def session(self, expected: ExpectedSession) -> None:
        """Place this session's rows; those before it are unexpected."""
        stamps, session = self._bars.stamps, expected.session
        accepted = accepted_labels(expected, self._size_ns, self._mode)
        at_end = self._mode == "end"
        first = min(*accepted, session.opens + at_end)
        last = max(*accepted, session.closes - 1 + at_end)
        begin = bisect_left(stamps, first, self._at)
        stop = bisect_right(stamps, last, begin)
        self._leave_out(self._at, begin)
        self._at = stop
        labels = expected.ends if at_end else expected.starts
        if self._all_well(begin, stop, labels):
            self._take_all(begin, stop, expected)
        else:
            self._take_each(begin, stop, expected, accepted)

    def finish(self) -> None:
        """What comes after the last session is unexpected."""
        self._leave_out(self._at, len(self._bars))

    def _leave_out(self, begin: int, stop: int) -> None:
        if stop > begin:
            placed, bars = self.placed, self._bars
            placed.drop("outside the sessions", stop - begin)
            spare = UNEXPECTED_SHOWN - len(placed.unexpected_first)
            for at in range(begin, min(stop, begin + spare)):
                placed.unexpected_first.append((bars.lines[at], bars.stamps[at]))
            if placed.end and bars.stamps[begin] == placed.end[-1]:
                placed.at_close += 1

    def _all_well(self, begin: int, stop: int, labels: list[int]) -> bool:
        """Whether these rows are exactly the expected bars and nothing is wrong with any."""
        bars = self._bars
        if stop - begin != len(labels) or bars.stamps[begin:stop].tolist() != labels:
            return False
        if self._special and any(at in self._special for at in range(begin, stop)):
            return False
        if self._has_volume and min(bars.volume[begin:stop]) <= 0:
            return False
        columns = (bars.open, bars.high, bars.low, bars.close)
        rows = zip(*(column[begin:stop] for column in columns), strict=True)
        return all(
            low <= first <= high and low <= final <= high for first, high, low, final in rows
        )

    def _take_all(self, begin: int, stop: int, expected: ExpectedSession) -> None:
        placed, bars, session = self.placed, self._bars, expected.session
        self._begin_session(session.date)
        before = len(placed)
        placed.start.extend(expected.starts)
        placed.end.extend(expected.ends)
        placed.open.extend([value / E4_PER_USD for value in bars.open[begin:stop]])
        placed.high.extend([value / E4_PER_USD for value in bars.high[begin:stop]])
        placed.low.extend([value / E4_PER_USD for value in bars.low[begin:stop]])
        placed.close.extend([value / E4_PER_USD for value in bars.close[begin:stop]])
        if self._has_volume:
            placed.volume.extend(bars.volume[begin:stop])
        else:
            placed.volume.extend([0] * (stop - begin))
        placed.lines.extend(bars.lines[begin:stop])
        span = Span(session.date, before, len(placed), session.bars, True, True)
        placed.spans.append(span)

    def _take_each(
        self, begin: int, stop: int, expected: ExpectedSession, accepted: dict[int, int]
    ) -> None:
        placed, session = self.placed, expected.session
        rows: list[list[int]] = [[] for _ in expected.starts]
        for at in range(begin, stop):
            slot = accepted.get(self._bars.stamps[at])
            if slot is None:
                self._off_grid(at, expected)
            elif self._special.get(at, (None,))[0] is REPEATED_ROW:
                self._note(at, self._special[at], expected.starts[slot])
                placed.drop("repeated")
            else:
                rows[slot].append(at)
        if not any(rows):
            self._empty_session(expected)
            return
        self._begin_session(session.date)
        before = len(placed)
        kinds = [self._take_slot(rows[slot], expected, slot) for slot in range(len(rows))]
        for slot, kind in enumerate(kinds):
            if kind is not None:
                gap = (expected.starts[slot], expected.ends[slot], session.date, kind)
                for column, value in zip(placed.gaps(), gap, strict=True):
                    column.append(value)
        if len(placed) > before:
            has_first, has_last = kinds[0] is None, kinds[-1] is None
            span = Span(session.date, before, len(placed), session.bars, has_first, has_last)
            placed.spans.append(span)

    def _take_slot(self, rows: list[int], expected: ExpectedSession, slot: int) -> int | None:
        """Keep the slot's bar and return None, or say which kind of gap it leaves."""
        start = expected.starts[slot]
        if not rows:
            return MISSING
        if len(rows) > 1 and rows[0] not in self._special:
            for at in rows:
                message = f"{self._when(at)} is one of {len(rows)} rows for the bar of that slot"
                self._note(at, (DIFFERING_ROWS, message, Action.QUARANTINED), start)
            return QUARANTINED
        verdicts = [self._verdict(at) for at in rows]
        for at, verdict in zip(rows, verdicts, strict=True):
            if verdict is not None:
                self._note(at, verdict, start)
        if verdicts[0] is not None and verdicts[0][2] is not Action.KEPT:
            if verdicts[0][2] is Action.QUARANTINED:
                return QUARANTINED
            self.placed.drop("placeholder")
            return EMPTY
        self._keep(rows[0], start, expected.ends[slot])
        stamps, label = self._bars.stamps, self._bars.stamps[rows[0]]
        if label < start and rows[0] and stamps[rows[0] - 1] == label - self._size_ns:
            self.placed.early_trades += 1
        return None

    def _verdict(self, at: int) -> Verdict | None:
        if at in self._special:
            return self._special[at]
        bars = self._bars
        open_, high, low, close = bars.open[at], bars.high[at], bars.low[at], bars.close[at]
        shown = f"open {_usd(open_)}, high {_usd(high)}, low {_usd(low)}, close {_usd(close)}"
        if not (low <= open_ <= high and low <= close <= high):
            return OUTSIDE_RANGE, shown, Action.QUARANTINED
        if not self._has_volume or bars.volume[at] > 0:
            return None
        if open_ == high == low == close:
            return PLACEHOLDER, f"{_usd(close)} throughout, volume 0", Action.DROPPED
        return SILENT_MOVE, f"{shown}, volume {max(bars.volume[at], 0)}", Action.KEPT

    def _keep(self, at: int, start: int, end: int) -> None:
        placed, bars = self.placed, self._bars
        placed.start.append(start)
        placed.end.append(end)
        placed.open.append(bars.open[at] / E4_PER_USD)
        placed.high.append(bars.high[at] / E4_PER_USD)
        placed.low.append(bars.low[at] / E4_PER_USD)
        placed.close.append(bars.close[at] / E4_PER_USD)
        placed.volume.append(max(bars.volume[at], 0))
        placed.lines.append(bars.lines[at])

    def _off_grid(self, at: int, expected: ExpectedSession) -> None:
        when = self._when(at)
        if at == len(self._bars) - 1:
            message = f"{when} is not where a bar begins: it was still being made"
            self._note(at, (UNFINISHED, message, Action.DROPPED), None)
            self.placed.drop("unfinished")
            return
        slot = max(bisect_right(expected.starts, self._bars.stamps[at]) - 1, 0)
        first = zone_text(expected.starts[slot], self._zone)[11:]
        last = zone_text(expected.ends[slot], self._zone)[11:]
        message = f"{when} overlaps the bar {first} to {last}"
        self._note(at, (OFF_GRID, message, Action.QUARANTINED), None)

    def _note(self, at: int, verdict: Verdict, start: int | None) -> None:
        rule, message, action = verdict
        line = self._bars.lines[at]
        self._findings.add(rule, self.placed.symbol, line, message, action=action, start=start)
        if action is Action.QUARANTINED:
            self.placed.drop("quarantined")

    def _begin_session(self, date: int) -> None:
        """This session has rows: it counts, and so do the empty ones since the last that had."""
        placed = self.placed
        for columns, values in zip(placed.gaps(), zip(*self._waiting, strict=True), strict=False):
            columns.extend(values)
        self._waiting.clear()
        placed.first_session = placed.first_session or date
        placed.last_session = date
        placed.sessions += self._waiting_sessions + 1
        self._waiting_sessions = 0

    def _empty_session(self, expected: ExpectedSession) -> None:
        """No rows: a gap if others follow, nothing where the tape has not begun or has ended."""
        if not self.placed.sessions:
            return
        date = expected.session.date
        edges = zip(expected.starts, expected.ends, strict=True)
        self._waiting.extend((start, end, date, MISSING) for start, end in edges)
        self._waiting_sessions += 1

    def _when(self, at: int) -> str:
        return zone_text(self._bars.stamps[at], self._zone)


def _usd(price_e4: int) -> str:
    return f"{price_e4 / E4_PER_USD}"
