"""Bars from files into the state's own: `papertape data import`, and files as a `History`."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.core.events import Bar, Split
from daemon.core.units import SECOND_NS
from daemon.corporate_actions import read_actions
from daemon.data.files import read_series, write_series
from daemon.data.folder import BarFile, DataFolder
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
    merge,
    sighted,
    suspected_split,
)
from daemon.errors import Exit, RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import iso_z, zone_date, zone_text
from daemon.text_table import counted
from replay.tapes import PlainTapeSpec, Severity, Tape, open_tape
from replay.tapes.infer import infer

DAYS_OF_A_FILE = 100_000


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and how to read it; None: as the files say."""

    files: Sequence[Path]
    spec: PlainTapeSpec
    symbols: Sequence[str] | None = None
    size: str | None = None
    grid: str | None = None
    replace: bool = False


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

    What is imported together counts as seen at one time, so the order of files means nothing.
    """
    now = (time.time_ns() if now is None else now) // SECOND_NS * SECOND_NS
    progress = Progress()
    read: list[_Read] = []
    for path in request.files:
        progress.show(f"reading {path.name}")
        inferred, tape = _opened(path, request, calendar, state)
        progress.clear()
        print("\n".join((f"{path}", *(f"  {line}" for line in inferred))))
        read += _bars_of(tape, path)
    with folder.held():
        for path in request.files:
            _keep_raw(path, folder)
        table = [one for one in read_actions(folder.actions) if isinstance(one, Split)]
        for key in dict.fromkeys(one.key for one in read):
            parts = [one for one in read if one.key == key]
            progress.show(f"merging {key.symbol}")
            line = _merge(key, parts, request, folder, table, calendar, now)
            progress.clear()
            print(line)
    return Exit.OK


def _opened(
    path: Path, request: ImportRequest, calendar: Calendar, state: Path
) -> tuple[list[str], Tape]:
    """The tape, and what it was taken for with what is wrong with it."""
    spec = _with_path(request.spec, path)
    inferred = infer(
        path, spec, calendar, symbols=request.symbols, size=request.size, grid=request.grid
    )
    tape = open_tape(
        spec, inferred.symbols, inferred.size, inferred.grid, calendar, state, use_cache=False
    )
    lines = [*tape.understood.lines(), *(f"inferred    {line}" for line in inferred.how)]
    for rule, count in tape.fault_counts.items():
        fault = next(fault for fault in tape.faults if fault.rule.startswith(rule))
        if fault.severity != Severity.INFO:
            lines.append(f"{fault.severity:<11} {fault.rule}: {count:,}, {fault.action}")
    return lines, tape


def _with_path(spec: PlainTapeSpec, path: Path) -> PlainTapeSpec:
    return PlainTapeSpec(
        path, spec.dialect, spec.timezone, spec.stamps, spec.adjustment, "quarantine", spec.columns
    )


def _bars_of(tape: Tape, path: Path) -> Iterator[_Read]:
    understood = tape.understood
    for symbol, columns in tape.columns.items():
        volumes = columns.volume if tape.has_volume else [NO_VOLUME] * len(columns)
        prices = zip(columns.open, columns.high, columns.low, columns.close, volumes, strict=True)
        bars = zip(columns.start, (Numbers(*row) for row in prices), strict=True)
        yield _Read(Key(symbol, understood.size, understood.grid), list(bars), path.name)


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
    if request.replace and file.path.exists():
        _put_away(file, folder, now)
        series = Series(key, adjustment)
    else:
        series = read_series(file, key.grid, adjustment)
    bring_to_date(series, table, today)
    merged = Merged()
    for part in parts:
        told = Series(key, adjustment, bars=sighted(part.bars, now, part.source))
        assert told.last is not None, "a tape has at least one bar"
        told.adjusted_until = zone_date(told.last, calendar.zone)
        _check(file, series, told)
        bring_to_date(told, table, today)
        _refuse_a_split(file, series, told)
        merged = Merged(*map(sum, zip(merged, merge(series, told.bars), strict=True)))
        adjust_together(series, told, table, today)
    write_series(file, series)
    first, last = (zone_text(at, calendar.zone)[:16] for at in (min(series.bars), max(series.bars)))
    differing = ""
    if merged.differing:
        differing = (
            f", {merged.differing:,} that differ from what was seen first (kept apart: `papertape "
            f"data diff {key.symbol}`)"
        )
    return (
        f"{key.symbol} {key.size}: {counted(merged.added, 'new bar')}, {merged.known:,} known"
        f"{differing}; {file.path} holds {counted(len(series.bars), 'bar')}, {first} to {last}"
    )


def _refuse_a_split(file: BarFile, series: Series, told: Series) -> None:
    ratio = suspected_split(series, told.bars)
    if ratio is not None:
        symbol = told.key.symbol
        raise RefusedError(
            f"{file.path}: prices that are there are {ratio} times those of the import: if that is "
            f"a split, list it first (`papertape data action add {symbol} split "
            f"{ratio.numerator}:{ratio.denominator} --effective DATE`); otherwise --replace"
        )


def _put_away(file: BarFile, folder: DataFolder, now: int) -> None:
    """Keep what is replaced with the raw files, and forget its history."""
    stamp = iso_z(now).replace("-", "").replace(":", "")
    write_whole(folder.raw / f"replaced-{stamp}-{file.path.name}", file.path.read_bytes())
    file.revisions.unlink(missing_ok=True)


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

    def days_at_once(self, size: str) -> int:
        """See `History`: a file is read whole."""
        return DAYS_OF_A_FILE

    async def fetch(self, symbol: str, size: str, start: int, end: int) -> Sequence[Bar]:
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
        return [
            Bar(
                symbol, columns.start[at], columns.end[at], columns.open[at], columns.high[at],
                columns.low[at], columns.close[at], columns.volume[at],
            )
            for at in range(first, until)
        ]  # fmt: skip

    async def close(self) -> None:
        """Forget what was read."""
        self._tapes.clear()
