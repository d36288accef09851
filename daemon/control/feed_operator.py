"""What an operator tells the feed: corporate actions, and judgements of quarantined bars.

Such a command goes to the source, which lets it out as an input followed by what it brings about,
so that the journal has both in the order in which the feed did them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from daemon.control.server import Request
from daemon.core.events import (
    Action,
    CorporateAction,
    Dividend,
    ForTheFeed,
    Outcome,
    Reject,
    Release,
    Split,
)
from daemon.core.trading_state import HoldSource
from daemon.core.units import MICROS_PER_USD
from daemon.data.action_table import action_text
from daemon.errors import RefusedError
from daemon.feeds.put_aside import SessionOverError
from daemon.feeds.times import date_text, zone_text
from daemon.strategies.seen import takes_splits

if TYPE_CHECKING:
    from daemon.core.account import Account
    from daemon.live.running import Live
    from daemon.strategies.protocol import Strategy

_RELEASED = {
    Outcome.RECEIVED: "its slice is still open and holds it now",
    Outcome.BACKFILLED: "it came as a slice of its own, on which nothing is decided",
    Outcome.LATE: "its symbol has gone on: it is noted, and changes nothing",
}


class FeedOperator:
    """Handlers of these requests; each waits until its turn is committed."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def release(self, request: Request) -> dict[str, Any]:
        """A quarantined bar is true; answered when the journal has it."""
        return await self._judge(Release, request)

    async def reject(self, request: Request) -> dict[str, Any]:
        """A quarantined bar is false."""
        return await self._judge(Reject, request)

    async def _judge(self, kind: type[Release | Reject], request: Request) -> dict[str, Any]:
        symbol, start = str(request["symbol"]), int(request["start"])
        reason = str(request.get("reason") or "")
        named = f"{symbol} {zone_text(start, self._live.calendar.zone)}"

        def make(now: int) -> ForTheFeed:
            return kind(now, HoldSource.OPERATOR, reason, symbol, start)

        try:
            command, ends, last = self._live.source.tell(make)
        except RefusedError as error:
            raise RefusedError(f"{named}: {error.lines[0]}") from None
        inbox = self._live.inbox
        turn, _ = await asyncio.gather(inbox.turn_of(command), inbox.turn_of(last))
        told = "rejected: it stays missing" if kind is Reject else "released"
        if ends in _RELEASED:
            told += f": {_RELEASED[ends]}"
        return {"code": 0, "lines": [f"{named} {told}"], "turn": turn.seq}

    async def action(self, request: Request) -> dict[str, Any]:
        """A split or dividend has been listed."""
        live = self._live
        action = msgspec.convert(request["action"], CorporateAction)
        account = live.rerun.account
        if action.symbol not in account.portfolio.positions:
            return {"code": 0, "lines": [f"{action.symbol} is not traded here"], "turn": None}

        def make(now: int) -> ForTheFeed:
            return Action(now, HoldSource.OPERATOR, action_text(action), action)

        try:
            command = live.source.tell(make).command
        except RefusedError as error:
            told = error.lines
            if isinstance(error.__cause__, SessionOverError):
                told = (_too_late(action, account),)
            return {"code": 0, "lines": list(told), "turn": None}
        turn = await live.inbox.turn_of(command)
        lines = [*_foretold(action, account), *_remembered(action, live.setup.strategy)]
        return {"code": 0, "lines": lines, "turn": turn.seq}


def _too_late(action: CorporateAction, account: Account) -> str:
    """Why nothing comes of an action; RefusedError where the account may be wrong without it."""
    symbol, over = action.symbol, f"{date_text(action.effective)} is over"
    held = account.portfolio.positions[symbol].quantity
    if not held:
        return f"{over}: the account holds no {symbol} and is not changed"
    if isinstance(action, Dividend):
        amount = held * action.amount_micros / MICROS_PER_USD
        raise RefusedError(
            f"{symbol}: {over}: the dividend is not booked; it would be {amount:+,.2f} USD for the "
            f"{held:+,d} held now"
        )
    raise RefusedError(
        f"{symbol}: {over}, and bars of since have been traded on: its {held:+,d} shares are not "
        f"changed. If they are of before the split: `papertape kill --flatten`, then `papertape "
        f"account new`"
    )


def _foretold(action: CorporateAction, account: Account) -> Iterator[str]:
    """What an action will do to the account as it is now, one line each."""
    symbol, position = action.symbol, account.portfolio.positions[action.symbol]
    last = account.venue.book.last
    late = last is not None and action.effective <= last.session.date
    when = "the next bar" if late else f"the first bar of {date_text(action.effective)}"
    yield f"it takes effect before {when}"
    if isinstance(action, Dividend):
        amount = position.quantity * action.amount_micros / MICROS_PER_USD
        if position.quantity:
            yield f"{position.quantity:+d} {symbol} is held now: {amount:+,.2f} USD"
        return
    yield from _split_foretold(action, account)


def _remembered(action: CorporateAction, strategy: Strategy) -> Iterator[str]:
    """What becomes of the prices that the strategy remembers."""
    if isinstance(action, Dividend) or not strategy.warmup_bars:
        return
    if takes_splits(strategy):
        yield "the strategy scales the prices it remembers"
    else:
        bars = strategy.warmup_bars
        yield f"the strategy is made anew and shown its last {bars} bars in new shares"


def _split_foretold(split: Split, account: Account) -> Iterator[str]:
    symbol, new, old = split.symbol, split.numerator, split.denominator
    position = account.portfolio.positions[symbol]
    if position.quantity:
        sign = 1 if position.quantity > 0 else -1
        after = sign * (abs(position.quantity) * new // old)
        yield f"{position.quantity:+,d} {symbol} will be {after:+,d}"
    orders = list(account.venue.book.orders_of(symbol))
    kept = [order for order in orders if order.is_protective]
    if kept:
        yield f"{len(kept)} protective orders will be rescaled"
    if len(orders) > len(kept):
        yield f"{len(orders) - len(kept)} other orders will be cancelled"
    shares = account.risk.shares
    if shares.limit is not None:
        before = shares.rescaled.get(symbol, shares.limit)
        yield (
            f"max_position_shares of {symbol}: {before:,} will be {max(1, before * new // old):,}"
        )
