"""Orders, fills, trades and gaps as documents: the rows of the journal's views.

Columns are those of the CSV files. With `date` (YYYYMMDD, exchange time) only what belongs to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from daemon.core.events import MarketSlice, Outcome
from daemon.core.orders import ENDED
from daemon.core.outputs import Fill, OrderUpdated
from daemon.core.portfolio import Position, closed_trade
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, MICROS_PER_USD, PPM
from daemon.feeds.times import date_text, iso_z
from daemon.journal.codec import decode_input, decode_outputs
from daemon.journal.reader import TurnRow
from daemon.reading.journaled import exchange_date, stamp_date

Row = dict[str, Any]


def orders_of(rows: Iterable[Row], turns: Iterable[TurnRow], date: int | None) -> list[Row]:
    """Orders by number; of one date: those decided, changed, filled or ended then, or working.

    `turns` are looked at for a date alone.
    """
    found = sorted(rows, key=lambda row: int(row["order_id"]))
    if date is None:
        return found
    moved = _moved(turns, date)
    return [
        row
        for row in found
        if row["order_id"] in moved
        or row["status"] not in ENDED
        or stamp_date(row["ts_decided"]) == date
    ]


def _moved(turns: Iterable[TurnRow], date: int) -> set[int]:
    """The orders to which something happened on a date."""
    return {
        output.order_id
        for turn in turns
        if turn.outputs != "[]" and exchange_date(turn.instant) == date
        for output in decode_outputs(turn.outputs)
        if isinstance(output, OrderUpdated | Fill)
    }


def fills_of(rows: Iterable[Row], date: int | None) -> list[Row]:
    """Fills by number; of one date: those that the market made then."""
    found = sorted(rows, key=lambda row: int(row["fill_id"]))
    return [
        row | {"ambiguous": bool(row["ambiguous"])}
        for row in found
        if date is None or stamp_date(row["ts_effective"]) == date
    ]


def trades_of(
    rows: Iterable[Row], positions: Iterable[Position], now: int, date: int | None
) -> list[Row]:
    """Round trips by number; of one date: those that ended then. Open ones are marked at `now`."""
    found = [row | {"open": False} for row in rows]
    found = [row for row in found if date is None or stamp_date(row["exit_ts"]) == date]
    found += [_open_trade(position, now) for position in positions if position.quantity]
    return sorted(found, key=lambda row: int(row["trade_id"]))


def _open_trade(position: Position, now: int) -> Row:
    trade = closed_trade(position, now, "open")
    notional_micros = trade.entry_e4 * trade.quantity * MICROS_PER_E4
    return {
        "trade_id": trade.trade_id,
        "symbol": trade.symbol,
        "direction": trade.direction,
        "quantity": trade.quantity,
        "entry_ts": iso_z(trade.entry),
        "entry_price": trade.entry_e4 / E4_PER_USD,
        "exit_ts": iso_z(trade.exit),
        "exit_price": trade.exit_e4 / E4_PER_USD,
        "pnl": trade.pnl_micros / MICROS_PER_USD,
        "fees": trade.fees_micros / MICROS_PER_USD,
        "return_pct": 100 * trade.pnl_micros / notional_micros,
        "bars_held": trade.bars_held,
        "mae_pct": 100 * trade.adverse_ppm / PPM,
        "mfe_pct": 100 * trade.favourable_ppm / PPM,
        "entry_prediction": trade.entry_prediction,
        "entry_reason": trade.entry_reason,
        "exit_reason": trade.exit_reason,
        "open": True,
    }


# --- gaps -----------------------------------------------------------------------------------------


def gaps_of(
    turns: Iterable[TurnRow], gaps: Sequence[Row], events: Sequence[Row], date: int | None
) -> Row:
    """What the expected bars ended as, counted, with the ledger's rows and the feed's events.

    A bar without a row in the ledger ended as the slice says that it came in. Of one date: the
    bars of its session and the events of that day.
    """
    gaps = [
        row | {"session": date_text(row["session"])}
        for row in gaps
        if date is None or row["session"] == date
    ]
    events = [row for row in events if date is None or stamp_date(row["ts"]) == date]
    ends = dict(_slice_ends(turns, date))
    unexpected = set()
    for row in gaps:
        key = (row["symbol"], row["start"])
        if row["outcome"] == Outcome.UNEXPECTED:
            unexpected.add(key)
        else:
            ends[key] = row["outcome"]
    counts = Counter(ends.values())
    return {
        "expected": len(ends) - counts[Outcome.WARMUP],
        "outcomes": {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}
        | ({Outcome.UNEXPECTED.value: len(unexpected)} if unexpected else {}),
        "gaps": gaps,
        "feed_events": events,
    }


def _slice_ends(
    turns: Iterable[TurnRow], date: int | None
) -> Iterator[tuple[tuple[str, str], str]]:
    """((symbol, start), outcome) of each bar that was expected, the last word last."""
    for turn in turns:
        if turn.kind != "slice" or (date is not None and exchange_date(turn.instant) != date):
            continue
        assert turn.input is not None, "a live journal stores every input"
        market = decode_input(turn.kind, turn.input)
        assert isinstance(market, MarketSlice), turn.kind
        start = iso_z(market.start)
        for bar in market.bars:
            yield (bar.symbol, start), market.outcome.value
        for symbol in market.missing:
            yield (symbol, start), Outcome.MISSING.value
