"""What travels: the inputs of a turn, and what a strategy asks for.

Every message is an immutable struct. Instants are UTC nanoseconds, dates are integers
YYYYMMDD in exchange time, prices in bars are float dollars with four decimals.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from daemon.core.limits import Limits

# --- inputs -----------------------------------------------------------------------------------


class Bar(Struct, frozen=True, gc=False):
    """One symbol's prices over [start, end); visible to nobody before `end`."""

    symbol: str
    start: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class Session(Struct, frozen=True, gc=False):
    """The calendar facts of one exchange session that decisions may use.

    `bars` is the number of bars expected, `last_start` the start of the last of them, and
    `next_opens` the following session's open (0 where the calendar ends).
    """

    date: int
    opens: int
    closes: int
    bars: int
    last_start: int
    next_opens: int


class Outcome(StrEnum):
    """How an expected bar ended; the first three can make a slice, all of them are ledgered."""

    RECEIVED = "received"
    BACKFILLED = "backfilled"
    WARMUP = "warmup"
    LATE = "late"
    MISSING = "missing"
    QUARANTINED = "quarantined"
    REVISED = "revised"
    UNEXPECTED = "unexpected"


class Split(Struct, frozen=True, gc=False, tag=True):
    """`numerator` new shares for `denominator` old ones, from the session `effective` on."""

    symbol: str
    effective: int
    numerator: int
    denominator: int


class Dividend(Struct, frozen=True, gc=False, tag=True):
    """Cash per share, owed to who holds at the open of `effective` (the ex-date)."""

    symbol: str
    effective: int
    pay_date: int
    amount_micros: int


CorporateAction = Split | Dividend


class MarketSlice(Struct, frozen=True, gc=False):
    """All bars that end at one instant, in config order, and the expected ones that are missing.

    `index` counts the session's expected slices from 0. `actions` are the corporate actions
    that take effect before `start`.
    """

    start: int
    end: int
    bars: tuple[Bar, ...]
    missing: tuple[str, ...]
    session: Session
    index: int
    outcome: Outcome = Outcome.RECEIVED
    actions: tuple[CorporateAction, ...] = ()

    @property
    def remaining(self) -> int:
        """How many expected slices of this session come after this one."""
        return self.session.bars - 1 - self.index

    @property
    def next_start(self) -> int:
        """The start of the next expected bar."""
        return self.end if self.remaining else self.session.next_opens


class TickKind(StrEnum):
    """Which calendar instant a tick stands for."""

    OPENS = "opens"
    CLOSES = "closes"


class Tick(Struct, frozen=True, gc=False, tag=True):
    """A calendar instant: the session opens or closes."""

    instant: int
    kind: TickKind
    session: Session


class Command(Struct, frozen=True, gc=False, tag=True):
    """Something from outside the core that must happen, with who asked for it and why."""

    instant: int
    source: str
    reason: str


class Halt(Command, frozen=True, gc=False, tag=True):
    """Stop trading: cancel what has not been filled by the market, keep the positions."""


class Pause(Command, frozen=True, gc=False, tag=True):
    """No new orders but flattening and exits that a limit demands."""


class Reduce(Command, frozen=True, gc=False, tag=True):
    """Only orders that shrink a position."""


class Resume(Command, frozen=True, gc=False, tag=True):
    """Lift every hold below a halt, the feed's excepted."""


class Flatten(Command, frozen=True, gc=False, tag=True):
    """Halt, and close every position, again at each slice until flat."""


class Reset(Command, frozen=True, gc=False, tag=True):
    """Lift the halts; `accept` names the standing causes that are accepted, commas between."""

    accept: str | None = None

    @property
    def accepted(self) -> frozenset[str]:
        """The causes, one by one."""
        return frozenset((self.accept or "").split(","))


class Reload(Command, frozen=True, gc=False, tag=True):
    """Go by other limits from now on; touches no order.

    `risk` is the config's section they come from, `changes` what is new in it, a line each.
    """

    limits: Limits
    risk: dict[str, Any]
    changes: tuple[str, ...]


class Note(Command, frozen=True, gc=False, tag=True):
    """A remark for the journal; changes nothing."""


class Release(Command, frozen=True, gc=False, tag=True):
    """The quarantined bar that begins at `start` is true; it comes as a slice, if it still can."""

    symbol: str
    start: int


class Reject(Command, frozen=True, gc=False, tag=True):
    """The quarantined bar that begins at `start` is false; it stays missing."""

    symbol: str
    start: int


class Action(Command, frozen=True, gc=False, tag=True):
    """A corporate action is known from now on; it rides on the slice that it takes effect before.

    Its own turn changes nothing.
    """

    action: CorporateAction


Judgement = Release | Reject
ForTheFeed = Release | Reject | Action
"""Commands that a feed carries out: what they bring about are its next inputs."""

Commands = Halt | Pause | Reduce | Resume | Flatten | Reset | Reload | Note | ForTheFeed
"""All there are."""

Input = MarketSlice | Tick | Commands


class Prediction(Struct, frozen=True, gc=False, tag=True):
    """A model's fractional return of `symbol` over its next bar, or why there is none."""

    symbol: str
    value: float | None
    failure: str | None = None


# --- what a strategy asks for -----------------------------------------------------------------


class Bracket(Struct, frozen=True, gc=False):
    """The protection of a position: prices in dollars, or percentages of its average entry.

    Percentages are turned into prices at the fill, rounded to the tick away from the entry; the
    trailing stop's extreme counts from the close of the entry bar.
    """

    stop_price: float | None = None
    take_profit_price: float | None = None
    stop_loss_pct: float | None = None
    take_profit_pct: float | None = None
    trailing_stop_pct: float | None = None


class TargetPosition(Struct, frozen=True, gc=False):
    """The signed number of shares wanted; `reason` goes to orders and trades as it is."""

    symbol: str
    quantity: int
    bracket: Bracket | None = None
    reason: str = ""


class Side(StrEnum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """What must happen before an order may fill."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """How long an order works."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"


class OrderRequest(Struct, frozen=True, gc=False):
    """An explicit order; prices in dollars, `group` names orders of which one cancels the rest."""

    symbol: str
    side: Side
    quantity: int
    type: OrderType = OrderType.MARKET
    limit_price: float | None = None
    stop_price: float | None = None
    trail_pct: float | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    bracket: Bracket | None = None
    group: str | None = None
    reason: str = ""


class CancelRequest(Struct, frozen=True, gc=False):
    """Withdraw a working order of the strategy's own."""

    order_id: int


Intent = TargetPosition | OrderRequest | CancelRequest
