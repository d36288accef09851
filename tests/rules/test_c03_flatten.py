"""C3 and DESIGN 4: flatten closes what is held, and what the market still fills, exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Flatten, Halt
from tests.harness import Result, play, rules
from tests.rules.tools import at_end, fills, flat, middle, state_names, target

BARS = [flat(100.0 + i) for i in range(9)]


def say(kind: Any, instant: int) -> Any:
    return kind(instant, "operator", "because")


def test_flatten_after_a_pending_entry_sells_it_at_the_next_open() -> None:
    """The entry fills in bar 1; that turn orders the sale, which fills in bar 2."""
    result = play({"NVDA": BARS}, at={0: [target(10)]}, commands=[say(Flatten, middle(1))])
    assert fills(result) == [(1, 10, 101.0), (2, -10, 102.0)]


def test_flatten_beside_a_pending_exit_does_not_sell_twice() -> None:
    """The strategy's own exit of 10 fills in bar 2; nothing may be sold short after it."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(0)]},
        commands=[say(Flatten, middle(2))],
    )
    assert fills(result) == [(1, 10, 101.0), (2, -10, 102.0)]
    assert result.position() == 0


def test_flatten_beside_a_pending_flip_buys_back() -> None:
    """+10, the pending flip makes it -10 in bar 2; flat again in bar 3."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(-10)]},
        commands=[say(Flatten, middle(2))],
    )
    assert result.position() == 0
    assert fills(result)[:2] == [(1, 10, 101.0), (2, -20, 102.0)]
    assert all(abs(position) <= 10 for position in _path(result)), (
        "flattening never grows a position"
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_flatten_in_parts_until_flat(sign: int) -> None:
    """Budgets 100, then 40, 40 and 20 of what is left."""
    volumes = [1000, 400, 400, 400, 400]
    result = play(
        {"NVDA": [flat(100.0), *(flat(100.0, v) for v in volumes)]},
        at={0: [target(100 * sign)]},
        commands=[say(Flatten, at_end(1))],
        pricing=rules(participation_ppm=100_000),
    )
    moves = [(i, q) for i, q, _ in fills(result)]
    assert moves == [(1, 100 * sign), (2, -40 * sign), (3, -40 * sign), (4, -20 * sign)]


def test_flatten_over_the_night_and_for_all_symbols() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 9, "AAPL": [flat(50.0)] * 9},
        at={0: [target(10), target(-20, "AAPL")]},
        commands=[say(Flatten, at_end(6) + 1)],
    )
    assert fills(result)[2:] == [(7, -10, 100.0), (7, 20, 50.0)]
    assert state_names(result)[-1] == "HALTED"


def test_flatten_waits_for_a_missing_bar() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), None, flat(98.0), flat(98.0)]},
        at={0: [target(10)]},
        commands=[say(Flatten, at_end(1))],
    )
    assert fills(result)[1:] == [(3, -10, 98.0)]


def test_flatten_after_a_halt() -> None:
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)]},
        commands=[say(Halt, at_end(1)), say(Flatten, at_end(3))],
    )
    assert fills(result) == [(1, 10, 101.0), (4, -10, 104.0)]


def test_flatten_after_the_market_took_part_of_an_entry() -> None:
    """Budgets 40, 60: at mid-bar 2 another 60 are beyond recall; all 100 go afterwards."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 400), *([flat(100.0, 600)] * 4)]},
        at={0: [target(100)]},
        commands=[say(Flatten, middle(2))],
        pricing=rules(participation_ppm=100_000),
    )
    moves = [(i, q) for i, q, _ in fills(result)]
    assert moves[:2] == [(1, 40), (2, 60)]
    assert result.position() == 0
    assert sum(q for _, q in moves[2:]) == -100


def test_flatten_beside_a_pending_part_exit() -> None:
    """Of 10 the strategy sells 4 in bar 2, so only 6 are left to flatten."""
    result = play(
        {"NVDA": BARS},
        at={0: [target(10)], 1: [target(6)]},
        commands=[say(Flatten, middle(2))],
    )
    assert fills(result) == [(1, 10, 101.0), (2, -4, 102.0), (3, -6, 103.0)]


def test_flatten_of_a_position_with_a_bracket_sells_once() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(100.0), (100.0, 106.0, 94.0, 95.0), flat(95.0)]},
        at={0: [target(10, stop_price=95.0, take_profit_price=105.0)]},
        commands=[say(Flatten, middle(2))],
    )
    assert fills(result) == [(1, 10, 100.0), (3, -10, 100.0)]


def _path(result: Result) -> list[int]:
    held, path = 0, []
    for _, signed, _ in fills(result):
        held += signed
        path.append(held)
    return path
