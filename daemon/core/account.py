"""The account: the core's parts, put together around one list of outputs."""

from __future__ import annotations

from typing import Any

from daemon.core.control import Control
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

    def obey(self, limits: Limits) -> None:
        """Go by other limits from now on; orders, holds and counters stay as they are."""
        self.venue.reprice(self.venue.pricing.under(limits))
        self.risk.obey(limits)
