"""When a working order fills, and when that is known. Hourly bars, four a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from daemon.core.due_fills import DueFill, due_fills
from daemon.core.events import Commands, Flatten, Halt
from daemon.core.units import HOUR_NS, MINUTE_NS
from tests.harness import Result, opens_ns, play, sessions
from tests.rules.tools import flat, order, target

PER_SESSION = 4


def bar(number: int) -> tuple[int, int]:
    day, index = divmod(number, PER_SESSION)
    start = opens_ns(day) + index * HOUR_NS
    return start, start + HOUR_NS


def inside(number: int) -> int:
    """Ten minutes into a bar."""
    return bar(number)[0] + 10 * MINUTE_NS


def after(played: int, at: Any = None, commands: Sequence[Commands] = ()) -> Result:
    """So many bars have been played."""
    return play({"NVDA": [flat(100.0)] * played}, at=at, per_session=PER_SESSION, commands=commands)


def due(result: Result, now: int, first: int) -> dict[int, DueFill]:
    bars = (bar(number) for number in count(first))  # without end, as a schedule may be
    return due_fills(result.account.venue.book, now, bars)


def test_the_calendar_of_these_tests() -> None:
    expected = sessions(2, PER_SESSION)
    starts = [start for day in expected for start in day.starts]
    assert [bar(number)[0] for number in range(8)] == starts


def test_before_the_bar_has_started_it_is_due() -> None:
    """At the end of bar 0 itself: the next bar fills it, known an hour later."""
    result = after(1, {0: [target(10)]})
    assert due(result, bar(0)[1], 1) == {1: DueFill(*bar(1), is_pending=False, overnight=False)}


@pytest.mark.parametrize("now", [bar(1)[0] + 1, inside(1), bar(1)[1] + MINUTE_NS])
def test_once_it_has_started_it_is_pending(now: int) -> None:
    """Also a minute after its end, while the bar is not in hand."""
    result = after(1, {0: [target(10)]})
    assert due(result, now, 1) == {1: DueFill(*bar(1), is_pending=True, overnight=False)}
    book = result.account.venue.book
    assert all(book.is_fill_pending(order, now) for order in book.working.values())


def test_after_the_sessions_last_bar_it_is_held_overnight() -> None:
    result = after(4, {3: [target(10)]})
    evening = bar(3)[1] + HOUR_NS
    assert due(result, evening, 4) == {1: DueFill(*bar(4), is_pending=False, overnight=True)}
    morning = inside(4)
    assert due(result, morning, 4) == {1: DueFill(*bar(4), is_pending=True, overnight=False)}


def flattened_in(number: int, played: int) -> Result:
    """10 shares since bar 1; flattened inside a bar."""
    command = Flatten(inside(number), "operator", "out")
    return after(played, {0: [target(10)]}, [command])


def test_flattening_inside_a_bar_is_due_in_the_next() -> None:
    result = flattened_in(2, 2)
    assert due(result, inside(2), 2) == {2: DueFill(*bar(3), is_pending=False, overnight=False)}
    # bar 2 has not come yet, but bar 3 has started: beyond recall
    assert due(result, inside(3), 2) == {2: DueFill(*bar(3), is_pending=True, overnight=False)}


def test_flattening_inside_the_last_bar_is_due_in_the_morning() -> None:
    result = flattened_in(3, 3)
    assert due(result, inside(3), 3) == {2: DueFill(*bar(4), is_pending=False, overnight=True)}


def test_flattening_in_the_mornings_first_bar_is_not_overnight() -> None:
    result = flattened_in(4, 4)
    assert due(result, inside(4), 4) == {2: DueFill(*bar(5), is_pending=False, overnight=False)}


def test_an_entry_that_a_halt_could_not_recall_is_pending() -> None:
    result = after(1, {0: [target(10)]}, [Halt(inside(1), "operator", "stop")])
    assert due(result, inside(1), 1) == {1: DueFill(*bar(1), is_pending=True, overnight=False)}


def test_what_rests_has_no_answer() -> None:
    result = after(1, {0: [order(10, limit_price=95.0)]})
    assert due(result, inside(1), 1) == {}


def test_bars_are_read_no_further_than_needed() -> None:
    read: list[int] = []

    def bars() -> Iterator[tuple[int, int]]:
        for number in range(1, 9):
            read.append(number)
            yield bar(number)

    result = after(1, {0: [target(10)]})
    due_fills(result.account.venue.book, inside(1), bars())
    assert read == [1]
    assert due_fills(result.account.venue.book, inside(1), []) == {}
