"""Small tables and marks for answers on a terminal; in a pipe they are plain text.

No library draws them: listing runs should not take longer than reading them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

EXCHANGE_ZONE = "America/New_York"
NOT_AVAILABLE = "n/a"

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def is_plain() -> bool:
    """True where colours do not belong: a pipe, a dumb terminal, NO_COLOR."""
    environment = os.environ
    dumb = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return dumb or not sys.stdout.isatty()


def terminal_width() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere, which has no width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def marked(text: str, mark: str, *, plain: bool) -> str:
    """Text in a colour or weight (`bold`, `dim`, `red`, `green`, `yellow`), or as it is."""
    return text if plain or not text else f"\x1b[{_CODES[mark]}m{text}\x1b[0m"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    marks: Sequence[str | None] = (),
    plain: bool = True,
    indent: str = "",
) -> list[str]:
    """Aligned lines under a header; columns named in `right` are flush right.

    `marks` colours whole rows, one entry a row; columns that are empty in all rows are left out.
    """
    kept = [i for i in range(len(header)) if not rows or any(row[i] for row in rows)]
    widths = {i: max(len(header[i]), *(len(row[i]) for row in rows), 0) for i in kept}

    def line(cells: Sequence[str]) -> str:
        padded = (
            cells[i].rjust(widths[i]) if header[i] in right else cells[i].ljust(widths[i])
            for i in kept
        )
        return (indent + "  ".join(padded)).rstrip()

    lines = [marked(line(header), "bold", plain=plain)]
    for number, row in enumerate(rows):
        mark = marks[number] if number < len(marks) else None
        text = line(row)
        lines.append(marked(text, mark, plain=plain) if mark else text)
    return lines


def number_text(value: object) -> str:
    """A value of JSON as people read it: 1,234.50, 12, true, n/a, text as it is."""
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e15 else _trimmed(value)
    return str(value)


def exchange_time(stamp: str) -> str:
    """An ISO-8601 stamp with Z as exchange time: `2024-01-02 10:30 EST`; other text as it is."""
    try:
        instant = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    if instant.tzinfo is None:
        return stamp
    local = instant.astimezone(ZoneInfo(EXCHANGE_ZONE))
    clock = "%H:%M:%S" if local.second else "%H:%M"
    return local.strftime(f"%Y-%m-%d {clock} %Z")


def bytes_text(size_bytes: int) -> str:
    """A size on disk: `340 B`, `12.3 kB`, `1.2 MB`."""
    size, units = float(size_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def counted(count: int, word: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _trimmed(value: float) -> str:
    if 0 < abs(value) < 0.01:
        return f"{value:.4g}"
    decimals = 2 if abs(value) >= 100 else 4
    whole, _, part = f"{value:,.{decimals}f}".partition(".")
    part = part.rstrip("0").ljust(2, "0")
    return f"{whole}.{part}"
