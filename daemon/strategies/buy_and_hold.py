"""Buy at the first close and keep it: the yardstick every other strategy is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.core.events import Bar, Intent, MarketSlice, Outcome, Split, TargetPosition
from daemon.core.units import MICROS_PER_E4, PPM, ppm, price_e4
from daemon.strategies.protocol import Portfolio

REASON = "buy_and_hold"


class BuyAndHold:
    """A fixed number of shares of every symbol, or a fraction of equity split equally.

    The fraction is of the equity at the symbol's first close, floored to whole shares, and then
    held. A target that the cash no longer pays another share of is given up at what is held, so
    that an order cut short for want of money is not repeated for ever. A split changes the held
    quantity as it changes the position.
    """

    @dataclass(frozen=True)
    class Params:
        """`quantity` shares a symbol, or `equity_fraction` (0-1, default 1) of the equity."""

        quantity: int | None = None
        equity_fraction: float | None = None

        def __post_init__(self) -> None:
            if self.quantity is not None and self.equity_fraction is not None:
                raise ValueError("give quantity or equity_fraction, not both")
            if self.quantity is not None and self.quantity < 1:
                raise ValueError("quantity must be at least 1")
            if self.equity_fraction is not None and not 0 < self.equity_fraction <= 1:
                raise ValueError("equity_fraction must be more than 0 and at most 1")

    warmup_bars = 0

    def __init__(self, params: Params, symbols: Sequence[str]) -> None:
        fraction = 1.0 if params.equity_fraction is None else params.equity_fraction
        self._quantity = params.quantity
        self._fraction_ppm = ppm(fraction)
        self._symbols = len(symbols)
        self._targets: dict[str, TargetPosition] = {}

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Portfolio
    ) -> Sequence[Intent] | None:
        """See `Strategy`; predictions are not looked at, warm-up bars are no first close."""
        if market.outcome is Outcome.WARMUP:
            return None
        return [self._target(bar, portfolio) for bar in market.bars]

    def split(self, split: Split) -> None:
        """See `Strategy`."""
        if split.symbol in self._targets:
            held = self._targets[split.symbol].quantity
            self._hold(split.symbol, held * split.numerator // split.denominator)

    def _target(self, bar: Bar, portfolio: Portfolio) -> TargetPosition:
        target = self._targets.get(bar.symbol)
        if target is None:
            return self._hold(bar.symbol, self._quantity or self._share(bar.close, portfolio))
        position = portfolio.position(bar.symbol)
        if 0 < position < target.quantity and portfolio.cash_usd < bar.close:
            return self._hold(bar.symbol, position)
        return target

    def _share(self, close: float, portfolio: Portfolio) -> int:
        close_micros = price_e4(close) * MICROS_PER_E4
        return self._fraction_ppm * portfolio.equity_micros // (PPM * self._symbols * close_micros)

    def _hold(self, symbol: str, quantity: int) -> TargetPosition:
        target = self._targets[symbol] = TargetPosition(symbol, quantity, reason=REASON)
        return target
