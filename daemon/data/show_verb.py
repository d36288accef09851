"""`papertape data show`: the last bars of a symbol, as whoever reads its file sees them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from daemon.data.chart import Bars, chart, drawable
from daemon.data.corrections import adjusted, corrected, read_corrections
from daemon.data.files import read_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.series import NO_VOLUME, Numbers
from daemon.errors import Exit, RefusedError, UsageError
from daemon.feeds.times import iso_z, zone_text
from daemon.text_table import EXCHANGE_ZONE, counted, is_plain

WIDTH_OF_A_PIPE = 100


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
    file = folder.find(symbol, size)
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
    encoding = sys.stdout.encoding or os.environ.get("LANG", "")
    print(drawable("\n".join(lines), encoding))
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
