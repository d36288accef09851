"""The table of corrected bars, `corrections.csv`; applied whenever processed bars are read.

Columns: `symbol,size,start,kind,open,high,low,close,volume,noted,reason`.

* `size` is 1h, 30m, 15m, 5m or 1m; `start` the instant at which the bar begins (ISO-8601 with `Z`
  or an offset); `reason` says why and is not read.
* `kind` is `set` (cells that are filled in replace what was read; a bar that is not there needs
  all five) or `remove` (the bar counts as missing; the five cells are empty).
* `noted` is the date on which the row was written: prices of a split-adjusted file are adjusted
  for splits that came later than that. Empty: they are taken as they are.
* Of several rows for one bar the last one counts.

What was read stays as it is in its file: a correction that is taken out has never been.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from daemon.config.models import BAR_FILE_WORDS
from daemon.core.events import Split
from daemon.data.replacing import write_whole
from daemon.data.series import Numbers
from daemon.errors import RefusedError, UsageError
from daemon.feeds.times import date_text, iso_z, parse_date, parse_iso, zone_date
from daemon.text_table import EXCHANGE_ZONE

COLUMNS = (
    "symbol", "size", "start", "kind", "open", "high", "low", "close", "volume", "noted",
    "reason",
)  # fmt: skip
PRICES = ("open", "high", "low", "close")


class Correction(NamedTuple):
    """What a bar truly is: None stays as it was read. `remove`: there is no such bar."""

    symbol: str
    size: str
    start: int
    remove: bool = False
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: int | None = None
    noted: int | None = None
    reason: str = ""


def adjusted(correction: Correction, splits: Iterable[Split]) -> Correction:
    """The same in the prices of a file that was adjusted for these splits as they took effect."""
    factor = Fraction(1)
    for split in splits:
        came_later = correction.noted is not None and correction.noted < split.effective
        if came_later and zone_date(correction.start, EXCHANGE_ZONE) < split.effective:
            factor *= Fraction(split.numerator, split.denominator)
    if factor == 1:
        return correction
    prices = (correction.open, correction.high, correction.low, correction.close)
    scaled = [None if price is None else round(price / float(factor), 4) for price in prices]
    volume = correction.volume
    return correction._replace(
        open=scaled[0], high=scaled[1], low=scaled[2], close=scaled[3],
        volume=None if volume is None else round(volume * factor),
    )  # fmt: skip


def corrected(bars: Mapping[int, Numbers], rows: Iterable[Correction]) -> dict[int, Numbers]:
    """Bars by start as whoever reads them sees them."""
    found = dict(bars)
    for row in rows:
        if row.remove:
            found.pop(row.start, None)
            continue
        given = {name: getattr(row, name) for name in Numbers._fields}
        if row.start in found:
            given = {name: value for name, value in given.items() if value is not None}
            found[row.start] = found[row.start]._replace(**given)
        elif None not in given.values():
            found[row.start] = Numbers(**given)
    return found


def read_corrections(path: Path) -> dict[tuple[str, str], dict[int, Correction]]:
    """The corrections by (symbol, size) and start; none where there is no file.

    RefusedError lists every fault as file:line.
    """
    found: dict[tuple[str, str], dict[int, Correction]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for one in _parse(path, lines):
                found.setdefault((one.symbol, one.size), {})[one.start] = one
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RefusedError(f"{path}: the corrections cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise RefusedError(f"{path}: not a CSV file in UTF-8") from None
    return found


def add_correction(path: Path, correction: Correction) -> None:
    """Append a row, whole or not at all; the table must be valid before and after.

    UsageError where the correction is none.
    """
    try:
        _correction(dict(zip(COLUMNS, _cells(correction), strict=True)))
    except ValueError as error:
        raise UsageError(str(error)) from None
    read_corrections(path)
    before = path.read_text(encoding="utf-8-sig") if path.exists() else ",".join(COLUMNS) + "\n"
    if not before.endswith("\n"):
        before += "\n"
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(_cells(correction))
    write_whole(path, before + row.getvalue())


def _cells(correction: Correction) -> list[str]:
    values = [getattr(correction, name) for name in (*PRICES, "volume")]
    return [
        correction.symbol, correction.size, iso_z(correction.start),
        "remove" if correction.remove else "set",
        *("" if value is None else str(value) for value in values),
        "" if correction.noted is None else date_text(correction.noted), correction.reason,
    ]  # fmt: skip


def _parse(path: Path, lines: Iterable[str]) -> list[Correction]:
    rows = csv.reader(lines)
    problems: list[str] = []
    found: list[Correction] = []
    header: list[str] | None = None
    for cells in rows:
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        if header is None:
            header = [cell.strip().lower() for cell in cells]
            if missing := [name for name in COLUMNS[:-2] if name not in header]:
                raise RefusedError(
                    f"{path}:{rows.line_num}: no column {', '.join(missing)}; the header must be "
                    f"{','.join(COLUMNS)}"
                )
            continue
        named = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        try:
            found.append(_correction(named))
        except (ValueError, KeyError) as error:
            text = f"no cell {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"{path}:{rows.line_num}: {text}")
    if problems:
        raise RefusedError(*problems)
    return found


def _correction(cell: Mapping[str, str]) -> Correction:
    if not cell["symbol"]:
        raise ValueError("no symbol")
    if cell["size"] not in BAR_FILE_WORDS:
        raise ValueError(f"size {cell['size']!r} is none of {', '.join(BAR_FILE_WORDS)}")
    if cell["kind"] not in ("set", "remove"):
        raise ValueError(f"kind {cell['kind']!r} is neither set nor remove")
    numbers = {name: _number(name, cell[name]) for name in (*PRICES, "volume")}
    given = [name for name, value in numbers.items() if value is not None]
    remove = cell["kind"] == "remove"
    if remove and given:
        raise ValueError(f"a bar that is removed has no {', '.join(given)}")
    if not remove and not given:
        raise ValueError("sets nothing: give open, high, low, close or volume, or remove the bar")
    volume = numbers.pop("volume")
    return Correction(
        cell["symbol"].upper(), cell["size"], parse_iso(cell["start"]), remove, **numbers,
        volume=None if volume is None else int(volume),
        noted=parse_date(cell["noted"]) if cell.get("noted") else None,
        reason=cell.get("reason", ""),
    )  # fmt: skip


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is not a number") from None
    least = 0 if name == "volume" else 1e-4
    if not least <= value < 1e15:
        raise ValueError(f"{name} {text!r} must be {'0 or more' if not least else 'more than 0'}")
    return round(value, 4)
