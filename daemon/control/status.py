"""The standing of an account as one document, for a running daemon and for one that is down.

Instants are ISO-8601 with `Z`, money is dollars; the text for screens is made from it elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from daemon import ENGINE_VERSION, __version__
from daemon.core.account import Account
from daemon.core.due_fills import DueFill, due_fills
from daemon.core.events import Reset
from daemon.core.outputs import (
    CommandRefused,
    Fill,
    OrderAccepted,
    OrderUpdated,
    Origin,
    StateChanged,
)
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_E4, MICROS_PER_USD
from daemon.core.working_order import WorkingOrder
from daemon.errors import RefusedError
from daemon.feeds.closed_bars import Slot
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.feeds.schedule import SLICE, calendar_schedule
from daemon.feeds.times import iso_z
from daemon.observability.limits import limit_uses

if TYPE_CHECKING:
    from daemon.control.latch import Latch
    from daemon.feeds.calendar import Calendar
    from daemon.live.recovery import Rerun
    from daemon.live.running import Live


def live_document(live: Live, notify: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a running daemon; `notify` is what its notifications say of themselves."""
    return {**running_document(live, notify), "digest": live.rerun.digest_now}


def running_document(live: Live, notify: Mapping[str, Any]) -> dict[str, Any]:
    """The same without the digest, which takes the longer the more has been lived."""
    again = live.rerun
    document = standing_document(again, live.source.now(), live.state.latch, live.calendar)
    document["latched"] = live.switch.closed()
    document["daemon"] = {
        "running": True,
        "process": os.getpid(),
        "started": iso_z(int(live.started) * 1_000_000_000),
        "blocked": live.committer.blocked,
    }
    document["feed"] = live.source.standing()
    document["tasks"] = [
        {"name": task.name, "health": task.health.value, "failures": task.failures}
        for task in again.pipeline.tasks.values()
    ]
    document["config_path"] = str(live.config.path.absolute())
    document["notify"] = notify
    return document


def down_document(
    again: Rerun, latch: Latch, calendar: Calendar | None, gaps: Mapping[str, int]
) -> dict[str, Any]:
    """Everything about an account whose daemon is down; without a calendar, no times to come.

    `gaps` is how many bars ended in each way but as received.
    """
    document = standing_document(again, again.last_instant, latch, calendar)
    following = next(_bars_to_come(again, calendar), None)
    document["latched"] = latch.is_set()
    document["daemon"] = {"running": False}
    document["feed"] = {
        "kind": again.segment.manifest["config"]["feed"]["kind"],
        "state": "the daemon is down",
        "next_bar": None if following is None else iso_z(following[1]),
        "gaps": gaps,
    }
    return {**document, "digest": again.digest_now}


def standing_document(
    again: Rerun, now: int, latch: Latch, calendar: Calendar | None
) -> dict[str, Any]:
    """The account, its last turn, the latch and what it runs on."""
    account, said = again.account, latch.read()
    bars = _bars_to_come(again, calendar)
    manifest = again.segment.manifest
    return {
        "name": manifest["config"]["name"],
        "symbols": manifest["config"]["symbols"],
        **account_document(account, now, bars),
        "latch": None if said is None else said._asdict(),
        "flatten": latch.wants_flat(),
        "event_time": iso_z(now) if now else None,
        "last_turn": again.pipeline.seq,
        "last_bars": {
            bar.symbol: iso_z(bar.end) for bar in (account.venue.book.last.bars)
        } if account.venue.book.last else {},
        "warming": _warming(again),
        "limits": [limit._asdict() for limit in limit_uses(account)],
        "segment": again.segment.segment,
        "versions": {
            "papertape": __version__,
            "engine": ENGINE_VERSION,
            "model": manifest["model"],
            "strategy": manifest["strategy"]["kind"],
        },
    }  # fmt: skip


def _warming(again: Rerun) -> dict[str, int] | None:
    """How many bars strategy and model have seen of those they need; None once they have."""
    needed = again.setup.warmup_bars
    seen = min((p.bars for p in again.account.portfolio.positions.values()), default=0)
    return {"seen": seen, "needed": needed} if seen < needed else None


def _bars_to_come(again: Rerun, calendar: Calendar | None) -> Iterator[tuple[int, int]]:
    """Starts and ends of the bars that the calendar expects after the last slice."""
    last, config = again.account.venue.book.last, again.setup.config
    if last is None or calendar is None:
        return
    after = (last.end, SLICE)
    size_ns, symbols = BAR_SIZES_NS[config.bars.size], tuple(config.symbols)
    with suppress(RefusedError):  # the calendar ends
        for item in calendar_schedule(calendar, symbols, size_ns, config.bars.grid, after):
            if isinstance(item, Slot):
                yield item.start, item.end


