"""What a tape is once it is loaded, and the words for what was found in it.

Instants are UTC nanoseconds, dates integers YYYYMMDD in exchange time, prices float dollars with
four decimals, volumes whole shares.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from daemon.core.events import Outcome
from replay.record import GapRow

# Kinds of gaps: no row came; a row came and was put aside; a row without trades came.
MISSING, QUARANTINED, EMPTY = 0, 1, 2
GAP_REASONS = ("not in the tape", "put aside", "a placeholder without trades")


class TapeSpec(Protocol):
    """What the loader is told about a tape; the config's `tape:` section is one.

    `path` is absolute or relative to the current folder and may hold `{symbol}`; `dialect` is
    `auto` or a dialect's name; `timezone` is the zone of stamps that carry none; `stamps` says
    whether a row's stamp is its bar's `start` or `end`; `adjustment` is `raw`, `splits` or
    `splits_dividends`; `on_bad_bar` is `quarantine` or `refuse`; `columns` maps our names
    (timestamp or date and time, open, high, low, close, volume, symbol) to the file's.
    """

    @property
    def path(self) -> str | Path | None: ...
    @property
    def dialect(self) -> str: ...
    @property
    def timezone(self) -> str | None: ...
    @property
    def stamps(self) -> str: ...
    @property
    def adjustment(self) -> str: ...
    @property
    def on_bad_bar(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, str] | None: ...


class PlainTapeSpec(Struct, frozen=True):
    """A `TapeSpec` for callers without a config."""

    path: str | Path | None
    dialect: str = "auto"
    timezone: str | None = None
    stamps: str = "start"
    adjustment: str = "splits"
    on_bad_bar: str = "quarantine"
    columns: Mapping[str, str] | None = None


class Severity(StrEnum):
    """How bad a finding is; only an error makes a check fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Action(StrEnum):
    """What became of the row or bar a finding is about."""

    QUARANTINED = "quarantined"
    DROPPED = "dropped"
    KEPT = "kept"


class Fault(Struct, frozen=True):
    """One finding: `rule` is its id and title, `line` a line of the file (0: the whole tape).

    `start` is the start of the expected bar concerned, where there is one. Of findings that put
    no bar aside only the first hundred of a rule are kept; `Tape.fault_counts` has the numbers.
    """

    rule: str
    severity: Severity
    symbol: str
    line: int
    start: int | None
    message: str
    action: Action


class Columns(Struct, frozen=True):
    """One symbol's bars, oldest first, as views of equal length; read from disk when touched."""

    symbol: str
    start: memoryview[int]
    end: memoryview[int]
    open: memoryview[float]
    high: memoryview[float]
    low: memoryview[float]
    close: memoryview[float]
    volume: memoryview[int]

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.start)


class Coverage(Struct, frozen=True):
    """Bars of one symbol against the calendar, over whole sessions from its first to its last."""

    symbol: str
    first_session: int
    last_session: int
    sessions: int
    expected: int
    received: int
    missing: int
    quarantined: int
    unexpected: int

    @property
    def coverage_pct(self) -> float:
        """Received bars in percent of the expected ones (0 where none were expected)."""
        return 100.0 * self.received / self.expected if self.expected else 0.0


class GapColumns(Struct, frozen=True):
    """One symbol's gaps as columns; `kind` is an index of `GAP_REASONS`."""

    start: memoryview[int]
    end: memoryview[int]
    session: memoryview[int]
    kind: memoryview[int]


