"""The reference strategy: long while the fast mean of the closes is above the slow one.

Compared exactly, as integers of 1/10,000 dollar: fast sum x slow against slow sum x fast, so that
a tie is a tie on every machine. On a tie the target is unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.core.events import Intent, MarketSlice, Split, TargetPosition
from daemon.core.units import E4_PER_USD, divide_half_even
from daemon.strategies.protocol import Portfolio

# A float, since float x float is quicker than float x int; the product is the same.
E4 = float(E4_PER_USD)


class SmaCross:
    """Target +quantity above, 0 (or -quantity with `allow_short`) below.

    No target before `slow` closes of a symbol are known. The same tuple is returned for as long
    as the target stays the same. On a raw tape a split scales the closes before it, as a
    refetched history would; the quantity stays what the config says.
    """

    @dataclass(frozen=True)
    class Params:
        """Lengths in bars, quantity in shares."""

        fast: int = 10
        slow: int = 50
        quantity: int = 100
        allow_short: bool = False

        def __post_init__(self) -> None:
            if self.fast < 1:
                raise ValueError("fast must be at least 1")
            if self.slow <= self.fast:
                raise ValueError("slow must be more than fast")
            if self.quantity < 1:
                raise ValueError("quantity must be at least 1")

    def __init__(self, params: Params, symbols: Sequence[str]) -> None:
        self.warmup_bars = params.slow
        self._crosses = {symbol: _Cross(symbol, params) for symbol in symbols}
        self._only = self._crosses[symbols[0]] if len(symbols) == 1 else None

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Portfolio
    ) -> Sequence[Intent] | None:
        """See `Strategy`; looks at the closes alone."""
        bars = market.bars
        only = self._only
        if only is not None:
            return only.target(bars[0].close) if bars else None
        intents: list[Intent] = []
        for bar in bars:
            target = self._crosses[bar.symbol].target(bar.close)
            if target is not None:
                intents += target
        return intents or None

    def split(self, split: Split) -> None:
        """See `Strategy`."""
        self._crosses[split.symbol].split(split)


class _Cross:
    """One symbol's closes and target: made to be quick, since every bar passes here.

    `_ring` holds the last `slow` closes; the place to write next holds the oldest. `_lead` is
    fast sum x slow - slow sum x fast, kept up by what enters and leaves the two windows.
    """

    __slots__ = (
        "_above",
        "_below",
        "_fast",
        "_gap",
        "_lead",
        "_next",
        "_ring",
        "_slow",
        "_target",
        "_warming",
    )

    def __init__(self, symbol: str, params: SmaCross.Params) -> None:
        self._fast = params.fast
        self._slow = params.slow
        self._gap = params.slow - params.fast
        self._ring = [0] * params.slow
        self._next = 0
        self._lead = 0
        self._warming = True
        self._target: tuple[TargetPosition, ...] | None = None
        below = -params.quantity if params.allow_short else 0
        self._above = (TargetPosition(symbol, params.quantity, reason="fast_above_slow"),)
        self._below = (TargetPosition(symbol, below, reason="fast_below_slow"),)

    def target(self, close: float) -> tuple[TargetPosition, ...] | None:
        """Take the next close in; the target at it, None before there is one."""
        close_e4 = round(close * E4)
        ring = self._ring
        place = self._next
        # place - fast is negative near the ring's start and then counts from its end, as it should
        self._lead = lead = (
            self._lead
            + self._gap * close_e4
            - self._slow * ring[place - self._fast]
            + self._fast * ring[place]
        )
        ring[place] = close_e4
        place += 1
        if place == self._slow:
            self._next = 0
            self._warming = False
        else:
            self._next = place
        if self._warming:
            return None
        if lead > 0:
            self._target = self._above
        elif lead < 0:
            self._target = self._below
        return self._target

    def split(self, split: Split) -> None:
        """Scale the closes before a split, each rounded as a refetched price would be."""
        self._ring = [
            divide_half_even(close_e4 * split.denominator, split.numerator)
            for close_e4 in self._ring
        ]
        oldest_first = self._ring[self._next :] + self._ring[: self._next]
        self._lead = sum(oldest_first[-self._fast :]) * self._slow - sum(oldest_first) * self._fast
