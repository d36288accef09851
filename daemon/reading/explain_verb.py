"""`papertape explain SYMBOL T`: one turn on one screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daemon.control.down import rerun_last
from daemon.core.account import Account
from daemon.core.events import MarketSlice
from daemon.core.outputs import StateChanged
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.errors import Exit, PapertapeError
from daemon.feeds.times import iso_z, parse_when
from daemon.live.opening import turn_of
from daemon.live.recovery import Rerun
from daemon.reading.explain import Recorded, explained
from daemon.reading.explain_text import explain_lines
from daemon.reading.finding import find, symbol_of
from daemon.reading.happened import accepted
from daemon.reading.journaled import Journaled, journal_of
from daemon.text_table import EXCHANGE_ZONE, is_plain

Document = dict[str, Any]


def explain(state: Path, symbol: str, when: str, *, as_json: bool) -> int:
    """Print what happened at a time, and why; returns 0. UsageError for an unknown symbol."""
    with journal_of(state) as journal:
        document = explanation(journal, symbol, when)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print(f"state   {state}", *explain_lines(document, plain=is_plain()), sep="\n")
    return Exit.OK


def explanation(journal: Journaled, symbol: str, when: str) -> Document:
    """The document; a time without a date is one of the account's last day."""
    known = symbol_of(symbol, journal.segments)
    instant = parse_when(when, EXCHANGE_ZONE, now=journal.now)
    return {
        **journal.head(),
        "symbol": known,
        "asked": iso_z(instant),
        **_explained(journal, known, instant),
    }


def _explained(journal: Journaled, symbol: str, instant: int) -> Document:
    found = find(journal.reader.slices_from(instant), symbol, instant)
    if found is None:
        return _not_yet(journal)
    reader = journal.reader
    has_orders = bool(accepted(found.turn, symbol))
    recorded = Recorded(
        tuple(reader.ledger()),
        reader.rows_of("orders") if has_orders else (),
        reader.rows_of("fills") if has_orders else (),
    )
    then = _again(journal, found.turn.seq)
    return explained(found, symbol, recorded, then, lambda: _account_now(journal, then))


def _again(journal: Journaled, until: int | None) -> Rerun | str:
    """The account after a turn (None: the last one), or why it cannot be had."""
    try:
        return rerun_last(journal.reader, journal.state, until)
    except PapertapeError as error:
        return " ".join(error.lines)


def _account_now(journal: Journaled, then: Rerun | str) -> Account | None:
    last = journal.reader.last_turn()
    if isinstance(then, Rerun) and last is not None and then.pipeline.seq == last.seq:
        return then.account
    again = _again(journal, None)
    return again.account if isinstance(again, Rerun) else None


def _not_yet(journal: Journaled) -> Document:
    """The journal does not reach so far: how far it does, and what holds it up."""
    reader = journal.reader
    last, changed = reader.last_slice(), reader.last_turn_with('"StateChanged"')
    market = None if last is None else turn_of(last).input
    events = [row for row in reader.rows_of("feed_events") if last and row["seq"] >= last.seq]
    return {
        "answer": "not there yet",
        "how": "not_yet",
        "last_bar": iso_z(market.end) if isinstance(market, MarketSlice) else None,
        "next_bar": iso_z(market.next_start) if isinstance(market, MarketSlice) else None,
        "state": "ACTIVE" if changed is None else _state_after(turn_of(changed)),
        "feed_events": events,
    }


def _state_after(turn: Turn) -> str:
    changes = [output.state for output in turn.outputs if isinstance(output, StateChanged)]
    return changes[-1] if changes else TradingState.ACTIVE.name
