"""A portfolio that is what a test says it is, and slices in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from daemon.core.events import (
    Bar,
    CorporateAction,
    MarketSlice,
    OrderType,
    Outcome,
    Session,
    Side,
    TimeInForce,
)
from daemon.core.outputs import Origin
from daemon.strategies.protocol import WorkingOrder

SESSION = Session(20240102, 0, 7_000, 7, 6_000, 8_000)


@dataclass
class FixedPortfolio:
    """One position of one symbol; the same answer for every symbol asked."""

    shares: int = 0
    held: int = 0
    since_exit: int | None = None
    cash_usd: float = 100_000.0
    equity_usd: float = 100_000.0
    orders: list[WorkingOrder] = field(default_factory=list)

    @property
    def equity_micros(self) -> int:
        return round(self.equity_usd * 1_000_000)

    def position(self, symbol: str) -> int:
        return self.shares

    def average_entry_usd(self, symbol: str) -> float | None:
        return 100.0 if self.shares else None

    def bars_held(self, symbol: str) -> int:
        return self.held

    def bars_since_exit(self, symbol: str) -> int | None:
        return self.since_exit

    def working(self, symbol: str) -> Sequence[WorkingOrder]:
        return self.orders


def working(side: Side, remaining: int, origin: Origin = Origin.TARGET) -> WorkingOrder:
    return WorkingOrder(
        1, "NVDA", side, remaining, OrderType.MARKET, TimeInForce.DAY, origin, None, None
    )


def market(
    *closes: float | None,
    symbols: Sequence[str] = ("NVDA",),
    end: int = 1_000,
    outcome: Outcome = Outcome.RECEIVED,
    actions: tuple[CorporateAction, ...] = (),
) -> MarketSlice:
    """A slice with one close a symbol; None is a missing bar."""
    pairs = list(zip(symbols, closes, strict=True))
    return MarketSlice(
        start=end - 1_000,
        end=end,
        bars=tuple(
            Bar(symbol, end - 1_000, end, close, close, close, close, 1_000)
            for symbol, close in pairs
            if close is not None
        ),
        missing=tuple(symbol for symbol, close in pairs if close is None),
        session=SESSION,
        index=0,
        outcome=outcome,
        actions=actions,
    )
