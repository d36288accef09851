"""What a strategy is, and all it may see.

A strategy is a class with typed parameters and one method called at each slice:

    class Dip:
        @dataclass(frozen=True)
        class Params:
            drop_pct: float = 1.0
            quantity: int = 100

        warmup_bars = 0

        def __init__(self, params: Params, symbols: Sequence[str]) -> None:
            self._params = params

        def decide(self, market, predictions, portfolio):
            bar = market.bars[0]
            if bar.close < bar.open * (1 - self._params.drop_pct / 100):
                return [TargetPosition(bar.symbol, self._params.quantity, reason="dip")]
            return None

It never awaits, reads no clock and does no I/O; its attributes are its state. Should it raise,
trading halts; once that is reset it is made anew and shown the last `warmup_bars` bars, since
nobody knows what a call that broke off has left behind. What it returns is
decided at the close of the slice and can fill at the open of the next bar at the earliest.

When shares split, prices of before are those of other shares. A strategy with `warmup_bars` is then
made anew as well and shown its last bars in new shares, so one that has nothing but its bars to
remember need not think of it. One that has more takes the split itself:

        def split(self, split):
            for place, close in enumerate(self.closes[split.symbol]):
                self.closes[split.symbol][place] = close * split.denominator / split.numerator

It is called before `decide` sees the first bar of new shares. Quantities are the strategy's own in
either case: after 10:1 a target of 100 shares is one of a tenth.

A target is a level, not an order: "hold 100 shares". It is returned at every bar at which the
strategy has an opinion; returning it again orders only what is still missing. A symbol that is
left out (or None for all of them) is no opinion: position and working orders stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from daemon.core.events import Intent, MarketSlice, OrderType, Side, TimeInForce
from daemon.core.outputs import Origin


class WorkingOrder(Struct, frozen=True, gc=False):
    """An order that may still fill; prices in dollars, `remaining` shares are unsigned."""

    order_id: int
    symbol: str
    side: Side
    remaining: int
    order_type: OrderType
    time_in_force: TimeInForce
    origin: Origin
    limit_price: float | None = None
    stop_price: float | None = None


class Portfolio(Protocol):
    """The account as it stands at the close of the slice, marked there; read-only.

    The counts are of closes of the symbol's own bars, so a missing bar counts for nothing. By
    example, with bars 1, 2, 3 … and every order filled at an open:

    * bought in bar 4: `bars_held` is 1 at the close of bar 4, 2 at the close of bar 5, and so on.
      Adding to the position or reducing it goes on counting; a flip starts at 1 again; flat is 0.
    * sold in bar 7 (all of it or a part; a flip too; by whatever order): `bars_since_exit` is 1 at
      the close of bar 7, 2 at the close of bar 8, and so on until the next exit. None before any.
      Blocking entries while `bars_since_exit <= 2` thus loses the decisions at the closes of bars
      7 and 8, and the earliest entry is decided at the close of bar 9 and fills in bar 10.
    """

    @property
    def cash_usd(self) -> float: ...
    @property
    def equity_usd(self) -> float: ...
    @property
    def equity_micros(self) -> int: ...

    def position(self, symbol: str) -> int:
        """Shares held, negative for a short; 0 for a symbol that is not traded."""
        ...

    def average_entry_usd(self, symbol: str) -> float | None:
        """The average price of the position's entry fills, without fees; None when flat."""
        ...

    def bars_held(self, symbol: str) -> int:
        """Closes since the entry, the entry bar's own being the first; 0 when flat."""
        ...

    def bars_since_exit(self, symbol: str) -> int | None:
        """Closes since the last fill that shrank a position, that bar's own being the first."""
        ...

    def working(self, symbol: str) -> Sequence[WorkingOrder]:
        """The symbol's working orders by order number, protective ones included."""
        ...


class Strategy(Protocol):
    """See the module's text; `Params` is a nested frozen dataclass."""

    @property
    def warmup_bars(self) -> int:
        """Closes needed before the first opinion, the one that decides included; 0 = none."""
        ...

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Portfolio
    ) -> Sequence[Intent] | None:
        """What is wanted now that this slice has closed.

        `predictions` holds, by symbol, the model's fractional return over the next bar (0.001 =
        10 basis points); a symbol without a valid prediction is not in it.
        """
        ...
