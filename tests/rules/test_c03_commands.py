"""C3: a command cannot recall what the market has filled; resting orders end where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Flatten, Halt, Pause, Reduce, Reset, Resume
from daemon.core.limits import Action, Limit, Limits
from tests.harness import Result, play, rules
from tests.rules.tools import GTC, USD, at_end, fills, flat, middle, order, target, why

BARS = [flat(100.0 + i) for i in range(9)]
STOPS = [Halt, Pause, Reduce, Flatten]


def say(kind: Any, instant: int, **more: Any) -> Any:
    return kind(instant, "operator", "because", **more)


def states(result: Result) -> list[str]:
    return [change.state.upper() for change in result.states]


# --- market orders --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Halt, Pause, Reduce])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("instant", "filled"),
    [
        (at_end(0), False),  # bar 1 starts now: start < t is false
        (at_end(0) + 1, True),
        (middle(1), True),
        (at_end(1) - 1, True),
    ],
)
def test_a_market_entry_whose_bar_has_started_fills(
    kind: Any, sign: int, instant: int, filled: bool
) -> None:
    result = play({"NVDA": BARS}, at={0: [target(10 * sign)]}, commands=[say(kind, instant)])
    assert fills(result) == ([(1, 10 * sign, 101.0)] if filled else [])
    assert result.position() == (10 * sign if filled else 0)


@pytest.mark.parametrize("kind", STOPS)
def test_an_overnight_order_is_recalled_in_the_night(kind: Any) -> None:
    result = play(
        {"NVDA": BARS}, at={6: [target(10)]}, commands=[say(kind, at_end(6) + 3600 * 10**9)]
    )
    assert result.fills == []
    status, reason = why(result, 1)
    assert status == "cancelled"
    assert reason == {"Halt": "HALTED", "Pause": "PAUSED", "Reduce": "REDUCING"}.get(
        kind.__name__, "HALTED"
    )


@pytest.mark.parametrize("kind", [Halt, Pause, Reduce])
def test_an_overnight_order_whose_bar_has_started_fills(kind: Any) -> None:
    result = play({"NVDA": BARS}, at={6: [target(10)]}, commands=[say(kind, middle(7))])
    assert fills(result) == [(7, 10, 107.0)]


@pytest.mark.parametrize(("kind", "kept"), [(Halt, False), (Pause, True), (Reduce, True)])
def test_an_exit_that_has_not_started(kind: Any, kept: bool) -> None:
    """Only a halt does away with what shrinks a position."""
    result = play(
        {"NVDA": BARS}, at={0: [target(10)], 1: [target(0)]}, commands=[say(kind, at_end(1))]
    )
    assert fills(result) == [(1, 10, 101.0)] + ([(2, -10, 102.0)] if kept else [])


def test_a_partly_filled_entry_is_recalled_between_bars() -> None:
    """Budget 40 in bar 1; the Halt is at its end, so bar 2 has not started."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 400), flat(100.0), flat(100.0)]},
        at={0: [target(100)]},
        pricing=rules(participation_ppm=100_000),
        commands=[say(Halt, at_end(1))],
    )
    assert fills(result) == [(1, 40, 100.0)]
    assert why(result, 1) == ("cancelled", "HALTED")


def test_a_partly_filled_entry_whose_next_bar_has_started_fills_on() -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 400), flat(100.0), flat(100.0)]},
        at={0: [target(100)]},
        pricing=rules(participation_ppm=100_000),
        commands=[say(Halt, middle(2))],
    )
    assert fills(result) == [(1, 40, 100.0), (2, 60, 100.0)]


def test_an_order_that_waited_for_data_fills_when_its_bar_has_started() -> None:
    result = play(
        {"NVDA": [flat(100.0), None, flat(102.0), flat(103.0)]},
        at={0: [target(10)]},
        commands=[say(Halt, middle(2))],
    )
    assert fills(result) == [(2, 10, 102.0)]


# --- resting orders -------------------------------------------------------------------------------

# an entry limit at 98 resting in bar 2; what bar 2 does; what it would have paid
LIMIT_BARS = [
    ((100.0, 101.0, 98.5, 100.0), None),
    ((100.0, 101.0, 97.0, 100.0), 98_0000),
    ((97.0, 101.0, 96.0, 100.0), 97_0000),
]


