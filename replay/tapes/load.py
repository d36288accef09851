"""One source to one set of columns and facts, without any cache."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session
from daemon.feeds.times import date_text, zone_text
from replay.tapes.corrected import correct, leave_out
from replay.tapes.dialects import find_layout
from replay.tapes.fit import check_grid, check_size
from replay.tapes.model import (
    QUARANTINED,
    Coverage,
    Facts,
    Loaded,
    TapeSpec,
    Understood,
    Unexpected,
)
from replay.tapes.neighbours import Corrections
from replay.tapes.options import Source
from replay.tapes.ordering import put_in_order
from replay.tapes.placing import UNEXPECTED_SHOWN, Placed, place
from replay.tapes.reader import NO_VOLUME, RawBars, Reading, read_bars
from replay.tapes.rules import GAPS, UNEXPECTED, Findings
from replay.tapes.series import check_series
from replay.tapes.source import Head, read_head


def load(
    sources: Sequence[Source],
    spec: TapeSpec,
    size: str,
    grid: str,
    calendar: Calendar,
    sha256: str,
    corrections: Corrections,
    since: int | None = None,
) -> Loaded:
    """Read, correct, order, place and check every symbol; `RefusedError` names file and line."""
    loading = _Loading(spec, size, grid, calendar, corrections, since)
    for source in sources:
        loading.file(source)
    return loading.loaded(sha256)


class _Loading:
    def __init__(
        self,
        spec: TapeSpec,
        size: str,
        grid: str,
        calendar: Calendar,
        corrections: Corrections,
        since: int | None,
    ) -> None:
        self._corrections = corrections
        self._since = since
        self._spec = spec
        self._size = size
        self._grid = grid
        self._calendar = calendar
        self._findings = Findings(refuse=spec.on_bad_bar == "refuse")
        self._heads: list[Head] = []
        self._readings: list[Reading] = []
        self._notes: list[str] = []
        self._placed: dict[str, Placed] = {}
        self._factors: list[float] = []
        self._has_volume = True

    def file(self, source: Source) -> None:
        """Take in one file."""
        head = read_head(source.path)
        layout = find_layout(head, self._spec)
        self._findings.file = str(source.path)
        reading = read_bars(head, layout, self._spec, source.symbols, self._findings)
        self._heads.append(head)
        self._readings.append(reading)
        self._notes.extend(layout.notes)
        for symbol in source.symbols:
            # Popped, so that the raw rows of one symbol are gone before the next is placed.
            self._symbol(str(source.path), reading.bars.pop(symbol))

    def _symbol(self, file: str, bars: RawBars) -> None:
        self._need_bars(file, bars)
        if all(volume == NO_VOLUME for volume in bars.volume):
            self._has_volume = False
            self._notes.append(f"{bars.symbol}: the source has no volume")
        note = put_in_order(bars, self._findings)
        if note:
            self._notes.append(note)
        corrections, since = self._corrections.get(bars.symbol, {}), self._since
        if since is not None:
            leave_out(bars, set(range(bisect_left(bars.stamps, since))))
            corrections = {start: one for start, one in corrections.items() if start >= since}
        if corrections:
            self._notes += correct(file, bars, corrections)
        self._need_bars(file, bars)
        check_size(file, bars, self._size)
        first, last = self._dates(file, bars)
        check_grid(file, bars, self._calendar, self._size, self._grid, self._spec.stamps)
        size_ns = BAR_SIZES_NS[self._size]
        sessions = each_expected_session(self._calendar, first, last, size_ns, self._grid)
        zone = self._calendar.zone
        placed = place(bars, sessions, size_ns, self._spec.stamps, zone, self._findings)
        if not len(placed):
            at = zone_text(bars.stamps[0], zone)
            raise RefusedError(
                f"{file}: {bars.symbol}: not one of {len(bars):,} rows is a usable {self._size}"
                f" bar of a session (the first is stamped {at}, exchange time)"
            )
        self._placed[bars.symbol] = placed
        factor = check_series(placed, zone, self._spec.adjustment, self._findings)
        if factor is not None:
            self._factors.append(factor)
        self._summaries(placed)

    def _need_bars(self, file: str, bars: RawBars) -> None:
        if not len(bars):
            since = "" if self._since is None else f" since {zone_text(self._since, 'UTC')} UTC"
            raise RefusedError(f"{file}: holds no bar of {bars.symbol}{since}")

    def _dates(self, file: str, bars: RawBars) -> tuple[int, int]:
        """The dates of the first and last row; both must be within the calendar."""
        calendar = self._calendar
        for at in (0, -1):
            date = calendar.exchange_date(bars.stamps[at])
            if not calendar.first_date <= date <= calendar.last_date:
                raise RefusedError(
                    f"{file}:{bars.lines[at]}: {bars.symbol}: {date_text(date)} is outside what"
                    f" calendar {calendar.name} knows ({date_text(calendar.first_date)} to"
                    f" {date_text(calendar.last_date)})"
                )
        return calendar.exchange_date(bars.stamps[0]), calendar.exchange_date(bars.stamps[-1])

    def _summaries(self, placed: Placed) -> None:
        missing = len(placed.gap_start)
        if missing:
            expected = len(placed) + missing
            message = (
                f"{missing:,} of {expected:,} expected bars"
                f" ({100 * missing / expected:.2f} %) are missing or put aside"
            )
            self._findings.add(GAPS, placed.symbol, 0, message)
        outside = placed.dropped.get("outside the sessions", 0)
        if outside:
            line, stamp = placed.unexpected_first[0]
            at = zone_text(stamp, self._calendar.zone)
            message = f"{outside:,} rows, the first stamped {at}; counted and never traded"
            self._findings.add(UNEXPECTED, placed.symbol, line, message)

    def loaded(self, sha256: str) -> Loaded:
        """Everything together."""
        findings, factors = self._findings, self._factors
        return Loaded(
            Facts(
                has_volume=self._has_volume,
                adjustment=self._spec.adjustment,
                sha256=sha256,
                understood=self._understood(),
                faults=tuple(findings.faults),
                fault_counts=findings.counts,
                coverage={symbol: _coverage(placed) for symbol, placed in self._placed.items()},
                unexpected=self._unexpected(),
                costs_distorted=bool(factors),
                suspected_factor=max(factors) or None if factors else None,
            ),
            {symbol: _columns(placed) for symbol, placed in self._placed.items()},
        )

    def _understood(self) -> Understood:
        readings, heads = self._readings, self._heads
        layout = readings[0].layout
        dropped: dict[str, int] = {}
        for placed in self._placed.values():
            for reason, rows in placed.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + rows
        dropped["unreadable"] = sum(reading.unreadable for reading in readings)
        dropped["of other symbols"] = sum(reading.other_symbols for reading in readings)
        inside = [head.names[-1] for head in heads if len(head.names) > 1]
        return Understood(
            files=tuple(head.path.name for head in heads),
            container=heads[0].container + (f": {', '.join(inside)}" if inside else ""),
            dialect=layout.dialect,
            detected=self._spec.dialect == "auto" and not self._spec.columns,
            columns=dict(layout.names),
            zone=readings[0].zone,
            stamps=self._spec.stamps,
            size=self._size,
            grid=self._grid,
            adjustment=self._spec.adjustment,
            rows_read=sum(reading.rows for reading in readings),
            rows_kept=sum(len(placed) for placed in self._placed.values()),
            rows_dropped={reason: rows for reason, rows in dropped.items() if rows},
            prices_moved=sum(reading.moved for reading in readings),
            prices_moved_far=sum(reading.moved_far for reading in readings),
            largest_move=max(reading.largest_move for reading in readings),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _unexpected(self) -> Unexpected:
        found = [
            (symbol, line, stamp)
            for symbol, placed in self._placed.items()
            for line, stamp in placed.unexpected_first
        ]
        count = sum(
            placed.dropped.get("outside the sessions", 0) for placed in self._placed.values()
        )
        return Unexpected(count, tuple(found[:UNEXPECTED_SHOWN]))


def _coverage(placed: Placed) -> Coverage:
    quarantined = placed.gap_kind.count(QUARANTINED)
    return Coverage(
        symbol=placed.symbol,
        first_session=placed.first_session,
        last_session=placed.last_session,
        sessions=placed.sessions,
        expected=len(placed) + len(placed.gap_start),
        received=len(placed),
        missing=len(placed.gap_start) - quarantined,
        quarantined=quarantined,
        unexpected=placed.dropped.get("outside the sessions", 0),
    )


def _columns(placed: Placed) -> dict[str, array[int] | array[float]]:
    return {
        "start": placed.start,
        "end": placed.end,
        "open": placed.open,
        "high": placed.high,
        "low": placed.low,
        "close": placed.close,
        "volume": placed.volume,
        "gap_start": placed.gap_start,
        "gap_end": placed.gap_end,
        "gap_session": placed.gap_session,
        "gap_kind": placed.gap_kind,
    }
