"""Results do not depend on scheduling: one digest, whoever is busy and whatever runs the loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import MarketSlice
from daemon.pipeline import Pipeline
from daemon.tasks import Health
from tests.simulation.day import SLICES, Day, Model, make_busy, play_day, sometimes_late


@pytest.fixture(scope="module")
def plain() -> Day:
    return play_day()


def _always_busy(pipeline: Pipeline) -> None:
    pipeline.busy.count += 1  # somebody is never idle, so no turn is handled where it stands


def test_the_days_are_worth_playing(plain: Day) -> None:
    kinds = Counter(type(output).__name__ for turn in plain.turns for output in turn.outputs)
    assert kinds["Fill"] > 60
    assert {"OrderAccepted", "OrderUpdated", "Denial", "StateChanged", "TradeClosed"} <= set(kinds)
    assert len(plain.pipeline.ends) == SLICES


def test_two_plays_are_equal(plain: Day) -> None:
    again = play_day()
    assert again.digest == plain.digest
    assert again.turns == plain.turns


@pytest.mark.parametrize("chunk_bars", [1, 2, 3, 7, 64, 512, 1_000_000])
def test_chunks_do_not_matter(plain: Day, chunk_bars: int) -> None:
    day = play_day(chunk_bars=chunk_bars, model=Model(sometimes_late(chunk_bars)))
    assert day.digest == plain.digest
    assert play_day(chunk_bars=chunk_bars).digest == plain.digest


def test_uvloop_does_not_matter(plain: Day) -> None:
    uvloop = pytest.importorskip("uvloop")
    assert play_day(new_loop=uvloop.new_event_loop).digest == plain.digest
    busy = play_day(
        new_loop=uvloop.new_event_loop,
        model=Model(sometimes_late(5)),
        companion=lambda pipeline: make_busy(pipeline, 5),
        chunk_bars=2,
    )
    assert busy.digest == plain.digest


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_hashes_do_not_matter(plain: Day, hash_seed: str, project_root: Path) -> None:
    code = "from tests.simulation.day import play_day; print(play_day().digest)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project_root,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == plain.digest


@given(st.integers(0, 10_000))
def test_a_model_that_awaits_at_random_turns_does_not_matter(plain: Day, seed: int) -> None:
    assert play_day(model=Model(sometimes_late(seed))).digest == plain.digest


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 7, 64]))
def test_tasks_made_busy_from_outside_do_not_matter(plain: Day, seed: int, chunk: int) -> None:
    day = play_day(
        model=Model(sometimes_late(seed)),
        companion=lambda pipeline: make_busy(pipeline, seed),
        chunk_bars=chunk,
    )
    assert day.digest == plain.digest
    assert day.turns == plain.turns


def test_by_mailbox_is_by_hand(plain: Day) -> None:
    day = play_day(before=_always_busy)
    assert day.digest == plain.digest
    assert day.turns == plain.turns
    # two execution steps, two of risk and one of strategy a slice, and those of ticks and commands
    handled = {name: task.handled for name, task in day.pipeline.tasks.items()}
    assert handled["strategy"] == SLICES
    assert handled["execution"] >= 2 * SLICES
    assert handled["risk"] >= 2 * SLICES


def test_idle_turns_never_enter_a_mailbox(plain: Day) -> None:
    assert all(task.handled == 0 for task in plain.pipeline.tasks.values())
    assert plain.pipeline.busy.count == 0


def test_nobody_is_busy_in_the_end() -> None:
    day = play_day(model=Model(sometimes_late(3)), chunk_bars=4)
    assert day.pipeline.busy.count == 0
    for task in day.pipeline.tasks.values():
        assert task.health is Health.IDLE
        assert task.failures == 0


@pytest.mark.parametrize("by_mailbox", [False, True])
def test_time_is_attributed_to_each_task(by_mailbox: bool) -> None:
    day = play_day(before=_always_busy if by_mailbox else None, chunk_bars=8)
    for name in ("execution", "risk", "strategy"):
        task = day.pipeline.tasks[name]
        assert task.timed > 0
        assert task.timed_ns > 0


def test_one_turn_is_in_flight() -> None:
    """While a prediction is awaited no other input is admitted."""
    open_turns: list[int] = []
    most = 0

    class Watching(Model):
        def predict(self, market: MarketSlice) -> object:
            nonlocal most
            found = super().predict(market)
            open_turns.append(market.end)
            most = max(most, len(open_turns))

            async def answer() -> object:
                for _ in range(3):
                    await asyncio.sleep(0)
                assert open_turns == [market.end]
                open_turns.clear()
                return found

            return answer()

    play_day(model=Watching(), chunk_bars=3, companion=lambda pipeline: make_busy(pipeline, 1))
    assert most == 1
