"""A row of the journal's ledger, apart from the journal: whoever makes one needs no database."""

from __future__ import annotations

from typing import NamedTuple


class LedgerRow(NamedTuple):
    """A fact that decides nothing: kind `gap` (how an expected bar ended) or `feed` (an event)."""

    kind: str
    instant: int
    symbol: str = ""
    start: int | None = None
    end: int | None = None
    outcome: str = ""
    detail: str = ""
