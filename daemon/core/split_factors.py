"""What a split-adjusted price was when it traded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction

from daemon.core.events import Split

ONE = Fraction(1)


class SplitFactors:
    """Factors between as-traded and split-adjusted prices, from a table of splits; immutable.

    A tape adjusted for splits is taken to be adjusted for every split of the table.
    """

    __slots__ = ("_by_symbol",)

    def __init__(self, splits: Iterable[Split]) -> None:
        grouped: dict[str, list[Split]] = {}
        for split in splits:
            grouped.setdefault(split.symbol, []).append(split)
        self._by_symbol = {symbol: _steps(group) for symbol, group in grouped.items()}

    def factor(self, symbol: str, date: int) -> Fraction:
        """As-traded price / adjusted price on `date` (YYYYMMDD): the product of later splits.

        A split counts as later until the session it takes effect in. 1 for a symbol without
        splits. As-traded shares are adjusted shares divided by the factor.
        """
        steps = self._by_symbol.get(symbol)
        if steps is None:
            return ONE
        dates, factors = steps
        return factors[bisect_right(dates, date)]


def _steps(splits: list[Split]) -> tuple[list[int], list[Fraction]]:
    """Effective dates, increasing, and the factor before each of them and after the last."""
    ordered = sorted(splits, key=lambda split: split.effective)
    factors = [ONE]
    for split in reversed(ordered):
        factors.append(factors[-1] * Fraction(split.numerator, split.denominator))
    factors.reverse()
    return [split.effective for split in ordered], factors
