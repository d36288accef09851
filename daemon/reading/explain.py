"""One turn as a document: what was known, what was wanted, what came of it and why.

What was recorded is always there. The account as it stood and what the strategy wanted are not
recorded: they come from playing the journal again, and are None where that cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from daemon.control.status import account_document
from daemon.core.account import Account
from daemon.core.events import CancelRequest, Intent, OrderRequest, TargetPosition
from daemon.core.limits import Limit
from daemon.core.orders import ENDED
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.feeds.times import iso_z
from daemon.journal.reader import LedgerEntry
from daemon.live.recovery import Rerun
from daemon.observability.limits import limit_uses
from daemon.reading.answer import answer_of
from daemon.reading.finding import Found, bar_document
from daemon.reading.happened import accepted, denials, happened

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the journal holds beside the turn: its ledger, and the rows of the flat views."""

    ledger: Iterable[LedgerEntry]
    orders: Sequence[Document]
    fills: Sequence[Document]


Now = Callable[[], Account | None]


def explained(
    found: Found, symbol: str, recorded: Recorded, then: Rerun | str, now: Now
) -> Document:
    """The document. `then` is the account after the turn, or why it cannot be had.

    `now` gives the account as it is; it is only asked for where an order still works.
    """
    turn = found.turn
    document: Document = {
        "how": found.how.value,
        "turn": {"seq": turn.seq, "ts": iso_z(turn.instant), "slice": found.market.outcome.value},
        "other_turns": [other.seq for other in found.others],
        "bar": bar_document(found, symbol, recorded.ledger),
        "happened": happened(turn, symbol),
        "prediction": _prediction(turn, symbol),
        "wanted": None,
        "silence": None,
        "account": None,
        "limits": None,
        "not_played_again": then if isinstance(then, str) else None,
        "denials": denials(turn, symbol),
        "orders": [
            _order(row, recorded.fills, now)
            for one in accepted(turn, symbol)
            for row in recorded.orders
            if row["order_id"] == one.order_id
        ],
    }
    if isinstance(then, Rerun):
        document |= _played_again(then, found, symbol)
    return {"answer": answer_of(document, symbol), **document}


def _prediction(turn: Turn, symbol: str) -> Document | None:
    for one in turn.predictions:
        if one.symbol == symbol:
            return {"value": one.value, "failure": one.failure}
    return None


# --- the account then -----------------------------------------------------------------------------


def _played_again(then: Rerun, found: Found, symbol: str) -> Document:
    account, limits = then.account, then.account.risk.limits
    intents = then.pipeline.intents or ()
    wanted = [_intent(one) for one in intents if _concerns(one, symbol, account)]
    return {
        "wanted": wanted,
        "silence": None if wanted else _silence(then, found, symbol),
        "account": account_document(account, found.turn.instant, ()),
        "limits": [
            use._asdict() | {"action": _action(getattr(limits, use.name))}
            for use in limit_uses(account)
        ],
    }


def _action(limit: Limit) -> str:
    return limit.action.value


def _concerns(intent: Intent, symbol: str, account: Account) -> bool:
    """Whether an intent is about the symbol; one to cancel names an order alone."""
    if not isinstance(intent, CancelRequest):
        return intent.symbol == symbol
    order = account.venue.book.known().get(intent.order_id)
    return order is None or order.symbol == symbol


def _intent(intent: Intent) -> Document:
    if isinstance(intent, TargetPosition):
        kind = "target"
    else:
        kind = "order" if isinstance(intent, OrderRequest) else "cancel"
    return {"kind": kind, **_given(msgspec.to_builtins(intent))}


def _given(told: Document) -> Document:
    """What is said, without what is left open."""
    return {
        key: _given(value) if isinstance(value, dict) else value
        for key, value in told.items()
        if value not in (None, "")
    }


def _silence(then: Rerun, found: Found, symbol: str) -> str:
    """Why the strategy wanted nothing for the symbol."""
    if not found.market.bars:
        return "the strategy is not asked without a bar"
    for hold in then.account.control.holds:
        if hold.cause == HoldSource.STRATEGY and hold.level is TradingState.HALTED:
            fails_now = hold.since == found.turn.instant
            words = "the strategy failed" if fails_now else "the strategy is not asked: it failed"
            return f"{words}: {hold.reason}"
    needed, seen = then.setup.warmup_bars, then.account.portfolio.positions[symbol].bars
    if seen < needed:
        return f"the strategy is warming up, {seen} of {needed} bars seen"
    return "the strategy has no opinion: position and orders stay as they are"


# --- what became of the orders --------------------------------------------------------------------


def _order(row: Document, fills: Sequence[Document], now: Now) -> Document:
    """A row of `orders` with its fills, and what it waits for if it still works."""
    waits = None
    if row["status"] not in ENDED:
        waits = _waits(row["order_id"], now())
    own = [fill for fill in fills if fill["order_id"] == row["order_id"]]
    return {**row, "fills": own, "waits_for": waits}


def _waits(order_id: int, account: Account | None) -> str | None:
    order = None if account is None else account.venue.book.working.get(order_id)
    if account is None or order is None:
        return None
    last = account.venue.book.last
    if last is None or last.end <= order.first_eligible:
        return "its first bar has not come yet"
    return order.unfilled.value
