"""Where predictions come from: what every source is to the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from daemon.core.events import MarketSlice, Prediction


class Predictor(Protocol):
    """Predicts the fractional return of each symbol's next bar from the bars up to now.

    `sha256` is of all that the predictions depend on besides the bars: another hash, another
    model.
    """

    @property
    def warmup_bars(self) -> int:
        """Closes needed before the first prediction, the one predicted from included; 0 = none."""
        ...

    @property
    def sha256(self) -> str: ...

    def predict(
        self, market: MarketSlice
    ) -> Sequence[Prediction] | Awaitable[Sequence[Prediction]]:
        """At most one Prediction a symbol, called once a slice, in order, warm-up included.

        A Prediction without a value says in `failure` why; a symbol left out has none to give
        (both mean no trade, never a return of 0). A source that must wait returns an awaitable,
        and the next slice waits with it.
        """
        ...

    def warm(self, market: MarketSlice) -> None:
        """See a slice whose predictions are known already: what `predict` would remember of it."""
        ...
