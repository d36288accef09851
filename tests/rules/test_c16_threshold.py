"""C16: when `threshold` goes in and out; 10 basis points are a prediction of 0.001."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.strategies.threshold import Threshold
from tests.harness import Quote, Result, play
from tests.rules.tools import fills, flat

# Both sides with hysteresis: in beyond 10 bp, out when the sign turns.
BOTH: dict[str, Any] = {
    "enter_long_bps": 10.0,
    "exit_long_bps": 0.0,
    "enter_short_bps": -10.0,
    "exit_short_bps": 0.0,
    "quantity": 10,
}


def run(
    values_bps: Sequence[float | None],
    bars: Sequence[Quote | None] | None = None,
    **params: Any,
) -> Result:
    """One prediction a slice (None: none); the price is 100 unless bars are given."""
    rows = {("NVDA", i): v / 10_000 for i, v in enumerate(values_bps) if v is not None}
    strategy = Threshold(Threshold.Params(**params), ("NVDA",))
    quotes = bars or [flat(100.0)] * (len(values_bps) + 1)
    return play({"NVDA": quotes}, strategy=strategy, predictions=rows)


def moves(result: Result) -> list[tuple[int, int]]:
    return [(i, q) for i, q, _ in fills(result)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10, 0, 0], []),  # equal is not beyond
        ([10.01, 5, 5], [(1, 10)]),
        ([11, 0, 0], [(1, 10)]),  # the exit too needs to go beyond
        ([11, -0.01, 0], [(1, 10), (2, -10)]),
        ([11, 5, 20, 1], [(1, 10)]),  # between the two: held
        ([11, -1, 9, 11], [(1, 10), (2, -10), (4, 10)]),
        ([-10, 0, 0], []),
        ([-10.01, -5, -5], [(1, -10)]),
        ([-11, 0, 0], [(1, -10)]),
        ([-11, 0.01, 0], [(1, -10), (2, 10)]),
        ([-11, 1, -9, -11], [(1, -10), (2, 10), (4, -10)]),
        ([11, -11, -5], [(1, 10), (2, -20)]),  # an opposite entry: one flip
        ([-11, 11, 5], [(1, -10), (2, 20)]),
        ([11, -10, 0], [(1, 10), (2, -10)]),  # not beyond the short's entry: only out
        ([11, -11, 11], [(1, 10), (2, -20), (3, 20)]),
    ],
)
def test_both_sides(values: list[float], expected: list[tuple[int, int]]) -> None:
    result = run(values, **BOTH)
    assert moves(result) == expected
    assert len(result.orders) == len(expected)


@pytest.mark.parametrize(
    ("left_out", "values", "expected"),
    [
        (["enter_short_bps", "exit_short_bps"], [-50, 11, -50, -50], [(2, 10), (3, -10)]),
        (["enter_long_bps", "exit_long_bps"], [50, -11, 50, 50], [(2, -10), (3, 10)]),
        (["exit_long_bps"], [11, -9, -9], [(1, 10)]),
        (["exit_long_bps"], [11, -9, -11], [(1, 10), (3, -20)]),  # a flip is an entry
        (["exit_short_bps"], [-11, 9, 9], [(1, -10)]),
        (["exit_long_bps", "enter_short_bps", "exit_short_bps"], [11, -99, -99], [(1, 10)]),
    ],
)
def test_left_out_is_off(
    left_out: list[str], values: list[float], expected: list[tuple[int, int]]
) -> None:
    params = {key: value for key, value in BOTH.items() if key not in left_out}
    assert moves(run(values, **params)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None, None, None], []),
        ([11, None, None], [(1, 10)]),  # no prediction, no exit
        ([11, None, -1], [(1, 10), (3, -10)]),
        ([None, 11, None], [(2, 10)]),
    ],
)
def test_no_prediction(values: list[float | None], expected: list[tuple[int, int]]) -> None:
    assert moves(run(values, **BOTH)) == expected


def test_without_a_prediction_the_other_exits_run() -> None:
    """Two closes are held, then out, prediction or not."""
    result = run([11, None, None, None, None], **BOTH, max_holding_bars=2)
    assert moves(result) == [(1, 10), (3, -10)]


def test_without_a_prediction_the_stop_runs() -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 94.0, 96.0), flat(96.0)]
    result = run([11, None, None], bars, **BOTH, stop_loss_pct=5.0)
    assert fills(result) == [(1, 10, 100.0), (2, -10, 95.0)]


@pytest.mark.parametrize(
    ("fraction", "close", "shares"),
    [
        (1.0, 100.0, 10_000),  # a million dollars
        (0.5, 100.0, 5_000),
        (0.25, 130.0, 1_923),  # 1923.08
        (1.0, 99.99, 10_001),  # 10,001.0001
        (0.1, 3.0, 33_333),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_fraction_of_equity_at_the_close_of_the_decision(
    sign: int, fraction: float, close: float, shares: int
) -> None:
    params = {k: v for k, v in BOTH.items() if k != "quantity"}
    result = run([11 * sign, 5 * sign], [flat(close)] * 3, **params, equity_fraction=fraction)
    assert moves(result) == [(1, shares * sign)]


def test_the_fraction_is_taken_at_the_entry_and_then_held() -> None:
    """The price doubles and the prediction stays strong: the shares stay the same."""
    params = {k: v for k, v in BOTH.items() if k != "quantity"}
    bars = [flat(100.0), flat(100.0), flat(150.0), flat(200.0), flat(50.0), flat(50.0)]
    result = run([11, 11, 20, 11, 30], bars, **params, equity_fraction=0.5)
    assert moves(result) == [(1, 5_000)]


def test_a_flip_takes_its_fraction_anew() -> None:
    """5000 shares gain 50,000 at 110: half of 1,050,000 is 4772 shares short."""
    params = {k: v for k, v in BOTH.items() if k != "quantity"}
    bars = [flat(100.0), flat(110.0), flat(110.0), flat(110.0)]
    # bought at 110, so the gain is nothing: half of 1,000,000 / 110 = 4545.45
    result = run([11, -11, -5], bars, **params, equity_fraction=0.5)
    assert moves(result) == [(1, 5_000), (2, -9_545)]


def test_a_value_that_stays_high_after_a_stop_goes_in_again() -> None:
    bars = [flat(100.0), flat(100.0), (100.0, 100.0, 94.0, 96.0), flat(96.0)]
    result = run([11, 11, 11], bars, **BOTH, stop_loss_pct=5.0)
    assert fills(result) == [(1, 10, 100.0), (2, -10, 95.0), (3, 10, 96.0)]


def test_a_partial_entry_is_completed_not_doubled() -> None:
    from tests.harness import rules

    rows = {("NVDA", i): 0.0011 for i in range(4)}
    bars = [flat(100.0), flat(100.0, 40), flat(100.0, 1000), flat(100.0), flat(100.0)]
    result = play(
        {"NVDA": bars},
        strategy=Threshold(Threshold.Params(**BOTH), ("NVDA",)),
        predictions=rows,
        pricing=rules(participation_ppm=100_000),
    )
    assert moves(result) == [(1, 4), (2, 6)]


def test_each_symbol_by_itself() -> None:
    strategy = Threshold(Threshold.Params(**BOTH), ("NVDA", "AAPL"))
    result = play(
        {"NVDA": [flat(100.0)] * 4, "AAPL": [flat(50.0)] * 4},
        strategy=strategy,
        predictions={("NVDA", 0): 0.0011, ("AAPL", 1): -0.0011, ("NVDA", 2): -0.0001},
    )
    assert [(f.symbol, str(f.side), f.quantity) for f in result.fills] == [
        ("NVDA", "buy", 10),
        ("AAPL", "sell", 10),
        ("NVDA", "sell", 10),
    ]