@pytest.mark.parametrize("kind", STOPS)
@pytest.mark.parametrize(("bar", "other"), LIMIT_BARS)
def test_a_resting_entry_is_cancelled_and_says_if_that_was_a_guess(
    kind: Any, bar: Any, other: int | None
) -> None:
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), bar, flat(90.0)]},
        at={0: [order(10, limit_price=98.0)]},
        commands=[say(kind, middle(2))],
    )
    assert result.fills == []
    assert why(result, 1)[0] == "cancelled"
    found = _ambiguous(result)
    assert found == ([] if other is None else [(1, other, 10)])


@pytest.mark.parametrize("instant", [at_end(1), at_end(2)])
def test_a_cancellation_between_two_bars_is_no_guess(instant: int) -> None:
    """Bar 2 touches the limit; cancelled at its start it never could, at its end it had filled."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 97.0, 100.0), flat(97.0)]},
        at={0: [order(10, limit_price=98.0)]},
        commands=[say(Halt, instant)],
    )
    assert fills(result) == ([] if instant == at_end(1) else [(2, 10, 98.0)])
    assert _ambiguous(result) == []


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("kind", "sold"), [(Halt, False), (Flatten, False), (Pause, True), (Reduce, True)]
)
def test_a_protective_stop_survives_all_but_a_halt(kind: Any, sold: bool, sign: int) -> None:
    """Stop 95 under 10 shares; the command comes in bar 2, which goes down to 94."""
    stop = 95.0 if sign > 0 else 105.0
    bar = (100.0, 101.0, 94.0, 96.0) if sign > 0 else (100.0, 106.0, 99.0, 104.0)
    later = 96.0 if sign > 0 else 104.0
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), bar, flat(later), flat(later)]},
        at={0: [target(10 * sign, stop_price=stop)]},
        commands=[say(kind, middle(2))],
    )
    if sold:
        assert fills(result)[1:] == [(2, -10 * sign, stop)]
        assert _ambiguous(result) == []
    else:
        out = [(3, -10 * sign, later)] if kind is Flatten else []
        assert fills(result)[1:] == out
        assert _ambiguous(result) == [(2, round(stop * 10_000), 10)]


def test_what_the_stop_would_have_paid_includes_gap_and_slippage() -> None:
    """Bar 2 opens at 93 under a stop at 95: 93 x 0.99 = 92.07."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (93.0, 94.0, 92.0, 93.0), flat(93.0)]},
        at={0: [target(10, stop_price=95.0)]},
        commands=[say(Halt, middle(2))],
        pricing=rules(slippage_ppm=10_000),
    )
    assert _ambiguous(result) == [(2, 92_0700, 10)]
    assert result.position() == 10


@pytest.mark.parametrize(("kind", "kept"), [(Halt, False), (Pause, True), (Reduce, True)])
def test_a_resting_exit_of_the_strategy(kind: Any, kept: bool) -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3 + [(100.0, 111.0, 100.0, 110.0)]},
        at={0: [target(10)], 1: [order(-10, limit_price=110.0, time_in_force=GTC)]},
        commands=[say(kind, middle(2))],
    )
    assert fills(result)[1:] == ([(3, -10, 110.0)] if kept else [])


# --- flatten --------------------------------------------------------------------------------------


# --- what follows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"), [(Halt, "HALTED"), (Pause, "PAUSED"), (Reduce, "REDUCING")]
)
def test_entries_are_denied_while_it_lasts(kind: Any, reason: str) -> None:
    result = play({"NVDA": BARS}, at={1: [target(10)]}, commands=[say(kind, at_end(0))])
    assert [(str(d.reason), d.quantity) for d in result.denials] == [(reason, 10)]
    assert result.orders == []


@pytest.mark.parametrize(("kind", "denied"), [(Halt, "HALTED"), (Pause, "PAUSED"), (Reduce, None)])
def test_the_strategys_exits(kind: Any, denied: str | None) -> None:
    result = play(
        {"NVDA": BARS}, at={0: [target(10)], 2: [target(0)]}, commands=[say(kind, at_end(1))]
    )
    assert [(str(d.reason), d.quantity) for d in result.denials] == (
        [] if denied is None else [(denied, -10)]
    )
    assert result.position() == (0 if denied is None else 10)


def test_reducing_clamps_a_flip() -> None:
    result = play(
        {"NVDA": BARS}, at={0: [target(10)], 2: [target(-10)]}, commands=[say(Reduce, at_end(1))]
    )
    assert fills(result)[1:] == [(3, -10, 103.0)]
    assert [(str(d.reason), d.quantity) for d in result.denials] == [("REDUCING", -10)]