class Understood(Struct, frozen=True):
    """What the loader took the source to be, so that nothing is guessed silently.

    `columns` maps our names to the file's; `rows_dropped` counts rows that made no bar, by
    reason; `prices_moved` counts prices that rounding to four decimals changed at all,
    `prices_moved_far` those it moved by more than 0.00005.
    """

    files: tuple[str, ...]
    container: str
    dialect: str
    detected: bool
    columns: Mapping[str, str]
    zone: str
    stamps: str
    size: str
    grid: str
    adjustment: str
    rows_read: int
    rows_kept: int
    rows_dropped: Mapping[str, int]
    prices_moved: int
    prices_moved_far: int
    largest_move: float
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The same for people, one fact a line."""
        how = "detected" if self.detected else "as configured"
        columns = ", ".join(f"{ours}={theirs}" for ours, theirs in self.columns.items())
        dropped = ", ".join(f"{count:,} {why}" for why, count in self.rows_dropped.items())
        answer = [
            f"file        {', '.join(self.files)} ({self.container})",
            f"dialect     {self.dialect} ({how})",
            f"columns     {columns}",
            f"time zone   {self.zone}",
            f"stamps      a row's stamp is the {self.stamps} of its bar",
            f"bars        {self.size} on the {self.grid} grid",
            f"adjustment  {self.adjustment}",
            f"rows        {self.rows_read:,} read, {self.rows_kept:,} kept"
            + (f"; not kept: {dropped}" if dropped else ""),
        ]
        if self.prices_moved:
            answer.append(
                f"prices      {self.prices_moved:,} rounded to four decimals, the furthest by"
                f" {self.largest_move:.7f}; {self.prices_moved_far:,} by more than 0.00005"
            )
        return answer + [f"note        {note}" for note in self.notes]


class Unexpected(Struct, frozen=True):
    """Bars outside the calendar: how many, and the first few as (symbol, line, instant)."""

    count: int = 0
    first: tuple[tuple[str, int, int], ...] = ()


class Facts(Struct, frozen=True):
    """Everything known about a tape besides its columns; see `Tape`."""

    has_volume: bool
    adjustment: str
    sha256: str
    understood: Understood
    faults: tuple[Fault, ...]
    fault_counts: Mapping[str, int]
    coverage: Mapping[str, Coverage]
    unexpected: Unexpected
    costs_distorted: bool
    suspected_factor: float | None


class Loaded(Struct, frozen=True):
    """A tape as it came from its source: facts, and named columns of each symbol."""

    facts: Facts
    columns: Mapping[str, Mapping[str, array[int] | array[float]]]


class Tape(Struct, frozen=True):
    """Recorded bars, ready to be played.

    `columns` holds, for each symbol asked for, only bars on expected slots of the calendar;
    quarantined ones are removed and are found in `faults` with their `start`. `sha256` is that of
    the source file's bytes (several files: of their hashes in the order of the symbols; corrected
    bars: of these and the corrections').
    `costs_distorted` says that per-share costs cannot be right because prices are adjusted;
    `suspected_factor` is the largest split factor that shows in the prices, where one does.
    """

    columns: Mapping[str, Columns]
    has_volume: bool
    adjustment: str
    sha256: str
    understood: Understood
    faults: Sequence[Fault]
    fault_counts: Mapping[str, int]
    coverage: Mapping[str, Coverage]
    unexpected: Unexpected
    costs_distorted: bool = False
    suspected_factor: float | None = None
    from_cache: bool = False
    gap_columns: Mapping[str, GapColumns] = {}

    def quarantined(self, symbol: str) -> dict[int, str]:
        """Start of each expected bar put aside, with the reason."""
        return {
            fault.start: f"{fault.rule}: {fault.message}"
            for fault in self.faults
            if fault.symbol == symbol
            and fault.action == Action.QUARANTINED
            and fault.start is not None
        }

    def gaps(self, symbol: str) -> list[GapRow]:
        """Each expected bar of `symbol` that is not in its columns, oldest first.

        Counted over whole sessions from the symbol's first to its last; made when asked for.
        """
        columns = self.gap_columns[symbol]
        reasons = self.quarantined(symbol)
        rows = zip(columns.start, columns.end, columns.session, columns.kind, strict=True)
        return [
            GapRow(symbol, start, end, session, Outcome.QUARANTINED, reasons[start])
            if kind == QUARANTINED
            else GapRow(symbol, start, end, session, Outcome.MISSING, GAP_REASONS[kind])
            for start, end, session, kind in rows
        ]
