"""C16 and C17 as a table: parameters, prediction and position in, target out."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Bracket, Side, TargetPosition
from daemon.core.outputs import Origin
from daemon.strategies.threshold import Threshold
from tests.unit.portfolios import FixedPortfolio, market, working

LONG: dict[str, Any] = {"enter_long_bps": 12, "exit_long_bps": 2, "quantity": 100}
SHORT: dict[str, Any] = {"enter_short_bps": -12, "exit_short_bps": -2, "quantity": 100}
BOTH: dict[str, Any] = LONG | SHORT
NO_EXITS: dict[str, Any] = {"enter_long_bps": 12, "enter_short_bps": -12, "quantity": 100}


def target(
    params: dict[str, Any], value: float | None, portfolio: FixedPortfolio, close: float = 100.0
) -> tuple[int, str] | None:
    strategy = Threshold(Threshold.Params(**params), ["NVDA"])
    predictions = {} if value is None else {"NVDA": value}
    intents = strategy.decide(market(close), predictions, portfolio)
    if intents is None:
        return None
    assert len(intents) == 1
    assert isinstance(intents[0], TargetPosition)
    return intents[0].quantity, intents[0].reason


@pytest.mark.parametrize(
    ("params", "value", "shares", "wanted"),
    [
        # flat: entries are strict
        (BOTH, 0.0013, 0, (100, "enter_long")),
        (BOTH, 0.0012, 0, None),
        (BOTH, -0.0012, 0, None),
        (BOTH, -0.0013, 0, (-100, "enter_short")),
        (BOTH, 0.0, 0, None),
        (BOTH, None, 0, None),
        (LONG, -0.0100, 0, None),
        (SHORT, 0.0100, 0, None),
        # long: held while the signal persists or is neutral, left below exit_long
        (LONG, 0.0050, 100, None),
        (LONG, 0.0002, 100, None),
        (LONG, 0.0001, 100, (0, "exit_long")),
        (LONG, -0.0100, 100, (0, "exit_long")),
        (LONG, None, 100, None),
        # short: the mirror
        (SHORT, -0.0050, -100, None),
        (SHORT, -0.0002, -100, None),
        (SHORT, -0.0001, -100, (0, "exit_short")),
        (SHORT, 0.0100, -100, (0, "exit_short")),
        (SHORT, None, -100, None),
        # the opposite entry wins over the exit: one flip
        (BOTH, -0.0013, 100, (-100, "enter_short")),
        (BOTH, 0.0013, -100, (100, "enter_long")),
        (BOTH, 0.0001, 100, (0, "exit_long")),
        (BOTH, -0.0001, -100, (0, "exit_short")),
        # exits that are off: nothing but the opposite entry ends a position
        (NO_EXITS, -0.0012, 100, None),
        (NO_EXITS, -0.0013, 100, (-100, "enter_short")),
        (NO_EXITS, 0.0012, -100, None),
        # what is held may differ from the quantity (a part filled, a split): still held
        (LONG, 0.0050, 40, None),
    ],
)
def test_signals(
    params: dict[str, Any],
    value: float | None,
    shares: int,
    wanted: tuple[int, str] | None,
) -> None:
    assert target(params, value, FixedPortfolio(shares=shares, held=3)) == wanted


@pytest.mark.parametrize(("bps", "value"), [(2.3, 0.00023), (16.9, 0.00169), (0.6, 0.00006)])
def test_a_threshold_is_the_decimal_it_reads_as(bps: float, value: float) -> None:
    # bps x 0.0001 (2.3, 16.9) or bps / 10,000 (0.6) is a float next to the value, not the value
    params = {"enter_long_bps": bps, "enter_short_bps": bps, "quantity": 100}
    assert target(params, value, FixedPortfolio()) is None


@pytest.mark.parametrize(
    ("held", "value", "wanted"),
    [
        (1, None, None),
        (3, None, None),
        (4, None, (0, "max_holding_bars")),  # no prediction: time still runs
        (5, None, (0, "max_holding_bars")),
        (4, 0.0050, (0, "max_holding_bars")),  # a signal that persists does not prolong
        (4, 0.0001, (0, "exit_long")),
        (4, -0.0050, (-100, "enter_short")),  # the flip wins
    ],
)
def test_max_holding_bars(held: int, value: float | None, wanted: tuple[int, str] | None) -> None:
    params = {**BOTH, "max_holding_bars": 4}
    assert target(params, value, FixedPortfolio(shares=100, held=held)) == wanted


@pytest.mark.parametrize(
    ("cooldown_bars", "since_exit", "wanted"),
    [
        (None, 1, (100, "enter_long")),
        (0, 1, (100, "enter_long")),
        (2, None, (100, "enter_long")),
        (2, 1, None),
        (2, 2, None),
        (2, 3, (100, "enter_long")),
    ],
)
def test_cooldown(
    cooldown_bars: int | None, since_exit: int | None, wanted: tuple[int, str] | None
) -> None:
    params = {**LONG, "cooldown_bars": cooldown_bars}
    assert target(params, 0.0050, FixedPortfolio(since_exit=since_exit)) == wanted


def test_cooldown_blocks_a_flip_and_leaves_the_exit() -> None:
    # short since a flip one close ago: no new flip, but the exit still runs
    flipped = FixedPortfolio(shares=-100, held=1, since_exit=1)
    assert target({**BOTH, "cooldown_bars": 2}, 0.0050, flipped) == (0, "exit_short")
    assert target({**NO_EXITS, "cooldown_bars": 2}, 0.0050, flipped) is None


@pytest.mark.parametrize(
    ("fraction", "equity_usd", "close", "value", "wanted"),
    [
        (0.5, 100_000, 33.33, 0.0050, (1500, "enter_long")),  # 1500.15
        (0.5, 100_000, 33.33, -0.0050, (-1500, "enter_short")),
        (1.0, 99.99, 100.0, 0.0050, None),  # not one share
        (1.5, 1_000, 100.0, 0.0050, (15, "enter_long")),
        (0.1, 1_100, 0.11, 0.0050, (1000, "enter_long")),  # exact, though floats say 999.99
        (0.5, -10.0, 100.0, 0.0050, None),
    ],
)
def test_size_by_equity(
    fraction: float, equity_usd: float, close: float, value: float, wanted: tuple[int, str] | None
) -> None:
    params = {"enter_long_bps": 12, "enter_short_bps": -12, "equity_fraction": fraction}
    assert target(params, value, FixedPortfolio(equity_usd=equity_usd), close) == wanted


def test_no_size_is_no_flip_but_the_exit_runs() -> None:
    params = {**BOTH, "quantity": None, "equity_fraction": 0.001}
    assert target(params, -0.0050, FixedPortfolio(shares=1, held=1, equity_usd=100)) == (
        0,
        "exit_long",
    )


@pytest.mark.parametrize(
    ("shares", "side", "origin", "wanted"),
    [
        (0, Side.BUY, Origin.TARGET, None),  # the entry is on its way
        (0, Side.SELL, Origin.TARGET, (100, "enter_long")),
        (-100, Side.BUY, Origin.TARGET, None),  # the flip, or an exit, is on its way
        (-100, Side.BUY, Origin.PROTECTIVE, (100, "enter_long")),  # a stop is not an entry
    ],
)
def test_an_order_under_way_ends_first(
    shares: int, side: Side, origin: Origin, wanted: tuple[int, str] | None
) -> None:
    portfolio = FixedPortfolio(shares=shares, orders=[working(side, 100, origin)])
    assert target(BOTH, 0.0050, portfolio) == wanted


def test_the_bracket_travels_with_entries_alone() -> None:
    exits: dict[str, Any] = {"stop_loss_pct": 2.0, "take_profit_pct": 4.0, "trailing_stop_pct": 3.0}
    strategy = Threshold(Threshold.Params(**LONG, **exits), ["NVDA"])
    bracket = Bracket(stop_loss_pct=2.0, take_profit_pct=4.0, trailing_stop_pct=3.0)
    assert strategy.decide(market(100.0), {"NVDA": 0.005}, FixedPortfolio()) == [
        TargetPosition("NVDA", 100, bracket, "enter_long")
    ]
    assert strategy.decide(market(100.0), {"NVDA": 0.0}, FixedPortfolio(shares=100)) == [
        TargetPosition("NVDA", 0, None, "exit_long")
    ]
    plain = Threshold(Threshold.Params(**LONG), ["NVDA"])
    assert plain.decide(market(100.0), {"NVDA": 0.005}, FixedPortfolio()) == [
        TargetPosition("NVDA", 100, None, "enter_long")
    ]


def test_each_symbol_for_itself_and_missing_bars_left_alone() -> None:
    symbols = ["A", "B", "C"]
    strategy = Threshold(Threshold.Params(**LONG), symbols)
    predictions = {"A": 0.005, "B": 0.005, "C": 0.0}
    intents = strategy.decide(
        market(10.0, None, 30.0, symbols=symbols), predictions, FixedPortfolio()
    )
    assert intents == [TargetPosition("A", 100, None, "enter_long")]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"quantity": 1}, "it never trades"),
        ({"enter_long_bps": 1}, "one of the two"),
        ({"enter_long_bps": 1, "quantity": 1, "equity_fraction": 1.0}, "one of the two"),
        ({"enter_long_bps": 1, "enter_short_bps": 2, "quantity": 1}, "both entries"),
        ({"enter_long_bps": 1, "exit_long_bps": 2, "quantity": 1}, "exit_long_bps"),
        ({"enter_short_bps": 1, "exit_short_bps": 0, "quantity": 1}, "exit_short_bps"),
        ({"enter_long_bps": float("nan"), "quantity": 1}, "finite"),
        ({**LONG, "quantity": 0}, "quantity must be"),
        ({"enter_long_bps": 1, "equity_fraction": 0.0}, "equity_fraction must be"),
        ({**LONG, "stop_loss_pct": 0.0}, "stop_loss_pct"),
        ({**LONG, "stop_loss_pct": 100.0}, "stop_loss_pct"),
        ({**LONG, "trailing_stop_pct": -1.0}, "trailing_stop_pct"),
        ({**LONG, "take_profit_pct": 0.0}, "take_profit_pct"),
        ({**LONG, "max_holding_bars": 0}, "max_holding_bars"),
        ({**LONG, "cooldown_bars": -1}, "cooldown_bars"),
    ],
)
def test_params_that_make_no_sense(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Threshold.Params(**params)
