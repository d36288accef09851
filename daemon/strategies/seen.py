"""The last slices that a strategy was shown, for the one that is made in its place.

Kept in the shares of now: a split scales what was seen before it, as a history that is fetched
again would be. Prices are rounded to four decimals, as every recorded price is.
"""

from __future__ import annotations

import contextlib
from collections import deque

from msgspec.structs import replace

from daemon.core.events import Bar, MarketSlice, Split
from daemon.strategies.protocol import Portfolio, Strategy


class Seen:
    """The last `count` slices with bars, oldest first; their actions are left out."""

    def __init__(self, count: int) -> None:
        self._slices: deque[MarketSlice] = deque(maxlen=count)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self._slices.maxlen != 0

    def keep(self, market: MarketSlice) -> None:
        """One more; what is over the count is forgotten."""
        self._slices.append(replace(market, actions=()) if market.actions else market)

    def split(self, split: Split) -> None:
        """A symbol's shares are other ones from here on."""
        for place, market in enumerate(self._slices):
            if any(bar.symbol == split.symbol for bar in market.bars):
                bars = tuple(
                    in_new_shares(bar, split) if bar.symbol == split.symbol else bar
                    for bar in market.bars
                )
                self._slices[place] = replace(market, bars=bars)

    def show(self, strategy: Strategy, portfolio: Portfolio) -> None:
        """Let a new one see them all; what it raises counts where it is asked again."""
        for market in self._slices:
            with contextlib.suppress(Exception):
                strategy.decide(market, {}, portfolio)


def takes_splits(strategy: Strategy) -> bool:
    """Whether a strategy scales what it remembers itself (see `Strategy`)."""
    return callable(getattr(strategy, "split", None))


def in_new_shares(bar: Bar, split: Split) -> Bar:
    """A bar from before a split, in prices and shares of after it."""
    new, old = split.numerator, split.denominator
    opened, high, low, close = (
        round(price * old / new, 4) for price in (bar.open, bar.high, bar.low, bar.close)
    )
    volume = bar.volume * new // old
    return Bar(bar.symbol, bar.start, bar.end, opened, high, low, close, volume)
