"""The answer in one line: what came of a bar, or why nothing did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.core.events import Outcome
from daemon.core.outputs import Origin
from daemon.reading.text import price, spaced

Document = Mapping[str, Any]


def answer_of(document: Document, symbol: str) -> str:
    """See the module; the document is that of an explained turn."""
    parts = [*_orders(document), *_denied(document)]
    return "; ".join(parts) if parts else _nothing(document, symbol)


def _orders(document: Document) -> Iterator[str]:
    for order in document["orders"]:
        if order["origin"] != Origin.PROTECTIVE:
            yield f"order {order['order_id']}, {order['side']} {order['quantity']}: {fate(order)}"


def fate(order: Document) -> str:
    """What became of an order until now."""
    status, reason = spaced(order["status"]), order["reason"]
    if order["filled_quantity"]:
        whole = order["filled_quantity"] == order["quantity"]
        count = "" if whole else f" {order['filled_quantity']} of {order['quantity']}"
        status = f"{status}{count} at {price(order['average_price'])}"
    waits = order["waits_for"]
    return status + (f", {reason}" if reason else "") + (f", waits: {waits}" if waits else "")


def _denied(document: Document) -> Iterator[str]:
    for denial in document["denials"]:
        detail = f" ({denial['detail']})" if denial["detail"] else ""
        amount = f"{denial['quantity']:+d} " if denial["quantity"] else ""
        yield f"{amount}denied: {denial['reason']}{detail}"


def _nothing(document: Document, symbol: str) -> str:
    """Why there is no order."""
    bar, wanted = document["bar"], document["wanted"]
    if "close" not in bar:
        reason = bar["history"][-1]["reason"] if bar["history"] else ""
        return f"no order: the bar is {bar['outcome']}" + (f" ({reason})" if reason else "")
    if document["turn"]["slice"] == Outcome.WARMUP:
        return "no order: a bar of the warm-up, which is only looked at"
    if wanted is None:
        return "no order, and nothing was denied"
    if not wanted:
        return f"no order: {document['silence']}"
    return f"no order: {_reached(document, symbol)}"


def _reached(document: Document, symbol: str) -> str:
    """Something is wanted, and nothing new is needed for it."""
    account = document["account"]
    held = next((one["quantity"] for one in account["positions"] if one["symbol"] == symbol), 0)
    targets = [one["quantity"] for one in document["wanted"] if one["kind"] == "target"]
    if targets == [held]:
        return f"the target is what is held ({held:+d})" if held else "the target is flat, as it is"
    coming = [
        str(one["order_id"])
        for one in account["orders"]
        if one["symbol"] == symbol and one["origin"] == Origin.TARGET
    ]
    if targets and coming:
        return f"what is wanted is on its way already (order {', '.join(coming)})"
    cancelled = [one for one in document["happened"] if one["what"] == "order"]
    if cancelled:
        return f"order {cancelled[-1]['order_id']} was {cancelled[-1]['status']}"
    return "nothing that is wanted needs one"
