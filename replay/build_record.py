"""From a played replay to its RunRecord: orders as they ended, cash and marks row by row."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Any

from daemon.core.events import Split
from daemon.core.orders import OrderStatus
from daemon.core.outputs import ActionApplied, DividendPaid, Fill, OrderUpdated, Reason
from daemon.core.portfolio import closed_trade
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, price_e4
from daemon.core.working_order import sign_of
from replay.record import BarColumns, OrderRow, PredictionRow, RunRecord
from replay.run import Played, applied_actions
from replay.slices import Part, cut


def build_record(played: Played, manifest: dict[str, Any]) -> RunRecord:
    """The record of a finished replay; `manifest` becomes part of it as it is."""
    inputs, pipeline, feed = played.inputs, played.pipeline, played.feed.played
    symbols = tuple(inputs.config.symbols)
    window = inputs.window
    bars = {
        symbol: cut(columns, window.start, window.end)
        for symbol, columns in inputs.tape.columns.items()
    }
    record = RunRecord(
        manifest=manifest,
        config=inputs.config.resolved(),
        symbols=symbols,
        starting_cash_micros=played.account.risk.starting_cash_micros,
        first_start=feed.first_start,
        last_end=feed.last_end,
        ends=pipeline.ends,
        equity=pipeline.equity,
        fills=played.recorder.fills,
        trades=played.recorder.trades,
        open_trades=_open_trades(played),
        orders=order_rows(played),
        denials=played.recorder.denials,
        states=played.recorder.states,
        predictions=[
            PredictionRow(end, row.symbol, row.value, row.failure)
            for end, row in pipeline.predictions
        ],
        gaps=feed.gaps,
        bars=bars,
        expected_bars=feed.expected,
        received_bars=feed.received,
        notes=_notes(played),
    )
    _fill_columns(record, played, bars)
    return record


def order_rows(played: Played) -> list[OrderRow]:
    """Every order as it stood at the end, with the word that says why it did not fill (C10)."""
    filled: dict[int, list[Fill]] = {}
    for fill in played.recorder.fills:
        filled.setdefault(fill.order_id, []).append(fill)
    latest = {update.order_id: update for update in played.recorder.updates}
    rows = []
    for order in played.recorder.orders:
        fills = filled.get(order.order_id, [])
        update = latest.get(order.order_id)
        quantity = (update or order).quantity
        shares = sum(fill.quantity for fill in fills)
        status = _status(update, shares, quantity)
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
                reason=_why(status, update, played, order.order_id),
            )
        )
    return rows


def _status(update: OrderUpdated | None, shares: int, quantity: int) -> OrderStatus:
    if update and update.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        return update.status
    if shares >= quantity:
        return OrderStatus.FILLED
    if shares:
        return OrderStatus.PARTIALLY_FILLED
    return update.status if update else OrderStatus.WORKING


def _why(status: OrderStatus, update: OrderUpdated | None, played: Played, order_id: int) -> str:
    if status is OrderStatus.FILLED:
        return ""
    if status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
        assert update is not None, "an order ended without a reason"
        return update.reason
    working = played.account.venue.book.working[order_id]
    never_met = working.eligible_from >= played.feed.played.last_end
    return Reason.TAPE_ENDED if never_met else working.unfilled


def _open_trades(played: Played) -> list[Any]:
    instant = played.feed.played.last_end
    return [
        closed_trade(position, instant, "open")
        for position in played.account.portfolio.positions.values()
        if position.quantity
    ]


def _notes(played: Played) -> dict[str, Any]:
    tape, recorder = played.inputs.tape, played.recorder
    path = played.inputs.config.tape.path if played.inputs.config.tape else None
    adjusted_blindly = tape.adjustment != "raw" and not any(
        action.symbol in played.inputs.config.symbols for action in played.inputs.actions
    )
    return {
        "costs_distorted": tape.costs_distorted and adjusted_blindly,
        "suspected_factor": tape.suspected_factor,
        "actions": applied_actions(played.inputs),
        "ambiguous_cancels": recorder.ambiguous_cancels,
        "breaches": recorder.breaches,
        "unexpected_bars": tape.unexpected.count,
        "synthetic": "synthetic" in str(path or "").lower(),
    }


def _fill_columns(record: RunRecord, played: Played, bars: dict[str, Part]) -> None:
    """Cash, holdings and the worst mark of each row, worked out between the events that move them.

    They are not kept bar by bar while turns run, since they follow from the fills.
    """
    ends, rows = record.ends, len(record.ends)
    cash = array("q", bytes(8 * rows))
    worst = array("q", record.equity)
    held = bytearray(rows)
    steps = _cash_steps(played)
    balance, at = record.starting_cash_micros, 0
    for instant, change in [*steps, (1 << 62, 0)]:
        until = bisect_left(ends, instant)
        if until > at:
            cash[at:until] = array("q", [balance]) * (until - at)
            at = until
        balance += change
    for symbol, spans in _holdings(played).items():
        for since, before, quantity in spans:
            first, until = bisect_left(ends, since), bisect_left(ends, before)
            held[first:until] = b"\x01" * (until - first)
            _worst_marks(worst, bars[symbol], ends, first, until, quantity)
    record.cash, record.worst, record.held = cash, worst, held
    record.session_dates = _session_dates(record, played)


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


def _cash_steps(played: Played) -> list[tuple[int, int]]:
    """Each change of cash with the end of the bar it is known at."""
    steps = []
    for fill in played.recorder.fills:
        fees = fill.commission_micros + fill.regulatory_micros
        paid = sign_of(fill.side) * fill.quantity * fill.price_e4 * MICROS_PER_E4 + fees
        steps.append((fill.known, -paid))
    applied = played.recorder.of(ActionApplied)
    paid_out = [one for one in applied if isinstance(one.action, Split)]
    paid_out += played.recorder.of(DividendPaid)
    steps += [(one.instant, one.cash_micros) for one in paid_out]
    return sorted(steps)


def _holdings(played: Played) -> dict[str, list[tuple[int, int, int]]]:
    """For each symbol the spans [bar end, bar end) over which a quantity was held at the close."""
    changes: dict[str, list[tuple[int, int, bool]]] = {}
    for fill in played.recorder.fills:
        change = sign_of(fill.side) * fill.quantity
        changes.setdefault(fill.symbol, []).append((fill.known, change, False))
    for output in played.recorder.of(ActionApplied):
        if isinstance(output.action, Split):
            row = (output.instant, output.quantity, True)
            changes.setdefault(output.action.symbol, []).append(row)
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for symbol, rows in changes.items():
        quantity, since = 0, 0
        for instant, change, absolute in sorted(rows, key=lambda row: row[0]):
            if quantity and instant > since:
                spans.setdefault(symbol, []).append((since, instant, quantity))
            quantity = change if absolute else quantity + change
            since = instant
        if quantity:
            spans.setdefault(symbol, []).append((since, 1 << 62, quantity))
    return spans


def _session_dates(record: RunRecord, played: Played) -> array[int]:
    dates = array("q")
    at = 0
    for session in played.inputs.sessions:
        until = bisect_right(record.ends, session.closes)
        dates.extend([session.date] * (until - at))
        at = until
    return dates
