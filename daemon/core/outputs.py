"""What came of a turn: immutable facts in the past tense, journaled and never fed back.

Prices are integers of 1/10,000 dollar (`*_e4`), money in micro-dollars, instants UTC nanoseconds.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from daemon.core.events import CorporateAction, OrderType, Side, TimeInForce
from daemon.core.orders import OrderStatus


class Origin(StrEnum):
    """Who an order comes from; decides which permissions and limits apply to it."""

    TARGET = "target"
    EXPLICIT = "explicit"
    PROTECTIVE = "protective"
    LIMIT = "limit"
    FLATTEN = "flatten"


class Reason(StrEnum):
    """Why an order was denied, cancelled, expired or has not filled: the whole list."""

    # trading state
    HALTED = "HALTED"
    PAUSED = "PAUSED"
    REDUCING = "REDUCING"
    # data and calendar
    TOO_LATE = "TOO_LATE"
    MARKET_CLOSED = "MARKET_CLOSED"
    NEAR_CLOSE = "NEAR_CLOSE"
    NO_PRICE = "NO_PRICE"
    WAITING_DATA = "WAITING_DATA"
    DATA_MISSING = "DATA_MISSING"
    # limits
    SHORT_NOT_ALLOWED = "SHORT_NOT_ALLOWED"
    MAX_POSITION_SHARES = "MAX_POSITION_SHARES"
    MAX_POSITION_USD = "MAX_POSITION_USD"
    MAX_ORDER_USD = "MAX_ORDER_USD"
    MAX_GROSS_LEVERAGE = "MAX_GROSS_LEVERAGE"
    PRICE_COLLAR = "PRICE_COLLAR"
    MIN_CASH = "MIN_CASH"
    MAX_ORDERS_PER_HOUR = "MAX_ORDERS_PER_HOUR"
    MAX_ORDERS_PER_DAY = "MAX_ORDERS_PER_DAY"
    MAX_DAILY_LOSS = "MAX_DAILY_LOSS"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    # the order itself
    BAD_ORDER = "BAD_ORDER"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    # why a working order ended or waits
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    NO_VOLUME = "NO_VOLUME"
    PARTICIPATION = "PARTICIPATION"
    NOT_REACHED = "NOT_REACHED"
    IOC_REMAINDER = "IOC_REMAINDER"
    OCO = "OCO"
    TARGET_CHANGED = "TARGET_CHANGED"
    POSITION_CLOSED = "POSITION_CLOSED"
    RESIZED = "RESIZED"
    REQUESTED = "REQUESTED"
    TAPE_ENDED = "TAPE_ENDED"
    SPLIT = "SPLIT"


class OrderAccepted(Struct, frozen=True, gc=False, tag=True):
    """An order exists; it may fill in bars that start at `eligible_from` or later."""

    order_id: int
    symbol: str
    side: Side
    quantity: int
    order_type: OrderType
    time_in_force: TimeInForce
    origin: Origin
    decided: int
    eligible_from: int
    limit_e4: int | None = None
    stop_e4: int | None = None
    trail_ppm: int | None = None
    group: int | None = None
    reason: str = ""


class OrderUpdated(Struct, frozen=True, gc=False, tag=True):
    """An order changed otherwise than by a fill; `quantity` is its total from now on."""

    order_id: int
    symbol: str
    status: OrderStatus
    reason: Reason
    quantity: int
    instant: int
    stop_e4: int | None = None
    limit_e4: int | None = None


class Fill(Struct, frozen=True, gc=False, tag=True):
    """Shares changed hands: `effective` and `known` are the start and end of the filling bar.

    `reference_e4` is the price before slippage and tick. An `ambiguous` fill rests on a guess
    about the order of prices within its bar; `other_e4` is the price the other guess gives (the
    bar's close where the other guess is no fill).
    """

    fill_id: int
    order_id: int
    symbol: str
    side: Side
    quantity: int
    price_e4: int
    reference_e4: int
    effective: int
    known: int
    origin: Origin
    commission_micros: int = 0
    sec_micros: int = 0
    taf_micros: int = 0
    cat_micros: int = 0
    reason: str = ""
    ambiguous: bool = False
    other_e4: int | None = None
    after_gap: bool = False

    @property
    def regulatory_micros(self) -> int:
        """SEC, TAF and CAT fees together."""
        return self.sec_micros + self.taf_micros + self.cat_micros


class Denial(Struct, frozen=True, gc=False, tag=True):
    """An intent, or the part of it that would grow a position, that did not become an order.

    `quantity` is signed; `detail` names the limit and the value that would have passed it.
    """

    instant: int
    symbol: str
    reason: Reason
    quantity: int
    origin: Origin
    detail: str = ""


class StateChanged(Struct, frozen=True, gc=False, tag=True):
    """A hold was set or lifted; `state` is the trading state that follows."""

    instant: int
    state: str
    previous: str
    source: str
    level: str
    lifted: bool
    reason: str


class TradeClosed(Struct, frozen=True, gc=False, tag=True):
    """One round trip, flat to flat; prices are quantity-weighted, `pnl_micros` is net of fees."""

    trade_id: int
    symbol: str
    direction: str
    quantity: int
    entry: int
    entry_e4: float
    exit: int
    exit_e4: float
    pnl_micros: int
    fees_micros: int
    bars_held: int
    adverse_ppm: int
    favourable_ppm: int
    entry_prediction: float | None
    entry_reason: str
    exit_reason: str


class CancelAmbiguous(Struct, frozen=True, gc=False, tag=True):
    """A resting order was cancelled inside a bar that also touched its level at `price_e4`."""

    order_id: int
    symbol: str
    instant: int
    price_e4: int
    quantity: int


class ActionApplied(Struct, frozen=True, gc=False, tag=True):
    """A corporate action changed a position or cash; `cash_micros` is what it booked."""

    instant: int
    action: CorporateAction
    quantity: int
    cash_micros: int


class DividendPaid(Struct, frozen=True, gc=False, tag=True):
    """A dividend that was receivable became cash (negative: a short paid it)."""

    instant: int
    symbol: str
    cash_micros: int


class LimitBreached(Struct, frozen=True, gc=False, tag=True):
    """A limit that could not be kept: what stands over is in `detail`."""

    instant: int
    limit: str
    symbol: str
    detail: str


class CommandRefused(Struct, frozen=True, gc=False, tag=True):
    """A command changed nothing, and why."""

    instant: int
    command: str
    detail: str


Output = (
    OrderAccepted
    | OrderUpdated
    | Fill
    | Denial
    | StateChanged
    | TradeClosed
    | CancelAmbiguous
    | ActionApplied
    | DividendPaid
    | LimitBreached
    | CommandRefused
)
