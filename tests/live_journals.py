"""Live journals for tests: turns that are written out, and state directories that hold them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from daemon.core.events import (
    Bar,
    MarketSlice,
    Note,
    Outcome,
    Prediction,
    Session,
    Side,
    Tick,
    TickKind,
)
from daemon.core.outputs import Denial, Fill, Origin, Reason
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, MICROS_PER_USD
from daemon.journal.ledger import LedgerRow
from daemon.journal.store import LiveJournal

OPENS = 1_704_205_800 * 10**9
"""2024-01-02 09:30 in New York, 14:30 UTC."""
SESSION = Session(
    20240102, OPENS, OPENS + 13 * HOUR_NS // 2, 7, OPENS + 6 * HOUR_NS, OPENS + 24 * HOUR_NS
)
WALL = 1_800_000_000 * 10**9
MANIFEST = {"config": {"name": "test"}, "engine_version": 1}
OPENING = {
    "values": {
        "portfolio": {"cash_micros": 1_000 * MICROS_PER_USD},
        "risk": {"starting_cash_micros": 1_000 * MICROS_PER_USD},
    }
}
GAP = LedgerRow("gap", OPENS, "NVDA", OPENS, OPENS + HOUR_NS, "missing", "not sent")
CONNECTED = LedgerRow("feed", OPENS, outcome="connected", detail="127.0.0.1")


def bar(index: int = 0, symbol: str = "NVDA", close: float = 10.5) -> Bar:
    """The bar of an hour of the session, at about ten dollars."""
    start = OPENS + index * HOUR_NS
    return Bar(symbol, start, start + HOUR_NS, 10.0, 11.0, 9.75, close, 1_000 + index)


def market(index: int = 0, outcome: Outcome = Outcome.RECEIVED) -> MarketSlice:
    """The slice of an hour of the session."""
    start = OPENS + index * HOUR_NS
    return MarketSlice(start, start + HOUR_NS, (bar(index),), (), SESSION, index, outcome)


def fill(number: int, *, side: Side = Side.BUY, quantity: int = 2, at: int = 0) -> Fill:
    """Shares at 10 dollars, for 1.000006 dollars of fees."""
    start = OPENS + at * HOUR_NS
    return Fill(
        number, number, "NVDA", side, quantity, 100_000, 100_000, start, start + HOUR_NS,
        Origin.TARGET, MICROS_PER_USD, 1, 2, 3,
    )  # fmt: skip


def turn(seq: int) -> Turn:
    """Turn number `seq`: a tick, a quiet slice, one with a denial, a note, and so on again."""
    kind = seq % 4
    if kind == 1:
        return Turn(seq, OPENS, Tick(OPENS, TickKind.OPENS, SESSION), ())
    if kind == 0:
        at = OPENS + seq
        return Turn(seq, at, Note(at, "operator", f"note {seq}"), ())
    item = market(kind)
    equity, predictions = seq * MICROS_PER_USD, (Prediction("NVDA", seq / 8),)
    if kind == 2:
        return Turn(seq, item.end, item, (), predictions, None, equity)
    denial = Denial(item.end, "NVDA", Reason.PAUSED, seq, Origin.TARGET)
    return Turn(seq, item.end, item, (denial,), predictions, 0, equity)


async def write(
    state: Path, first: int, last: int, facts: Sequence[LedgerRow] = (), *, closes: bool = True
) -> LiveJournal:
    """Commit the turns from `first` to `last`, in segment 1, and close."""
    journal = await LiveJournal.open(state / "journal.db")
    if not journal.segment:
        await journal.open_segment(1, "start", MANIFEST, OPENING)
    for seq in range(first, last + 1):
        await journal.commit(turn(seq), facts, WALL + seq)
    if closes:
        await journal.close()
    return journal


def written(state: Path, last: int = 6, facts: Sequence[LedgerRow] = (GAP,)) -> Path:
    """A closed journal of so many turns; returns its path."""
    asyncio.run(write(state, 1, last, facts))
    return state / "journal.db"


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query finds, by a connection of its own."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()


def change(path: Path, statement: str, *values: object) -> None:
    """Change what is stored."""
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount != 0, statement


def names(folder: Path) -> list[str]:
    """The names of what is in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())
