"""Which slice a time means for a symbol, and what became of its bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from daemon.core.events import Bar, MarketSlice, Outcome
from daemon.core.turn import Turn
from daemon.errors import UsageError
from daemon.feeds.times import iso_z
from daemon.journal.reader import LedgerEntry, SegmentRow, TurnRow
from daemon.live.opening import turn_of


class How(StrEnum):
    """How the bar that is explained lies to the time that was asked for."""

    ENDS = "ends"
    CONTAINS = "contains"
    NEXT = "next"


class Found(NamedTuple):
    """The turn of the bar; `others` are other slices of the same instant with this symbol."""

    how: How
    turn: Turn
    others: tuple[Turn, ...]

    @property
    def market(self) -> MarketSlice:
        """The slice."""
        assert isinstance(self.turn.input, MarketSlice), "found among the slices"
        return self.turn.input


def symbol_of(text: str, segments: Sequence[SegmentRow]) -> str:
    """The traded symbol that is meant; UsageError names those there are."""
    known: dict[str, None] = {}
    for segment in segments:
        known.update(dict.fromkeys(segment.manifest["config"]["symbols"]))
    for symbol in (text, text.upper()):
        if symbol in known:
            return symbol
    there = f"it trades {', '.join(known)}" if known else "nothing is journaled yet"
    raise UsageError(f"{text}: not a symbol of this account: {there}")


def find(slices: Iterable[TurnRow], symbol: str, instant: int) -> Found | None:
    """The slice whose bar of the symbol ends at an instant, or contains it, or is the next one.

    `slices` are those that end at the instant or later, as they were stored. Of several slices of
    one bar the one that has the bar counts. None where the journal does not reach so far.
    """
    at: int | None = None
    turns: list[Turn] = []
    for row in slices:
        turn = turn_of(row)
        has_bar = bar_of(turn, symbol) is not None
        if at is not None and row.instant > at and has_bar:
            break  # no earlier bar of the symbol can come any more
        if at in (None, row.instant) and (has_bar or symbol in _slice(turn).missing):
            at = row.instant
            turns.append(turn)
    if not turns:
        return None
    chosen = max(turns, key=lambda turn: _rank(turn, symbol))
    market = _slice(chosen)
    how = How.CONTAINS if market.start <= instant else How.NEXT
    others = tuple(turn for turn in turns if turn is not chosen)
    return Found(How.ENDS if market.end == instant else how, chosen, others)


def _rank(turn: Turn, symbol: str) -> tuple[bool, bool, int]:
    warm = _slice(turn).outcome is Outcome.WARMUP
    return bar_of(turn, symbol) is not None, not warm, -turn.seq


def bar_of(turn: Turn, symbol: str) -> Bar | None:
    """The symbol's bar in a slice."""
    return next((bar for bar in _slice(turn).bars if bar.symbol == symbol), None)


def _slice(turn: Turn) -> MarketSlice:
    assert isinstance(turn.input, MarketSlice), "a slice's turn"
    return turn.input


def bar_document(found: Found, symbol: str, ledger: Iterable[LedgerEntry]) -> dict[str, Any]:
    """The bar, what it ended as, and what the gap ledger tells of it."""
    market, bar = found.market, bar_of(found.turn, symbol)
    history = [
        {"turn": entry.seq, "ts": iso_z(entry.instant), "outcome": entry.outcome}
        | {"reason": entry.detail}
        for entry in ledger
        if entry.kind == "gap" and (entry.symbol, entry.start) == (symbol, market.start)
    ]
    known = [one["outcome"] for one in history if one["outcome"] != Outcome.UNEXPECTED]
    came = market.outcome.value if bar is not None else Outcome.MISSING.value
    document: dict[str, Any] = {
        "start": iso_z(market.start),
        "end": iso_z(market.end),
        "outcome": known[-1] if known else came,
    }
    if bar is not None:
        names = ("open", "high", "low", "close", "volume")
        document |= {name: getattr(bar, name) for name in names}
    return document | {"history": history}