@pytest.mark.parametrize(
    ("first", "second", "final", "entered"),
    [
        (Pause, Resume, "ACTIVE", True),
        (Reduce, Resume, "ACTIVE", True),
        (Halt, Resume, None, False),  # resume lifts what is below a halt
        (Halt, Reset, "ACTIVE", True),
        (Pause, Reset, None, False),
        (Flatten, Reset, "ACTIVE", True),
    ],
)
def test_who_lifts_what(first: Any, second: Any, final: str | None, entered: bool) -> None:
    result = play(
        {"NVDA": BARS},
        at={3: [target(10)]},
        commands=[say(first, at_end(0)), say(second, at_end(1))],
    )
    assert (fills(result) == [(4, 10, 104.0)]) is entered
    if final is not None:
        assert states(result)[-1] == final


def test_two_holds_are_lifted_one_by_one() -> None:
    """Paused and halted: the strictest shows; reset leaves the pause, resume ends it."""
    result = play(
        {"NVDA": BARS},
        commands=[
            say(Pause, at_end(0)),
            say(Halt, at_end(1)),
            say(Reset, at_end(2)),
            say(Resume, at_end(3)),
        ],
    )
    assert states(result) == ["PAUSED", "HALTED", "PAUSED", "ACTIVE"]


@pytest.mark.parametrize(("accept", "lifted"), [(None, False), ("drawdown", False), ("loss", True)])
def test_reset_is_refused_while_the_loss_stands(accept: str | None, lifted: bool) -> None:
    """100 shares from 100 to 85 lose 1500, the limit."""
    limits = Limits(allow_short=True, max_daily_loss_usd=Limit(1500 * USD, Action.HALT))
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *([flat(85.0)] * 3)]},
        at={0: [target(100)]},
        limits=limits,
        commands=[say(Reset, at_end(2), accept=accept)],
    )
    assert states(result) == (["HALTED", "ACTIVE"] if lifted else ["HALTED"])


def _ambiguous(result: Result) -> list[tuple[int, int, int]]:
    from daemon.core.outputs import CancelAmbiguous

    return [(c.order_id, c.price_e4, c.quantity) for c in result.of(CancelAmbiguous)]


@pytest.mark.parametrize(("kind", "protected"), [(Halt, False), (Pause, True), (Reduce, True)])
def test_the_bracket_of_an_entry_that_could_not_be_recalled(kind: Any, protected: bool) -> None:
    """A pause keeps protection, a halt lets nothing work but flattening."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 94.0, 95.0), flat(95.0)]},
        at={0: [target(10, stop_price=95.0)]},
        commands=[say(kind, middle(1))],
    )
    assert fills(result) == [(1, 10, 100.0)] + ([(2, -10, 95.0)] if protected else [])


def test_a_command_that_is_refused_says_so() -> None:
    from daemon.core.outputs import CommandRefused

    limits = Limits(allow_short=True, max_daily_loss_usd=Limit(1500 * USD, Action.HALT))
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), *([flat(85.0)] * 3)]},
        at={0: [target(100)]},
        limits=limits,
        commands=[say(Reset, at_end(2))],
    )
    (refused,) = result.of(CommandRefused)
    assert "loss" in refused.detail


def test_what_a_thin_bar_left_of_a_pending_order_is_recalled() -> None:
    """Halt in bar 1, whose budget is 40: the other 60 could only fill in bar 2, after the Halt."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 400), flat(100.0), flat(100.0)]},
        at={0: [target(100)]},
        pricing=rules(participation_ppm=100_000),
        commands=[say(Halt, middle(1))],
    )
    assert fills(result) == [(1, 40, 100.0)]
    assert why(result, 1) == ("cancelled", "HALTED")


@pytest.mark.parametrize("first", [Pause, Reduce])
def test_a_halt_after_a_pause_lets_no_exit_rest_either(first: Any) -> None:
    """Both come in bar 1, whose entry cannot be recalled: no stop, so 10 shares are held at 95."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 94.0, 95.0), flat(95.0)]},
        at={0: [target(10, stop_price=95.0)]},
        commands=[say(first, middle(1)), say(Halt, middle(1) + 1)],
    )
    assert fills(result) == [(1, 10, 100.0)]
    assert [accepted.order_id for accepted in result.orders] == [1]


@pytest.mark.parametrize("first", [Halt, Flatten])
def test_an_entry_that_fills_after_the_reset_is_protected(first: Any) -> None:
    """Halt and reset both come in bar 1, whose entry cannot be recalled: its stop of 95 works."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 101.0, 94.0, 95.0), flat(95.0)]},
        at={0: [target(10, stop_price=95.0)]},
        commands=[say(first, middle(1)), say(Reset, middle(1) + 1)],
    )
    assert fills(result) == [(1, 10, 100.0), (2, -10, 95.0)]
