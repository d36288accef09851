"""What a file says about itself, for a check without a config: symbols, bar size, grid.

Only what is safe is inferred, and the caller prints all of it: the size from the distance that
most bars have, symbols from a column, a header or the file's name, the grid from where bars begin.
A zone is never inferred: stamps carry it or the dialect defines it.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, GRIDS
from replay.tapes.dialects import Layout, find_layout
from replay.tapes.fit import common_step, count_labels, span_text
from replay.tapes.model import TapeSpec
from replay.tapes.reader import stamp_of, stamp_parser
from replay.tapes.source import Head, is_blank, open_rows, read_head
from replay.tapes.stamps import FatalStampError, StampError, StampParser

STAMPS_LOOKED_AT = 5_000
SYMBOLS_MAX = 1_000
UNNAMED = "UNNAMED"
"""The symbol of a file that says nowhere which one it is of."""
_NAME = re.compile(r"([A-Za-z]{1,5}(?:\.[A-Za-z])?)(?:[_\-. ]|$)")


class Inferred(Struct, frozen=True):
    """What to open the file with; `how` says where each inferred part came from."""

    symbols: tuple[str, ...]
    size: str
    grid: str
    how: tuple[str, ...]


def infer(
    path: Path,
    spec: TapeSpec,
    calendar: Calendar,
    *,
    symbols: Sequence[str] | None = None,
    size: str | None = None,
    grid: str | None = None,
) -> Inferred:
    """Fill in what the caller did not say; `RefusedError` where the file does not say it either."""
    how: list[str] = []
    head = read_head(path)
    layout = find_layout(head, spec)
    found, stamps = _look_through(head, layout, stamp_parser(head, layout, spec)[0])
    if not symbols:
        symbols, origin = _symbols(head, layout, found)
        how.append(f"symbol {', '.join(symbols[:5])}{' …' * (len(symbols) > 5)} ({origin})")
    if size is None:
        size = _size(head, stamps)
        how.append(f"size {size} (the most common distance between bars)")
    if grid is None:
        fits = {each: count_labels(stamps, calendar, size, each, spec.stamps) for each in GRIDS}
        grid = max(GRIDS, key=lambda each: fits[each][0])
        if fits["session"] != fits["clock"]:
            how.append(f"grid {grid} (where bars begin)")
    return Inferred(tuple(symbols), size, grid, tuple(how))


def _look_through(
    head: Head, layout: Layout, parse: StampParser
) -> tuple[dict[str, None], array[int]]:
    """The symbols of a symbol column in order of appearance, and the first symbol's stamps."""
    symbols: dict[str, None] = {}
    stamps: list[int] = []
    column = layout.symbol_column
    with open_rows(head.path) as rows:
        for cells in rows:
            if rows.line_num <= layout.header_line or is_blank(cells):
                continue
            named = column is not None and column < len(cells)
            symbol = str(cells[column or 0]).strip().upper() if named else ""
            if len(symbols) < SYMBOLS_MAX:
                symbols.setdefault(symbol)
            if len(stamps) < STAMPS_LOOKED_AT and symbol == next(iter(symbols)):
                try:
                    stamps.append(stamp_of(cells, layout, parse))
                except FatalStampError as error:
                    raise RefusedError(f"{head.path}:{rows.line_num}: {error}") from None
                except (StampError, IndexError):
                    continue
            elif column is None and len(stamps) == STAMPS_LOOKED_AT:
                break
    if not stamps:
        raise RefusedError(f"{head.path}: no row begins with a time stamp")
    return symbols, array("q", sorted(stamps))


def _symbols(head: Head, layout: Layout, found: dict[str, None]) -> tuple[tuple[str, ...], str]:
    named = tuple(group.symbol for group in layout.groups if group.symbol)
    if named:
        return named, "from the header"
    if layout.symbol_column is not None:
        return tuple(symbol for symbol in found if symbol), "from its column"
    if layout.symbol:
        return (layout.symbol,), "from the name of the file in the zip"
    match = _NAME.match(head.path.name.split(".")[0])
    return ((match[1].upper(),), "from the file's name") if match else ((UNNAMED,), "none given")


def _size(head: Head, stamps: array[int]) -> str:
    step = common_step(stamps)
    size = next((name for name, ns in BAR_SIZES_NS.items() if ns == step), None)
    if size is None:
        what = f"bars are {span_text(step)} apart" if step else "bars have no common distance"
        raise RefusedError(f"{head.path}: {what}; papertape trades {', '.join(BAR_SIZES_NS)}")
    return size
