"""How much of each limit is used: what `status`, the metrics and the status page show.

A limit on single orders is used by the orders of the last slice that still work; the others by
the account as it stands. `use` is 1 where the limit is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from daemon.core.account import Account
from daemon.core.limits import Limit
from daemon.core.outputs import Origin
from daemon.core.units import MICROS_PER_E4, MICROS_PER_USD, PPM
from daemon.core.values import RiskValues
from daemon.core.working_order import WorkingOrder

PERCENT = PPM // 100

UNITS: dict[str, int] = {
    "max_position_shares": 1,
    "max_position_usd": MICROS_PER_USD,
    "max_order_usd": MICROS_PER_USD,
    "max_gross_leverage": PPM,
    "price_collar_pct": PERCENT,
    "min_cash_usd": MICROS_PER_USD,
    "max_orders_per_hour": 1,
    "max_orders_per_day": 1,
    "max_daily_loss_usd": MICROS_PER_USD,
    "max_drawdown_pct": PERCENT,
}
"""The core's integers in one unit of the limit's name, in the order of the config's table."""

_COUNTED = frozenset({Origin.TARGET, Origin.EXPLICIT})


class LimitUse(NamedTuple):
    """A limit that is set: both numbers in the unit of its name, and the part that is used."""

    name: str
    current: float
    limit: float
    use: float


def limit_uses(account: Account, counted: RiskValues | None = None) -> list[LimitUse]:
    """Every limit that is set, in the order of the config's table.

    `counted` is what the limits count from, where that has been asked for already.
    """
    counted = account.risk.values() if counted is None else counted
    found = []
    for name, unit in UNITS.items():
        limit: Limit | None = getattr(account.risk.limits, name)
        if limit is None:
            continue
        if name == "max_position_shares":
            found.append(_shares_use(account, limit.value))
        else:
            current = _CURRENT[name](account, counted)
            if name == "min_cash_usd":
                use = _spent(account, current, limit.value)
            else:
                use = current / limit.value
            found.append(LimitUse(name, current / unit, limit.value / unit, use))
    return found


def _spent(account: Account, cash: int, least: int) -> float:
    """The use of a floor: the part of what may be spent that is spent."""
    equity = account.portfolio.equity_micros
    spendable = equity - least
    return 1.0 if spendable <= 0 else max(0.0, (equity - cash) / spendable)


# --- what each limit is compared with -------------------------------------------------------------


def _shares_use(account: Account, limit: int) -> LimitUse:
    """The use of the symbol that is nearest to its limit: a split has changed that of some."""
    rescaled = account.risk.shares.rescaled
    held = account.portfolio.positions.values()
    quantities = [(abs(one.quantity), rescaled.get(one.symbol, limit)) for one in held]
    shares, allowed = max(quantities, key=lambda pair: pair[0] / pair[1])
    return LimitUse("max_position_shares", float(shares), float(allowed), shares / allowed)


def _position_micros(account: Account, _: RiskValues) -> int:
    held = account.portfolio.positions.values()
    return max(abs(position.quantity) * position.close_e4 for position in held) * MICROS_PER_E4


def _new_orders(account: Account) -> Iterator[tuple[WorkingOrder, int]]:
    """The strategy's orders of the last slice, each with its symbol's close in micro-dollars."""
    book = account.venue.book
    if book.last is None:
        return
    for order in book.working.values():
        if order.decided == book.last.end and order.spec.origin in _COUNTED:
            position = account.portfolio.positions[order.symbol]
            yield order, position.close_e4 * MICROS_PER_E4


def _order_micros(account: Account, _: RiskValues) -> int:
    return max((order.quantity * close for order, close in _new_orders(account)), default=0)


def _collar_ppm(account: Account, _: RiskValues) -> int:
    distances = (
        abs(price_e4 * MICROS_PER_E4 - close) * PPM // close
        for order, close in _new_orders(account)
        for price_e4 in (order.spec.limit_e4, order.spec.stop_e4)
        if price_e4 is not None and close
    )
    return max(distances, default=0)


def _leverage_ppm(account: Account, _: RiskValues) -> int:
    portfolio = account.portfolio
    return portfolio.gross_micros() * PPM // max(1, portfolio.equity_micros)


def _loss_micros(account: Account, counted: RiskValues) -> int:
    return max(0, counted.baseline_micros - account.portfolio.equity_micros)


def _drawdown_ppm(account: Account, counted: RiskValues) -> int:
    peak = counted.peak_micros
    return max(0, peak - account.portfolio.equity_micros) * PPM // max(1, peak)


_CURRENT: dict[str, Callable[[Account, RiskValues], int]] = {
    "max_position_usd": _position_micros,
    "max_order_usd": _order_micros,
    "max_gross_leverage": _leverage_ppm,
    "price_collar_pct": _collar_ppm,
    "min_cash_usd": lambda account, _: account.portfolio.cash_micros,
    "max_orders_per_hour": lambda _, counted: len(counted.accepted),
    "max_orders_per_day": lambda _, counted: counted.accepted_today,
    "max_daily_loss_usd": _loss_micros,
    "max_drawdown_pct": _drawdown_ppm,
}
