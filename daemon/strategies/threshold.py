"""Trade a model's prediction when it is large enough; leave by signal, level or time.

Predictions are fractional returns of the next bar, thresholds basis points; what is null is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isfinite

from daemon.core.events import Bar, Bracket, Intent, MarketSlice, Side, TargetPosition
from daemon.core.outputs import Origin
from daemon.core.units import MICROS_PER_E4, PPM, ppm, price_e4
from daemon.strategies.protocol import Portfolio


class Threshold:
    """Enter beyond one threshold, leave beyond another.

    * value > enter_long: long. value < enter_short: short. From the opposite side it is one flip,
      and wins over an exit.
    * value < exit_long ends a long, value > exit_short a short.
    * Stop, take profit and trailing stop travel with the target; the venue turns them into levels
      at the fill. `max_holding_bars` and `cooldown_bars` count as `Portfolio` explains.
    * No prediction: no entry and no exit by signal; the other exits run.

    The size is fixed at the entry and then held: a signal that persists adds nothing. An order
    already on its way in the wanted direction is left to end first.
    """

    @dataclass(frozen=True)
    class Params:
        """`*_bps` basis points of predicted return, `*_pct` percent of the average entry."""

        enter_long_bps: float | None = None
        exit_long_bps: float | None = None
        enter_short_bps: float | None = None
        exit_short_bps: float | None = None
        quantity: int | None = None
        equity_fraction: float | None = None
        stop_loss_pct: float | None = None
        take_profit_pct: float | None = None
        trailing_stop_pct: float | None = None
        max_holding_bars: int | None = None
        cooldown_bars: int | None = None

        def __post_init__(self) -> None:
            if problem := _problem(self):
                raise ValueError(problem)

    warmup_bars = 0

    def __init__(self, params: Params, symbols: Sequence[str]) -> None:
        self._enter_long = _fraction(params.enter_long_bps, inf)
        self._exit_long = _fraction(params.exit_long_bps, -inf)
        self._enter_short = _fraction(params.enter_short_bps, -inf)
        self._exit_short = _fraction(params.exit_short_bps, inf)
        self._quantity = params.quantity
        self._fraction_ppm = ppm(params.equity_fraction or 0)
        self._max_holding_bars = params.max_holding_bars
        self._cooldown_bars = params.cooldown_bars or 0
        bracket = Bracket(
            stop_loss_pct=params.stop_loss_pct,
            take_profit_pct=params.take_profit_pct,
            trailing_stop_pct=params.trailing_stop_pct,
        )
        self._bracket = None if bracket == Bracket() else bracket

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Portfolio
    ) -> Sequence[Intent] | None:
        """See `Strategy`; a symbol whose bar is missing is left as it is."""
        intents = [
            intent
            for bar in market.bars
            if (intent := self._target(bar, predictions.get(bar.symbol), portfolio)) is not None
        ]
        return intents or None

    def _target(self, bar: Bar, value: float | None, portfolio: Portfolio) -> TargetPosition | None:
        symbol = bar.symbol
        position = portfolio.position(symbol)
        direction = self._entry(value)
        if direction and direction * position <= 0:
            if _under_way(portfolio, symbol, direction):
                return None
            if not self._cooling(portfolio.bars_since_exit(symbol)):
                quantity = direction * self._size(bar.close, portfolio)
                if quantity:
                    reason = "enter_long" if direction > 0 else "enter_short"
                    return TargetPosition(symbol, quantity, self._bracket, reason)
        if position and (reason := self._exit(value, position, portfolio.bars_held(symbol))):
            return TargetPosition(symbol, 0, reason=reason)
        return None

    def _entry(self, value: float | None) -> int:
        """+1 for long, -1 for short, 0 for neither."""
        if value is None:
            return 0
        return (value > self._enter_long) - (value < self._enter_short)

    def _exit(self, value: float | None, position: int, bars_held: int) -> str:
        """Why the position should be left, empty when it should not."""
        if value is not None and position > 0 and value < self._exit_long:
            return "exit_long"
        if value is not None and position < 0 and value > self._exit_short:
            return "exit_short"
        if self._max_holding_bars is not None and bars_held >= self._max_holding_bars:
            return "max_holding_bars"
        return ""

    def _cooling(self, bars_since_exit: int | None) -> bool:
        return bars_since_exit is not None and bars_since_exit <= self._cooldown_bars

    def _size(self, close: float, portfolio: Portfolio) -> int:
        if self._quantity is not None:
            return self._quantity
        close_micros = price_e4(close) * MICROS_PER_E4
        return max(0, self._fraction_ppm * portfolio.equity_micros // (PPM * close_micros))


def _under_way(portfolio: Portfolio, symbol: str, direction: int) -> bool:
    side = Side.BUY if direction > 0 else Side.SELL
    return any(
        order.side is side and order.origin is not Origin.PROTECTIVE
        for order in portfolio.working(symbol)
    )


def _fraction(bps: float | None, off: float) -> float:
    """Basis points as a fraction, the float nearest to it: 12 compares equal to 0.0012."""
    return off if bps is None else float(Decimal(str(bps)) / 10_000)


def _problem(params: Threshold.Params) -> str:
    """What is wrong with the parameters; empty when nothing is."""
    enter_long, enter_short = params.enter_long_bps, params.enter_short_bps
    exit_long, exit_short = params.exit_long_bps, params.exit_short_bps
    for name in ("enter_long_bps", "exit_long_bps", "enter_short_bps", "exit_short_bps"):
        bps = getattr(params, name)
        if bps is not None and not isfinite(bps):
            return f"{name} must be a finite number"
    if enter_long is None and enter_short is None:
        return "give enter_long_bps or enter_short_bps, or it never trades"
    if enter_long is not None and enter_short is not None and enter_short > enter_long:
        return "enter_short_bps must not be above enter_long_bps, or both entries hold at once"
    if enter_long is not None and exit_long is not None and exit_long > enter_long:
        return "exit_long_bps must not be above enter_long_bps, or an entry is left at once"
    if enter_short is not None and exit_short is not None and exit_short < enter_short:
        return "exit_short_bps must not be below enter_short_bps, or an entry is left at once"
    if (params.quantity is None) == (params.equity_fraction is None):
        return "give quantity or equity_fraction, one of the two"
    return _size_problem(params) or _exits_problem(params)


def _size_problem(params: Threshold.Params) -> str:
    if params.quantity is not None and params.quantity < 1:
        return "quantity must be at least 1"
    fraction = params.equity_fraction
    if fraction is not None and not 0 < fraction <= 100:
        return "equity_fraction must be more than 0 (1 = all of the equity)"
    return ""


def _exits_problem(params: Threshold.Params) -> str:
    for name in ("stop_loss_pct", "trailing_stop_pct"):
        percent = getattr(params, name)
        if percent is not None and not 0 < percent < 100:
            return f"{name} must be more than 0 and less than 100 (2 = 2 %)"
    target_pct = params.take_profit_pct
    if target_pct is not None and not 0 < target_pct < inf:
        return "take_profit_pct must be more than 0 (2 = 2 %)"
    if params.max_holding_bars is not None and params.max_holding_bars < 1:
        return "max_holding_bars must be at least 1"
    if params.cooldown_bars is not None and params.cooldown_bars < 0:
        return "cooldown_bars must be at least 0"
    return ""
