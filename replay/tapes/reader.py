"""Rows to raw columns: every number parsed once, every fault kept with its line."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.core.units import E4_PER_USD
from daemon.errors import RefusedError
from replay.tapes.dialects import Group, Layout, StampKind
from replay.tapes.model import Action, TapeSpec
from replay.tapes.rules import BAD_PRICE, BAD_VOLUME, UNREADABLE, Findings, Rule
from replay.tapes.source import Head, Rows, is_blank, open_rows
from replay.tapes.stamps import (
    FatalStampError,
    StampError,
    StampParser,
    TextStamps,
    epoch_parser,
    find_zone,
    is_epoch,
    milliseconds_parser,
)

# Interactive Brokers writes this volume where a bar has none (quotes instead of trades).
NO_VOLUME = -1
PRICE_MAX_USD = 1e9
VOLUME_MAX = 1e15


@dataclass(slots=True)
class RawBars:
    """One symbol's rows in the order of the file: stamps in ns, prices in 1/10,000 dollar.

    `broken` holds the rows that have a stamp but no usable numbers, by position.
    """

    symbol: str
    stamps: array[int] = field(default_factory=lambda: array("q"))
    open: array[int] = field(default_factory=lambda: array("q"))
    high: array[int] = field(default_factory=lambda: array("q"))
    low: array[int] = field(default_factory=lambda: array("q"))
    close: array[int] = field(default_factory=lambda: array("q"))
    volume: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    broken: dict[int, tuple[Rule, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.stamps)

    def numbers(self) -> tuple[array[int], ...]:
        """The columns that a row consists of, its line last."""
        return (
            self.stamps, self.open, self.high, self.low, self.close, self.volume, self.lines
        )  # fmt: skip


@dataclass(slots=True)
class Reading:
    """What came of reading one file."""

    layout: Layout
    bars: dict[str, RawBars]
    zone: str = ""
    rows: int = 0
    other_symbols: int = 0
    others_seen: set[str] = field(default_factory=set)
    unreadable: int = 0
    moved: int = 0
    moved_far: int = 0
    largest_move: float = 0.0


def read_bars(
    head: Head, layout: Layout, spec: TapeSpec, symbols: Sequence[str], findings: Findings
) -> Reading:
    """All rows of `symbols`; `RefusedError` where the file cannot be what it was taken for."""
    reading = Reading(layout, {symbol: RawBars(symbol) for symbol in symbols})
    parse, zone = stamp_parser(head, layout, spec)
    sole = _sole_symbol(head, layout, symbols)
    _RowReader(head.path, layout, parse, sole, reading, findings).read()
    seen = sorted(parse.zones_seen) if isinstance(parse, TextStamps) else []
    reading.zone = f"carried by the stamps ({', '.join(seen[:4])})" if seen else zone
    return reading


def data_rows(head: Head, layout: Layout) -> list[tuple[int, list[str]]]:
    """The rows of the head that hold bars; `RefusedError` if there is a header only."""
    rows = [(line, cells) for line, cells in head.rows if line > layout.header_line]
    if not rows:
        raise RefusedError(f"{head.where(layout.header_line)}: a header and no bars")
    return rows


def stamp_parser(head: Head, layout: Layout, spec: TapeSpec) -> tuple[StampParser, str]:
    """The parser of this file's stamps, and what the summary says of their zone."""
    line, cells = data_rows(head, layout)[0]
    sample = cells[layout.stamp] if layout.stamp < len(cells) else ""
    if layout.stamp_kind is StampKind.MILLISECONDS_OF_DAY and layout.day and layout.zone:
        zone = find_zone(layout.zone)
        return milliseconds_parser(layout.day, zone), f"{layout.zone} (defined by the dialect)"
    if is_epoch(sample):
        try:
            parse, unit = epoch_parser(sample)
        except FatalStampError as error:
            raise RefusedError(f"{head.where(line)}: {error}") from None
        return parse, f"UTC (epoch {unit})"
    if layout.zone:
        return TextStamps(find_zone(layout.zone)), f"{layout.zone} (defined by the dialect)"
    if spec.timezone:
        return TextStamps(find_zone(spec.timezone)), f"{spec.timezone} (configured)"
    return TextStamps(None), ""


