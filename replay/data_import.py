"""Bars from files into the state's own: `papertape data import`, and files as a `History`."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.core.events import Bar, Outcome, Split
from daemon.core.units import SECOND_NS
from daemon.corporate_actions import read_actions
from daemon.data.files import read_series, write_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.history import Fetched
from daemon.data.progress import Progress
from daemon.data.replacing import write_whole
from daemon.data.series import (
    NO_VOLUME,
    Key,
    Merged,
    Numbers,
    Series,
    adjust_together,
    bring_to_date,
    is_another,
    merge,
    sighted,
    strangers,
    suspected_split,
)
from daemon.data.update import missing_bars
from daemon.errors import Exit, RefusedError, StoppedError, UsageError
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import date_text, iso_z, zone_date, zone_text
from daemon.text_table import EXCHANGE_ZONE, counted
from replay.tapes import PlainTapeSpec, Severity, Tape, open_tape
from replay.tapes.infer import UNNAMED, infer
from replay.tapes.rules import SPLIT_RATIO

DAYS_OF_A_FILE = 100_000


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and how to read it; None: as the files say.

    `symbols` are those to take of the files, `traded` those of a config: a file that names none is
    of the only one that is traded, and of a file that names some these are taken. Where nobody has
    `declared` what prices are adjusted for, they must not contradict what is taken for granted.
    """

    files: Sequence[Path]
    spec: PlainTapeSpec
    symbols: Sequence[str] | None = None
    traded: Sequence[str] | None = None
    size: str | None = None
    grid: str | None = None
    replace: bool = False
    declared: bool = True


@dataclass(frozen=True, slots=True)
class _Read:
    """The bars of one symbol of one file."""

    key: Key
    bars: list[tuple[int, Numbers]]
    source: str


def data_import(
    request: ImportRequest,
    folder: DataFolder,
    calendar: Calendar,
    state: Path,
    now: int | None = None,
) -> int:
    """Read the files, keep them in `raw/`, merge their bars; a symbol that is refused stays as is.

    What is imported together counts as seen at one time, so the order of files means nothing. A bar
    that is not over is not taken: what it holds so far is not what it will be.
    """
    now = (time.time_ns() if now is None else now) // SECOND_NS * SECOND_NS
    progress = Progress()
    print(f"state   {state}", flush=True)
    try:
        read: list[_Read] = []
        for path in request.files:
            progress.show(f"reading {path.name}")
            lines, tape = _opened(path, request, calendar, state)
            parts = list(_bars_of(tape, path, now))
            read += parts
            held = sum(len(columns) for columns in tape.columns.values())
            if running := held - sum(len(part.bars) for part in parts):
                lines.append(f"left out    {counted(running, 'bar')} not over yet")
            progress.clear()
            print("\n".join((f"{path}", *(f"  {line}" for line in lines))), flush=True)
        _merge_all(read, request, folder, calendar, now, progress)
    except KeyboardInterrupt:
        progress.clear()
        raise StoppedError(
            "interrupted: each symbol is as it was, or has all of the import; import again"
        ) from None
    return Exit.OK


def _merge_all(
    read: Sequence[_Read],
    request: ImportRequest,
    folder: DataFolder,
    calendar: Calendar,
    now: int,
    progress: Progress,
) -> None:
    with folder.held():
        for path in request.files:
            _keep_raw(path, folder)
        table = [one for one in read_actions(folder.actions) if isinstance(one, Split)]
        for key in dict.fromkeys(one.key for one in read):
            parts = [one for one in read if one.key == key and one.bars]
            progress.show(f"merging {key.symbol}")
            line = _merge(key, parts, request, folder, table, calendar, now)
            progress.clear()
            print(line, flush=True)


