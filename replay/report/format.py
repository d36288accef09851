"""How the report writes numbers, instants and tables: everything from data is escaped here.

Text that comes from a run (labels, reasons, paths) may contain anything; it reaches the page
through `text` and the builders below alone. Money is in dollars, instants are UTC nanoseconds
shown in exchange time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from html import escape
from math import isnan
from zoneinfo import ZoneInfo

from daemon.core.units import MICROS_PER_USD, SECOND_NS

EXCHANGE_ZONE = "America/New_York"
NOT_AVAILABLE = "n/a"
MINUS = "\N{MINUS SIGN}"


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(EXCHANGE_ZONE)


def text(value: object) -> str:
    """Any value as HTML text that cannot become markup, inside an element or an attribute."""
    return escape(str(value), quote=True)


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """A number with thousands separators and a true minus; `n/a` where there is none."""
    if value is None or isnan(value):
        return NOT_AVAILABLE
    written = f"{value:{'+' if sign else ''},.{decimals}f}"
    if not written.strip("+-0.,"):
        written = written.lstrip("+-")
    return written.replace("-", MINUS)


def usd(micros: int, *, sign: bool = False) -> str:
    """Micro-dollars as dollars and cents."""
    return number(micros / MICROS_PER_USD, 2, sign=sign)


def percent(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """A percentage with its sign of unit: 2 becomes `2.00 %`."""
    written = number(value, decimals, sign=sign)
    return written if written == NOT_AVAILABLE else f"{written}\N{NO-BREAK SPACE}%"


def stamp(instant: int) -> str:
    """An instant in exchange time with its zone: `2024-01-02 10:30 EST`."""
    local = datetime.fromtimestamp(instant // SECOND_NS, UTC).astimezone(_zone())
    return local.strftime("%Y-%m-%d %H:%M %Z")


def stamp_of(written: object) -> str:
    """An instant of summary.json (`2024-01-02T15:30:00Z`) in exchange time; other text as it is."""
    try:
        instant = datetime.fromisoformat(str(written))
    except ValueError:
        return str(written)
    return stamp(int(instant.timestamp()) * SECOND_NS) if instant.tzinfo else str(written)


def day(yyyymmdd: int) -> str:
    """A date as people read it: `2 Jan 2024`."""
    when = date(yyyymmdd // 10_000, yyyymmdd // 100 % 100, yyyymmdd % 100)
    return f"{when.day} {when:%b %Y}"


def iso_day(yyyymmdd: int) -> str:
    """A date as programs write it: `2024-01-02`."""
    return f"{yyyymmdd // 10_000:04}-{yyyymmdd // 100 % 100:02}-{yyyymmdd % 100:02}"


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numeric: frozenset[int] = frozenset(),
    css: str = "",
    total: Sequence[object] | None = None,
) -> str:
    """An HTML table of escaped cells; the columns in `numeric` are set flush right."""

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=num' if index in numeric else ''}>{text(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    foot = f"<tfoot><tr>{cells('td', total)}</tr></tfoot>" if total is not None else ""
    return (
        f'<div class=scroll tabindex=0><table class="{css}"><thead><tr>{cells("th", headers)}'
        f"</tr></thead><tbody>{body}</tbody>{foot}</table></div>"
    )


def section(anchor: str, title: str, *parts: str, note: str = "") -> str:
    """A section of the page: `anchor` and `title` are ours, `note` plain text, `parts` HTML."""
    remark = f"<p class=note>{text(note)}</p>" if note else ""
    return (
        f'<section id="{anchor}"><h2>{text(title)}</h2>{remark}'
        + "".join(part for part in parts if part)
        + "</section>"
    )


def block(title: str, *parts: str, note: str = "") -> str:
    """A titled part of a section."""
    remark = f"<p class=note>{text(note)}</p>" if note else ""
    return f"<div class=block><h3>{text(title)}</h3>{remark}{''.join(parts)}</div>"
