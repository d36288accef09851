"""The whole daemon against the gateway: weeks with faults of every class at random, kills, splits.

The daemon is a process of its own and so real as it can be; its clock is the gateway's. A week in
which each fault is met for certain is in test_ib_each_trouble.py.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from daemon.cli import main
from daemon.core.events import MarketSlice, Outcome, Pause, Resume, Split
from daemon.core.outputs import Denial, OrderAccepted
from tests.fake_gateway import Kind, Step
from tests.fake_gateway.chaos import trouble
from tests.fake_gateway.faults import Restart, SplitShares
from tests.ib.feeding import NEW_YORK, clock_of, market_of
from tests.ib.leading import Led

MONDAY = "2026-11-23"
SESSIONS = [20261123, 20261124, 20261125, 20261127]
"""Thursday is Thanksgiving, Friday closes at 13:00."""

SPLIT = Step(
    at=f"{MONDAY}T17:00 {NEW_YORK}",
    fault=SplitShares(symbol="NVDA", at=f"2026-11-24T04:00 {NEW_YORK}", ratio=10.0),
)
"""On Tuesday, before the open."""


def verified(state: Path) -> int:
    """Whether a journal, played again, comes out as it was lived."""
    return main(["verify", "--state", str(state)])


def a_week_of_trouble(folder: Path, seed: int) -> Led:
    """Live through it, and hold what must be so whatever happened."""
    market = market_of(("NVDA",), "1h", MONDAY, 10)
    steps = trouble(seed, market["NVDA"], date.fromisoformat(MONDAY), 7)
    with Led(folder, market, f"{MONDAY}T09:00", steps=steps) as led:
        led.run_until("2026-11-30T09:25")
        feed = led.status()["feed"]
        assert led.stop() == 0
        assert led.broken() == []
    assert feed["connection"] == "live"
    assert sorted({one.session.date for one in led.slices}) == SESSIONS
    inputs = [turn.input for turn in led.turns]
    holds = [one for one in inputs if isinstance(one, Pause | Resume)]
    assert all(isinstance(one, Resume) for one in holds[-1:])
    assert led.log("task_failed") == []
    assert verified(led.state) == 0
    return led


@pytest.mark.soak
def test_a_week_of_trouble(tmp_path: Path) -> None:
    led = a_week_of_trouble(tmp_path, 11)
    # it was a week of trouble, and a week of trading
    counts = Counter(one.outcome for one in led.slices)
    assert counts[Outcome.RECEIVED] >= 15
    assert counts[Outcome.BACKFILLED] >= 3
    outputs = [output for turn in led.turns for output in turn.outputs]
    assert sum(isinstance(output, OrderAccepted) for output in outputs) >= 5
    assert "TOO_LATE" in {one.reason.name for one in outputs if isinstance(one, Denial)}
    assert any(isinstance(turn.input, Pause) for turn in led.turns)
    outcomes = {row.outcome for row in led.rows if row.kind == "gap"}
    assert {"backfilled", "missing", "revised"} <= outcomes


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 6))
def test_other_weeks_of_trouble(tmp_path: Path, seed: int) -> None:
    a_week_of_trouble(tmp_path, seed)


def test_killed_and_started_again_it_fetches_what_it_missed(tmp_path: Path) -> None:
    market = market_of(("NVDA", "AMD"), "1h", MONDAY, 4)
    with Led(tmp_path, market, f"{MONDAY}T09:00", symbols=("NVDA", "AMD")) as led:
        led.run_until(f"{MONDAY}T11:31")
        led.kill_9()
        led.threaded.advance(2.5 * 3_600)
        led.start()
        led.run_until(f"{MONDAY}T16:30")
        assert led.status()["state"] == "ACTIVE"
        assert led.stop() == 0
        assert led.broken() == []
    told = [(clock_of(one.end), one.outcome.value, len(one.bars)) for one in led.slices]
    assert told == [
        ("10:30", "received", 2),
        ("11:30", "received", 2),
        ("12:30", "backfilled", 2),
        ("13:30", "backfilled", 2),
        ("14:30", "received", 2),
        ("15:30", "received", 2),
        ("16:00", "received", 2),
    ]
    assert verified(led.state) == 0


def test_after_a_late_slice_it_goes_on_where_it_had_got_to(tmp_path: Path) -> None:
    market = market_of(("NVDA",), "1h", MONDAY, 4)
    with Led(tmp_path, market, f"{MONDAY}T09:00", steps=[SPLIT]) as led:
        led.run_until("2026-11-24T11:31")
        assert [one.missing for one in led.slices[-2:]] == [("NVDA",), ("NVDA",)]
        # the first of the two bars that were set aside comes last
        words = ["NVDA", "2026-11-24T09:30", "--reason", "test", "--state", str(led.state)]
        assert main(["data", "release", *words]) == 0
        assert (clock_of(led.slices[-1].end), led.slices[-1].outcome) == ("10:30", "backfilled")
        led.kill_9()
        led.start()
        led.run_until("2026-11-24T12:31")
        assert led.stop() == 0
    told = [(clock_of(one.end), one.outcome.value) for one in led.slices[7:]]
    assert told == [
        ("10:30", "received"),
        ("11:30", "received"),
        ("10:30", "backfilled"),
        ("12:30", "received"),
    ]
    assert verified(led.state) == 0


def test_a_split_that_is_recorded_a_day_late_while_it_is_down(tmp_path: Path) -> None:
    market = market_of(("NVDA",), "1h", MONDAY, 4)
    words = ["data", "action", "add", "NVDA", "split", "10:1", "--effective", "2026-11-24"]
    with Led(tmp_path, market, f"{MONDAY}T09:00", steps=[SPLIT]) as led:
        led.run_until("2026-11-24T17:00")
        assert led.status()["state"] == "PAUSED"
        assert led.stop() == 0
        assert main([*words, "--state", str(led.state)]) == 0
        led.start()
        led.run_until("2026-11-25T12:31")
        assert led.stop() == 0
    assert all(one.missing == ("NVDA",) for one in led.slices[7:14])
    ten = Split("NVDA", 20261124, 10, 1)
    assert [one.actions for one in led.slices[14:]] == [(ten,), (), ()]
    assert [len(one.bars) for one in led.slices[14:]] == [1, 1, 1]
    assert verified(led.state) == 0


def test_it_is_ready_without_a_gateway_and_warms_up_when_there_is_one(tmp_path: Path) -> None:
    market = market_of(("NVDA",), "1h", MONDAY, 4)
    steps = [Step(at=f"{MONDAY}T08:59 {NEW_YORK}", fault=Restart(down_s=3_900))]
    with Led(tmp_path, market, f"{MONDAY}T08:00", steps=steps) as led:
        led.threaded.call(lambda gateway: gateway.close_port(for_s=4_000.0))
        led.run_until(f"{MONDAY}T08:10")
        assert led.log("ready") != []
        status = led.status()
        assert status["state"] == "ACTIVE"
        assert status["feed"]["state"].startswith("connecting: nothing listens at 127.0.0.1")
        led.run_until(f"{MONDAY}T12:31")
        assert led.stop() == 0
        assert led.broken() == []
    inputs = [turn.input for turn in led.turns if isinstance(turn.input, MarketSlice)]
    assert [one.outcome for one in inputs][:2] == ["warmup", "warmup"]
    assert [one.outcome for one in led.slices] == ["received"] * 3


def test_a_start_fetches_its_warm_up_before_it_is_ready(tmp_path: Path) -> None:
    market = market_of(("NVDA",), "1h", MONDAY, 4)
    with Led(tmp_path, market, f"{MONDAY}T09:00") as led:
        led.run_until(f"{MONDAY}T09:00:01")
        before, ready, _ = led.log_path.read_text("utf-8").partition('"event":"ready"')
        assert ready
        assert '"why":"live"' in before  # which it is once it has fetched what is past
        assert len(led.threaded.call(lambda gateway: gateway.log.of(Kind.HISTORY))) == 1
        assert led.stop() == 0
