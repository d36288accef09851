"""A series as files: read whole, written whole.

The bars are in papertape's own form, which any tape may have, so nothing else needs to know of
the two files beside them. A file of bars without those is one that somebody has put there: its
bars count as seen before everything that is merged with it.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from daemon.core.events import Split
from daemon.data.folder import BarFile
from daemon.data.replacing import write_together
from daemon.data.series import Key, Numbers, Seen, Series, in_order
from daemon.errors import RefusedError
from daemon.feeds.times import iso_z, parse_iso, zone_date
from daemon.text_table import EXCHANGE_ZONE

HEADER = ("timestamp", "open", "high", "low", "close", "volume")
REVISIONS_HEADER = (*HEADER, "seen", "source")


class About(Struct, frozen=True):
    """What the columns cannot say; see `Series`.

    `runs` are (start, seen, source): from that bar on, up to the next run's, bars were seen first
    then (ISO-8601; empty: before anybody kept count) and from there.
    """

    symbol: str
    size: str
    grid: str
    adjustment: str
    adjusted_until: int
    splits: list[tuple[int, int, int]]
    runs: list[tuple[str, str, str]]


def read_about(file: BarFile) -> About | None:
    """What is known of a file; None where nothing is."""
    try:
        return msgspec.json.decode(file.about.read_bytes(), type=About)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise RefusedError(
            f"{file.about}: cannot be read ({error}); without it the file of bars counts as one "
            f"that was put there by hand"
        ) from None


def read_series(file: BarFile, grid: str, adjustment: str) -> Series:
    """The bars of a file with their history; an empty series where there is none.

    `grid` and `adjustment` count where the file does not say.
    """
    about = read_about(file) if file.path.exists() else None
    if about is None:
        series, runs = Series(Key(file.symbol, file.size, grid), adjustment), []
    else:
        series = Series(
            Key(file.symbol, file.size, about.grid),
            about.adjustment,
            about.adjusted_until,
            tuple(Split(file.symbol, *split) for split in about.splits),
        )
        runs = about.runs
    starts = [parse_iso(start) for start, _, _ in runs]
    marks = [(_instant(seen), source) for _, seen, source in runs]
    for start, numbers in _rows(file.path, HEADER):
        at = bisect_right(starts, start) - 1
        seen, source = marks[at] if at >= 0 else (0, "")
        series.bars[start] = (Seen(seen, numbers, source),)
    for start, numbers, seen, source in _revisions(file.revisions):
        known = series.bars.get(start, ())
        series.bars[start] = in_order((*known, Seen(seen, numbers, source)))
    if about is None and series.last is not None:
        series.adjusted_until = zone_date(series.last, EXCHANGE_ZONE)
    return series


def write_series(file: BarFile, series: Series) -> None:
    """Replace the files of a series, all of them or none."""
    starts = series.starts
    revised = list(series.revised())
    contents = dict[Path, str | None]()
    if revised:
        rows = [
            (iso_z(start), *_cells(one.numbers), iso_z(one.seen) if one.seen else "", one.source)
            for start, sightings in revised
            for one in sightings
        ]
        contents[file.revisions] = _csv(REVISIONS_HEADER, rows)
    elif file.revisions.exists():
        contents[file.revisions] = None
    key = series.key
    about = About(
        key.symbol, key.size, key.grid, series.adjustment, series.adjusted_until,
        [(split.effective, split.numerator, split.denominator) for split in series.splits],
        list(_runs(series, starts)),
    )  # fmt: skip
    contents[file.about] = msgspec.json.format(msgspec.json.encode(about)).decode() + "\n"
    current = [(iso_z(start), *_cells(series.bars[start][0].numbers)) for start in starts]
    contents[file.path] = _csv(HEADER, current)
    write_together(contents)


def _runs(series: Series, starts: list[int]) -> Iterator[tuple[str, str, str]]:
    before: tuple[int, str] | None = None
    for start in starts:
        first = series.bars[start][0]
        if (first.seen, first.source) != before:
            before = (first.seen, first.source)
            yield iso_z(start), iso_z(first.seen) if first.seen else "", first.source


def _cells(numbers: Numbers) -> tuple[str, ...]:
    return (*(f"{price:.4f}".rstrip("0").rstrip(".") for price in numbers[:4]), str(numbers.volume))


def _csv(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


# --- reading --------------------------------------------------------------------------------------


def _revisions(path: Path) -> Iterator[tuple[int, Numbers, int, str]]:
    for start, numbers, seen, source in _rows(path, REVISIONS_HEADER):
        yield start, numbers, _instant(seen), source


def _instant(text: str) -> int:
    return parse_iso(text) if text else 0


def _rows(path: Path, header: tuple[str, ...]) -> Iterator[Any]:
    """Start, numbers and further cells of each row; RefusedError names the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text)
            first = next(rows, None)
            if first is None or tuple(first[: len(header)]) != header:
                raise RefusedError(
                    f"{path}:1: is not papertape's own form ({','.join(header)}): move it away and "
                    f"`papertape data import` it"
                )
            for cells in rows:
                try:
                    yield parse_iso(cells[0]), _numbers(cells), *cells[6 : len(header)]
                except (ValueError, IndexError) as error:
                    raise RefusedError(f"{path}:{rows.line_num}: {error}") from None
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RefusedError(f"{path}: cannot be read: {error}") from None


def _numbers(cells: list[str]) -> Numbers:
    opened, high, low, close = (round(float(cell), 4) for cell in cells[1:5])
    numbers = Numbers(opened, high, low, close, int(float(cells[5])))
    if not all(0 < price < float("inf") for price in numbers[:4]):
        raise ValueError(f"prices {', '.join(cells[1:5])} are not all positive numbers")
    return numbers
