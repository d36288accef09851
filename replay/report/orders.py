"""The report on orders and data: costs, denials, what did not fill, guesses, gaps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.core.outputs import Fill
from daemon.core.units import MICROS_PER_E4
from replay.record import RunRecord
from replay.report.format import (
    NOT_AVAILABLE,
    block,
    iso_day,
    number,
    percent,
    section,
    stamp,
    table,
    usd,
)
from replay.summary.activity import decided_micros, slippage_micros

LISTED_AMBIGUOUS = 200
LISTED_GAPS = 300
LISTED_GROUPS = 30
LISTED_STATES = 100
AMBIGUOUS_HEADERS = (
    *("Fill", "Bar", "Symbol", "Side", "Quantity"),
    *("Price", "Other price", "Decided, USD", "Reason"),
)


GROUPS = (
    ("by_symbol", "symbol", "By symbol"),
    ("by_entry_reason", "reason", "By entry reason"),
    ("by_exit_reason", "reason", "By exit reason"),
)


def by_reasons(summary: Mapping[str, Any]) -> str:
    """Trades, wins and profit by symbol, by entry and by exit, where there are several."""
    blocks = [
        block(
            title,
            table(
                (name.capitalize(), "Trades", "Won", "Profit, USD", "Mean"),
                [_group_row(row, name) for row in rows[:LISTED_GROUPS]],
                numeric=frozenset({1, 2, 3, 4}),
            ),
        )
        for key, name, title in GROUPS
        if len(rows := summary.get(key) or ()) > 1
    ]
    return f"<div class=triple>{''.join(blocks)}</div>" if blocks else ""


def _group_row(row: Mapping[str, Any], name: str) -> Sequence[object]:
    return (
        row[name],
        number(row["trades"], 0),
        percent(row["win_rate_pct"], 1),
        number(row["profit_usd"], 2, sign=True),
        percent(row["average_trade_pct"], 2, sign=True),
    )


def costs_section(record: RunRecord) -> str:
    """What trading cost by kind, and why intents and orders came to nothing."""
    return section(
        "costs",
        "Costs and orders",
        "<div class=triple>",
        _costs(record.fills),
        _denials(record),
        _unfilled(record),
        "</div>",
        _ambiguous(record.fills),
        _states(record),
    )


def _costs(fills: Sequence[Fill]) -> str:
    turnover = sum(fill.price_e4 * fill.quantity for fill in fills) * MICROS_PER_E4
    kinds = {
        "Commission": sum(fill.commission_micros for fill in fills),
        "SEC fee": sum(fill.sec_micros for fill in fills),
        "FINRA TAF": sum(fill.taf_micros for fill in fills),
        "CAT fee": sum(fill.cat_micros for fill in fills),
        "Slippage and tick": sum(map(slippage_micros, fills)),
    }

    def row(name: str, micros: int) -> tuple[str, str, str]:
        bps = micros / turnover * 10_000 if turnover else None
        return name, usd(micros), number(bps, 3)

    return block(
        "Costs by kind",
        table(
            ("Kind", "USD", "bp of turnover"),
            [row(name, micros) for name, micros in kinds.items()],
            numeric=frozenset({1, 2}),
            total=row("Total", sum(kinds.values())),
        ),
        note=f"{len(fills):,} fills, turnover {usd(turnover)} USD; slippage is in the prices, "
        "the rest is booked as fees",
    )


def _denials(record: RunRecord) -> str:
    counts = Counter((denial.reason, denial.origin) for denial in record.denials)
    if not counts:
        return block("Denials", "<p class=note>Nothing was denied.</p>")
    return block(
        "Denials by reason",
        table(
            ("Reason", "Origin", "Count"),
            [(*key, f"{count:,}") for key, count in counts.most_common()],
            numeric=frozenset({2}),
        ),
        note="intents that did not become orders; each one is in denials.csv",
    )


def _unfilled(record: RunRecord) -> str:
    counts = Counter(
        (order.reason or order.status, order.order_type)
        for order in record.orders
        if order.filled_quantity < order.quantity
    )
    if not counts:
        return block("Orders not filled", "<p class=note>Every order filled.</p>")
    return block(
        "Orders not filled, by reason",
        table(
            ("Reason", "Type", "Count"),
            [(*key, f"{count:,}") for key, count in counts.most_common()],
            numeric=frozenset({2}),
        ),
        note=f"of {len(record.orders):,} orders; in part or at all, protective siblings too",
    )


def _ambiguous(fills: Sequence[Fill]) -> str:
    guessed = [fill for fill in fills if fill.ambiguous]
    if not guessed:
        return ""
    decided = [decided_micros(fill) for fill in guessed]
    largest = sorted(zip(guessed, decided, strict=True), key=lambda pair: -abs(pair[1]))
    rows = [
        (
            f"#{fill.fill_id}",
            stamp(fill.effective),
            fill.symbol,
            fill.side,
            f"{fill.quantity:,}",
            number(fill.price_e4 / 10_000, 2),
            number(None if fill.other_e4 is None else fill.other_e4 / 10_000, 2),
            usd(decision, sign=True),
            fill.reason,
        )
        for fill, decision in largest[:LISTED_AMBIGUOUS]
    ]
    more = f" The {LISTED_AMBIGUOUS} largest are listed." if len(rows) < len(guessed) else ""
    return block(
        "Ambiguous fills",
        table(
            AMBIGUOUS_HEADERS,
            rows,
            numeric=frozenset({4, 5, 6, 7}),
        ),
        note=f"{len(guessed):,} fills rest on a guess about the order of prices within their bar. "
        f"The guesses made bring {usd(sum(decided), sign=True)} USD more than the other ones would "
        f"(below 0: they were cautious); {usd(sum(map(abs, decided)))} USD hang on them in all."
        f"{more}",
    )


def _states(record: RunRecord) -> str:
    if not record.states:
        return ""
    rows = [
        (stamp(each.instant), f"{each.previous} → {each.state}", each.source, each.reason)
        for each in record.states[:LISTED_STATES]
    ]
    is_cut = len(record.states) > LISTED_STATES
    return block(
        "Changes of the trading state",
        table(("Time", "State", "Source", "Reason"), rows),
        note=f"the first {LISTED_STATES:,} of {len(record.states):,}" if is_cut else "",
    )


def data_section(record: RunRecord) -> str:
    """Coverage by symbol, and the bars that are missing, quarantined or otherwise remarkable."""
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    for gap in record.gaps:
        outcomes[gap.symbol][str(gap.outcome)] += 1
    seen = sorted({name for counts in outcomes.values() for name in counts})
    rows = []
    for symbol in record.symbols:
        expected = record.expected_bars.get(symbol, 0)
        received = record.received_bars.get(symbol, 0)
        share = percent(received / expected * 100, 3) if expected else NOT_AVAILABLE
        counts = [f"{outcomes[symbol][name]:,}" for name in seen]
        rows.append((symbol, f"{expected:,}", f"{received:,}", share, *counts))
    listed = [
        (gap.symbol, stamp(gap.start), iso_day(gap.session), gap.outcome, gap.reason)
        for gap in record.gaps[:LISTED_GAPS]
    ]
    is_cut = len(record.gaps) > LISTED_GAPS
    more = f" (the first {LISTED_GAPS:,} here, all in gaps.csv)" if is_cut else ""
    gaps = (
        f"<details><summary>{len(record.gaps):,} entries of the gap ledger{more}</summary>"
        + table(("Symbol", "Bar", "Session", "Outcome", "Reason"), listed)
        + "</details>"
        if listed
        else ""
    )
    return section(
        "data",
        "Data quality",
        table(
            ("Symbol", "Expected bars", "Received", "Coverage", *seen),
            rows,
            numeric=frozenset(range(1, 4 + len(seen))),
        ),
        gaps,
        note="Expected bars come from the exchange calendar; a bar that is missing fills nothing "
        "and carries the mark of the bar before.",
    )
