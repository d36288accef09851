from __future__ import annotations

import pytest

from daemon.core.events import MarketSlice, Outcome, Split, TargetPosition
from daemon.strategies.buy_and_hold import BuyAndHold
from tests.unit.portfolios import FixedPortfolio, market


def level(strategy: BuyAndHold, bars: MarketSlice, portfolio: FixedPortfolio) -> int:
    intents = strategy.decide(bars, {}, portfolio)
    assert intents is not None and len(intents) == 1
    assert isinstance(intents[0], TargetPosition)
    return intents[0].quantity


def test_the_first_close_sets_the_quantity() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(), ["NVDA"])
    # 100,000 / 33.33 = 3000.3
    assert level(strategy, market(33.33), FixedPortfolio()) == 3000
    # later closes and equity do not matter
    bought = FixedPortfolio(shares=3000, held=1, cash_usd=10.0, equity_usd=120_000)
    assert level(strategy, market(40.0), bought) == 3000


def test_a_fraction_split_equally_over_the_symbols() -> None:
    symbols = ["A", "B", "C"]
    strategy = BuyAndHold(BuyAndHold.Params(equity_fraction=0.6), symbols)
    # 0.6 x 100,000 / 3 = 20,000 each; C's first close comes later, at an equity of 90,000
    assert strategy.decide(market(7.0, 100.0, None, symbols=symbols), {}, FixedPortfolio()) == [
        TargetPosition("A", 2857, reason="buy_and_hold"),
        TargetPosition("B", 200, reason="buy_and_hold"),
    ]
    intents = strategy.decide(
        market(None, None, 50.0, symbols=symbols), {}, FixedPortfolio(equity_usd=90_000)
    )
    assert intents == [TargetPosition("C", 360, reason="buy_and_hold")]


def test_exactly_affordable_is_not_lost_to_rounding() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(equity_fraction=0.1), ["NVDA"])
    # 0.1 x 1,100 / 0.11 = 1000 exactly
    assert level(strategy, market(0.11), FixedPortfolio(equity_usd=1_100)) == 1000


def test_a_number_of_shares() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(quantity=7), ["NVDA"])
    assert level(strategy, market(1_000_000.0), FixedPortfolio()) == 7


def test_warm_up_bars_are_not_the_first_close() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(), ["NVDA"])
    assert strategy.decide(market(10.0, outcome=Outcome.WARMUP), {}, FixedPortfolio()) is None
    assert level(strategy, market(50.0), FixedPortfolio()) == 2000


def test_what_is_missing_is_wanted_while_it_can_be_paid() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(), ["NVDA"])
    assert level(strategy, market(100.0), FixedPortfolio()) == 1000
    # 400 filled so far: the other 600 are still wanted
    part = FixedPortfolio(shares=400, cash_usd=60_000)
    assert level(strategy, market(100.0), part) == 1000
    # cut at 990 by the funds: cash for one more share goes on, less gives it up for good
    assert level(strategy, market(101.0), FixedPortfolio(shares=990, cash_usd=101.0)) == 1000
    assert level(strategy, market(101.0), FixedPortfolio(shares=990, cash_usd=100.99)) == 990
    assert level(strategy, market(50.0), FixedPortfolio(shares=990, cash_usd=100.99)) == 990


def test_flattened_by_others_it_buys_again() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(quantity=10), ["NVDA"])
    assert level(strategy, market(100.0), FixedPortfolio()) == 10
    assert level(strategy, market(100.0), FixedPortfolio(shares=0, cash_usd=5.0)) == 10


def test_a_split_changes_what_is_held() -> None:
    strategy = BuyAndHold(BuyAndHold.Params(quantity=101), ["NVDA"])
    assert level(strategy, market(100.0), FixedPortfolio()) == 101
    strategy.split(Split("NVDA", 20240610, 3, 2))  # 151.5
    bought = FixedPortfolio(shares=151, cash_usd=0)
    assert level(strategy, market(66.0), bought) == 151


@pytest.mark.parametrize(
    ("quantity", "equity_fraction", "problem"),
    [
        (1, 0.5, "not both"),
        (0, None, "at least 1"),
        (None, 0.0, "more than 0"),
        (None, 1.01, "at most 1"),
    ],
)
def test_params_that_make_no_sense(
    quantity: int | None, equity_fraction: float | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        BuyAndHold.Params(quantity, equity_fraction)
