"""Whose fault it was: a failure names its task and leaves nothing half done behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from daemon.core.events import MarketSlice, Reset
from daemon.core.outputs import StateChanged
from daemon.pipeline import Pipeline
from daemon.supervisor import supervise
from daemon.tasks import Health, TaskFailedError
from tests.simulation.day import Kept, Model, commands, make_busy, play_day, sometimes_late


class _BrokenError(Exception):
    """What a test makes a step raise."""


def _after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """The real thing so many times, then a failure."""
    left = calls

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _BrokenError("on purpose")
        return real(*args, **kwargs)

    return call


STEPS = [
    ("execution", "venue", "match", 20),
    ("execution", "portfolio", "mark", 3),
    ("risk", "risk", "review", 15),
    ("risk", "risk", "assess", 0),
    ("execution", "venue", "accept", 4),
    ("execution", "venue.book", "expire_day", 1),
    ("risk", "risk", "open_session", 2),
    ("risk", "control", "carry_out", 0),
]


@pytest.mark.parametrize(("task", "part", "method", "calls"), STEPS)
@pytest.mark.parametrize("by_mailbox", [False, True])
def test_an_exception_in_a_step_names_its_task(
    task: str, part: str, method: str, calls: int, by_mailbox: bool
) -> None:
    kept = Kept()

    def break_it(pipeline: Pipeline) -> None:
        owner = attrgetter(part)(pipeline.account)
        setattr(owner, method, _after(calls, getattr(owner, method)))
        pipeline.busy.count += by_mailbox

    with pytest.raises(TaskFailedError) as caught:
        play_day(kept=kept, before=break_it, chunk_bars=5)
    assert caught.value.task == task
    assert isinstance(caught.value.cause, _BrokenError)
    assert all(turn.instant <= caught.value.instant for turn in kept.turns)
    pipeline = kept.pipeline
    assert pipeline is not None
    failures = {name: each.failures for name, each in pipeline.tasks.items() if each.failures}
    assert failures == {task: 1}
    assert pipeline.tasks[task].health is Health.FAILED
    assert pipeline.tasks[task].last_failure == "_BrokenError: on purpose"


@pytest.mark.parametrize("by_mailbox", [False, True])
def test_nothing_of_a_turn_that_failed_is_kept(by_mailbox: bool) -> None:
    whole = play_day()
    kept = Kept()
    last = whole.pipeline.ends[40]

    def break_it(pipeline: Pipeline) -> None:
        pipeline.busy.count += by_mailbox
        real = pipeline.account.risk.review

        def review(market: MarketSlice, intents: Any) -> Any:
            assert market.end != last, "a core assertion"
            return real(market, intents)

        pipeline.account.risk.review = review  # type: ignore[method-assign]  # broken on purpose

    with pytest.raises(TaskFailedError) as caught:
        play_day(kept=kept, before=break_it, chunk_bars=6)
    assert caught.value.task == "risk"
    assert caught.value.instant == last
    assert isinstance(caught.value.cause, AssertionError)
    assert kept.turns == [turn for turn in whole.turns if turn.instant < last]
    pipeline = kept.pipeline
    assert pipeline is not None
    assert list(pipeline.ends) == list(whole.pipeline.ends)[:40]


def test_a_failing_feed_names_the_feed() -> None:
    class Chunks:
        async def chunks(self) -> Any:
            yield []
            raise _BrokenError("no more tape")

    pipeline = _Prepared(Model()).pipeline
    with pytest.raises(TaskFailedError) as caught:
        asyncio.run(supervise(pipeline, Chunks()))
    assert caught.value.task == "feed"
    assert pipeline.tasks["feed"].failures == 1


def test_a_dead_task_ends_the_run() -> None:
    """A stage that ends by itself is a failure that names it."""

    async def die() -> None:
        raise _BrokenError("gone")

    def break_it(pipeline: Pipeline) -> None:
        pipeline.tasks["risk"].run = die  # type: ignore[method-assign]  # broken on purpose

    with pytest.raises(TaskFailedError) as caught:
        play_day(before=break_it, chunk_bars=1)
    assert caught.value.task == "risk"


@pytest.mark.parametrize("by_mailbox", [False, True])
def test_a_strategy_that_raises_is_an_output(by_mailbox: bool) -> None:
    kept = Kept()
    calls = 0

    def wrong(market: MarketSlice, predictions: Any, portfolio: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyError("no such symbol")
        return None

    def before(pipeline: Pipeline) -> None:
        pipeline.busy.count += by_mailbox

    day = play_day(kept=kept, before=before, decide=wrong, commands=[])
    states = [o for turn in kept.turns for o in turn.outputs if isinstance(o, StateChanged)]
    assert [(s.state, s.source) for s in states] == [("HALTED", "strategy")]
    assert states[0].reason.startswith("KeyError: 'no such symbol' (test_failures.py:")
    assert calls == 10  # not called again
    task = day.pipeline.tasks["strategy"]
    assert (task.failures, task.last_failure) == (1, "KeyError: 'no such symbol'")
    assert len(day.pipeline.ends) == len(play_day().pipeline.ends)


def test_a_reset_lets_a_strategy_run_again() -> None:
    calls = 0

    def wrong_once(market: MarketSlice, predictions: Any, portfolio: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyError("once")
        return None

    last_reset = max(c.instant for c in commands() if isinstance(c, Reset))
    day = play_day(decide=wrong_once)
    later = sum(1 for end in day.pipeline.ends if end > last_reset)
    assert calls >= 10 + later
    assert day.pipeline.tasks["strategy"].failures == 1


# --- being stopped --------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [1, 3, 10])
def test_cancelling_leaves_no_task_behind(turns: int) -> None:
    reached = asyncio.Event()

    class Counting(Model):
        count = 0

        def predict(self, market: MarketSlice) -> Any:
            self.count += 1
            if self.count == turns:
                reached.set()
            return sometimes_late(turns)(super().predict(market))

    async def main(pipeline: Pipeline) -> None:
        playing = asyncio.current_task()
        noise = asyncio.create_task(make_busy(pipeline, turns))
        stopper = asyncio.create_task(_cancel_when(reached, playing))
        try:
            await supervise(pipeline, prepared.feed)
        finally:
            noise.cancel()
            stopper.cancel()
            await asyncio.gather(noise, stopper, return_exceptions=True)
            left.extend(asyncio.all_tasks() - {playing})

    left: list[Any] = []
    prepared = _Prepared(Counting())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main(prepared.pipeline))
    assert left == []
    assert 0 < len(prepared.pipeline.ends) < 84


async def _cancel_when(event: asyncio.Event, task: asyncio.Task[Any] | None) -> None:
    await event.wait()
    assert task is not None
    task.cancel()


class _Prepared:
    """A pipeline and a feed made by `play_day`, to be run by the test itself."""

    def __init__(self, model: Any) -> None:
        held: list[Any] = []

        def hold(pipeline: Pipeline, feed: Any) -> Any:
            held.append((pipeline, feed))
            return _nothing()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.harness.supervise", hold)
            play_day(model=model, chunk_bars=2)
        self.pipeline, self.feed = held[0]


async def _nothing() -> None:
    """What is run in place of the tasks."""


def test_control_c_ends_a_run_whole() -> None:
    class Interrupting(Model):
        count = 0

        def predict(self, market: MarketSlice) -> Any:
            self.count += 1
            if self.count == 12:
                signal.raise_signal(signal.SIGINT)
            return super().predict(market)

    kept = Kept()
    with pytest.raises(KeyboardInterrupt):
        play_day(kept=kept, model=Interrupting(), chunk_bars=4)
    assert kept.pipeline is not None
    assert 12 <= len(kept.pipeline.ends) < 84
    whole = play_day().turns
    assert kept.turns == whole[: len(kept.turns)]
