"""What a person should see of a closed turn, in words: fills, denials, changes of state, gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from daemon.core.events import Command, ForTheFeed, Judgement, Note, Reload
from daemon.core.outputs import (
    ActionApplied,
    CommandRefused,
    Denial,
    Fill,
    LimitBreached,
    StateChanged,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_USD, SECOND_NS
from daemon.journal.ledger import LedgerRow


class Happening(Struct, frozen=True, gc=False):
    """One line: when (event time, seconds since 1970), what kind, and in words.

    Two in a row with the same `key` say the same; `times` counts them. Without a key each counts
    on its own.
    """

    at: int
    kind: str
    text: str
    key: str = ""
    times: int = 1


def happenings(turn: Turn, facts: Iterable[LedgerRow]) -> Iterator[Happening]:
    """What the ledger learnt, then the command, then the outputs that are worth a line."""
    for fact in facts:
        at = fact.instant // SECOND_NS
        if fact.kind == "feed":
            text = f"feed {fact.outcome}" + (f": {fact.detail}" if fact.detail else "")
            yield Happening(at, "feed", text)
        else:
            text = f"{fact.symbol}: bar {fact.outcome}" + (
                f": {fact.detail}" if fact.detail else ""
            )
            yield Happening(at, "gap", text, f"{fact.symbol} {fact.outcome}")
    at = turn.instant // SECOND_NS
    item = turn.input
    if isinstance(item, Note | Reload):
        word = "note" if isinstance(item, Note) else "reloaded"
        yield Happening(at, "command", f"{word}: {item.reason}")
    elif isinstance(item, ForTheFeed):
        of = f" {item.symbol}" if isinstance(item, Judgement) else ""
        yield Happening(at, "command", f"{type(item).__name__.lower()}{of}: {item.reason}")
    elif isinstance(item, Command) and not turn.outputs:
        yield Happening(at, "command", f"{type(item).__name__.lower()} changed nothing")
    for prediction in turn.predictions:
        if prediction.failure is not None:
            text = f"{prediction.symbol}: no prediction: {prediction.failure}"
            yield Happening(at, "prediction", text, prediction.symbol)
    for output in turn.outputs:
        tell = _TOLD.get(type(output))
        if tell is not None:
            yield tell(at, output)


def _state(at: int, output: StateChanged) -> Happening:
    what = "lifted" if output.lifted else "set"
    text = f"{output.previous} → {output.state}: {output.level} of {output.source} {what}"
    return Happening(at, "state", text + (f": {output.reason}" if output.reason else ""))


def _fill(at: int, output: Fill) -> Happening:
    price = output.price_e4 / E4_PER_USD
    word = "bought" if output.side == "buy" else "sold"
    reason = f" ({output.reason})" if output.reason else ""
    text = f"{word} {output.quantity} {output.symbol} at {price:,.2f}{reason}"
    return Happening(at, "fill", text)


def _trade(at: int, output: TradeClosed) -> Happening:
    pnl = output.pnl_micros / MICROS_PER_USD
    text = f"{output.direction} {output.quantity} {output.symbol} closed: {pnl:+,.2f} USD"
    return Happening(at, "trade", text)


def _denial(at: int, output: Denial) -> Happening:
    word = "buy" if output.quantity > 0 else "sell"
    text = f"{word} {abs(output.quantity)} {output.symbol} denied: {output.reason.value}"
    detail = f": {output.detail}" if output.detail else ""
    return Happening(at, "denial", text + detail, f"{output.symbol} {output.reason.value}")


def _breach(at: int, output: LimitBreached) -> Happening:
    text = f"{output.symbol}: {output.limit} cannot be kept: {output.detail}".removeprefix(": ")
    return Happening(at, "limit", text, f"{output.symbol} {output.limit}")


def _refused(at: int, output: CommandRefused) -> Happening:
    return Happening(at, "command", f"{output.command.lower()} refused: {output.detail}")


def _action(at: int, output: ActionApplied) -> Happening:
    word = type(output.action).__name__.lower()
    cash = f", {output.cash_micros / MICROS_PER_USD:+,.2f} USD" if output.cash_micros else ""
    text = f"{output.action.symbol}: {word}, now {output.quantity:+d} shares{cash}"
    return Happening(at, "action", text)


_TOLD: dict[type[Any], Callable[[int, Any], Happening]] = {
    StateChanged: _state,
    Fill: _fill,
    TradeClosed: _trade,
    Denial: _denial,
    LimitBreached: _breach,
    CommandRefused: _refused,
    ActionApplied: _action,
}
"""Outputs that are worth a line; orders are seen where they work."""
