"""C1: corporate actions, match, mark, account limits, predict, decide, review, gate: one turn."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from daemon.core.events import Dividend, Halt, MarketSlice, Pause, Split, Tick
from daemon.core.limits import Action, Limit, Limits
from tests.harness import GivenPredictions, play, rules
from tests.rules.tools import USD, at_end, fills, flat, order, target


def kinds(turn: Any) -> list[str]:
    return [type(output).__name__ for output in turn.outputs]


def slice_turn(result: Any, number: int) -> Any:
    turns = [turn for turn in result.turns if isinstance(turn.input, MarketSlice)]
    (found,) = [t for t in turns if t.input.start == result.slice_starts[number]]
    return found


def test_action_fill_limit_decision_in_one_turn() -> None:
    """Ex-date, a fill, a loss limit reached and a new target, all at slice 2.

    Long 100 from slice 1 at 100. The order for 10 more fills at slice 2's open of 100, its close
    is 85: a loss of 110 x 15 = 1650, less the dividend of 100 x 1.00, is 1550 >= 1500.
    """
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), (100.0, 100.0, 85.0, 85.0), flat(85.0)]},
        at={0: [target(100)], 1: [target(110)], 2: [target(120)]},
        per_session=2,
        actions=[Dividend("NVDA", 20240103, 20240110, 1 * USD)],
        limits=Limits(allow_short=True, max_daily_loss_usd=Limit(1500 * USD, Action.HALT)),
    )
    found = kinds(slice_turn(result, 2))
    assert found == ["ActionApplied", "Fill", "StateChanged", "Denial"]
    (denial,) = result.denials
    assert (str(denial.reason), denial.quantity) == ("HALTED", 10)


def test_a_split_comes_before_matching() -> None:
    """A resting buy limit at 60 for a price of 100: after 2:1 the bars are at 50, yet no fill."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0), flat(50.0), flat(50.0)]},
        at={0: [target(10)], 1: [order(5, limit_price=60.0)]},
        per_session=2,
        actions=[Split("NVDA", 20240103, 2, 1)],
    )
    assert fills(result) == [(1, 10, 100.0)]
    assert result.position() == 20


def test_the_mark_comes_before_the_decision() -> None:
    seen: list[int] = []

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append(portfolio.equity_micros)
        return [target(10)]

    play({"NVDA": [flat(100.0), (100.0, 105.0, 100.0, 104.0), flat(101.0)]}, decide=decide)
    # 10 shares bought at 100: +40 at a close of 104, +10 at 101
    assert seen == [1_000_000 * USD, 1_000_040 * USD, 1_000_010 * USD]


def test_predictions_come_before_the_decision() -> None:
    seen: list[Any] = []

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        seen.append(dict(predictions))

    rows = {("NVDA", 0): 0.001, ("NVDA", 2): None}
    play({"NVDA": [flat(100.0)] * 3}, decide=decide, predictor=GivenPredictions(rows))
    assert seen == [{"NVDA": 0.001}, {}, {}]


def test_the_slice_comes_before_the_tick_of_its_instant() -> None:
    result = play({"NVDA": [flat(100.0)] * 4}, at={0: [target(1)], 2: [target(2)]}, per_session=2)
    names = [
        str(turn.input.kind) if isinstance(turn.input, Tick) else "slice" for turn in result.turns
    ]
    # a quiet turn need not be kept: what is kept is in the order of event time
    instants = [turn.instant for turn in result.turns]
    assert instants == sorted(instants)
    assert names.index("slice") < names.index("closes") if "closes" in names else True
    for one, two in zip(result.turns, result.turns[1:], strict=False):
        if one.instant == two.instant:
            assert isinstance(one.input, MarketSlice)
            assert isinstance(two.input, Tick)


def test_a_command_of_the_slices_instant_comes_after_the_slice() -> None:
    """The slice decides, the Halt of the same instant withdraws: nothing has started yet."""
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        at={0: [target(10)]},
        commands=[Halt(at_end(0), "operator", "stop")],
    )
    assert len(result.orders) == 1
    assert result.fills == []
    (update,) = result.updates
    assert (str(update.status), str(update.reason)) == ("cancelled", "HALTED")


def test_a_halt_comes_before_other_commands_of_its_instant() -> None:
    result = play(
        {"NVDA": [flat(100.0)] * 3},
        commands=[Pause(at_end(0), "operator", "later"), Halt(at_end(0), "operator", "stop")],
        during=None,
    )
    assert result.states[-1].state in {"HALTED", "halted"}


def test_an_expired_day_order_leaves_room_at_the_same_close() -> None:
    """DAY orders end before the decision at the session's last close: it is ordered again."""
    result = play(
        {"NVDA": [flat(100.0), flat(100.0, 0), flat(101.0), flat(101.0)]},
        at={0: [target(10)], 1: [target(10)]},
        per_session=2,
    )
    assert fills(result) == [(2, 10, 101.0)]
    assert [o.order_id for o in result.orders] == [1, 2]
    turn = slice_turn(result, 1)
    assert kinds(turn) == ["OrderUpdated", "OrderAccepted"]


class Awaited(GivenPredictions):
    """The same predictions, a turn of the event loop later."""

    def warm(self, market: MarketSlice) -> None:
        """Nothing is remembered."""

    def predict(self, market: MarketSlice) -> Any:
        found = super().predict(market)

        async def later() -> Any:
            await asyncio.sleep(0)
            return found

        return later()


def _mixed(chunk_bars: int, predictor: type[GivenPredictions]) -> Any:
    draw = random.Random(7)
    bars: dict[str, list[Any]] = {}
    for name in ("NVDA", "AAPL"):
        bars[name] = [flat(100.0)]
        for _ in range(69):
            low, opens, close, high = sorted(round(draw.uniform(90, 110), 2) for _ in range(4))
            bars[name].append(None if draw.random() < 0.05 else (opens, high, low, close, 5000))
    rows = {(name, i): draw.uniform(-0.003, 0.003) for name in bars for i in range(70)}

    def decide(market: Any, predictions: Any, portfolio: Any) -> Any:
        return [
            target(round(value * 50_000), name, stop_loss_pct=2.0, take_profit_pct=3.0)
            for name, value in predictions.items()
        ]

    result = play(
        bars,
        decide=decide,
        predictor=predictor(rows),
        chunk_bars=chunk_bars,
        per_session=7,
        pricing=rules(participation_ppm=20_000, slippage_ppm=100),
        commands=[Pause(at_end(20) + 1, "operator", "look"), Halt(at_end(50) + 1, "operator", "x")],
    )
    return [turn.outputs for turn in result.turns if turn.outputs], result.equity


@pytest.mark.parametrize("chunk_bars", [1, 2, 7, 64])
@pytest.mark.parametrize("predictor", [GivenPredictions, Awaited])
def test_neither_chunks_nor_waiting_change_what_happens(
    chunk_bars: int, predictor: type[GivenPredictions]
) -> None:
    outputs, equity = _mixed(512, GivenPredictions)
    assert len(outputs) > 20
    assert _mixed(chunk_bars, predictor) == (outputs, equity)
