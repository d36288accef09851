"""THE PICTURE: the order of steps, who takes them, what is kept, and the mailboxes of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from daemon.core.events import (
    MarketSlice,
    Note,
    Pause,
    Resume,
    TargetPosition,
    Tick,
    TickKind,
)
from daemon.core.limits import Limits
from daemon.core.outputs import Fill, OrderAccepted, Reason
from daemon.core.units import HOUR_NS
from daemon.pipeline import STEPS, TASKS, Pipeline
from daemon.tasks import Busy, Health, StageTask
from tests.harness import Quote, opens_ns, play

FLAT: Quote = (100, 100, 100, 100)


def _watch(pipeline: Pipeline, calls: list[str]) -> None:
    """Write down each step as it is called, on both ways through the pipeline."""

    def wrapped(name: str, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(item: Any) -> Any:
            calls.append(name)
            return step(item)

        return call

    owned = {
        kind: [(task, wrapped(step.__name__.strip("_"), step)) for task, step in rows]
        for kind, rows in pipeline._owned.items()
    }
    pipeline._owned = owned
    pipeline._slice_steps = tuple(step for _, step in owned["slice"])
    pipeline._tick_steps = tuple(step for _, step in owned["tick"])


def test_the_steps_and_their_tasks_are_those_of_the_picture() -> None:
    assert TASKS == ("feed", "execution", "risk", "strategy")
    assert [f"{task}.{step.strip('_')}" for task, step in STEPS["slice"]] == [
        "execution.match", "risk.assess", "strategy.decide", "risk.review", "execution.submit",
    ]  # fmt: skip
    assert {task for steps in STEPS.values() for task, _ in steps} <= set(TASKS)


@pytest.mark.parametrize("by_mailbox", [False, True])
def test_each_kind_of_input_goes_through_its_steps_in_order(by_mailbox: bool) -> None:
    calls: list[str] = []

    def before(pipeline: Pipeline) -> None:
        _watch(pipeline, calls)
        pipeline.busy.count += by_mailbox

    play({"NVDA": [FLAT]}, per_session=1, during=before, chunk_bars=1, predictions={},
         commands=[Note(opens_ns(0) + 1, "operator", "x")])  # fmt: skip
    slice_steps = ["match", "assess", "decide", "review", "submit"]
    tick_steps = ["expire", "open_session"]
    assert calls == [*tick_steps, "carry_out", "submit", *slice_steps, *tick_steps]


def test_a_quiet_bar_skips_what_would_do_nothing() -> None:
    calls: list[str] = []
    play(
        {"NVDA": [FLAT] * 5},
        per_session=5,
        predictions={},
        during=lambda pipeline: _watch(pipeline, calls),
    )
    # one look at the strategy a bar; what it wants is reviewed until nothing has moved
    tick = ["expire", "open_session"]
    assert calls == [*tick, "decide", "review", "decide", "decide", "decide", "decide", *tick]


def test_turns_with_outputs_and_commands_are_kept_and_numbered() -> None:
    result = play(
        {"NVDA": [FLAT] * 4},
        per_session=4,
        at={0: [TargetPosition("NVDA", 10)]},
        commands=[Note(opens_ns(0) + 3 * HOUR_NS, "operator", "said")],
    )
    # tick 1, slices 2-4, note 5, slice 6, tick 7
    assert [(turn.seq, type(turn.input).__name__) for turn in result.turns] == [
        (2, "MarketSlice"), (3, "MarketSlice"), (5, "Note"),
    ]  # fmt: skip
    assert [type(o) for o in result.turns[0].outputs] == [OrderAccepted]
    assert [type(o) for o in result.turns[1].outputs] == [Fill]
    assert result.turns[2].outputs == ()
    assert result.pipeline.seq == 7
    assert [turn.instant for turn in result.turns] == [
        result.slice_ends[0], result.slice_ends[1], opens_ns(0) + 3 * HOUR_NS,
    ]  # fmt: skip


def test_warm_up_is_seen_but_not_counted() -> None:
    wanted = dict.fromkeys(range(6), (TargetPosition("NVDA", 10),))
    result = play({"NVDA": [FLAT] * 6}, per_session=3, at=wanted, warmup=4)
    assert len(result.strategy.seen) == 6
    assert list(result.pipeline.ends) == result.slice_ends[4:]
    assert [order.decided for order in result.orders] == [result.slice_ends[4]]


def test_what_was_wanted_in_the_warm_up_is_reviewed_when_it_counts() -> None:
    # the warm-up ends with a session, so that a tick lies between it and the first bar that counts
    wanted = dict.fromkeys(range(6), (TargetPosition("NVDA", 10),))
    result = play({"NVDA": [FLAT] * 6}, per_session=3, at=wanted, warmup=3)
    assert [order.decided for order in result.orders] == [result.slice_ends[3]]


def test_a_slice_without_bars_asks_nobody_and_adds_a_row() -> None:
    result = play({"NVDA": [FLAT, None, FLAT]}, per_session=3)
    assert [market.end for market in result.strategy.seen] == [
        result.slice_ends[0], result.slice_ends[2],
    ]  # fmt: skip
    assert list(result.pipeline.ends) == result.slice_ends


def test_the_gate_asks_the_state_again_for_each_order() -> None:
    """A limit that halts during the review stops what the same review had let through."""
    from daemon.core.limits import Action, Limit

    limits = Limits(allow_short=True, max_orders_per_hour=Limit(1, Action.HALT))
    wanted = [TargetPosition("A", 10), TargetPosition("B", 10)]
    result = play({"A": [FLAT] * 2, "B": [FLAT] * 2}, at={0: wanted}, limits=limits)
    assert result.orders == []
    assert {(d.symbol, d.reason) for d in result.denials} == {
        ("A", Reason.HALTED), ("B", Reason.MAX_ORDERS_PER_HOUR),
    }  # fmt: skip
    assert result.account.control.state.name == "HALTED"


def test_commands_given_by_the_feed_act_at_their_instant() -> None:
    result = play(
        {"NVDA": [FLAT] * 6},
        per_session=6,
        at={number: [TargetPosition("NVDA", 10 * (number + 1))] for number in range(6)},
        commands=[
            Pause(opens_ns(0) + 2 * HOUR_NS, "operator", "wait"),
            Resume(opens_ns(0) + 4 * HOUR_NS, "operator", "go on"),
        ],
    )
    # the pause comes after slice 1 (end 2 h) and before slice 2; resumed before slice 4
    paused = [d.instant for d in result.denials if d.reason is Reason.PAUSED]
    assert paused == result.slice_ends[2:4]
    assert [order.decided for order in result.orders] == [
        result.slice_ends[0], result.slice_ends[1], result.slice_ends[4], result.slice_ends[5],
    ]  # fmt: skip


# --- admission ------------------------------------------------------------------------------------


class _Sink:
    every_turn = False

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def keep(self, turn: Any) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """Nothing is buffered."""


def _idle_pipeline() -> tuple[Pipeline, _Sink, MarketSlice]:
    """A pipeline after one slice, and that slice."""
    result = play({"NVDA": [FLAT]}, per_session=3)
    sink = _Sink()
    result.pipeline._sink = sink
    return result.pipeline, sink, result.strategy.seen[0]


def test_an_idle_input_is_handled_where_it_stands() -> None:
    pipeline, sink, market = _idle_pipeline()
    assert pipeline.admit(Note(market.end + 1, "operator", "x")) is None
    assert [type(turn.input) for turn in sink.turns] == [Note]
    assert pipeline.admit(Tick(market.end + 2, TickKind.OPENS, market.session)) is None
    assert len(sink.turns) == 1  # a tick without outputs is not kept


# --- a stage task ---------------------------------------------------------------------------------


async def test_a_task_takes_one_job_at_a_time_in_order() -> None:
    busy = Busy()
    task = StageTask("risk", busy)
    running = asyncio.create_task(task.run())
    order: list[int] = []

    def job(number: int) -> Callable[[], Any]:
        async def work() -> int:
            assert task.health is Health.BUSY
            await asyncio.sleep(0)
            order.append(number)
            return number

        return work

    try:
        found = await asyncio.gather(*(task.ask(job(number)) for number in range(4)))
    finally:
        running.cancel()
    assert found == order == [0, 1, 2, 3]
    assert (task.handled, task.failures, task.timed, busy.count) == (4, 0, 4, 0)
    assert task.health is Health.IDLE
    assert task.timed_ns > 0


async def test_a_job_that_raises_marks_the_task_and_reaches_who_asked() -> None:
    busy = Busy()
    task = StageTask("execution", busy)
    running = asyncio.create_task(task.run())

    def wrong() -> None:
        raise ValueError("bad bar")

    try:
        with pytest.raises(ValueError, match="bad bar"):
            await task.ask(wrong)
        assert (task.health, task.failures) == (Health.FAILED, 1)
        assert task.last_failure == "ValueError: bad bar"
        assert await task.ask(lambda: 7) == 7  # it goes on taking jobs
        assert busy.count == 0
    finally:
        running.cancel()
