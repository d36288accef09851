from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import Split, TargetPosition
from daemon.strategies.sma_cross import SmaCross
from tests.unit.portfolios import FixedPortfolio, market

FLAT = FixedPortfolio()


def quantities(strategy: SmaCross, closes: list[float]) -> list[int | None]:
    found: list[int | None] = []
    for close in closes:
        intents = strategy.decide(market(close), {}, FLAT)
        target = intents[0] if intents else None
        found.append(target.quantity if isinstance(target, TargetPosition) else None)
    return found


def cross(fast: int, slow: int, *, allow_short: bool = False) -> SmaCross:
    return SmaCross(SmaCross.Params(fast, slow, 100, allow_short=allow_short), ["NVDA"])


# means of 2 and of 3 closes:     -    -  11.5>11  12=12  11.5<12  10<11  10=10   11>10.67
CLOSES = [10.0, 11.0, 12.0, 12.0, 11.0, 9.0, 11.0, 11.0]
#   2 of 3:  (11+12)/2=11.5 > 11 | (12+12)/2=12 > 35/3 | 11.5 < 35/3 | 10 < 32/3 | 10 < 31/3 |
#   11 > 31/3


def test_above_below_and_before() -> None:
    assert quantities(cross(2, 3), CLOSES) == [None, None, 100, 100, 0, 0, 0, 100]


def test_allow_short_goes_to_the_other_side() -> None:
    expected = [None, None, 100, 100, -100, -100, -100, 100]
    assert quantities(cross(2, 3, allow_short=True), CLOSES) == expected


def test_a_tie_leaves_the_target_as_it_was() -> None:
    # fast 1, slow 2: up, equal, equal, down, equal
    closes = [10.0, 11.0, 11.0, 11.0, 10.0, 10.0]
    assert quantities(cross(1, 2), closes) == [None, 100, 100, 100, 0, 0]
    # and a tie before anything else is no opinion
    assert quantities(cross(1, 2), [10.0, 10.0, 10.5]) == [None, None, 100]


def test_ties_are_exact() -> None:
    # 0.1 + 0.2 is not 0.3 in floats: (0.1+0.2)/2 = 0.15 = (0.15+0.1+0.2)/3
    assert quantities(cross(2, 3), [0.15, 0.1, 0.2]) == [None, None, None]


def test_the_same_tuple_comes_back_while_the_target_stays() -> None:
    strategy = cross(1, 2)
    strategy.decide(market(10.0), {}, FLAT)
    first = strategy.decide(market(11.0), {}, FLAT)
    assert first is not None
    assert strategy.decide(market(12.0), {}, FLAT) is first
    assert strategy.decide(market(11.0), {}, FLAT) is not first


def test_a_missing_bar_is_no_close() -> None:
    strategy = cross(1, 2)
    strategy.decide(market(10.0), {}, FLAT)
    assert strategy.decide(market(None), {}, FLAT) is None
    assert strategy.decide(market(11.0), {}, FLAT) == (
        TargetPosition("NVDA", 100, reason="fast_above_slow"),
    )


def test_symbols_are_apart() -> None:
    symbols = ["A", "B"]
    strategy = SmaCross(SmaCross.Params(1, 2, 100), symbols)
    assert strategy.decide(market(10.0, 20.0, symbols=symbols), {}, FLAT) is None
    assert strategy.decide(market(11.0, None, symbols=symbols), {}, FLAT) == [
        TargetPosition("A", 100, reason="fast_above_slow")
    ]
    assert strategy.decide(market(10.0, 19.0, symbols=symbols), {}, FLAT) == [
        TargetPosition("A", 0, reason="fast_below_slow"),
        TargetPosition("B", 0, reason="fast_below_slow"),
    ]


def test_a_split_is_no_fall() -> None:
    closes = [100.0, 101.0, 102.0, 10.3]
    strategy = cross(2, 3)
    for close in closes[:3]:
        strategy.decide(market(close), {}, FLAT)
    strategy.split(Split("NVDA", 20240102, 10, 1))
    # 10.1, 10.2, 10.3: (10.2 + 10.3)/2 > 10.2
    after = strategy.decide(market(closes[3]), {}, FLAT)
    assert after == (TargetPosition("NVDA", 100, reason="fast_above_slow"),)
    unaware = cross(2, 3)
    assert quantities(unaware, closes)[-1] == 0


def test_warm_up_is_the_slow_length() -> None:
    assert cross(10, 50).warmup_bars == 50


@pytest.mark.parametrize(
    ("fast", "slow", "quantity", "problem"),
    [(0, 5, 1, "fast"), (5, 5, 1, "slow"), (6, 5, 1, "slow"), (1, 5, 0, "quantity")],
)
def test_params_that_make_no_sense(fast: int, slow: int, quantity: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        SmaCross.Params(fast, slow, quantity)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.one_of(st.integers(1, 400), st.tuples(st.integers(2, 4))), max_size=60),
)
def test_equals_the_plain_definition(fast: int, more: int, events: list[int | tuple[int]]) -> None:
    """Closes in ten cents; a tuple is a split k:1 before the next close."""
    slow = fast + more
    strategy = cross(fast, slow)
    closes: deque[int] = deque(maxlen=slow)  # 1/10,000 dollar
    target: int | None = None
    for event in events:
        if isinstance(event, tuple):
            strategy.split(Split("NVDA", 20240102, event[0], 1))
            closes = deque((round(close / event[0]) for close in closes), slow)
            continue
        closes.append(event * 1000)
        if len(closes) == slow:
            lead = sum(list(closes)[-fast:]) * slow - sum(closes) * fast
            target = 100 if lead > 0 else 0 if lead < 0 else target
        intents = strategy.decide(market(event / 10), {}, FLAT)
        found = intents[0] if intents else None
        assert (found.quantity if isinstance(found, TargetPosition) else None) == target
