"""Orders, fills, trades, profit and gaps as text for a terminal; times are exchange time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from daemon.feeds.times import in_zone, parse_iso, zone_text
from daemon.text_table import EXCHANGE_ZONE, counted, exchange_time, marked, table

Document = Mapping[str, Any]


class Column(NamedTuple):
    """A heading, and what stands under it in a row; numbers are flush right.

    Where a terminal is too narrow for all columns, that with the highest `drop` goes first.
    """

    heading: str
    cell: Callable[[Document], str]
    right: bool = False
    drop: int = 0


class Screen(NamedTuple):
    """What is printed on: plain text or colours, and how many columns (None: no limit)."""

    plain: bool = True
    width: int | None = None


def when(stamp: str | None) -> str:
    """An instant in exchange time."""
    return "" if stamp is None else zone_text(parse_iso(stamp), EXCHANGE_ZONE)


def clock(stamp: str) -> str:
    """The time of an instant, beside another of its day: no bar spans two."""
    return when(stamp)[11:]


def local(text: str) -> str:
    """A recorded text, its instants in exchange time."""
    return in_zone(text, EXCHANGE_ZONE)


def price(value: float | None) -> str:
    """Dollars with two decimals, or up to four where there are some."""
    if value is None:
        return ""
    text = f"{value:,.4f}"
    return text[:-2] if text.endswith("00") else text.removesuffix("0")


def usd(value: float) -> str:
    """Dollars and cents."""
    return f"{value:,.2f}"


def cost(value: float) -> str:
    """Dollars and cents; nothing where it costs nothing."""
    return usd(value) if value else ""


def signed(value: float) -> str:
    """Dollars and cents with their sign."""
    return f"{value:+,.2f}"


def spaced(word: str) -> str:
    """A word of the journal as words."""
    return word.replace("_", " ")


def _plain(key: str) -> Callable[[Document], str]:
    return lambda row: "" if row[key] is None else str(row[key])


def _made(key: str, make: Callable[[Any], str]) -> Callable[[Document], str]:
    return lambda row: make(row[key])


def _mark(key: str) -> Callable[[Document], str]:
    return lambda row: "yes" if row[key] else ""


def _shares(row: Document) -> str:
    """The shares of a trade, a short's with a minus."""
    return f"{row['quantity'] if row['direction'] == 'long' else -row['quantity']:+d}"


ORDERS = (
    Column("order_id", _plain("order_id"), right=True),
    Column("decided", _made("ts_decided", when)),
    Column(
        "eligible",
        lambda row: "" if row["eligible_from"] == row["ts_decided"] else when(row["eligible_from"]),
        drop=3,
    ),
    Column("symbol", _plain("symbol")),
    Column("side", _plain("side")),
    Column("quantity", _plain("quantity"), right=True),
    Column("type", _made("type", spaced)),
    Column("limit", _made("limit_price", price), right=True),
    Column("stop", _made("stop_price", price), right=True),
    Column("force", _plain("time_in_force"), drop=4),
    Column("origin", _plain("origin"), drop=2),
    Column("status", _made("status", spaced)),
    Column("filled", lambda row: str(row["filled_quantity"] or ""), right=True),
    Column("average", _made("average_price", price), right=True),
    Column("reason", _plain("reason"), drop=1),
)
FILLS = (
    Column("fill_id", _plain("fill_id"), right=True),
    Column("effective", _made("ts_effective", when)),
    Column("known", _made("ts_known", clock), drop=3),
    Column("order_id", _plain("order_id"), right=True),
    Column("symbol", _plain("symbol")),
    Column("side", _plain("side")),
    Column("quantity", _plain("quantity"), right=True),
    Column("price", _made("price", price), right=True),
    Column("commission", _made("commission", cost), right=True, drop=2),
    Column("regulatory", _made("regulatory_fees", cost), right=True, drop=4),
    Column("ambiguous", _mark("ambiguous"), drop=5),
    Column("reason", _plain("reason"), drop=1),
)
TRADES = (
    Column("trade_id", _plain("trade_id"), right=True),
    Column("symbol", _plain("symbol")),
    Column("quantity", _shares, right=True),
    Column("entry", _made("entry_ts", when)),
    Column("price", _made("entry_price", price), right=True),
    Column("exit", lambda row: "open" if row["open"] else when(row["exit_ts"])),
    Column("price", _made("exit_price", price), right=True),
    Column("pnl", _made("pnl", signed), right=True),
    Column("fees", _made("fees", cost), right=True, drop=3),
    Column("return %", _made("return_pct", lambda value: f"{value:+.2f}"), right=True, drop=1),
    Column("bars", _plain("bars_held"), right=True, drop=5),
    Column("mae %", _made("mae_pct", lambda value: f"{value:.2f}"), right=True, drop=7),
    Column("mfe %", _made("mfe_pct", lambda value: f"{value:.2f}"), right=True, drop=8),
    Column(
        "prediction",
        _made("entry_prediction", lambda value: "" if value is None else f"{value:+.4%}"),
        right=True,
        drop=6,
    ),
    Column("entry_reason", _plain("entry_reason"), drop=4),
    Column("exit_reason", lambda row: "" if row["open"] else str(row["exit_reason"]), drop=2),
)
PROFIT = (
    Column("date", lambda row: str(row.get("date", "total"))),
    Column("start", _made("start_equity_usd", usd), right=True),
    Column("end", _made("end_equity_usd", usd), right=True),
    Column("change", _made("change_usd", signed), right=True),
    Column("realised", _made("realised_usd", signed), right=True),
    Column("unrealised", _made("unrealised_usd", signed), right=True),
    Column("fees", _made("fees_usd", usd), right=True),
    Column("trades", _plain("trades"), right=True),
)
GAPS = (
    Column("symbol", _plain("symbol")),
    Column("start", _made("start", when)),
    Column("end", _made("end", clock)),
    Column("outcome", _plain("outcome")),
    Column("reason", _made("reason", local)),
)
FEED = (
    Column("time", _made("ts", when)),
    Column("event", _plain("event")),
    Column("symbol", _plain("symbol")),
    Column("detail", _made("detail", local)),
)


