"""The model to beat: momentum, the return over the last few closes."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from daemon.core.events import CorporateAction, MarketSlice, Prediction, Split
from daemon.core.units import divide_half_even, price_e4


class Baseline:
    """Predicts that the next bar returns what the last `bars` bars returned together.

    close / (the close `bars` bars ago) - 1, from closes of 1/10,000 dollar with one rounding at
    the end. A bar that is missing counts for nothing. On a raw tape a split scales the closes
    before it, as a refetched history would.
    """

    def __init__(self, symbols: Sequence[str], bars: int = 3) -> None:
        assert bars >= 1, "momentum needs a bar to look back on"
        self.warmup_bars = bars + 1
        source = Path(__file__).read_bytes()
        self.sha256 = hashlib.sha256(source + f"\0bars={bars}".encode()).hexdigest()
        self._closes: dict[str, deque[int]] = {symbol: deque(maxlen=bars + 1) for symbol in symbols}

    def predict(self, market: MarketSlice) -> Sequence[Prediction]:
        """See `Predictor`; nothing for a symbol until `bars` + 1 closes of it are known."""
        self.warm(market)
        predictions = []
        for bar in market.bars:
            closes = self._closes[bar.symbol]
            if len(closes) == closes.maxlen:
                before_e4 = closes[0]
                predictions.append(Prediction(bar.symbol, (closes[-1] - before_e4) / before_e4))
        return predictions

    def warm(self, market: MarketSlice) -> None:
        """See `Predictor`."""
        if market.actions:
            self._split(market.actions)
        for bar in market.bars:
            self._closes[bar.symbol].append(price_e4(bar.close))

    def _split(self, actions: Sequence[CorporateAction]) -> None:
        for action in actions:
            if isinstance(action, Split) and action.symbol in self._closes:
                closes = self._closes[action.symbol]
                for place, close_e4 in enumerate(closes):
                    closes[place] = divide_half_even(
                        close_e4 * action.denominator, action.numerator
                    )