def _opened(
    path: Path, request: ImportRequest, calendar: Calendar, state: Path
) -> tuple[list[str], Tape]:
    """The tape, and what it was taken for with what is wrong with it."""
    spec = _with_path(request.spec, path)
    inferred = infer(
        path, spec, calendar, symbols=request.symbols, size=request.size, grid=request.grid
    )
    symbols = _symbols(path, inferred.symbols, request.traded)
    tape = open_tape(spec, symbols, inferred.size, inferred.grid, calendar, state, use_cache=False)
    jump = next((fault for fault in tape.faults if fault.rule == SPLIT_RATIO.label), None)
    if jump is not None and not request.declared:
        raise UsageError(
            f"{path}: {jump.message.partition(';')[0]}: say --adjustment raw if prices are as they "
            f"were traded, --adjustment splits if it fell indeed"
        )
    lines = [*tape.understood.lines(), *(f"inferred    {line}" for line in inferred.how)]
    for rule, count in tape.fault_counts.items():
        fault = next(fault for fault in tape.faults if fault.rule.startswith(rule))
        if fault.severity != Severity.INFO:
            first = f"line {fault.line}: {fault.message}" if fault.line else fault.message
            what = f"{fault.rule}: {count:,}, {fault.action}"
            lines.append(f"{fault.severity:<11} {what}; {'the first ' * (count > 1)}{first}")
    return lines, tape


def _symbols(path: Path, found: Sequence[str], traded: Sequence[str] | None) -> Sequence[str]:
    """Those to take; UsageError where it is not certain whose bars these are."""
    if list(found) == [UNNAMED]:
        if traded is not None and len(traded) == 1:
            return traded
        raise UsageError(f"{path}: says nowhere which symbol it is of: give --symbol")
    if traded is None:
        return found
    both = [symbol for symbol in found if symbol in traded]
    if not both:
        raise UsageError(
            f"{path}: is of {', '.join(found[:5])}, the config trades {', '.join(traded[:5])}: "
            f"give --symbol"
        )
    return both


def _with_path(spec: PlainTapeSpec, path: Path) -> PlainTapeSpec:
    return PlainTapeSpec(
        path, spec.dialect, spec.timezone, spec.stamps, spec.adjustment, "quarantine", spec.columns
    )


def _bars_of(tape: Tape, path: Path, now: int) -> Iterator[_Read]:
    """The bars of each symbol that were over by `now`."""
    understood = tape.understood
    for symbol, columns in tape.columns.items():
        volumes = columns.volume if tape.has_volume else [NO_VOLUME] * len(columns)
        prices = zip(columns.open, columns.high, columns.low, columns.close, volumes, strict=True)
        rows = zip(columns.start, columns.end, (Numbers(*row) for row in prices), strict=True)
        bars = [(start, numbers) for start, end, numbers in rows if end <= now]
        yield _Read(Key(symbol, understood.size, understood.grid), bars, path.name)


def _keep_raw(path: Path, folder: DataFolder) -> None:
    """A copy under a name of its content; the same file twice is kept once."""
    data = path.read_bytes()
    kept = folder.raw / f"{hashlib.sha256(data).hexdigest()[:12]}-{path.name}"
    if not kept.exists():
        write_whole(kept, data)


# --- merging --------------------------------------------------------------------------------------


def _merge(
    key: Key,
    parts: Sequence[_Read],
    request: ImportRequest,
    folder: DataFolder,
    table: Sequence[Split],
    calendar: Calendar,
    now: int,
) -> str:
    """Merge what files say of one symbol with what is there, and say what came of it."""
    file = folder.file(key.symbol, key.size)
    adjustment, today = request.spec.adjustment, calendar.exchange_date(now)
    if not parts:
        return f"{key.symbol} {key.size}: none of its bars is over"
    if request.replace and file.path.exists():
        _put_away(file, folder, now)
        series = Series(key, adjustment)
    else:
        series = read_series(file, key.grid, adjustment)
    bring_to_date(series, table, today)
    merged = Merged()
    for part in parts:
        told = Series(key, adjustment, bars=sighted(part.bars, now, part.source))
        assert told.last is not None, "parts without bars were left out"
        told.adjusted_until = zone_date(told.last, calendar.zone)
        _check(file, series, told)
        bring_to_date(told, table, today)
        _refuse_a_split(file, series, told)
        _refuse_strangers(file, series, told)
        merged = Merged(*map(sum, zip(merged, merge(series, told.bars), strict=True)))
        adjust_together(series, told, table, today)
    write_series(file, series)
    first, last = (zone_text(at, calendar.zone)[:16] for at in (min(series.bars), max(series.bars)))
    missing = missing_bars(series, calendar)
    absent = f", {missing:,} missing in between" if missing else ""
    differing = ""
    if merged.differing:
        differing = (
            f", {merged.differing:,} that differ from what was seen first (kept apart: `papertape "
            f"data diff {key.symbol}`)"
        )
    return (
        f"{key.symbol} {key.size}: {counted(merged.added, 'new bar')}, {merged.known:,} known"
        f"{differing}; {file.path} holds {counted(len(series.bars), 'bar')}, {first} to {last} "
        f"exchange time{absent}"
    )


