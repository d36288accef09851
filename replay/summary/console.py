"""The summary of a run on a terminal, or as plain text in a pipe.

Colours, weights and boxes are rich's, and rich is imported only for a terminal: a replay whose
output goes to a file does not pay for it. Both forms say the same and fit 80 columns; from 110
columns on the headings stand in two columns where they fit.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from daemon.text_table import exchange_time
from daemon.text_table import table as text_table
from replay.summary.console_rows import Block, Cell, Footnotes, Row, blocks_of
from replay.summary.figures import Section

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Json = Mapping[str, Any]

NARROW, WIDE = 80, 110
GAP = 2
BETWEEN_COLUMNS = 4
RIGHT_HAND = frozenset({Section.RISK, Section.TRADES})
GROUPS = (
    ("by_symbol", "symbol", "Symbol"),
    ("by_exit_reason", "reason", "Exit reason"),
    ("by_entry_reason", "reason", "Entry reason"),
)
GROUPS_SHOWN = 12
OPEN_SHOWN = 10

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def print_summary(
    summary: Json, manifest: Json, *, baseline: Json | None = None, plain: bool
) -> None:
    """Print summary.json for people; with `baseline` (another summary) beside it and the change.

    `plain` writes text without colours or boxes whatever the terminal; so does a pipe. The text
    is ASCII where the output's encoding is not a Unicode one.
    """
    width = max(NARROW, shutil.get_terminal_size((NARROW, 24)).columns)
    if plain or not sys.stdout.isatty():
        encoding = sys.stdout.encoding or "ascii"
        is_unicode = encoding.lower().replace("-", "").startswith("utf")
        for line in plain_lines(
            summary, manifest, baseline, width, rule="─" if is_unicode else "-"
        ):
            print(line.encode(encoding, "replace").decode(encoding))
        return
    from rich.console import Console

    print_rich(Console(width=width, highlight=False), summary, manifest, baseline)


# --- plain text -----------------------------------------------------------------------------------


def plain_lines(
    summary: Json, manifest: Json, baseline: Json | None, width: int, *, rule: str = "-"
) -> list[str]:
    """The summary as lines of at most `width` characters (80 at least)."""
    footnotes = Footnotes()
    blocks = blocks_of(summary, baseline, footnotes)
    sides = _sides(blocks, width)
    has_baseline = baseline is not None
    drawn = [_plain_side(side, rule, has_baseline=has_baseline) for side in sides]
    lines = [heading(summary, manifest), ""]
    lines += _beside(*drawn) if len(drawn) == 2 else drawn[0]
    for header, rows in _tables(summary):
        lines += ["", *text_table(header, rows, right=header[1:])]
    lines += _closing_lines(summary, manifest, footnotes, width)
    return [line.rstrip() for line in lines]


def _plain_side(blocks: Sequence[Block], rule: str, *, has_baseline: bool) -> list[str]:
    widths = _widths(blocks)
    total = _total(widths)
    lines: list[str] = []
    for block in blocks:
        title = block.title
        if has_baseline and not lines:
            columns = ("run", "baseline", "change")
            cells = [text.rjust(size) for text, size in zip(columns, widths[1:], strict=True)]
            title = f"{block.title:<{widths[0]}}" + "".join(" " * GAP + cell for cell in cells)
        lines += [*([""] if lines else []), title, rule * total]
        for row in block.rows:
            cells = [row.label.ljust(widths[0])]
            cells += [
                (cell.text if cell else "").rjust(size)
                for cell, size in zip(_cells(row), widths[1:], strict=False)
            ]
            lines.append((" " * GAP).join(cells))
    return lines


def _beside(left: Sequence[str], right: Sequence[str]) -> list[str]:
    reach = max(map(len, left)) + BETWEEN_COLUMNS
    count = max(len(left), len(right))
    padded = [*left, *[""] * (count - len(left))], [*right, *[""] * (count - len(right))]
    return [a.ljust(reach) + b for a, b in zip(*padded, strict=True)]


def _closing_lines(summary: Json, manifest: Json, footnotes: Footnotes, width: int) -> list[str]:
    lines: list[str] = []
    for number, reason in enumerate(footnotes.reasons, 1):
        lines.append(f"({number}) {reason}")
    for sentence in summary.get("warnings") or ():
        lines += wrap(localised(sentence), width - 2, initial_indent="! ", subsequent_indent="  ")
    return [*([""] if lines else []), *lines, "", *wrap(closing(manifest), width - 2)]


# --- rich -----------------------------------------------------------------------------------------


def print_rich(console: Console, summary: Json, manifest: Json, baseline: Json | None) -> None:
    """The summary through rich, coloured as far as the console allows."""
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    footnotes = Footnotes()
    sides = _sides(blocks_of(summary, baseline, footnotes), console.width)
    grid = RichTable.grid(padding=(0, BETWEEN_COLUMNS, 0, 0))
    grid.add_row(*(_rich_side(side, has_baseline=baseline is not None) for side in sides))
    console.print(Text(heading(summary, manifest), style="bold"))
    console.print(Padding(grid, (1, 0, 0, 0)))
    for header, rows in _tables(summary):
        console.print(Padding(_rich_table(header, rows), (1, 0, 0, 0)))
    if footnotes.reasons:
        console.print()
    for number, reason in enumerate(footnotes.reasons, 1):
        console.print(Text(f"({number}) {reason}", style="dim"))
    warned = RichTable.grid(padding=(0, 1, 0, 0))
    for sentence in summary.get("warnings") or ():
        warned.add_row(Text("!", style="bold yellow"), Text(localised(sentence)))
    if warned.row_count:
        console.print(Padding(warned, (0 if footnotes.reasons else 1, 0, 0, 0)))
    console.print()
    console.print(Text(closing(manifest), style="dim"))


def _rich_side(blocks: Sequence[Block], *, has_baseline: bool) -> RenderableType:
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    widths = _widths(blocks)
    parts: list[RenderableType] = []
    for block in blocks:
        grid = RichTable.grid(padding=(0, GAP, 0, 0))
        grid.pad_edge = False
        for index, width in enumerate(widths):
            grid.add_column(width=width, justify="right" if index else "left", no_wrap=True)
        title: list[RenderableType] = [Text(block.title, style="bold cyan")]
        if has_baseline and not parts:
            title += [Text(name, style="dim") for name in ("run", "baseline", "change")]
        for row in block.rows:
            cells = [Text(cell.text, style=str(cell.tone)) if cell else "" for cell in _cells(row)]
            grid.add_row(Text(row.label), *cells)
        head = RichTable.grid(padding=(0, GAP, 0, 0))
        for index, width in enumerate(widths if len(title) > 1 else [sum(widths)]):
            head.add_column(width=width, justify="right" if index else "left", no_wrap=True)
        head.add_row(*title)
        rule = Text("─" * _total(widths), style="dim")
        parts += [*([Text("")] if parts else []), head, rule, grid]
    return Group(*parts)


def _rich_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold cyan"
    )
    for index, name in enumerate(header):
        drawn.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        cells = [Text(text, style="red" if text.startswith("-") else "") for text in row[1:]]
        drawn.add_row(Text(row[0]), *cells)
    return drawn


# --- what both say --------------------------------------------------------------------------------


def heading(summary: Json, manifest: Json) -> str:
    """The run in a line: name, symbols, bar size, label."""
    name = summary.get("name") or manifest.get("name") or "run"
    label = manifest.get("label")
    symbols = ", ".join(summary.get("symbols") or ())
    parts = [name, f"{symbols} {summary.get('bar_size') or ''}".strip(), label or ""]
    return "  ".join(str(part) for part in parts if part)


def closing(manifest: Json) -> str:
    """The last line: the zone of the instants above, how long the run took, its digest."""
    parts = ["Times are exchange time (New York)."]
    bars, seconds = manifest.get("bars"), manifest.get("wall_seconds")
    if bars and seconds:
        parts.append(f"{bars:,} bars in {seconds:.2f} s ({bars / seconds:,.0f} a second).")
    if digest := manifest.get("digest"):
        parts.append(f"Digest {str(digest)[:12]}.")
    return " ".join(parts)


def localised(sentence: str) -> str:
    """A sentence with its instants in exchange time."""
    return " ".join(_localised_word(word) for word in sentence.split(" "))


def _localised_word(word: str) -> str:
    core = word.rstrip(",.:;)")
    if not (core.endswith("Z") and core[:4].isdigit()):
        return word
    return exchange_time(core) + word[len(core) :]


def _tables(summary: Json) -> list[Table]:
    """The tables below the rows: trades by symbol and reason, and those still open."""
    tables: list[Table] = []
    for key, name_key, title in GROUPS:
        rows = summary.get(key) or []
        if len(rows) > (0 if key == "by_exit_reason" else 1):
            header = (title, "Trades", "Won %", "Average %", "Profit USD")
            tables.append((header, [_group(row, name_key) for row in rows[:GROUPS_SHOWN]]))
    if opened := summary.get("open_trade_list"):
        columns = ("Open", "Quantity", "Entry", "Price", "Mark", "Return %", "Profit USD")
        tables.append((columns, [_open_trade(row) for row in opened[:OPEN_SHOWN]]))
    return tables


def _group(row: Json, name_key: str) -> tuple[str, ...]:
    won, average = row["win_rate_pct"], row["average_trade_pct"]
    return (
        str(row[name_key]),
        f"{row['trades']:,}",
        "n/a" if won is None else f"{won:.1f}",
        "n/a" if average is None else f"{average:.2f}",
        f"{row['profit_usd']:,.2f}",
    )


def _open_trade(row: Json) -> tuple[str, ...]:
    sign = 1 if row["direction"] == "long" else -1
    return (
        str(row["symbol"]),
        f"{sign * row['quantity']:+,}",
        exchange_time(row["entry_ts"])[:16],
        f"{row['entry_price_usd']:,.2f}",
        f"{row['mark_price_usd']:,.2f}",
        f"{row['return_pct']:.2f}",
        f"{row['profit_usd']:,.2f}",
    )


def _sides(blocks: Sequence[Block], width: int) -> list[list[Block]]:
    """All headings below each other, or in two columns where they fit a wide terminal."""
    left = [block for block in blocks if block.title not in RIGHT_HAND]
    right = [block for block in blocks if block.title in RIGHT_HAND]
    if width >= WIDE:
        reach = _total(_widths(left)) + BETWEEN_COLUMNS + _total(_widths(right))
        if reach <= width:
            return [left, right]
    return [list(blocks)]


def _cells(row: Row) -> list[Cell | None]:
    return [row.value] if row.baseline is None else [row.value, row.baseline, row.change]


def _widths(blocks: Sequence[Block]) -> list[int]:
    rows = [row for block in blocks for row in block.rows]
    widths = [max(len(row.label) for row in rows)]
    columns = max(len(_cells(row)) for row in rows)
    least = 0 if columns == 1 else len("baseline")
    for index in range(columns):
        cells = [_cells(row)[index] for row in rows if index < len(_cells(row))]
        widths.append(max([least, *(len(cell.text) for cell in cells if cell)]))
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
