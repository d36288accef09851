"""`papertape data show`: the last bars of a symbol, drawn with characters."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.data.corrections import adjusted, corrected, read_corrections
from daemon.data.diff import find_file
from daemon.data.files import read_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.series import NO_VOLUME, Numbers
from daemon.errors import Exit, RefusedError, UsageError
from daemon.feeds.times import iso_z, zone_text
from daemon.text_table import EXCHANGE_ZONE, counted, is_plain, marked

HEIGHT = 14
WIDTH_OF_A_PIPE = 100
_BLOCKS = "▁▂▃▄▅▆▇█"
_BODY, _WICK = "┃", "│"
_PLAIN = {_BODY: "#", _WICK: "|", "▁": "."} | dict.fromkeys(_BLOCKS[1:], "#")

Bars = Sequence[tuple[int, Numbers]]


def data_show(
    state: Path,
    folder: DataFolder,
    symbol: str,
    size: str | None,
    last: int | None,
    *,
    as_json: bool = False,
) -> int:
    """Draw the last bars as they are read, corrections applied; as many as there is room for."""
    if last is not None and last < 1:
        raise UsageError(f"--last must be at least 1, got {last}")
    file = find_file(folder, symbol, size)
    bars, corrections = _bars(folder, file)
    if as_json:
        print(json.dumps(_document(state, file, bars, corrections, last), indent=2))
        return Exit.OK
    room = (shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_OF_A_PIPE) - 12
    shown = bars[-min(last or room, max(10, room)) :]
    first, final = (zone_text(start, EXCHANGE_ZONE) for start in (shown[0][0], shown[-1][0]))
    many = f"{len(shown):,} of {counted(len(bars), 'bar')}"
    if corrections:
        many += f", {corrections:,} corrected"
    lines = [
        f"state   {state}",
        f"{file.symbol} {file.size}: {many}, {first} to {final} ({EXCHANGE_ZONE})",
        *chart(shown, plain=is_plain()),
        _told(shown[-1]),
    ]
    print(_drawable("\n".join(lines)))
    return Exit.OK


def _bars(folder: DataFolder, file: BarFile) -> tuple[Bars, int]:
    """The bars in order as whoever reads the file sees them, and how many are corrected."""
    series = read_series(file, "", "")
    seen = {start: sightings[0].numbers for start, sightings in series.bars.items()}
    table = read_corrections(folder.corrections).get((file.symbol, file.size), {})
    rows = [adjusted(row, series.splits) for row in table.values()]
    found = corrected(seen, rows)
    if not found:
        raise RefusedError(f"{file.path}: holds no bar")
    return sorted(found.items()), sum(1 for row in rows if row.start in found or row.start in seen)


def _document(
    state: Path, file: BarFile, bars: Bars, corrections: int, last: int | None
) -> dict[str, Any]:
    shown = bars if last is None else bars[-last:]
    return {
        "state_directory": str(state), "symbol": file.symbol, "size": file.size,
        "path": str(file.path), "bars": len(bars), "corrected": corrections,
        "rows": [{"start": iso_z(start), **_plain(numbers)} for start, numbers in shown],
    }  # fmt: skip


def _plain(numbers: Numbers) -> dict[str, Any]:
    plain = numbers._asdict()
    return plain | {"volume": None if numbers.volume == NO_VOLUME else numbers.volume}


def chart(bars: Bars, height: int = HEIGHT, *, plain: bool = True) -> list[str]:
    """Candles of the bars, one column each, prices at the right; below them volumes and days.

    Bars that close below their open are red on a terminal, the others green.
    """
    top = max(numbers.high for _, numbers in bars)
    bottom = min(numbers.low for _, numbers in bars)
    step = (top - bottom) / height or 1.0
    lines = []
    for row in range(height):
        ceiling = top - row * step
        cells = [_cell(numbers, ceiling - step, ceiling, plain=plain) for _, numbers in bars]
        label = ceiling - step / 2
        lines.append(f"{''.join(cells)} {label:>10,.2f}")
    if any(numbers.volume > 0 for _, numbers in bars):
        lines.append(f"{_volumes(bars)}     volume")
    lines.append(_days(bars))
    return [line.rstrip() for line in lines]


def _cell(numbers: Numbers, floor: float, ceiling: float, *, plain: bool) -> str:
    """What a bar has between two prices: a part of its body, of its wick, or nothing."""
    high, low = max(numbers.open, numbers.close), min(numbers.open, numbers.close)
    if low <= ceiling and high >= floor:
        mark = _BODY
    elif numbers.low <= ceiling and numbers.high >= floor:
        mark = _WICK
    else:
        return " "
    return marked(mark, "red" if numbers.close < numbers.open else "green", plain=plain)


def _volumes(bars: Bars) -> str:
    most = max(numbers.volume for _, numbers in bars)
    parts = (max(numbers.volume, 0) * (len(_BLOCKS) - 1) / most for _, numbers in bars)
    return "".join(_BLOCKS[round(part)] for part in parts)


def _days(bars: Bars) -> str:
    """Each session's date under its first bar, where there is room for it."""
    line, before = "", ""
    for place, (start, _) in enumerate(bars):
        day = zone_text(start, EXCHANGE_ZONE)[:10]
        if day != before and place >= len(line):
            line = line.ljust(place) + day[5:] + " "
        before = day
    return line


def _told(bar: tuple[int, Numbers]) -> str:
    start, numbers = bar
    volume = "" if numbers.volume == NO_VOLUME else f", volume {numbers.volume:,}"
    return (
        f"last {zone_text(start, EXCHANGE_ZONE)}: open {_price(numbers.open)}, high "
        f"{_price(numbers.high)}, low {_price(numbers.low)}, close {_price(numbers.close)}{volume}"
    )


def _price(dollars: float) -> str:
    """To the digit, with cents at least: 1,234.50, 0.0123."""
    whole, _, part = f"{dollars:,.4f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _drawable(text: str) -> str:
    """The same in plain characters where the terminal knows no others."""
    encoding = sys.stdout.encoding or os.environ.get("LANG", "")
    if "utf" in encoding.lower():
        return text
    return "".join(_PLAIN.get(mark, mark) for mark in text)
