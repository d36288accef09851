"""Statistics and drawdowns for any returns: bounds, invariances, and a plain second reading."""

from __future__ import annotations

import random
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from replay.summary import drawdowns, statistics
from replay.summary.statistics import NotAvailable, SharpeInterval

returns_lists = st.lists(
    st.floats(-0.3, 0.3).map(lambda value: round(value, 6)), min_size=60, max_size=200
)
equities = st.lists(st.integers(1, 40), max_size=60)


def plain_spells(values: list[int], start: int) -> list[drawdowns.Drawdown]:
    """Row by row, without blocks."""
    found: list[drawdowns.Drawdown] = []
    peak, peak_row, below = start, -1, list[int]()
    for row, value in enumerate([*values, max([start, *values])]):
        if value < peak:
            below.append(value)
            continue
        if below:
            trough_row = peak_row + 1 + below.index(min(below))
            recovered = row if row < len(values) else None
            found.append(drawdowns.Drawdown(peak_row, trough_row, recovered, peak, min(below)))
        peak, peak_row, below = value, row, []
    return found


@given(equities, st.integers(1, 40), st.integers(1, 7))
def test_blocks_give_what_rows_give(values: list[int], start: int, block: int) -> None:
    with mock.patch.object(drawdowns, "BLOCK_ROWS", block):
        spells = drawdowns.drawdowns(values, start)
        depth = drawdowns.deepest_fraction(values, values, start)
    assert spells == plain_spells(values, start)
    assert depth == min((spell.depth_fraction for spell in spells), default=0.0)


@given(equities, st.integers(1, 40), st.integers(1, 7), st.data())
def test_worst_marks_are_measured_from_earlier_peaks(
    values: list[int], start: int, block: int, data: st.DataObject
) -> None:
    marks = [data.draw(st.integers(0, value)) for value in values]
    peaks = [max([start, *values[:row]]) for row in range(len(values))]
    expected = min([0.0, *(mark / peak - 1 for mark, peak in zip(marks, peaks, strict=True))])
    with mock.patch.object(drawdowns, "BLOCK_ROWS", block):
        found = drawdowns.deepest_fraction(marks, values, start)
        at_closes = drawdowns.deepest_fraction(values, values, start)
    assert found == expected
    assert -1 <= found <= at_closes <= 0


@given(returns_lists, st.floats(0.1, 3))
def test_ratios_do_not_depend_on_the_size_of_the_bet(returns: list[float], scale: float) -> None:
    ratio = statistics.sharpe(returns)
    assume(not isinstance(ratio, NotAvailable))
    scaled = [value * scale for value in returns]
    assert statistics.sharpe(scaled) == pytest.approx(ratio, rel=1e-9, abs=1e-9)
    if not isinstance(statistics.sortino(returns), NotAvailable):
        assert statistics.sortino(scaled) == pytest.approx(statistics.sortino(returns), rel=1e-9)


@given(returns_lists)
def test_the_interval_holds_the_ratio(returns: list[float]) -> None:
    ratio, interval = statistics.sharpe(returns), statistics.sharpe_interval(returns)
    assert isinstance(ratio, NotAvailable) == isinstance(interval, NotAvailable)
    if isinstance(interval, SharpeInterval) and not isinstance(ratio, NotAvailable):
        assert interval.low <= ratio <= interval.high
        assert interval.standard_error >= 0


@given(returns_lists, st.randoms(use_true_random=False))
def test_order_changes_the_interval_alone(returns: list[float], rng: random.Random) -> None:
    mixed = returns.copy()
    rng.shuffle(mixed)
    assert statistics.sharpe(mixed) == statistics.sharpe(returns)
    assert statistics.sortino(mixed) == statistics.sortino(returns)
    assert statistics.annual_volatility(mixed) == statistics.annual_volatility(returns)


# from a dollar to a million: 1 + return has few digits left after a loss of nearly everything
amounts = st.integers(10**6, 10**12)


@given(st.lists(amounts, min_size=1, max_size=50), amounts)
def test_periods_compound_to_the_whole(closes: list[int], start: int) -> None:
    dates = [20240101 + 100 * (row // 4) + row % 4 for row in range(len(closes))]
    months = statistics.period_returns(dates, closes, start, statistics.month_of)
    whole = 1.0
    for month in months:
        whole *= 1 + month.return_fraction
    assert whole == pytest.approx(closes[-1] / start, rel=1e-6)
    assert sum(month.sessions for month in months) == len(closes)
