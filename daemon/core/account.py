"""The account: the core's parts, put together around one list of outputs."""

from __future__ import annotations

from typing import Any

from daemon.core.control import Control
from daemon.core.events import MarketSlice, Outcome, Split
from daemon.core.limits import Limits
from daemon.core.portfolio import Portfolio
from daemon.core.pricing import Pricing
from daemon.core.risk import Risk
from daemon.core.trading_state import Holds
from daemon.core.venue import Venue


class Account:
    """Ledger, venue, holds and limits of one account; `outputs` collects the open turn's facts."""

    __slots__ = ("control", "outputs", "portfolio", "risk", "venue")

    def __init__(
        self, symbols: tuple[str, ...], cash_micros: int, pricing: Pricing, limits: Limits
    ) -> None:
        self.outputs: list[Any] = []
        self.portfolio = Portfolio(symbols, cash_micros, self.outputs)
        holds = Holds()
        self.venue = Venue(self.portfolio, pricing, holds, self.outputs)
        self.control = Control(self.venue, holds, self.outputs)
        self.risk = Risk(limits, self.portfolio, self.venue, self.control, self.outputs)

    def meet(self, market: MarketSlice) -> None:
        """Working orders meet the bars, positions are marked; then the session's DAY orders end.

        Warm-up of an instant that the account has lived through is for the strategy alone.
        """
        if self._has_lived_through(market):
            return
        self.venue.match(market)
        for action in market.actions:
            if isinstance(action, Split) and action.symbol in self.portfolio.positions:
                self.risk.shares.split(action)
        self.portfolio.mark(market.bars)
        if market.end == market.session.closes:
            self.venue.book.expire_day(market.session, market.end)

    def remember(self, market: MarketSlice, predictions: dict[str, float]) -> None:
        """Keep what a fill that comes next was predicted with; a slice that is late adds to it."""
        if market is self.venue.book.last:
            self.portfolio.predictions = predictions
        elif not self._has_lived_through(market):
            self.portfolio.predictions = self.portfolio.predictions | predictions

    def _has_lived_through(self, market: MarketSlice) -> bool:
        last = self.venue.book.last
        if market.outcome is not Outcome.WARMUP or last is None or market is last:
            return False
        return market.end <= last.end

    def obey(self, limits: Limits) -> None:
        """Go by other limits from now on; orders, holds and counters stay as they are."""
        self.venue.reprice(self.venue.pricing.under(limits))
        self.risk.obey(limits)
