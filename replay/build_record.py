"""From what a run has left to its RunRecord: orders as they ended, cash and marks row by row."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from daemon.core.events import Split
from daemon.core.orders import OrderStatus
from daemon.core.outputs import (
    ActionApplied,
    CancelAmbiguous,
    DividendPaid,
    Fill,
    LimitBreached,
    OrderUpdated,
    Reason,
)
from daemon.core.portfolio import closed_trade
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, price_e4
from daemon.core.working_order import sign_of
from replay.record import BarColumns, OrderRow, PredictionRow, RunRecord
from replay.run_source import Moved, RunSource

Moves = Sequence[tuple[int, Moved]]


def build_record(source: RunSource, manifest: dict[str, Any]) -> RunRecord:
    """The record of a run; `manifest` becomes part of it as it is."""
    facts = source.facts
    record = RunRecord(
        manifest=manifest,
        config=dict(source.config),
        symbols=source.symbols,
        starting_cash_micros=source.starting_cash_micros,
        first_start=source.first_start,
        last_end=source.last_end,
        ends=source.ends,
        equity=source.equity,
        session_dates=source.session_dates,
        fills=facts.fills,
        trades=facts.trades,
        open_trades=[
            closed_trade(position, source.last_end, "open")
            for position in source.positions
            if position.quantity
        ],
        orders=order_rows(source),
        denials=facts.denials,
        states=facts.states,
        predictions=[
            PredictionRow(end, row.symbol, row.value, row.failure)
            for end, row in source.predictions
        ],
        gaps=source.gaps,
        bars=source.bars,
        expected_bars=source.expected,
        received_bars=source.received,
        notes=source.notes
        | {"ambiguous_cancels": facts.of(CancelAmbiguous), "breaches": facts.of(LimitBreached)},
    )
    _fill_columns(record, source.moves)
    return record


def order_rows(source: RunSource) -> list[OrderRow]:
    """Every order as it stood at the end, with the word that says why it did not fill (C10)."""
    filled: dict[int, list[Fill]] = {}
    for fill in source.facts.fills:
        filled.setdefault(fill.order_id, []).append(fill)
    latest = {update.order_id: update for update in source.facts.updates}
    rows = []
    for order in source.facts.orders:
        fills = filled.get(order.order_id, [])
        update = latest.get(order.order_id)
        quantity = (update or order).quantity
        shares = sum(fill.quantity for fill in fills)
        status, reason = _end(update, shares, quantity, source, order.order_id)
        notional = sum(fill.quantity * fill.price_e4 for fill in fills)
        rows.append(
            OrderRow(
                order_id=order.order_id,
                decided=order.decided,
                eligible_from=order.eligible_from,
                symbol=order.symbol,
                side=order.side,
                order_type=order.order_type,
                quantity=quantity,
                filled_quantity=shares,
                average_price_usd=notional / shares / E4_PER_USD if shares else None,
                limit_e4=(update or order).limit_e4,
                stop_e4=(update or order).stop_e4,
                time_in_force=order.time_in_force,
                origin=order.origin,
                status=status,
                reason=reason,
            )
        )
    return rows


def _end(
    update: OrderUpdated | None, shares: int, quantity: int, source: RunSource, order_id: int
) -> tuple[OrderStatus, str]:
    """How an order stands, and why it is not filled."""
    status = _status(update, shares, quantity)
    if status is OrderStatus.FILLED:
        return status, ""
    if status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        assert update is not None, "an order ended without a reason"
        return status, update.reason
    if source.waiting is None:
        return status, update.reason if update else ""
    working = source.waiting.get(order_id)
    if working is None:  # given up with the turns that came out otherwise when played again
        return OrderStatus.CANCELLED, Reason.HALTED
    never_met = working.eligible_from >= source.last_end
    return status, Reason.TAPE_ENDED if never_met else working.unfilled


def _status(update: OrderUpdated | None, shares: int, quantity: int) -> OrderStatus:
    if update and update.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        return update.status
    if shares >= quantity:
        return OrderStatus.FILLED
    if shares:
        return OrderStatus.PARTIALLY_FILLED
    return update.status if update else OrderStatus.WORKING


def _fill_columns(record: RunRecord, moves: Moves) -> None:
    """Cash, holdings and the worst mark of each row, worked out between the events that move them.

    They are not kept bar by bar while turns run, since they follow from the fills.
    """
    ends, rows = record.ends, len(record.ends)
    cash = array("q", bytes(8 * rows))
    worst = array("q", record.equity)
    held = bytearray(rows)
    balance, at = record.starting_cash_micros, 0
    for instant, change in [*_cash_steps(moves), (1 << 62, 0)]:
        until = bisect_left(ends, instant)
        if until > at:
            cash[at:until] = array("q", [balance]) * (until - at)
            at = until
        balance += change
    for symbol, spans in _holdings(moves).items():
        for since, before, quantity in spans:
            first, until = bisect_left(ends, since), bisect_left(ends, before)
            held[first:until] = b"\x01" * (until - first)
            _worst_marks(worst, record.bars[symbol], ends, first, until, quantity)
    record.cash, record.worst, record.held = cash, worst, held


def _worst_marks(
    worst: array[int], bars: BarColumns, ends: array[int], first: int, until: int, quantity: int
) -> None:
    """Take off what the position would lose were it marked at its bar's far end (S27)."""
    if first >= until:
        return
    row = first
    far = bars.low if quantity > 0 else bars.high
    begin = bisect_left(bars.end, ends[first])
    finish = bisect_right(bars.end, ends[until - 1])
    for place in range(begin, finish):
        while ends[row] < bars.end[place]:
            row += 1
        change = price_e4(far[place]) - price_e4(bars.close[place])
        worst[row] += quantity * change * MICROS_PER_E4


def _cash_steps(moves: Moves) -> list[tuple[int, int]]:
    """Each change of cash with the end of the bar it is known at."""
    steps = []
    for instant, move in moves:
        if isinstance(move, Fill):
            fees = move.commission_micros + move.regulatory_micros
            paid = sign_of(move.side) * move.quantity * move.price_e4 * MICROS_PER_E4 + fees
            steps.append((instant, -paid))
        elif isinstance(move, DividendPaid) or isinstance(move.action, Split):
            steps.append((instant, move.cash_micros))
    return steps


def _holdings(moves: Moves) -> dict[str, list[tuple[int, int, int]]]:
    """For each symbol the spans [bar end, bar end) over which a quantity was held at the close."""
    held: dict[str, tuple[int, int]] = {}
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for instant, move in moves:
        if isinstance(move, Fill):
            symbol = move.symbol
        elif isinstance(move, ActionApplied) and isinstance(move.action, Split):
            symbol = move.action.symbol
        else:
            continue
        quantity, since = held.get(symbol, (0, 0))
        if quantity and instant > since:
            spans.setdefault(symbol, []).append((since, instant, quantity))
        if isinstance(move, Fill):
            quantity += sign_of(move.side) * move.quantity
        else:
            quantity = move.quantity
        held[symbol] = quantity, instant
    for symbol, (quantity, since) in held.items():
        if quantity:
            spans.setdefault(symbol, []).append((since, 1 << 62, quantity))
    return spans
