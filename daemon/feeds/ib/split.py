"""Bars that were traded on, asked for again: one constant ratio between then and now is a split.

The vendor restates the past in new shares once a split is in effect. Single bars that differ are
revisions; all of them by the same ratio are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from daemon.core.events import Bar, CorporateAction, Split
from daemon.feeds.times import zone_date

REMEMBERED = 128
"""Bars kept a symbol: the end of a session and the whole of the one before, in hours."""
BARS_MIN = 3
"""Fewer bars that agree prove nothing."""
RATIO_MIN = 0.03
"""A smaller change is none: the smallest splits are of 5 %."""

_PRICE_STEP_USD = 0.0051  # half a cent that restating has rounded off
_RELATIVE = 0.0005


class Suspicion(NamedTuple):
    """New shares for old ones, and the start of the newest bar that was restated (UTC ns)."""

    ratio: Fraction
    until: int


class SplitWatch:
    """The last bars that went into trading, by symbol, and which symbols seem to have split."""

    def __init__(self) -> None:
        self.suspected: dict[str, Suspicion] = {}
        self._restated: dict[str, int] = {}
        self._bars: dict[str, dict[int, Bar]] = {}

    def remember(self, bar: Bar) -> None:
        """A bar has gone into trading; the oldest one is forgotten."""
        known = self._bars.setdefault(bar.symbol, {})
        known[bar.start] = bar
        if len(known) > REMEMBERED:
            del known[min(known)]

    def last(self, symbol: str) -> Bar | None:
        """The newest bar that is remembered."""
        known = self._bars.get(symbol)
        return known[max(known)] if known else None

    def knows(self, bar: Bar) -> bool:
        """Whether this bar went into trading with these numbers."""
        return self._bars.get(bar.symbol, {}).get(bar.start) == bar

    def look(self, symbol: str, again: Iterable[Bar]) -> Fraction | None:
        """New shares for old ones, if these bars say so; suspected from now on."""
        known = self._bars.get(symbol, {})
        pairs = [(known[bar.start], bar) for bar in again if bar.start in known]
        ratio = constant_ratio(pairs)
        if ratio is not None:
            self.suspected[symbol] = Suspicion(ratio, max(bar.start for bar, _ in pairs))
        return ratio

    def clear(self, symbol: str, actions: Sequence[CorporateAction]) -> bool:
        """Suspect no more, if a split since the restated bars is on record; whether it was."""
        suspicion = self.suspected.get(symbol)
        if suspicion is None:
            return False
        date = zone_date(suspicion.until, "UTC")  # the exchange's, too: it is open by day
        recorded = [
            action.effective
            for action in actions
            if isinstance(action, Split) and action.symbol == symbol and action.effective > date
        ]
        if recorded:
            del self.suspected[symbol]
            self._restated[symbol] = max(recorded)
            known = self._bars[symbol]
            for start in [start for start in known if start <= suspicion.until]:
                del known[start]  # they are of old shares
        return bool(recorded)

    def is_restated(self, bar: Bar) -> bool:
        """Whether a bar of before a recorded split comes in the shares of after it."""
        return zone_date(bar.start, "UTC") < self._restated.get(bar.symbol, 0)


def constant_ratio(pairs: Sequence[tuple[Bar, Bar]]) -> Fraction | None:
    """Old price by new price, the same for all prices of at least `BARS_MIN` bars; else None."""
    if len(pairs) < BARS_MIN:
        return None
    prices = [
        (getattr(old, name), getattr(new, name))
        for old, new in pairs
        for name in ("open", "high", "low", "close")
    ]
    ratio = sum(old for old, _ in prices) / sum(new for _, new in prices)
    if abs(ratio - 1) < RATIO_MIN and abs(1 / ratio - 1) < RATIO_MIN:
        return None
    for old, new in prices:
        slack = _PRICE_STEP_USD * max(ratio, 1.0) + _RELATIVE * old
        if abs(old - ratio * new) > slack:
            return None
    simple = Fraction(ratio).limit_denominator(25)
    if simple and abs(float(simple) / ratio - 1) < 4 * _RELATIVE:
        return simple
    return Fraction(ratio).limit_denominator(1000)