def drawn(columns: Sequence[Column], rows: Sequence[Document], screen: Screen) -> list[str]:
    """Rows under their headings; a column that is empty throughout is left out."""
    kept = [column for column in columns if any(map(column.cell, rows))]
    left_out: list[str] = []
    while screen.width is not None and any(column.drop for column in kept):
        if max(map(len, _drawn(kept, rows, plain=True))) <= screen.width:
            break
        least = max(kept, key=lambda column: column.drop)
        kept.remove(least)
        left_out.append(least.heading)
    lines = _drawn(kept, rows, plain=screen.plain)
    if left_out:
        text = f"a wider window also shows {', '.join(left_out)}"
        lines.append(marked(text, "dim", plain=screen.plain))
    return lines


def _drawn(columns: Sequence[Column], rows: Iterable[Document], *, plain: bool) -> list[str]:
    return table(
        [column.heading for column in columns],
        [[column.cell(row) for column in columns] for row in rows],
        right=[column.heading for column in columns if column.right],
        plain=plain,
    )


# --- whole answers --------------------------------------------------------------------------------


def rows_lines(
    document: Document, screen: Screen, name: str, columns: Sequence[Column]
) -> list[str]:
    """A table under a line that says how many rows there are and what they are about."""
    rows = document[name]
    if not rows:
        return [nothing(document, name)]
    word = counted(len(rows), name.removesuffix("s"))
    return [
        _head(document, f"{word} {period(document)}"),
        *drawn(columns, rows, screen),
    ]


def nothing(document: Document, name: str) -> str:
    """That there is nothing to show."""
    if document["event_time"] is None:
        return f"no {name} yet: nothing is journaled"
    last = f"the last turn was at {exchange_time(document['event_time'])}"
    if document["date"] is None:
        return f"no {name} yet: {last}"
    return f"no {name} on {document['date']}: {last}"


def period(document: Document) -> str:
    """What an answer is about: a date, or everything until now."""
    now = exchange_time(document["event_time"])
    if document["date"] is None:
        return f"until {now}"
    return f"on {document['date']} (the last turn was at {now})"


def profit_lines(document: Document, screen: Screen) -> list[str]:
    """The sessions, the total under them and what is held."""
    sessions, total = document["sessions"], document["total"]
    if not sessions:
        return [nothing(document, "bars")]
    rows = [*sessions, total] if total is not None else sessions
    lines = [
        _head(document, f"profit and loss in USD {period(document)}"),
        *drawn(PROFIT, rows, screen),
    ]
    lines += [
        f"{'held':<9} {one['quantity']:+d} {one['symbol']} at {price(one['average_usd'])}, last "
        f"{price(one['close_usd'])}, {signed(one['unrealised_usd'])}"
        for one in document["positions"]
    ]
    return lines if document["positions"] else [*lines, f"{'held':<9} flat"]


def gaps_lines(document: Document, screen: Screen) -> list[str]:
    """Counts by outcome, the ledger's rows and the feed's events."""
    if not document["outcomes"] and not document["feed_events"]:
        return [nothing(document, "bars")]
    outcomes, expected = document["outcomes"], counted(document["expected"], "bar")
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
    lines = [
        _head(document, f"{expected} expected {period(document)}"),
        f"{'bars':<9} {counts or 'none'}",
    ]
    if document["gaps"]:
        lines += ["", *drawn(GAPS, document["gaps"], screen)]
    if document["feed_events"]:
        return [*lines, "", *drawn(FEED, document["feed_events"], screen)]
    return [*lines, f"{'feed':<9} no events"]


def _head(document: Document, text: str) -> str:
    return f"{'account':<9} {document['name']}: {text}"
