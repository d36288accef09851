"""C5: a target that is reached already may move the exits of its position, or give it some."""

from __future__ import annotations

from daemon.core.events import (
    Bracket,
    Halt,
    OrderRequest,
    OrderType,
    Side,
    TargetPosition,
    TimeInForce,
)
from daemon.core.outputs import Origin
from daemon.core.units import HOUR_NS
from tests.harness import opens_ns, play

FLAT = (100.0, 100.0, 100.0, 100.0)
DROP = (100.0, 100.0, 94.0, 96.0)


def test_a_held_position_gets_the_bracket_it_had_not() -> None:
    """Bought in bar 1 without exits; a stop at 95 from the close of bar 1 on sells in bar 2."""
    result = play(
        {"NVDA": [FLAT, FLAT, DROP, FLAT]},
        at={
            0: [TargetPosition("NVDA", 10)],
            1: [TargetPosition("NVDA", 10, Bracket(stop_price=95.0))],
        },
    )
    assert [(fill.origin, fill.price_e4) for fill in result.fills] == [
        (Origin.TARGET, 100_0000),
        (Origin.PROTECTIVE, 95_0000),
    ]


def test_the_same_bracket_again_moves_nothing() -> None:
    bracket = Bracket(stop_price=90.0)
    result = play(
        {"NVDA": [FLAT] * 4},
        at={bar: [TargetPosition("NVDA", 10, bracket)] for bar in range(4)},
    )
    assert [order.origin for order in result.orders] == [Origin.TARGET, Origin.PROTECTIVE]


def test_another_bracket_takes_the_place_of_the_first() -> None:
    """The stop at 90 is gone when the one at 95 has come: ten shares are sold once."""
    result = play(
        {"NVDA": [FLAT, FLAT, (100.0, 100.0, 80.0, 85.0), FLAT]},
        at={
            0: [TargetPosition("NVDA", 10, Bracket(stop_price=90.0))],
            1: [TargetPosition("NVDA", 10, Bracket(stop_price=95.0))],
        },
    )
    assert [(fill.quantity, fill.price_e4) for fill in result.fills] == [
        (10, 100_0000),
        (10, 95_0000),
    ]
    assert result.position() == 0


def test_a_halt_lets_no_exit_rest() -> None:
    """Halted in bar 2 the stop is cancelled, and the strategy's asking again brings none back."""
    bracket = Bracket(stop_price=90.0)
    halt = Halt(opens_ns(0) + 2 * HOUR_NS + HOUR_NS // 2, "operator", "test")
    result = play(
        {"NVDA": [FLAT] * 5},
        at={bar: [TargetPosition("NVDA", 10, bracket)] for bar in range(5)},
        commands=[halt],
    )
    assert [order.origin for order in result.orders] == [Origin.TARGET, Origin.PROTECTIVE]
    assert not result.account.venue.book.working


def test_a_trailing_stop_given_to_a_held_position_works_from_the_next_bar() -> None:
    """Asked for at a close of 100 with 1 %: the level is 99, and bar 2 touches it."""
    result = play(
        {"NVDA": [FLAT, FLAT, (100.0, 100.0, 99.0, 100.0), FLAT]},
        at={
            0: [TargetPosition("NVDA", 10)],
            1: [TargetPosition("NVDA", 10, Bracket(trailing_stop_pct=1.0))],
        },
    )
    assert [(fill.quantity, fill.price_e4) for fill in result.fills] == [
        (10, 100_0000),
        (10, 99_0000),
    ]


def test_an_exit_ends_when_the_position_turns_over() -> None:
    """A resting sale of the long's 10 shares is no order of the short that follows it."""
    sale = OrderRequest(
        "NVDA", Side.SELL, 10, OrderType.LIMIT, limit_price=110.0, time_in_force=TimeInForce.GTC
    )
    result = play(
        {"NVDA": [FLAT, FLAT, FLAT, (111.0, 112.0, 111.0, 112.0)]},
        at={0: [TargetPosition("NVDA", 10)], 1: [sale, TargetPosition("NVDA", -7)]},
    )
    assert result.position() == -7
    assert [str(update.status) for update in result.updates] == ["cancelled"]


def test_a_target_that_the_open_has_passed_fills_at_that_open() -> None:
    """Bought at 100 with a target of 93: the open is better, whatever the stop at 95 would say."""
    result = play(
        {"NVDA": [FLAT, (100.0, 100.0, 90.0, 91.0), FLAT]},
        at={0: [TargetPosition("NVDA", 10, Bracket(stop_price=95.0, take_profit_price=93.0))]},
    )
    assert [(fill.price_e4, fill.ambiguous) for fill in result.fills] == [
        (100_0000, False),
        (100_0000, False),
    ]
