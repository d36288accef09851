"""DESIGN 4, failures: a strategy that raises halts; a model that fails five times pauses."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.events import Reset, Resume
from tests.harness import GivenPredictions, play
from tests.rules.tools import at_end, fills, flat, target


def raising(plan: dict[int, Any], at: int, calls: list[int]) -> Any:
    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        calls.append(market.index)
        if market.index == at:
            raise ValueError("no such luck")
        return plan.get(market.index)

    return decide


def test_an_exception_halts_and_the_fills_of_the_turn_stand() -> None:
    calls: list[int] = []
    result = play(
        {"NVDA": [flat(100.0)] * 5}, decide=raising({0: [target(10)], 3: [target(20)]}, 1, calls)
    )
    assert fills(result) == [(1, 10, 100.0)]
    (change,) = result.states
    assert (change.state.upper(), change.source) == ("HALTED", "strategy")
    assert change.reason.startswith("ValueError: no such luck (")
    assert "test_d04_failures.py:" in change.reason
    assert change.instant == result.slice_ends[1]
    assert calls == [0, 1]
    assert len(result.equity) == 5


def test_a_reset_lets_it_try_again() -> None:
    calls: list[int] = []
    result = play(
        {"NVDA": [flat(100.0)] * 5},
        decide=raising({3: [target(20)]}, 1, calls),
        commands=[Reset(at_end(2), "operator", "mended")],
    )
    assert calls == [0, 1, 3, 4]
    assert fills(result) == [(4, 20, 100.0)]


@pytest.mark.parametrize(
    ("failing", "paused_at"),
    [
        (range(4), None),
        (range(5), 4),
        (range(2, 7), 6),
        ([0, 1, 2, 3, 5, 6, 7, 8], None),  # one that works starts the count again
    ],
)
def test_five_failed_predictions_in_a_row_pause(failing: Any, paused_at: int | None) -> None:
    rows = {("NVDA", i): None if i in failing else 0.001 for i in range(9)}
    result = play({"NVDA": [flat(100.0)] * 9}, predictor=GivenPredictions(rows))
    assert [(c.state.upper(), c.source, c.instant) for c in result.states] == (
        [] if paused_at is None else [("PAUSED", "model", result.slice_ends[paused_at])]
    )


def test_resume_lifts_the_models_hold() -> None:
    rows = {("NVDA", i): None if i < 5 else 0.001 for i in range(9)}
    result = play(
        {"NVDA": [flat(100.0)] * 9},
        at={5: [target(5)], 6: [target(10)]},
        predictor=GivenPredictions(rows),
        commands=[Resume(at_end(5), "operator", "the model is back")],
    )
    assert [str(d.reason) for d in result.denials] == ["PAUSED"]
    assert fills(result) == [(7, 10, 100.0)]
