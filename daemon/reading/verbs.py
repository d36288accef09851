"""`papertape orders | fills | trades | pnl | gaps`: what the journal says, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from daemon.errors import Exit
from daemon.reading.journaled import Journaled, journal_of
from daemon.reading.tables import fills_of, gaps_of, orders_of, trades_of
from daemon.reading.text import (
    FILLS,
    ORDERS,
    TRADES,
    Screen,
    gaps_lines,
    profit_lines,
    rows_lines,
)
from daemon.text_table import is_plain, terminal_width

Document = dict[str, Any]


def show(state: Path, verb: str, *, today: bool, as_json: bool) -> int:
    """Print the answer of one verb; returns 0."""
    with journal_of(state) as journal:
        document = document_of(journal, verb, today=today)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _, lines = _VERBS[verb]
        print(f"state   {state}", *lines(document, Screen(is_plain(), terminal_width())), sep="\n")
    return Exit.OK


def document_of(journal: Journaled, verb: str, *, today: bool) -> Document:
    """The answer of one verb as a document."""
    make, _ = _VERBS[verb]
    date = journal.today if today else None
    return {**journal.head(date), **make(journal, date)}


def _orders(journal: Journaled, date: int | None) -> Document:
    reader = journal.reader
    return {"orders": orders_of(reader.rows_of("orders"), reader.turns(), date)}


def _fills(journal: Journaled, date: int | None) -> Document:
    return {"fills": fills_of(journal.reader.rows_of("fills"), date)}


def _trades(journal: Journaled, date: int | None) -> Document:
    if journal.now is None:
        return {"trades": []}
    from daemon.live.opening import folded  # it brings libraries that others do not need
    from daemon.reading.profit import portfolio_of

    values, _ = folded(journal.reader, journal.segments[-1])
    positions = portfolio_of(values.portfolio).positions.values()
    return {
        "trades": trades_of(journal.reader.rows_of("trades"), positions, journal.now, date),
    }


def _profit(journal: Journaled, date: int | None) -> Document:
    if journal.now is None:
        return {"sessions": [], "total": None, "positions": []}
    from daemon.live.opening import folded
    from daemon.reading.profit import days_of, position_rows, session_row, steps_of, total_row

    opening = journal.segments[0].opening["values"]["risk"]
    days = days_of(steps_of(journal.reader, journal.segments), opening["starting_cash_micros"])
    values, _ = folded(journal.reader, journal.segments[-1])
    return {
        "sessions": [session_row(day) for day in days if date in (None, day.date)],
        "total": total_row(days) if days and date is None else None,
        "positions": position_rows(values.portfolio),
    }


def _gaps(journal: Journaled, date: int | None) -> Document:
    reader = journal.reader
    gaps, events = reader.rows_of("gaps"), reader.rows_of("feed_events")
    return gaps_of(reader.turns(), gaps, events, date)


Make = Callable[[Journaled, int | None], Document]
Lines = Callable[..., list[str]]

_VERBS: dict[str, tuple[Make, Lines]] = {
    "orders": (_orders, partial(rows_lines, name="orders", columns=ORDERS)),
    "fills": (_fills, partial(rows_lines, name="fills", columns=FILLS)),
    "trades": (_trades, partial(rows_lines, name="trades", columns=TRADES)),
    "pnl": (_profit, profit_lines),
    "gaps": (_gaps, gaps_lines),
}
