"""One explained turn as text for a terminal; times are exchange time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.core.events import OrderType
from daemon.core.outputs import Origin
from daemon.reading.answer import fate
from daemon.reading.finding import How
from daemon.reading.text import clock, local, price, signed, spaced, usd, when
from daemon.text_table import exchange_time, marked, table

Document = Mapping[str, Any]


def explain_lines(document: Document, *, plain: bool) -> list[str]:
    """All of it, on one screen."""
    make = _not_yet if document["how"] == "not_yet" else _lines
    return [local(line) for line in make(document, plain=plain)]


def _lines(document: Document, *, plain: bool) -> Iterator[str]:
    yield _row("asked", _asked(document))
    yield _row("answer", marked(document["answer"], "bold", plain=plain))
    yield from _bar(document)
    yield from _many("happened", [_happening(one) for one in document["happened"]])
    yield from _decision(document)
    if document["account"] is not None:
        yield from _account(document["account"], document["symbol"])
    yield from _limits(document)
    yield from _orders(document)


def _asked(document: Document) -> str:
    bar, asked = document["bar"], document["asked"]
    span = f"{when(bar['start'])} to {clock(bar['end'])}"
    text = f"{document['symbol']} {exchange_time(asked)}: "
    if document["how"] == How.ENDS:
        return text + f"the bar that ends then, {span}"
    if document["how"] == How.CONTAINS:
        return text + f"the bar of that time, {span}; decided at its end"
    return text + f"no bar of that time is journaled; the next one, {span}"


def _bar(document: Document) -> Iterator[str]:
    bar, turn = document["bar"], document["turn"]
    if "close" in bar:
        numbers = " ".join(f"{name} {price(bar[name])}" for name in ("open", "high", "low"))
        text = f"{numbers} close {price(bar['close'])} volume {bar['volume']:,}, {bar['outcome']}"
    else:
        text = bar["outcome"]
    also = "".join(f", also turn {number}" for number in document["other_turns"])
    yield _row("bar", f"{text} (turn {turn['seq']}{also})")
    for one in bar["history"]:
        yield _row(
            "", f"{one['outcome']} at {when(one['ts'])}, turn {one['turn']}: {one['reason']}"
        )


def _happening(one: Document) -> str:
    what = one["what"]
    if what == "fill":
        guess = ", ambiguous" if one["ambiguous"] else ""
        reason = f": {one['reason']}" if one["reason"] else ""
        return (
            f"fill {one['fill_id']} of order {one['order_id']}, {one['side']} {one['quantity']} "
            f"at {price(one['price'])}, fees {usd(one['fees'])}{guess}{reason}"
        )
    if what == "order":
        return f"order {one['order_id']} {spaced(one['status'])}: {one['reason']}"
    if what == "trade":
        return f"trade {one['trade_id']} closed, {signed(one['pnl'])}: {one['exit_reason']}"
    if what == "state":
        word = "lifted" if one["lifted"] else "set"
        change = f"{one['previous']} → {one['state']}: {one['level']} of {one['source']} {word}"
        return change + (f": {one['reason']}" if one["reason"] else "")
    if what == "limit":
        return f"{one['limit']} was not kept: {one['detail']}"
    if what == "cancel_ambiguous":
        return f"the bar also touched order {one['order_id']} at {price(one['price'])}"
    if what == "split":
        return f"split: {one['quantity']:+d} held after it, cash {signed(one['cash'])}"
    return f"{spaced(what)}: {signed(one['cash'])}"


def _decision(document: Document) -> Iterator[str]:
    prediction = document["prediction"]
    if prediction is not None:
        value = prediction["value"]
        text = f"none: {prediction['failure']}" if value is None else f"{value:+.6f} ({value:+.3%})"
        yield _row("predicted", text)
    if document["wanted"] is None:
        yield _row("wanted", f"not known: {document['not_played_again']}")
    elif not document["wanted"]:
        told = document["silence"] in document["answer"]
        yield _row("wanted", "nothing" if told else f"nothing: {document['silence']}")
    else:
        yield from _many("wanted", [_wish(one) for one in document["wanted"]])


def _wish(one: Document) -> str:
    if one["kind"] == "cancel":
        return f"cancel order {one['order_id']}"
    text = f"target {one['quantity']:+d}"
    if one["kind"] == "order":
        terms = _terms(one["type"], one.get("limit_price"), one.get("stop_price"))
        trail = f" {one['trail_pct']:g} %" if "trail_pct" in one else ""
        text = f"{one['side']} {one['quantity']} {terms}{trail}"
    details = [f"{spaced(name)} {value:g}" for name, value in one.get("bracket", {}).items()]
    reason = f": {one['reason']}" if "reason" in one else ""
    return ", ".join([text, *details]) + reason


def _terms(kind: str, limit: float | None, stop: float | None) -> str:
    """What must happen before an order fills: `market`, `stop 98.50`, `stop 98.50 limit 98.00`."""
    if kind == OrderType.MARKET:
        return kind
    first = "trailing stop" if kind == OrderType.TRAILING_STOP else "stop"
    words = [first if stop is None else f"{first} {price(stop)}"] if kind != OrderType.LIMIT else []
    return " ".join([*words, *([] if limit is None else [f"limit {price(limit)}"])])


def _account(account: Document, symbol: str) -> Iterator[str]:
    yield _row("trading", account["state"])
    for hold in account["holds"]:
        reason = hold["reason"] or "no reason given"
        yield _row("", f"{hold['level']} by {hold['source']} since {when(hold['since'])}: {reason}")
    held = [one for one in account["positions"] if one["symbol"] == symbol]
    money = f"equity {usd(account['equity_usd'])}, cash {usd(account['cash_usd'])}"
    if not held:
        yield _row("held", f"flat; {money}")
    for one in held:
        stop = "" if one["has_stop"] else ", no stop"
        yield _row(
            "held",
            f"{one['quantity']:+d} at {price(one['average_usd'])}, {signed(one['unrealised_usd'])}"
            f"{stop}; {money}",
        )


def _limits(document: Document) -> Iterator[str]:
    if not document["limits"]:
        return
    # What would have passed a limit is no use of it: the row that denied would look innocent.
    denied = tuple(denial["reason"].lower() for denial in document["denials"])
    rows = [
        (
            one["name"],
            _measured(one["name"], one["current"]),
            _measured(one["name"], one["limit"]),
            f"{one['use']:.0%}",
            one["action"] + (", and it denied" if one["name"].startswith(denied) else ""),
        )
        for one in document["limits"]
    ]
    header = ("limit", "then", "allowed", "used", "action")
    first, *rest = table(header, rows, right=("then", "allowed", "used"))
    yield _row("limits", first)
    for line in rest:
        yield _row("", line)


def _measured(name: str, value: float) -> str:
    return usd(value) if name.endswith("_usd") else f"{value:,g}"


def _orders(document: Document) -> Iterator[str]:
    for one in document["denials"]:
        detail = f": {one['detail']}" if one["detail"] else ""
        amount = f"{one['quantity']:+d} " if one["quantity"] else ""
        yield _row("denied", f"{amount}({one['origin']}) {one['reason']}{detail}")
    for order in document["orders"]:
        terms = _terms(order["type"], order["limit_price"], order["stop_price"])
        kind = "bracket" if order["origin"] == Origin.PROTECTIVE else order["origin"]
        what = f"{order['side']} {order['quantity']} {terms}"
        yield _row("order", f"{order['order_id']}: {what} {order['time_in_force']} ({kind})")
        for fill in order["fills"]:
            at, known = when(fill["ts_effective"]), clock(fill["ts_known"])
            yield _row(
                "",
                f"filled {fill['quantity']} at {price(fill['price'])} of {at}, known at {known}",
            )
        yield _row("", f"now {fate(order)}")


# --- a time that has not come ---------------------------------------------------------------------


def _not_yet(document: Document, *, plain: bool) -> Iterator[str]:
    yield _row("asked", f"{document['symbol']} {exchange_time(document['asked'])}")
    yield _row("answer", marked(document["answer"], "bold", plain=plain))
    if document["last_bar"] is None:
        yield _row("journal", "no bar is journaled yet")
    else:
        yield _row(
            "journal",
            f"the last bar ended {when(document['last_bar'])}; the next one begins "
            f"{when(document['next_bar'])}",
        )
    yield _row("trading", document["state"])
    for event in document["feed_events"]:
        yield _row("feed", f"{when(event['ts'])} {event['event']} {event['detail']}".rstrip())


def _many(name: str, texts: list[str]) -> Iterator[str]:
    for place, text in enumerate(texts):
        yield _row("" if place else name, text)


def _row(name: str, text: str) -> str:
    return f"{name:<9} {text}".rstrip()
