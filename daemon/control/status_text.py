"""The standing of a daemon as text for a terminal; the document is made in status.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daemon.feeds.times import parse_iso, zone_text

ZONE = "America/New_York"
Document = Mapping[str, Any]


def render(document: Document) -> str:
    """All of it, some twenty lines."""
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    yield _row("account", f"{document['name']}   {_process(document['daemon'])}")
    yield from _trading(document)
    yield _row(
        "equity",
        f"{_usd(document['equity_usd'])}   today {_signed(document['day_pnl_usd'])}   "
        f"total {_signed(document['total_pnl_usd'])}   drawdown {document['drawdown_pct']:.2f} %",
    )
    yield from _positions(document["positions"])
    yield from _orders(document["orders"])
    yield from _feed(document)
    yield from _foot(document)


def _process(daemon: Document) -> str:
    if not daemon["running"]:
        return "daemon DOWN (this is what its journal says)"
    text = f"process {daemon.get('process', '?')}"
    if daemon.get("started"):
        text += f", up since {when(daemon['started'])}"
    if daemon.get("blocked"):
        text += f"; BLOCKED: {daemon['blocked']}"
    return text


def _trading(document: Document) -> Iterator[str]:
    state = document["state"]
    warming = document["warming"]
    if warming is not None:
        state += f"   WARMING {warming['seen']}/{warming['needed']}"
    yield _row("trading", state)
    for hold in document["holds"]:
        reason = hold["reason"] or "no reason given"
        yield _row("", f"{hold['level']} by {hold['source']} since {when(hold['since'])}: {reason}")
    if document["latch"] is not None:
        said = document["latch"]
        by = f" by {said['source']}" if said["source"] else ""
        yield _row("latch", f"set{by}{', and flatten' if document['flatten'] else ''}")
        yield _row("", "`papertape reset --reason …` lifts it")
    elif document["holds"]:
        yield _row("", "`papertape resume` lifts what is below a halt, the feed's hold excepted")


def _positions(positions: Sequence[Document]) -> Iterator[str]:
    if not positions:
        yield _row("position", "flat")
    for place, one in enumerate(positions):
        stop = "" if one["has_stop"] else "   no stop"
        yield _row(
            "" if place else "position",
            f"{one['quantity']:+d} {one['symbol']} at {one['average_usd']:.4f}, last "
            f"{one['close_usd']:.2f}, {_signed(one['unrealised_usd'])}{stop}",
        )


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
    for place, one in enumerate(aside):
        yield _row(
            "" if place else "quarantined", f"{one['symbol']} {when(one['start'])}: {one['reason']}"
        )
    if aside:
        yield _row("", "`papertape data release` or `reject` SYMBOL START judges one")


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
    yield _row(
        "journal",
        f"turn {document['last_turn']}, segment {document['segment']}, digest "
        f"{document['digest'][:12]}",
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
    return zone_text(parse_iso(iso), ZONE)


def _row(name: str, text: str) -> str:
    return f"{name:<9} {text}".rstrip()


def _usd(value: float) -> str:
    return f"{value:,.2f} USD"


def _signed(value: float) -> str:
    return f"{value:+,.2f}"
