"""The standing of a daemon as text for a terminal; the document is made in status.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daemon.feeds.times import in_zone, parse_iso, zone_text
from daemon.text_table import EXCHANGE_ZONE

Document = Mapping[str, Any]


def render(document: Document) -> str:
    """All of it, some twenty lines."""
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    yield from _account(document)
    yield from _trading(document)
    yield _row(
        "equity",
        f"{_usd(document['equity_usd'])}   today {_signed(document['day_pnl_usd'])}   "
        f"total {_signed(document['total_pnl_usd'])}   drawdown {document['drawdown_pct']:.2f} %",
    )
    yield from _positions(document)
    yield from _orders(document["orders"])
    yield from _feed(document)
    yield from _foot(document)


def _account(document: Document) -> Iterator[str]:
    daemon, name = document["daemon"], document["name"]
    blocked = daemon.get("blocked")
    if not daemon["running"]:
        process = "daemon DOWN (this is what its journal says)"
    else:
        process = f"process {daemon.get('process', '?')}"
        if daemon.get("started"):
            process += f", up since {when(daemon['started'])}"
        if blocked:
            process += "   BLOCKED"
    yield _row("account", f"{name}   {process}")
    if blocked:
        yield _row("", f"{blocked} (`papertape kill` works all the same)")


def _trading(document: Document) -> Iterator[str]:
    warming = document["warming"]
    warm = "" if warming is None else f"   WARMING {warming['seen']}/{warming['needed']}"
    yield _row("trading", f"{_state(document)}{warm}")
    for hold in document["holds"]:
        reason = local(hold["reason"]) or "no reason given"
        yield _row("", f"{hold['level']} by {hold['source']} since {when(hold['since'])}: {reason}")
    if document.get("not_played_again"):
        yield _row("", "this is what the recorded turns add up to, working orders aside:")
        if any(hold["source"] == "mismatch" for hold in document["holds"]):
            yield _row("", "the next start begins with it; `papertape verify` says more")
        else:
            yield _row("", local(document["not_played_again"]))
    if document["latch"] is not None:
        yield _row("latch", _latch(document))
    yield from _what_lifts(document)


def _what_lifts(document: Document) -> Iterator[str]:
    holds = document["holds"]
    if document["latch"] is not None or document["state"] == "HALTED":
        accept = " --accept mismatch" if any(one["source"] == "mismatch" for one in holds) else ""
        yield _row("", f"`papertape reset --reason TEXT{accept}` lifts it")
    elif any(one["source"] != "feed" for one in holds):
        yield _row("", "`papertape resume` lifts what is below a halt, the feed's hold excepted")
    elif holds:
        yield _row("", "a stable feed lifts it")


def _state(document: Document) -> str:
    """The trading state; that of the latch where the journal does not know of it yet."""
    state: str = document["state"]
    if not document["latched"] or state == "HALTED":
        return state
    if document["daemon"]["running"]:
        return f"HALTED by the latch ({state} in the journal: its turn is not committed yet)"
    return f"HALTED by the latch at the next start ({state} in the journal)"


def _latch(document: Document) -> str:
    said = document["latch"]
    by = f" by {said['source']}" if said["source"] else ""
    known = any(hold["reason"] == said["reason"] for hold in document["holds"])
    why = "" if known or not said["reason"] else f": {local(said['reason'])}"
    return f"set{by}{', and flatten' if document['flatten'] else ''}{why}"


def _positions(document: Document) -> Iterator[str]:
    positions: Sequence[Document] = document["positions"]
    is_left = document["state"] == "HALTED" and not document["flattening"]
    if not positions:
        yield _row("position", "flat")
    for place, one in enumerate(positions):
        stop = "" if one["has_stop"] else "   no stop"
        yield _row(
            "" if place else "position",
            f"{one['quantity']:+d} {one['symbol']} at {one['average_usd']:.4f}, last "
            f"{one['close_usd']:.2f}, {_signed(one['unrealised_usd'])}{stop}",
        )
        if is_left and stop:
            yield _row("", "`papertape kill --flatten` closes it")


def _orders(orders: Sequence[Document]) -> Iterator[str]:
    for place, one in enumerate(orders):
        prices = [f"limit {one['limit_usd']:.2f}"] if one["limit_usd"] is not None else []
        stop = "trailing stop" if one["type"] == "trailing_stop" else "stop"
        prices += [f"{stop} {one['stop_usd']:.2f}"] if one["stop_usd"] is not None else []
        known = f", known at {when(one['known_at'])}" if one.get("known_at") else ""
        yield _row(
            "" if place else "orders",
            f"#{one['order_id']} {one['side']} {one['remaining']} {one['symbol']} "
            f"{' '.join(prices) or 'market'} {one['time_in_force']}   {one['status']}{known}",
        )


def _feed(document: Document) -> Iterator[str]:
    feed = document.get("feed")
    if feed is not None:
        yield _row("feed", f"{feed['kind']}: {feed['state']}")
    bars = ", ".join(f"{symbol} {when(end)}" for symbol, end in document["last_bars"].items())
    text = bars or "none yet"
    if feed is not None and feed.get("next_bar"):
        text += f"   next {when(feed['next_bar'])}"
    yield _row("last bar", text)
    gaps = {} if feed is None else feed.get("gaps", {})
    if gaps:
        yield _row("gaps", ", ".join(f"{count} {outcome}" for outcome, count in gaps.items()))
    aside = [] if feed is None else feed.get("quarantined", [])
    for one in aside:
        yield _row("", f"quarantined: {one['symbol']} {when(one['start'])}, {one['reason']}")
    if aside:
        yield _row("", "`papertape data release SYMBOL START` or `data reject` judges one")


def _foot(document: Document) -> Iterator[str]:
    tasks = [task for task in document.get("tasks", ()) if task["health"] != "idle"]
    if tasks:
        yield _row("tasks", ", ".join(f"{task['name']} {task['health']}" for task in tasks))
    versions = document["versions"]
    model = versions["model"]
    yield _row(
        "versions",
        f"papertape {versions['papertape']}, engine {versions['engine']}, strategy "
        f"{versions['strategy']}, model {model['kind'] or 'none'}"
        + (f" {model['sha256'][:8]}" if model["sha256"] else ""),
    )
    digest, daemon = document["digest"], document["daemon"]
    is_open = daemon.get("started") and daemon.get("blocked")  # the daemon's own word on its turn
    yield _row(
        "journal",
        f"turn {document['last_turn']}{' (not stored yet)' if is_open else ''}, segment "
        f"{document['segment']}" + (f", digest {digest[:12]}" if digest else ""),
    )


def left_open_lines(document: Document) -> list[str]:
    """What a halt leaves on."""
    return [
        f"{one['quantity']:+d} {one['symbol']} "
        f"{'with a stop' if one['has_stop'] else 'now without a stop'}; `papertape kill "
        f"--flatten` closes it"
        for one in document["positions"]
    ]


def flatten_lines(document: Document) -> list[str]:
    """For each position that is being closed: when it fills, when that is known, and overnight."""
    if not document["positions"]:
        return ["flat"]
    lines = []
    for one in document["positions"]:
        orders = [
            order
            for order in document["orders"]
            if order["origin"] == "flatten" and order["symbol"] == one["symbol"]
        ]
        text = f"{one['quantity']:+d} {one['symbol']}: "
        if not orders:
            lines.append(text + "its closing order comes with the next bar")
            continue
        order = orders[-1]
        fills, known = order.get("fills_at"), order.get("known_at")
        text += f"closes at the open of {when(fills)}" if fills else "closes at the next open"
        text += f", known at {when(known)}" if known else ""
        lines.append(text + ("   HELD OVERNIGHT" if order.get("overnight") else ""))
    return lines


def when(iso: str) -> str:
    """An instant in exchange time."""
    return zone_text(parse_iso(iso), EXCHANGE_ZONE)


def local(text: str) -> str:
    """A text of the daemon's, its instants in exchange time."""
    return in_zone(text, EXCHANGE_ZONE)


def _row(name: str, text: str) -> str:
    return f"{name:<9} {text}".rstrip()


def _usd(value: float) -> str:
    return f"{value:,.2f} USD"


def _signed(value: float) -> str:
    return f"{value:+,.2f}"
