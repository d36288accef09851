"""Buy and hold of the run's own bars, by hand."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest

from daemon.core.events import CorporateAction, Dividend, Split
from replay.record import RunRecord
from replay.summary.buy_and_hold import buy_and_hold_curve
from tests.factories import MadeColumns, equity_record, slots

PLACES = slots(4, 390)
DATES = [place.date for place in PLACES]


def columns(opens: Sequence[float], closes: Sequence[float], rows: Sequence[int]) -> MadeColumns:
    made = MadeColumns()
    for row, opened, close in zip(rows, opens, closes, strict=True):
        high, low = max(opened, close), min(opened, close)
        made.add(PLACES[row].start, PLACES[row].end, (opened, high, low, close))
    return made


def record_of(**bars: MadeColumns) -> RunRecord:
    record = equity_record([1_000] * 4)
    record.symbols, record.bars = list(bars), bars
    return record


def test_one_symbol_is_bought_at_its_first_open() -> None:
    record = record_of(NVDA=columns([50, 60, 70, 80], [55, 65, 75, 100], range(4)))
    assert buy_and_hold_curve(record) == pytest.approx([1.1, 1.3, 1.5, 2.0])


def test_memory_views_give_what_arrays_give() -> None:
    made = columns([50, 60, 70, 80], [55, 65, 75, 100], range(4))
    record = record_of(NVDA=made)
    expected = buy_and_hold_curve(record)
    for name in ("start", "end"):
        setattr(made, name, memoryview(getattr(made, name).tobytes()).cast("q"))
    for name in ("open", "close"):
        setattr(made, name, memoryview(getattr(made, name).tobytes()).cast("d"))
    assert buy_and_hold_curve(record) == expected


def test_only_bars_of_the_run_count() -> None:
    record = record_of(NVDA=columns([50, 60, 70, 80], [55, 65, 75, 100], range(4)))
    record.first_start, record.last_end = PLACES[1].start, PLACES[2].end
    record.ends = array("q", [PLACES[1].end, PLACES[2].end])
    assert buy_and_hold_curve(record) == pytest.approx([65 / 60, 75 / 60])


def test_symbols_weigh_the_same_and_carry_their_marks() -> None:
    record = record_of(
        NVDA=columns([50, 60, 70, 80], [55, 65, 75, 100], range(4)),
        SPY=columns([100, 110], [120, 90], [1, 2]),  # no first bar, no last bar
    )
    expected = [(1.1 + 1) / 2, (1.3 + 1.2) / 2, (1.5 + 0.9) / 2, (2.0 + 0.9) / 2]
    assert buy_and_hold_curve(record) == pytest.approx(expected)


def test_a_symbol_without_a_bar_stays_cash() -> None:
    record = record_of(NVDA=columns([50] * 4, [100] * 4, range(4)), SPY=MadeColumns())
    assert buy_and_hold_curve(record) == pytest.approx([1.5] * 4)
    assert buy_and_hold_curve(record_of(SPY=MadeColumns())) is None


def test_a_split_multiplies_the_shares() -> None:
    record = record_of(NVDA=columns([80, 80, 10, 10], [80, 84, 11, 12], range(4)))
    split = Split("NVDA", DATES[2], 8, 1)
    expected = [1.0, 84 / 80, 8 * 11 / 80, 8 * 12 / 80]
    assert buy_and_hold_curve(record, [split]) == pytest.approx(expected)


def test_a_dividend_becomes_cash_at_its_ex_date() -> None:
    record = record_of(NVDA=columns([80, 80, 78, 78], [80, 80, 78, 79], range(4)))
    actions: list[CorporateAction] = [
        Dividend("NVDA", DATES[2], DATES[3], 2_000_000),
        Split("NVDA", DATES[3], 2, 1),
    ]
    # 1/80 share; 2.00 a share from the third session; twice the shares in the fourth
    expected = [1.0, 1.0, (78 + 2) / 80, (2 * 79 + 2) / 80]
    assert buy_and_hold_curve(record, actions) == pytest.approx(expected)


def test_what_was_known_at_the_purchase_changes_nothing() -> None:
    record = record_of(NVDA=columns([50] * 4, [55] * 4, range(4)))
    old = [Split("NVDA", DATES[0], 10, 1), Split("SPY", DATES[2], 10, 1)]
    later = [Split("NVDA", 20991231, 10, 1)]
    assert buy_and_hold_curve(record, [*old, *later]) == pytest.approx([1.1] * 4)


def test_a_symbol_that_starts_later_has_its_own_first_session() -> None:
    record = record_of(
        NVDA=columns([50] * 4, [50] * 4, range(4)), SPY=columns([10, 10], [11, 12], [2, 3])
    )
    split = Split("SPY", DATES[2], 4, 1)
    assert buy_and_hold_curve(record, [split]) == pytest.approx([1, 1, 1.05, 1.1])
