"""Drawdowns: depth, duration and dates, by hand."""

from __future__ import annotations

from array import array

import pytest

from replay.summary.drawdowns import (
    BLOCK_ROWS,
    Drawdown,
    deepest_fraction,
    drawdowns,
    duration_ns,
    longest,
)

#          0    1   2    3    4    5   6    7
VALUES = [110, 99, 105, 110, 120, 90, 60, 100]


def test_spells_have_peak_trough_and_recovery() -> None:
    assert drawdowns(VALUES, 100) == [
        Drawdown(peak_row=0, trough_row=1, recovered_row=3, peak=110, trough=99),
        Drawdown(peak_row=4, trough_row=6, recovered_row=None, peak=120, trough=60),
    ]
    first, second = drawdowns(VALUES, 100)
    assert first.depth_fraction == pytest.approx(-0.1)
    assert second.depth_fraction == pytest.approx(-0.5)


def test_the_peak_is_seeded_with_the_starting_value() -> None:
    assert drawdowns([90, 95, 100, 101], 100) == [
        Drawdown(peak_row=-1, trough_row=0, recovered_row=2, peak=100, trough=90)
    ]
    assert deepest_fraction([90, 95], [90, 95], 100) == pytest.approx(-0.1)


def test_what_only_rises_or_stays_has_no_drawdown() -> None:
    assert drawdowns([100, 100, 101, 150], 100) == []
    assert deepest_fraction([100, 101], [100, 101], 100) == 0
    assert drawdowns([], 100) == []
    assert deepest_fraction([], [], 100) == 0


def test_the_first_of_equal_troughs_is_named() -> None:
    assert drawdowns([80, 90, 80], 100)[0].trough_row == 0


def test_a_mark_within_a_bar_is_held_against_the_peak_before_it() -> None:
    # Row 1 closes at a new high of 120; its low of 96 is measured from 110, the peak before.
    closes, worst = [110, 120, 119], [100, 96, 118]
    assert deepest_fraction(worst, closes, 100) == pytest.approx(96 / 110 - 1)


def test_an_account_below_zero_has_lost_more_than_all() -> None:
    assert deepest_fraction([50, -10], [50, -10], 100) == pytest.approx(-1.1)


def test_durations_end_at_the_recovery_or_at_the_last_row() -> None:
    ends = [10, 20, 30, 40, 50, 60, 70, 80]
    first, second = drawdowns(VALUES, 100)
    assert duration_ns(first, ends, 0) == 40 - 10
    assert duration_ns(second, ends, 0) == 80 - 50
    assert longest([first, second], ends, 0) == first  # the earlier of two equal ones
    assert longest([], ends, 0) is None
    from_the_start = drawdowns([90, 80], 100)[0]
    assert duration_ns(from_the_start, [10, 20], 3) == 20 - 3


@pytest.mark.parametrize("row", [BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS])
def test_blocks_do_not_show(row: int) -> None:
    values = array("q", [1_000] * (4 * BLOCK_ROWS))
    values[row] = 900
    expected = Drawdown(
        peak_row=row - 1, trough_row=row, recovered_row=row + 1, peak=1_000, trough=900
    )
    assert drawdowns(values, 1_000) == [expected]
    assert deepest_fraction(values, values, 1_000) == pytest.approx(-0.1)
