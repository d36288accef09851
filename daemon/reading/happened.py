"""What the outputs of one turn say about a symbol, as documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.core.events import Split
from daemon.core.outputs import (
    ActionApplied,
    CancelAmbiguous,
    Denial,
    DividendPaid,
    Fill,
    LimitBreached,
    OrderAccepted,
    OrderUpdated,
    StateChanged,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_USD

Document = dict[str, Any]


def happened(turn: Turn, symbol: str) -> list[Document]:
    """What happened besides new orders and denials, in order: `what` names the kind."""
    return [
        _SHAPES[type(output)](output)
        for output in turn.outputs
        if type(output) in _SHAPES and _symbol_of(output) in (symbol, None)
    ]


def denials(turn: Turn, symbol: str) -> list[Document]:
    """What of the intents did not become an order; quantities are signed."""
    return [
        {
            "quantity": output.quantity,
            "origin": output.origin.value,
            "reason": output.reason.value,
            "detail": output.detail,
        }
        for output in turn.outputs
        if isinstance(output, Denial) and output.symbol in (symbol, "")
    ]


def accepted(turn: Turn, symbol: str) -> list[OrderAccepted]:
    """The new orders, those of brackets too."""
    return [
        output
        for output in turn.outputs
        if isinstance(output, OrderAccepted) and output.symbol == symbol
    ]


def _symbol_of(output: Any) -> str | None:
    if isinstance(output, ActionApplied):
        return output.action.symbol
    symbol: str | None = getattr(output, "symbol", None)
    return symbol or None


def _fill(fill: Fill) -> Document:
    return {
        "what": "fill",
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "side": fill.side.value,
        "quantity": fill.quantity,
        "price": fill.price_e4 / E4_PER_USD,
        "fees": (fill.commission_micros + fill.regulatory_micros) / MICROS_PER_USD,
        "reason": fill.reason,
        "ambiguous": fill.ambiguous,
    }


def _order(update: OrderUpdated) -> Document:
    return {
        "what": "order",
        "order_id": update.order_id,
        "status": update.status.value,
        "reason": update.reason.value,
        "quantity": update.quantity,
    }


def _trade(trade: TradeClosed) -> Document:
    return {
        "what": "trade",
        "trade_id": trade.trade_id,
        "pnl": trade.pnl_micros / MICROS_PER_USD,
        "exit_reason": trade.exit_reason,
    }


def _state(change: StateChanged) -> Document:
    return {
        "what": "state",
        "state": change.state,
        "previous": change.previous,
        "level": change.level,
        "source": change.source,
        "lifted": change.lifted,
        "reason": change.reason,
    }


def _action(applied: ActionApplied) -> Document:
    return {
        "what": "split" if isinstance(applied.action, Split) else "dividend",
        "quantity": applied.quantity,
        "cash": applied.cash_micros / MICROS_PER_USD,
    }


def _paid(paid: DividendPaid) -> Document:
    return {"what": "dividend_paid", "cash": paid.cash_micros / MICROS_PER_USD}


def _breach(breach: LimitBreached) -> Document:
    return {"what": "limit", "limit": breach.limit, "detail": breach.detail}


def _touched(cancel: CancelAmbiguous) -> Document:
    return {
        "what": "cancel_ambiguous",
        "order_id": cancel.order_id,
        "price": cancel.price_e4 / E4_PER_USD,
        "quantity": cancel.quantity,
    }


_SHAPES: dict[type, Callable[[Any], Document]] = {
    Fill: _fill,
    OrderUpdated: _order,
    TradeClosed: _trade,
    StateChanged: _state,
    ActionApplied: _action,
    DividendPaid: _paid,
    LimitBreached: _breach,
    CancelAmbiguous: _touched,
}