def _refuse_a_split(file: BarFile, series: Series, told: Series) -> None:
    found = suspected_split(series, told.bars)
    if found is not None:
        symbol, ratio = told.key.symbol, found.ratio
        date = "DATE" if found.since is None else date_text(zone_date(found.since, EXCHANGE_ZONE))
        raise RefusedError(
            f"{file.path}: prices that are there are {ratio} times those of the import: if that is "
            f"a split, list it first (`papertape data action add {symbol} split "
            f"{ratio.numerator}:{ratio.denominator} --effective {date}`); otherwise --replace"
        )


def _refuse_strangers(file: BarFile, series: Series, told: Series) -> None:
    apart, both = strangers(series, told.bars)
    if is_another(apart, both):
        raise RefusedError(
            f"{file.path}: {apart:,} of {both:,} bars that are there have no price in common with "
            f"those of the import: is that another symbol, time zone or adjustment? --replace "
            f"begins anew"
        )


def _put_away(file: BarFile, folder: DataFolder, now: int) -> None:
    """Keep what is replaced with the raw files, what was seen of it and when included."""
    stamp = iso_z(now).replace("-", "").replace(":", "")
    for path in (file.path, file.revisions, file.about):
        if path.exists():
            write_whole(folder.raw / f"replaced-{stamp}-{path.name}", path.read_bytes())


def _check(file: BarFile, series: Series, told: Series) -> None:
    """RefusedError where two series cannot be one."""
    if not series.bars:
        return
    if series.key.grid != told.key.grid:
        raise RefusedError(
            f"{file.path}: its bars are cut on the {series.key.grid} grid, those of the import on "
            f"the {told.key.grid} grid: --replace begins anew"
        )
    if series.adjustment != told.adjustment:
        raise RefusedError(
            f"{file.path}: its prices are adjusted as {series.adjustment}, the import is given as "
            f"{told.adjustment}: say --adjustment {series.adjustment} if it is, or --replace"
        )
    if series.has_volume != told.has_volume:
        which = "the import" if series.has_volume else "what is there"
        raise RefusedError(f"{file.path}: {which} has no volume: --replace begins anew")


# --- files as a history ---------------------------------------------------------------------------


class FileHistory:
    """Files that somebody else keeps up to date; `{symbol}` in the path stands for the symbol."""

    def __init__(self, spec: PlainTapeSpec, grid: str, calendar: Calendar, state: Path) -> None:
        self._spec = spec
        self._grid = grid
        self._calendar = calendar
        self._state = state
        self._tapes: dict[tuple[str, str], Tape] = {}

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(str(self._spec.path)).name

    @property
    def adjustment(self) -> str:
        """What the files are declared to be."""
        return self._spec.adjustment

    def days_at_once(self, size: str) -> int:
        """See `History`: a file is read whole."""
        return DAYS_OF_A_FILE

    async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
        """The bars of the file between the two instants."""
        tape = self._tapes.get((symbol, size))
        if tape is None:
            tape = self._tapes[symbol, size] = open_tape(
                self._spec, [symbol], size, self._grid, self._calendar, self._state,
                use_cache=False,
            )  # fmt: skip
        columns = tape.columns[symbol]
        first = bisect_left(columns.start, start)
        until = bisect_left(columns.end, end + 1)
        bars = [
            Bar(
                symbol, columns.start[at], columns.end[at], columns.open[at], columns.high[at],
                columns.low[at], columns.close[at], columns.volume[at],
            )
            for at in range(first, until)
        ]  # fmt: skip
        untrue = [gap for gap in tape.gaps(symbol) if gap.outcome is Outcome.QUARANTINED]
        return Fetched(bars, sum(1 for gap in untrue if start <= gap.start and gap.end <= end))

    async def close(self) -> None:
        """Forget what was read."""
        self._tapes.clear()
