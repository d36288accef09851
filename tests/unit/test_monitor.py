"""What is told of a daemon cannot end its turns, and makes none of them wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import Pause, Resume, TargetPosition
from daemon.core.turn import Turn
from daemon.live import monitor as module
from daemon.live.monitor import Monitor
from daemon.observability.standing import Standing, standing_of
from tests.daemons.virtual import Doing, Lived, at, live, pause
from tests.replay.workshop import Workshop

SETTINGS = [("feed", "{kind: tape, pace: 1.0, end: 2024-01-03}")]


async def resume(doing: Doing) -> None:
    """As `papertape resume`."""
    assert (await doing.ask("resume", reason="test"))["code"] == 0


class Watched:
    """What the monitor of a daemon in this process does within its turns, and beside them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.within, self.seq = False, 0
        self.looks_within: list[int] = []
        self.looks_after: list[int] = []
        self.looks = 0
        self.failures = 0
        turn, close = Monitor._turn, Monitor.close

        def watched_turn(monitor: Monitor, closed: Turn, seconds: float) -> None:
            self.within, self.seq = True, closed.seq
            turn(monitor, closed, seconds)
            self.within = False

        def watched_look(*given: Any, **named: Any) -> Standing:
            self.looks += 1
            (self.looks_within if self.within else self.looks_after).append(self.seq)
            return standing_of(*given, **named)

        def watched_close(monitor: Monitor) -> None:
            close(monitor)
            self.failures, self.tallies = monitor._metrics.failures, monitor._metrics.tallies

        patch.setattr(Monitor, "_turn", watched_turn)
        patch.setattr(Monitor, "close", watched_close)
        patch.setattr(module, "standing_of", watched_look)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def _traded(shop: Workshop) -> Lived:
    return live(shop, {}, {0: [TargetPosition("NVDA", 10)]}, SETTINGS)


def test_a_fault_in_telling_ends_no_turn_and_is_told_and_counted(
    shop: Workshop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(module, "tell", broken)
    lived = _traded(shop)
    assert len(lived.fills) == 1
    failed = [line for line in lived.log if line["event"] == "monitor_failed"]
    assert len(failed) == len(lived.turns) == watched.failures


def test_no_turn_looks_at_the_account(shop: Workshop, watched: Watched) -> None:
    lived = _traded(shop)
    assert watched.looks_within == []
    assert watched.looks > 0
    assert len(lived.fills) == 1


def test_every_turn_is_counted_once_by_the_end(shop: Workshop, watched: Watched) -> None:
    lived = _traded(shop)
    counted = watched.tallies.counts["papertape_turns_total"]
    assert sum(counted.values()) == len(lived.turns)
    assert sum(watched.tallies.counts["papertape_fills_total"].values()) == 1
    assert sum(watched.tallies.commits.counts) == len(lived.turns)


def test_turns_that_come_faster_than_heartbeats_do_not_pile_up(
    shop: Workshop, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSED_MAX", 3)
    lived = _traded(shop)
    assert watched.looks_within == [turn.seq for turn in lived.turns if turn.seq % 3 == 0]
    assert sum(watched.tallies.counts["papertape_turns_total"].values()) == len(lived.turns)


def test_a_message_is_of_the_very_turn_that_pauses_or_ends_a_day(
    shop: Workshop, watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two days of an open, seven bars and a close; the pause and its end are two turns more.

    At a close no turn waits for the look, but no other turn may have come before it.
    """
    (tmp_path / "alerts").write_text("json://127.0.0.1:9/\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = [*SETTINGS, ("notify", "{urls_credential: alerts, events: [pause, daily_summary]}")]
    lived = live(shop, {at("11:45"): pause, at("12:00"): resume}, {}, settings)
    told = [turn.seq for turn in lived.turns if isinstance(turn.input, Pause | Resume)]
    assert watched.looks_within == told
    assert {11, 20} <= set(watched.looks_after)
    assert len(told) == 2
