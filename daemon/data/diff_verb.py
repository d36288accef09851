"""`papertape data diff`: what bars were said to be when they were seen, and what later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daemon.data.files import read_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.series import Seen, Sightings
from daemon.errors import Exit
from daemon.feeds.times import iso_z, zone_text
from daemon.text_table import EXCHANGE_ZONE, counted, is_plain, marked, table, terminal_width

ROWS_SHOWN = 40
_NAMES = ("open", "high", "low", "close", "volume")
_LEAST = ("seen first", "source", "open", "high", "low", "volume")
"""What a narrow terminal does without, first to last."""


def data_diff(
    state: Path, folder: DataFolder, symbol: str, size: str | None, *, as_json: bool
) -> int:
    """Print the bars that were revised; 1 where there are any."""
    file = folder.find(symbol, size)
    series = read_series(file, "", "")
    revised = list(series.revised())
    if as_json:
        document = {
            "state_directory": str(state), "symbol": file.symbol, "size": file.size,
            "path": str(file.path), "bars": len(series.bars), "revised": len(revised),
            "rows": [_plain(start, sightings) for start, sightings in revised],
        }  # fmt: skip
        print(json.dumps(document, indent=2))
    else:
        print("\n".join([f"state   {state}", *_lines(file, len(series.bars), revised)]))
    return Exit.CHECK_FAILED if revised else Exit.OK


def _plain(start: int, sightings: Sightings) -> dict[str, Any]:
    return {
        "start": iso_z(start),
        "sightings": [
            {
                "seen": iso_z(one.seen) if one.seen else None,
                "source": one.source,
                **one.numbers._asdict(),
            }
            for one in sightings
        ],
    }


def _lines(file: BarFile, bars: int, revised: list[tuple[int, Sightings]]) -> list[str]:
    if not revised:
        return [f"{file.symbol} {file.size}: {counted(bars, 'bar')}, none was ever revised"]
    rows = [
        _row(start, sightings[0], later) for start, sightings in revised for later in sightings[1:]
    ]
    lines = _fitting(rows[-ROWS_SHOWN:], terminal_width())
    if len(rows) > ROWS_SHOWN:
        lines.append(f"… and {len(rows) - ROWS_SHOWN:,} before ({file.revisions})")
    told = (
        f"{len(revised):,} of {counted(bars, 'bar')} revised; what was seen first counts "
        f"(times: {EXCHANGE_ZONE})"
    )
    return [f"{file.symbol} {file.size}: {told}", *lines]


def _fitting(rows: list[list[str]], room: int | None) -> list[str]:
    """The table, without what matters least where the terminal is too narrow for all of it."""
    header = ["bar begins", *_NAMES, "close %", "seen first", "revised", "source"]
    left_out: list[str] = []
    while True:
        shown = [at for at, name in enumerate(header) if name not in left_out]
        lines = table(
            [header[at] for at in shown], [[row[at] for at in shown] for row in rows],
            right=(*_NAMES, "close %"),
        )  # fmt: skip
        if room is None or max(map(len, lines)) <= room or len(left_out) == len(_LEAST):
            break
        left_out.append(_LEAST[len(left_out)])
    lines[0] = marked(lines[0], "bold", plain=is_plain())
    return [*lines, f"left out here: {', '.join(left_out)} (--json has all)"] if left_out else lines


def _row(start: int, first: Seen, later: Seen) -> list[str]:
    cells = [
        "" if was == now else f"{_number(was)} → {_number(now)}"
        for was, now in zip(first.numbers, later.numbers, strict=True)
    ]
    change = 100 * (later.numbers.close / first.numbers.close - 1)
    return [
        zone_text(start, EXCHANGE_ZONE), *cells, f"{change:+.2f}" if change else "",
        _when(first.seen), _when(later.seen), later.source,
    ]  # fmt: skip


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}".rstrip("0").rstrip(".")


def _when(seen: int) -> str:
    return zone_text(seen, EXCHANGE_ZONE)[:16] if seen else "before"
