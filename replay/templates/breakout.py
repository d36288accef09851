"""Buys the highest close of some time, sells the lowest; the config calls it `breakout:Breakout`.

`decide` is called at each bar's close; a target is the number of shares wanted from then on.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.core.events import Intent, MarketSlice, TargetPosition
from daemon.strategies.protocol import Portfolio


class Breakout:
    """Long above the highest of the last closes, flat below the lowest."""

    @dataclass(frozen=True)
    class Params:
        """What `params:` in the config may hold, with the defaults."""

        bars: int = 35
        quantity: int = 100

    def __init__(self, params: Params, symbols: Sequence[str]) -> None:
        self.params, self.warmup_bars = params, params.bars + 1
        self.closes = {symbol: deque[float](maxlen=params.bars) for symbol in symbols}

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Portfolio
    ) -> Sequence[Intent]:
        """One target for each symbol that breaks out of its range; no target changes nothing."""
        targets = []
        for bar in market.bars:
            past = self.closes[bar.symbol]
            if len(past) == past.maxlen and not min(past) <= bar.close <= max(past):
                quantity = self.params.quantity if bar.close > max(past) else 0
                targets.append(TargetPosition(bar.symbol, quantity, reason="breakout"))
            past.append(bar.close)
        return targets