def stamp_of(cells: list[Any], layout: Layout, parse: StampParser) -> int:
    """The instant a row is stamped with; IndexError or StampError where there is none."""
    text = str(cells[layout.stamp])
    return parse(text if layout.time is None else f"{text} {cells[layout.time]}")


def _sole_symbol(head: Head, layout: Layout, symbols: Sequence[str]) -> str:
    """The symbol of rows that do not name one; "" where they do."""
    named = {group.symbol for group in layout.groups if group.symbol}
    if layout.symbol:
        named.add(layout.symbol)
    missing = [symbol for symbol in symbols if named and symbol.upper() not in named]
    if missing:
        raise RefusedError(
            f"{head.path}: holds {', '.join(sorted(named))}, not {', '.join(missing)}"
        )
    if layout.symbol_column is not None or layout.groups[0].symbol:
        return ""
    if len(symbols) != 1:
        raise RefusedError(
            f"{head.path}: its rows name no symbol, so it cannot hold {', '.join(symbols)};"
            " give each its own file: tape.path with {symbol}"
        )
    return symbols[0]


class _RowReader:
    """One pass over a file. The loop is plain on purpose: it runs once a row."""

    def __init__(
        self,
        path: Path,
        layout: Layout,
        parse: StampParser,
        sole: str,
        reading: Reading,
        findings: Findings,
    ) -> None:
        self._path = path
        self._layout = layout
        self._parse = parse
        self._sole = sole
        self._reading = reading
        self._findings = findings
        self._factor = E4_PER_USD // layout.units_per_usd
        self._by_name = {symbol.upper(): bars for symbol, bars in reading.bars.items()}

    def read(self) -> None:
        """Fill the reading's columns."""
        reading, header_line = self._reading, self._layout.header_line
        plain = self._sole and self._layout.time is None and self._layout.groups[0].volume
        with open_rows(self._path) as rows:
            for cells in rows:
                if rows.line_num > header_line:
                    self._row(cells, rows.line_num)
                    if plain and reading.rows:
                        self._read_plain(rows, reading.bars[self._sole])
        if reading.other_symbols and reading.other_symbols == reading.rows:
            seen = sorted(reading.others_seen)
            raise RefusedError(
                f"{self._path}: holds {', '.join(seen[:5])}{' …' if len(seen) > 5 else ''},"
                f" not {', '.join(reading.bars)}"
            )

    def _read_plain(self, rows: Rows, bars: RawBars) -> None:
        """The remaining rows of a file about one symbol.

        `_row` in one piece and three times as fast: it takes the rows that need no thought, and
        hands every other to `_row`.
        """
        parse, factor, stamp_at = self._parse, self._factor, self._layout.stamp
        (open_at, high_at, low_at, close_at), volume_at = (
            self._layout.groups[0].prices, self._layout.groups[0].volume or 0
        )  # fmt: skip
        appends = [column.append for column in bars.numbers()]
        add_stamp, add_open, add_high, add_low, add_close, add_volume, add_line = appends
        limit = PRICE_MAX_USD * self._layout.units_per_usd
        taken = 0
        for cells in rows:
            try:
                stamp = parse(cells[stamp_at])
                open_, high = float(cells[open_at]), float(cells[high_at])
                low, close = float(cells[low_at]), float(cells[close_at])
                volume = int(float(cells[volume_at]))
                open_units, high_units = round(open_ * factor), round(high * factor)
                low_units, close_units = round(low * factor), round(close * factor)
            except (ValueError, TypeError, OverflowError, IndexError):
                self._row(cells, rows.line_num)
                continue
            if (
                not (0 < open_ < limit and 0 < high < limit and 0 < low < limit)
                or not (0 < close < limit and 0 <= volume < VOLUME_MAX)
                or open_units / factor != open_
                or high_units / factor != high
                or low_units / factor != low
                or close_units / factor != close
            ):
                self._row(cells, rows.line_num)
                continue
            taken += 1
            add_stamp(stamp)
            add_open(open_units)
            add_high(high_units)
            add_low(low_units)
            add_close(close_units)
            add_volume(volume)
            add_line(rows.line_num)
        self._reading.rows += taken

    def _row(self, cells: list[Any], line: int) -> None:
        if is_blank(cells):
            return
        layout = self._layout
        self._reading.rows += 1
        try:
            stamp = stamp_of(cells, layout, self._parse)
        except (IndexError, StampError) as error:
            self._unreadable(cells, line, error)
            return
        for group in layout.groups:
            bars = self._bars_of(group, cells)
            if bars is None:
                continue
            try:
                self._bar(bars, group, cells, stamp, line)
            except (ValueError, TypeError, OverflowError, IndexError):
                self._broken(bars, group, cells, stamp, line)

    def _bars_of(self, group: Group, cells: list[Any]) -> RawBars | None:
        """Where this bar goes; None for symbols that nobody asked for and for empty cells."""
        if self._sole:
            return self._reading.bars[self._sole]
        if group.symbol is not None:
            absent = all(cells[i] in ("", None) for i in group.prices if i < len(cells))
            return None if absent else self._by_name.get(group.symbol)
        at = self._layout.symbol_column
        assert at is not None, "a layout without a sole symbol names it in each row"
        name = str(cells[at]).strip().upper() if at < len(cells) else ""
        bars = self._by_name.get(name)
        if bars is None:
            self._reading.other_symbols += 1
            if len(self._reading.others_seen) < 20:
                self._reading.others_seen.add(name)
        return bars

    def _bar(self, bars: RawBars, group: Group, cells: list[Any], stamp: int, line: int) -> None:
        factor = self._factor
        o, h, l, c = group.prices  # noqa: E741 - the letters every trader reads
        values = (float(cells[o]), float(cells[h]), float(cells[l]), float(cells[c]))
        units = [round(value * factor) for value in values]
        volume = int(float(cells[group.volume])) if group.volume is not None else NO_VOLUME
        if not (min(values) > 0 and max(values) < PRICE_MAX_USD * self._layout.units_per_usd):
            raise ValueError("price")
        if not NO_VOLUME <= volume < VOLUME_MAX:
            raise ValueError("volume")
        for value, unit in zip(values, units, strict=True):
            if unit / factor != value:
                self._moved(abs(unit / factor - value))
        bars.stamps.append(stamp)
        bars.open.append(units[0])
        bars.high.append(units[1])
        bars.low.append(units[2])
        bars.close.append(units[3])
        bars.volume.append(volume)
        bars.lines.append(line)

    def _moved(self, by: float) -> None:
        reading = self._reading
        reading.moved += 1
        reading.moved_far += by > 0.00005
        reading.largest_move = max(reading.largest_move, by)

    def _broken(self, bars: RawBars, group: Group, cells: list[Any], stamp: int, line: int) -> None:
        """Keep the row's place, so that its bar counts as quarantined and not as absent."""
        rule, message = UNREADABLE, f"has {len(cells)} cells, too few for its header"
        names = ("open", "high", "low", "close")
        for name, at in zip(names, group.prices, strict=True):
            if at < len(cells) and not _is_price(cells[at]):
                rule, message = BAD_PRICE, f"{name} is {cells[at]!r}"
                break
        else:
            at = group.volume if group.volume is not None else len(cells)
            if at < len(cells):
                rule, message = BAD_VOLUME, f"volume is {cells[at]!r}"
        bars.broken[len(bars)] = (rule, message)
        for column, value in zip(bars.numbers(), (stamp, 0, 0, 0, 0, 0, line), strict=True):
            column.append(value)

    def _unreadable(self, cells: list[Any], line: int, error: Exception) -> None:
        reading = self._reading
        message = str(error) if isinstance(error, StampError) else f"has {len(cells)} cells"
        first = reading.rows == 1
        if first or isinstance(error, FatalStampError):
            raise RefusedError(f"{self._path}:{line}: {message}") from None
        reading.unreadable += 1
        symbol = self._sole or next(iter(reading.bars))
        self._findings.add(UNREADABLE, symbol, line, f"row {message}", action=Action.QUARANTINED)


def _is_price(cell: Any) -> bool:
    try:
        return 0 < float(cell) < float("inf")
    except (TypeError, ValueError):
        return False
