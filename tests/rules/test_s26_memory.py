"""S26: after a split nobody decides by prices of old shares; what was seen is scaled."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from daemon.core.events import Bar, CorporateAction, Dividend, Split
from daemon.core.outputs import StateChanged
from daemon.models.baseline import Baseline
from daemon.strategies.seen import in_new_shares
from daemon.strategies.sma_cross import SmaCross
from tests.harness import Quote, Result, play
from tests.rules.tools import flat, target

DAY_2 = 20240103
TEN = Split("NVDA", DAY_2, 10, 1)
BARS: list[Quote | None] = [
    (100.0, 102.0, 99.0, 101.0, 5000),
    flat(103.335),
    (10.2, 10.4, 10.1, 10.3, 70_000),
    flat(10.5),
]
"""Two bars a day; ten for one before the third."""


class Closes:
    """Remembers its last closes and how often it was asked; wants shares from `wants` on."""

    def __init__(self, wants: int | None = None, warmup_bars: int = 3) -> None:
        self.warmup_bars = warmup_bars
        self.closes: deque[float] = deque(maxlen=3)
        self.asked = 0
        self.lows: list[float] = []
        self._wants = wants

    def decide(self, market: Any, predictions: Any, portfolio: Any) -> Any:
        assert not any(isinstance(one, Split) for one in market.actions) or len(self.closes) < 3
        self.asked += 1
        for bar in market.bars:
            self.closes.append(bar.close)
            self.lows.append(bar.low)
        return [target(10)] if self.asked == self._wants else None


class Taking(Closes):
    """Takes a split itself."""

    taken: tuple[Split, ...] = ()

    def split(self, split: Split) -> None:
        self.taken = (*self.taken, split)
        for place, close in enumerate(self.closes):
            self.closes[place] = round(close * split.denominator / split.numerator, 4)


def lived(
    first: Closes, bars: list[Quote | None] = BARS, *, wants: int | None = None
) -> tuple[list[Closes], Result]:
    """Play them; the strategies that were made, the first one first. Later ones have `wants`."""
    made = [first]

    def remake() -> Closes:
        made.append(type(first)(wants, first.warmup_bars))
        return made[-1]

    result = play({"NVDA": bars}, strategy=first, remake=remake, per_session=2, actions=[TEN])
    return made, result


def test_a_strategy_that_has_only_its_bars_is_made_anew_and_shown_them_in_new_shares() -> None:
    (old, new), result = lived(Closes())
    assert list(old.closes) == [101.0, 103.335]
    assert list(new.closes) == [10.3335, 10.3, 10.5]  # 101 was 10.1, and is the fourth
    assert new.lows == [9.9, 10.3335, 10.1, 10.5]
    assert result.of(StateChanged) == []


def test_one_that_takes_splits_keeps_what_it_knows() -> None:
    (only,), _ = lived(Taking())
    assert isinstance(only, Taking)
    assert only.taken == (TEN,)
    assert (only.asked, list(only.closes)) == (4, [10.3335, 10.3, 10.5])


def test_a_number_of_that_name_takes_no_splits() -> None:
    class Numbered(Closes):
        split = 0.5

    (_, new), _ = lived(Numbered())
    assert list(new.closes) == [10.3335, 10.3, 10.5]


def test_one_that_needs_no_bars_remembers_no_prices() -> None:
    (only,), _ = lived(Closes(warmup_bars=0))
    assert only.asked == 4


def test_the_bars_it_is_shown_are_as_many_as_it_needs() -> None:
    (_, new), _ = lived(Closes(warmup_bars=1))
    assert list(new.closes) == [10.3335, 10.3, 10.5]
    assert new.asked == 3


@pytest.mark.parametrize("bars_missing", [1, 2])
def test_a_split_in_a_slice_without_bars_is_none_the_less_a_split(bars_missing: int) -> None:
    bars: list[Quote | None] = [*BARS[:2], *[None] * bars_missing, flat(10.5)]
    (old, new), _ = lived(Closes(), bars)
    assert list(old.closes) == [101.0, 103.335]
    assert list(new.closes) == [10.1, 10.3335, 10.5]
    (taking,), _ = lived(Taking(), bars)
    assert list(taking.closes) == [10.1, 10.3335, 10.5]


def test_what_it_is_shown_again_orders_nothing() -> None:
    (_, new), result = lived(Closes(wants=1), wants=2)
    assert new.asked == 4
    assert result.position() == 100  # the ten of the first close; those of the second are no news


def test_a_strategy_that_raises_at_a_split_halts_and_says_so() -> None:
    class Bad(Taking):
        def split(self, split: Split) -> None:
            raise ZeroDivisionError("what is a split")

    _, result = lived(Bad())
    (halt,) = result.of(StateChanged)
    assert (str(halt.source), halt.state) == ("strategy", "HALTED")
    assert "what is a split" in halt.reason


def test_a_dividend_and_a_split_of_another_symbol_are_none() -> None:
    made: list[Closes] = []
    actions: list[CorporateAction] = [
        Dividend("NVDA", DAY_2, 20240110, 10),
        Split("AMD", DAY_2, 10, 1),
    ]
    first = Closes()
    play(
        {"NVDA": BARS}, strategy=first, remake=lambda: made.append(Closes()), per_session=2,
        actions=actions,
    )  # fmt: skip
    assert (made, first.asked) == ([], 4)


@pytest.mark.parametrize("chunk_bars", [1, 512])
def test_the_reference_strategy_scales_its_closes(chunk_bars: int) -> None:
    """100, then 11 of new shares: risen by a tenth, and down to 11 is no rise at all."""
    for before, after, held in ((100.0, 11.0, 10), (120.0, 11.0, 0)):
        bars: list[Quote | None] = [flat(before), flat(before), flat(after), flat(after)]
        cross = SmaCross(SmaCross.Params(fast=1, slow=2, quantity=10), ["NVDA"])
        result = play(
            {"NVDA": bars}, strategy=cross, per_session=2, actions=[TEN], chunk_bars=chunk_bars
        )
        assert result.position() == held


def test_the_reference_strategy_and_the_baseline_hear_of_it_without_a_bar() -> None:
    """100, then nothing, then 11 of new shares: it has risen by a tenth."""
    bars: list[Quote | None] = [None, flat(100.0), None, flat(11.0), flat(11.0)]
    cross = SmaCross(SmaCross.Params(fast=1, slow=2, quantity=10), ["NVDA"])
    result = play({"NVDA": bars}, strategy=cross, per_session=2, actions=[TEN])
    assert result.position() == 10
    seen: list[Any] = []
    play(
        {"NVDA": bars}, predictor=Baseline(["NVDA"], 1), per_session=2, actions=[TEN],
        decide=lambda _, predictions, __: seen.append(dict(predictions)),
    )  # fmt: skip
    assert seen == [{}, {"NVDA": 0.1}, {"NVDA": 0.0}]


def test_a_bar_in_new_shares() -> None:
    bar = Bar("NVDA", 1, 2, 10.0, 10.5, 9.9999, 10.3333, 1001)
    assert in_new_shares(bar, Split("NVDA", DAY_2, 3, 2)) == Bar(
        "NVDA", 1, 2, 6.6667, 7.0, 6.6666, 6.8889, 1501
    )
    assert in_new_shares(bar, Split("NVDA", DAY_2, 1, 8)).close == 82.6664
