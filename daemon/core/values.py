"""An account by value: all that it needs to go on exactly, as immutable, JSON-encodable structs.

Each class of the core owns its state and gives and takes it (`values`, `restore`); here stand the
forms, and the two functions that put the parts together. What follows from other values or from
the config (equity, bounds, what a price costs) is worked out again, never carried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from daemon.core.events import Bracket, MarketSlice
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Reason
from daemon.core.trading_state import Hold
from daemon.core.working_order import OrderSpec

if TYPE_CHECKING:
    from daemon.core.account import Account


class TradeValues(Struct, frozen=True, gc=False):
    """An open round trip, as `Trade`."""

    trade_id: int
    sign: int
    entry: int
    entry_at: int
    entry_notional_e4: int
    entry_quantity: int
    exit_notional_e4: int
    exit_quantity: int
    fees_micros: int
    low: float
    high: float
    entry_reason: str
    entry_prediction: float | None


class PositionValues(Struct, frozen=True, gc=False):
    """One symbol's shares and marks, as `Position`."""

    symbol: str
    quantity: int = 0
    cost_e4: int = 0
    close: float = 0.0
    bars: int = 0
    exit_at: int | None = None
    trade: TradeValues | None = None


class PortfolioValues(Struct, frozen=True, gc=False):
    """The ledger. `receivables` are (pay date, symbol, micro-dollars)."""

    cash_micros: int
    positions: tuple[PositionValues, ...]
    predictions: dict[str, float]
    receivables: tuple[tuple[int, str, int], ...]
    next_fill_id: int
    next_trade_id: int


class OrderValues(Struct, frozen=True, gc=False):
    """A working or withdrawn order, as `WorkingOrder`."""

    spec: OrderSpec
    order_id: int
    decided: int
    eligible_from: int
    first_eligible: int
    group: int | None
    is_exit: bool
    quantity: int
    filled: int
    limit_e4: int | None
    stop_e4: int | None
    extreme_e4: int | None
    status: OrderStatus
    at_market: bool
    missed: int | None
    unfilled: Reason
    withdrawn_for: Reason | None
    withdrawn_at: int
    charged_micros: int
    notional_micros: int


class BookValues(Struct, frozen=True, gc=False):
    """The order book: numbers of working orders, (number, instant) of withdrawn ones; all by value.

    `labels` are the groups that a strategy's own labels stand for.
    """

    orders: tuple[OrderValues, ...]
    working: tuple[int, ...]
    withdrawn: tuple[tuple[int, int], ...]
    last: MarketSlice | None
    next_order_id: int
    next_group: int
    labels: dict[str, int]


class GuardValues(Struct, frozen=True, gc=False):
    """The bracket in force for a symbol, its OCO group and the numbers of its orders."""

    symbol: str
    bracket: Bracket
    group: int
    orders: tuple[int, ...]


class RiskValues(Struct, frozen=True, gc=False):
    """What the limits count from.

    `accepted` are the instants of the orders that may still count in a rolling hour, `breached`
    the account limits that are known to be reached, `rescaled` the share limits of symbols that
    have split while `shares_limit` was the configured one.
    """

    starting_cash_micros: int
    peak_micros: int
    baseline_micros: int
    accepted: tuple[int, ...]
    accepted_today: int
    breached: tuple[str, ...]
    shares_limit: int | None = None
    rescaled: tuple[tuple[str, int], ...] = ()


class AccountValues(Struct, frozen=True, gc=False):
    """A whole account between two turns; `holds` in the order they were set."""

    portfolio: PortfolioValues
    book: BookValues
    protection: tuple[GuardValues, ...]
    holds: tuple[Hold, ...]
    flattening: bool
    model_failures: int
    risk: RiskValues


S = TypeVar("S", bound=Struct)
T = TypeVar("T")


def values_of(account: Account) -> AccountValues:
    """The account by value; asked for between two turns."""
    assert not account.outputs, "an account is taken by value between two turns"
    control = account.control
    return AccountValues(
        portfolio=account.portfolio.values(),
        book=account.venue.book.values(),
        protection=account.venue.protection.values(),
        holds=tuple(control.holds),
        flattening=control.flattening,
        model_failures=control.model_failures,
        risk=account.risk.values(),
    )


def restore(account: Account, values: AccountValues) -> None:
    """Let a freshly opened account go on from these values, with its own symbols and limits.

    A symbol that the account does not have any more may not be held or worked on: ValueError
    names those that are. What was known of other former symbols is forgotten.
    """
    gone = sorted(_needed(values) - set(account.portfolio.symbols))
    if gone:
        raise ValueError(f"{', '.join(gone)}: held or with working orders, but not configured")
    assert not account.outputs and not account.venue.book.working, "not a freshly opened account"
    account.portfolio.restore(values.portfolio)
    account.venue.book.restore(values.book)
    account.venue.protection.restore(values.protection)
    account.control.restore(values.holds, values.model_failures, flattening=values.flattening)
    account.risk.restore(values.risk)


def _needed(values: AccountValues) -> set[str]:
    """The symbols without which the account cannot go on."""
    working = set(values.book.working)
    held = {each.symbol for each in values.portfolio.positions if each.quantity}
    return held | {one.spec.symbol for one in values.book.orders if one.order_id in working}


def taken(kind: type[S], source: object) -> S:
    """A struct filled from an object's attributes of the same names."""
    return kind(**{name: getattr(source, name) for name in kind.__struct_fields__})


def put(values: Struct, into: T) -> T:
    """Set an object's attributes from a struct's fields of the same names."""
    for name in values.__struct_fields__:
        setattr(into, name, getattr(values, name))
    return into
