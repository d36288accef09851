"""S27: equity is cash, positions at the close and receivables, at every bar."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Any

import pytest

from daemon.core.events import Split
from daemon.core.limits import Action, Limit, Limits
from replay.build_record import _holdings, _worst_marks
from replay.run_source import moves_of
from tests.harness import Result, plan, play, rules
from tests.rules.tools import USD, flat, target

START = 1_000_000 * USD


def worst_marks(result: Result) -> list[int]:
    """Equity with every position at its bar's far end, row by row, as the run's record has it."""
    facts: Any = result
    ends = array("q", result.slice_ends)
    worst = array("q", result.pipeline.equity)
    for symbol, spans in _holdings(moves_of(facts)).items():
        bars: Any = result.feed._columns[symbol]
        for since, before, quantity in spans:
            first, until = bisect_left(ends, since), bisect_left(ends, before)
            _worst_marks(worst, bars, ends, first, until, quantity)
    return list(worst)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_mark_a_bar(sign: int) -> None:
    """10 shares from 100 (bar 1's open); the closes 103, 98.5, 100; out at 101."""
    bars = [
        flat(100.0),
        (100.0, 104.0, 99.0, 103.0),
        (103.0, 103.0, 98.0, 98.5),
        (98.5, 100.0, 98.5, 100.0),
        (101.0, 108.0, 101.0, 107.0),
        flat(107.0),
    ]
    result = play({"NVDA": bars}, at={0: [target(10 * sign)], 3: [target(0)]})
    gains = [0, 30, -15, 0, 10, 10]
    assert result.equity == [START + sign * gain * USD for gain in gains]


def test_flat_bars_have_rows_too() -> None:
    result = play({"NVDA": [flat(100.0 + i) for i in range(16)]})
    assert result.equity == [START] * 16


def test_several_symbols_and_a_missing_bar() -> None:
    """NVDA +10 at 100: 101, (missing: 101), 103; AAPL −20 at 50: 51, 52, 49."""
    result = play(
        {
            "NVDA": [flat(100.0), (100.0, 101.0, 100.0, 101.0), None, flat(103.0)],
            "AAPL": [flat(50.0), (50.0, 51.0, 50.0, 51.0), flat(52.0), flat(49.0)],
        },
        at={0: [target(10), target(-20, "AAPL")]},
    )
    # +10 − 20; +10 − 40; +30 + 20
    assert result.equity == [START, START - 10 * USD, START - 30 * USD, START + 50 * USD]


def test_fees_are_taken_at_the_fill() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        at={0: [target(10)]},
        pricing=rules(commission=plan("0.10"), slippage_ppm=10_000),
    )
    # 1 % of slippage is 10 dollars, the commission one
    assert result.equity == [START, START - 11 * USD, START - 11 * USD]


def test_cents_are_exact() -> None:
    """3333 shares from 10.01 to 10.02 and a price of four decimals."""
    result = play(
        {"NVDA": [flat(10.01), flat(10.01), flat(10.02), flat(10.0201)]}, at={0: [target(3333)]}
    )
    assert result.equity == [START, START, START + 33_330_000, START + 33_663_300]


def test_an_unfilled_order_does_not_show() -> None:
    result = play({"NVDA": [flat(100.0), flat(100.0, 0), flat(100.0, 0)]}, at={0: [target(10)]})
    assert result.equity == [START] * 3


def test_the_worst_mark_inside_the_bar() -> None:
    """Long 10 NVDA at its low of 95, short 20 AAPL at its high of 53: −50 − 60."""
    result = play(
        {
            "NVDA": [flat(100.0), (100.0, 105.0, 95.0, 100.0), flat(100.0)],
            "AAPL": [flat(50.0), (50.0, 53.0, 48.0, 50.0), flat(50.0)],
        },
        at={0: [target(10), target(-20, "AAPL")]},
    )
    assert worst_marks(result) == [START, START - 110 * USD, START]


@pytest.mark.parametrize(("close", "halted"), [(85.0, True), (85.01, False)])
def test_the_peak_starts_at_the_starting_cash(close: float, halted: bool) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(close), flat(close)]},
        at={0: [target(100)]},
        cash_usd=10_000,
        limits=Limits(allow_short=True, max_drawdown_pct=Limit(150_000, Action.HALT)),
    )
    assert bool(result.states) is halted


def test_the_worst_mark_after_a_stop_in_the_slice_of_a_split() -> None:
    """100 at 100, split 10:1, all 1000 stopped at 9.50 in that slice: flat from its close on."""
    result = play(
        {
            "NVDA": [
                flat(100.0),
                flat(100.0),
                (10.0, 10.0, 9.4, 9.6),
                (9.6, 9.6, 9.0, 9.5),
            ]
        },
        at={0: [target(100, stop_price=95.0)]},
        per_session=2,
        actions=[Split("NVDA", 20240103, 10, 1)],
    )
    assert result.position() == 0
    assert result.equity == [START, START, START - 500 * USD, START - 500 * USD]
    assert worst_marks(result) == result.equity
