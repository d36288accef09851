"""Series of bars: what was seen first counts, what came later is kept, splits are applied once."""

from __future__ import annotations

from fractions import Fraction

import pytest

from daemon.core.events import Split
from daemon.data.series import (
    NO_VOLUME,
    Key,
    Merged,
    Numbers,
    Seen,
    Series,
    bring_to_date,
    make_raw,
    merge,
    sighted,
    suspected_split,
)
from tests.unit.tape_files import at

KEY = Key("NVDA", "1h", "session")
TEN = Split("NVDA", 20240103, 10, 1)
DAY_1, DAY_2 = at("2024-01-02 10:30"), at("2024-01-03 10:30")


def numbers(close: float, volume: int = 1000) -> Numbers:
    return Numbers(close, close + 1, close - 1, close, volume)


def scaled(one: Numbers, factor: float) -> Numbers:
    opened, high, low, close = (round(price * factor, 4) for price in one[:4])
    return Numbers(opened, high, low, close, one.volume)


def series(adjustment: str = "splits", until: int = 20240101, **bars: Numbers) -> Series:
    starts = {"first": DAY_1, "second": DAY_2}
    told = sighted(((starts[name], one) for name, one in bars.items()), 5, "file")
    return Series(KEY, adjustment, until, bars=told)


def test_what_is_new_what_is_known_and_what_differs() -> None:
    into = series(first=numbers(100.0))
    told = sighted([(DAY_1, numbers(100.0)), (DAY_2, numbers(101.0))], 7, "later")
    assert merge(into, told) == Merged(added=1, known=1, differing=0)
    assert into.bars[DAY_1] == (Seen(5, numbers(100.0), "file"),)
    assert merge(into, sighted([(DAY_2, numbers(102.0))], 9, "ib")) == Merged(0, 0, 1)
    assert [one.numbers.close for one in into.bars[DAY_2]] == [101.0, 102.0]
    assert list(into.revised()) == [(DAY_2, into.bars[DAY_2])]
    assert into.last == DAY_2


def test_who_saw_it_earlier_counts_whenever_it_is_merged() -> None:
    into = series(first=numbers(100.0))  # seen at 5
    merge(into, sighted([(DAY_1, numbers(99.0))], 3, "older"))
    assert [(one.seen, one.numbers.close) for one in into.bars[DAY_1]] == [(3, 99.0), (5, 100.0)]


def test_the_same_numbers_again_are_as_old_as_their_first_sight() -> None:
    into = series(first=numbers(100.0))
    merge(into, sighted([(DAY_1, numbers(99.0))], 6, "x"))
    merge(into, sighted([(DAY_1, numbers(99.0))], 4, "y"))
    assert [(one.seen, one.source) for one in into.bars[DAY_1]] == [(4, "y"), (5, "file")]


# --- splits -------------------------------------------------------------------------------------


def test_a_split_that_came_since_divides_what_is_older() -> None:
    """10:1 on the 3rd: 505.05 and 1000 shares become 50.505 and 10,000; the 3rd stays."""
    held = series(first=numbers(505.05), second=numbers(51.0, 9))
    bring_to_date(held, [TEN, Split("AMD", 20240103, 2, 1)], 20240103)
    assert held.bars[DAY_1][0].numbers == Numbers(50.505, 50.605, 50.405, 50.505, 10_000)
    assert held.bars[DAY_2][0].numbers == numbers(51.0, 9)
    assert held.splits == (TEN,)
    bring_to_date(held, [TEN], 20240104)
    assert held.bars[DAY_1][0].numbers.close == 50.505  # once


def test_a_split_of_before_the_import_is_in_its_prices_already() -> None:
    held = series(until=20240103, first=numbers(50.5))
    bring_to_date(held, [TEN], 20240110)
    assert held.bars[DAY_1][0].numbers.close == 50.5
    assert held.splits == ()


def test_a_split_of_tomorrow_waits() -> None:
    held = series(first=numbers(505.0))
    bring_to_date(held, [TEN], 20240102)
    assert held.bars[DAY_1][0].numbers.close == 505.0


def test_a_split_that_was_listed_wrongly_is_taken_back() -> None:
    held = series(first=numbers(600.0))
    bring_to_date(held, [TEN], 20240103)
    bring_to_date(held, [Split("NVDA", 20240103, 4, 1)], 20240103)
    assert held.bars[DAY_1][0].numbers == Numbers(150.0, 150.25, 149.75, 150.0, 4_000)


def test_raw_prices_are_not_touched_and_can_be_had_back() -> None:
    held = series("raw", first=numbers(505.0))
    bring_to_date(held, [TEN], 20240110)
    assert held.bars[DAY_1][0].numbers == numbers(505.0)
    told = series(first=numbers(50.5, NO_VOLUME), second=numbers(51.0))
    make_raw(told, [TEN], 20240110)
    assert told.bars[DAY_1][0].numbers == Numbers(505.0, 515.0, 495.0, 505.0, NO_VOLUME)
    assert told.bars[DAY_2][0].numbers == numbers(51.0)
    assert (told.adjustment, told.splits) == ("raw", ())


@pytest.mark.parametrize(
    ("factor", "found"),
    [
        (0.1, Fraction(10)), (0.25, Fraction(4)), (2 / 3, Fraction(3, 2)), (8.0, Fraction(1, 8)),
        (1.0, None), (0.98, None), (0.8, Fraction(5, 4)), (0.02, Fraction(50)),
    ],
)  # fmt: skip
def test_one_ratio_throughout_may_be_a_split(factor: float, found: Fraction | None) -> None:
    before = [(DAY_1 + n, Numbers(100.0 + n, 110.0 + n, 90.0, 95.0, 7)) for n in range(3)]
    after = [(start, scaled(one, factor)) for start, one in before]
    known = Series(KEY, "splits", bars=sighted(before, 1, "a"))
    expected = None if found is None else (found, None)
    assert suspected_split(known, sighted(after, 2, "b")) == expected
    few = dict(list(sighted(after, 2, "b").items())[:2])
    assert suspected_split(known, few) is None


def test_one_bar_that_does_not_follow_the_ratio_says_no() -> None:
    before = [(DAY_1 + n, numbers(100.0)) for n in range(4)]
    after = [(start, Numbers(10.0, 10.1, 9.9, 10.0, 1)) for start, _ in before]
    after[2] = (after[2][0], Numbers(10.0, 10.1, 9.9, 10.4, 1))
    known = Series(KEY, "splits", bars=sighted(before, 1, "a"))
    assert suspected_split(known, sighted(after, 2, "b")) is None


@pytest.mark.parametrize(
    ("tenths", "found"), [(4, (Fraction(10), None)), (3, (Fraction(10), 3)), (2, None), (0, None)]
)
def test_bars_that_were_seen_in_new_shares_stay_as_they_are(
    tenths: int, found: tuple[Fraction, int | None] | None
) -> None:
    """Of four bars so many are restated: two of them prove nothing."""
    before = [(DAY_1 + n, numbers(100.0)) for n in range(4)]
    after = [
        (start, scaled(one, 0.1 if n < tenths else 1)) for n, (start, one) in enumerate(before)
    ]
    known = Series(KEY, "splits", bars=sighted(before, 1, "a"))
    if found is not None and found[1] is not None:
        found = (found[0], DAY_1 + found[1])
    assert suspected_split(known, sighted(after, 2, "b")) == found
