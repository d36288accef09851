"""A finished run in memory: what statistics, CSVs and reports are made from."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from daemon.core.events import OrderType, Outcome, Side, TimeInForce
from daemon.core.orders import OrderStatus
from daemon.core.outputs import Denial, Fill, Origin, StateChanged, TradeClosed


class BarColumns(Protocol):
    """One symbol's bars as columns of equal length, oldest first; instants in ns, USD."""

    @property
    def start(self) -> Sequence[int]: ...
    @property
    def end(self) -> Sequence[int]: ...
    @property
    def open(self) -> Sequence[float]: ...
    @property
    def high(self) -> Sequence[float]: ...
    @property
    def low(self) -> Sequence[float]: ...
    @property
    def close(self) -> Sequence[float]: ...
    @property
    def volume(self) -> Sequence[int]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it stood at the end of the run."""

    order_id: int
    decided: int
    eligible_from: int
    symbol: str
    side: Side
    order_type: OrderType
    quantity: int
    filled_quantity: int
    average_price_usd: float | None
    limit_e4: int | None
    stop_e4: int | None
    time_in_force: TimeInForce
    origin: Origin
    status: OrderStatus
    reason: str


@dataclass(frozen=True, slots=True)
class GapRow:
    """An expected bar that did not arrive as it should, or a bar that nobody expected."""

    symbol: str
    start: int
    end: int
    session: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """One prediction a decision was made with: `instant` is the end of the bar it follows."""

    instant: int
    symbol: str
    value: float | None
    failure: str | None


@dataclass(slots=True)
class RunRecord:
    """One run. Row i of `ends`, `equity`, `cash`, `worst`, `held`, `session_dates` is slice i.

    `equity`, `cash` and `worst` are micro-dollars; `worst` is the equity had every position been
    marked at its bar's least favourable price (longs at the low, shorts at the high); `held` is 1
    where a position was open at the bar's end. `expected_bars` counts, for each symbol, the bars
    the calendar expects between the first and the last slice; `received_bars` those that came.
    """

    manifest: dict[str, Any]
    config: dict[str, Any]
    symbols: Sequence[str]
    starting_cash_micros: int
    first_start: int = 0
    last_end: int = 0
    ends: array[int] = field(default_factory=lambda: array("q"))
    equity: array[int] = field(default_factory=lambda: array("q"))
    cash: array[int] = field(default_factory=lambda: array("q"))
    worst: array[int] = field(default_factory=lambda: array("q"))
    held: bytearray = field(default_factory=bytearray)
    session_dates: array[int] = field(default_factory=lambda: array("q"))
    fills: list[Fill] = field(default_factory=list)
    trades: list[TradeClosed] = field(default_factory=list)
    open_trades: list[TradeClosed] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    denials: list[Denial] = field(default_factory=list)
    states: list[StateChanged] = field(default_factory=list)
    predictions: list[PredictionRow] = field(default_factory=list)
    gaps: list[GapRow] = field(default_factory=list)
    bars: Mapping[str, BarColumns] = field(default_factory=dict)
    expected_bars: Mapping[str, int] = field(default_factory=dict)
    received_bars: Mapping[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