def account_document(account: Account, now: int, bars: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """State, holds, money, positions and orders at event time `now`; `bars` are those to come."""
    portfolio, control, risk = account.portfolio, account.control, account.risk
    due = due_fills(account.venue.book, now, bars)
    equity, peak = portfolio.equity_micros, risk.peak_micros
    return {
        "state": control.state.name,
        "holds": [
            {
                "source": hold.source,
                "level": TradingState(hold.level).name,
                "since": iso_z(hold.since),
                "reason": hold.reason,
            }
            for hold in control.holds
        ],
        "flattening": control.flattening,
        "equity_usd": equity / MICROS_PER_USD,
        "cash_usd": portfolio.cash_micros / MICROS_PER_USD,
        "starting_cash_usd": risk.starting_cash_micros / MICROS_PER_USD,
        "day_pnl_usd": (equity - risk.baseline_micros) / MICROS_PER_USD,
        "total_pnl_usd": (equity - risk.starting_cash_micros) / MICROS_PER_USD,
        "drawdown_pct": 100 * min(0, equity - peak) / peak,
        "positions": list(_positions(account)),
        "orders": [
            _order(order, due.get(order.order_id)) for order in account.venue.book.working.values()
        ],
    }


def _positions(account: Account) -> Iterable[dict[str, Any]]:
    for position in account.portfolio.positions.values():
        if not position.quantity:
            continue
        held = abs(position.quantity)
        value = position.quantity * position.close_e4 * MICROS_PER_E4 / MICROS_PER_USD
        sign = 1 if position.quantity > 0 else -1
        yield {
            "symbol": position.symbol,
            "quantity": position.quantity,
            "average_usd": position.cost_e4 / held / E4_PER_USD,
            "close_usd": position.close,
            "value_usd": value,
            "unrealised_usd": value - sign * position.cost_e4 / E4_PER_USD,
            "has_stop": has_stop(account, position.symbol),
        }


def has_stop(account: Account, symbol: str) -> bool:
    """Whether a working stop would close the position."""
    return any(
        order.is_protective and order.stop_e4 is not None
        for order in account.venue.book.orders_of(symbol)
    )


def _order(order: WorkingOrder, due: DueFill | None) -> dict[str, Any]:
    spec = order.spec
    pending = due is not None and due.is_pending
    return {
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": spec.side.value,
        "remaining": order.remaining,
        "type": spec.order_type.value,
        "limit_usd": None if order.limit_e4 is None else order.limit_e4 / E4_PER_USD,
        "stop_usd": None if order.stop_e4 is None else order.stop_e4 / E4_PER_USD,
        "time_in_force": spec.time_in_force.value,
        "origin": spec.origin.value,
        "status": "FILL_PENDING" if pending else order.status.value,
        "eligible_from": iso_z(order.eligible_from),
        "fills_at": None if due is None else iso_z(due.effective),
        "known_at": None if due is None else iso_z(due.known),
        "overnight": due is not None and due.overnight,
        "reason": spec.reason,
    }


# --- what a command did ---------------------------------------------------------------------------


def told_changes(turn: Turn, account: Account) -> list[str]:
    """What came of a command's turn, one line each, for the one who gave it."""
    lines: list[str] = []
    state = account.control.state.name
    for output in turn.outputs:
        if isinstance(output, StateChanged):
            word = "lifted" if output.lifted else "set"
            lines.append(
                f"{output.previous} → {output.state}: {output.level} of {output.source} {word}"
            )
        elif isinstance(output, OrderUpdated):
            lines.append(f"order {output.order_id} ({output.symbol}): {output.status.value}")
        elif isinstance(output, OrderAccepted):
            lines.append(
                f"order {output.order_id}: {output.side.value} {output.quantity} {output.symbol}, "
                f"eligible from {iso_z(output.eligible_from)}"
            )
        elif isinstance(output, Fill):
            lines.append(f"fill {output.fill_id}: {output.side.value} {output.quantity}")
        elif isinstance(output, CommandRefused):
            lines.append(f"refused: {output.detail}")
    if not lines:
        lines.append(f"nothing changed: the account is {state}")
    if account.control.state is TradingState.HALTED:
        lines += left_open(account)
    elif isinstance(turn.input, Reset):
        lines += still_flattening(account)
    return lines


def still_flattening(account: Account) -> list[str]:
    """What a flattening has ordered and no reset withdraws."""
    return [
        f"order {order.order_id} of the flattening still works: "
        f"{order.spec.side.value} {order.remaining} {order.symbol}"
        for order in account.venue.book.working.values()
        if order.spec.origin is Origin.FLATTEN
    ]


def what_still_holds(account: Account) -> list[str]:
    """After holds were lifted: what stands nevertheless, and what lifts that."""
    control = account.control
    if control.state is TradingState.ACTIVE:
        return []
    if control.state is TradingState.HALTED:
        lifts = "`papertape reset --reason TEXT` lifts it"
    elif all(hold.cause == HoldSource.FEED for hold in control.holds):
        lifts = "a stable feed lifts it"
    else:
        lifts = "`papertape resume` goes on"
    return [f"still {control.state.name}: {lifts}"]


def left_open(account: Account) -> list[str]:
    """What a halt leaves on: positions, and whether anything would close them."""
    return [
        f"{position.quantity:+d} {position.symbol} "
        + ("with a stop" if has_stop(account, position.symbol) else "now without a stop")
        + ("" if account.control.flattening else "; `papertape kill --flatten` closes it")
        for position in account.portfolio.positions.values()
        if position.quantity
    ]
