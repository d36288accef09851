"""What is told of a daemon cannot end its turns, and makes none of them wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.core.events import TargetPosition
from daemon.core.outputs import Fill
from daemon.core.turn import Turn
from daemon.live import monitor as module
from daemon.live.monitor import Monitor
from daemon.observability.standing import Standing, standing_of
from tests.daemons.virtual import Lived, live
from tests.replay.workshop import Workshop

SETTINGS = [("feed", "{kind: tape, pace: 1.0, end: 2024-01-03}")]


class Watched:
    """What the monitor of a daemon in this process does within its turns, and beside them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.within = False
        self.looks_within: list[int] = []
        self.looks = 0
        self.failures = 0
        turn, close = Monitor._turn, Monitor.close

        def watched_turn(monitor: Monitor, closed: Turn, seconds: float) -> None:
            self.within, self.seq = True, closed.seq
            turn(monitor, closed, seconds)
            self.within = False

        def watched_look(*given: Any, **named: Any) -> Standing:
            self.looks += 1
            if self.within:
                self.looks_within.append(self.seq)
            return standing_of(*given, **named)

        def watched_close(monitor: Monitor) -> None:
            self.failures = monitor._metrics.failures
            close(monitor)

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


def test_a_turn_looks_at_the_account_where_a_message_tells_of_it(
    shop: Workshop, watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "alerts").write_text("json://127.0.0.1:9/\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = [*SETTINGS, ("notify", "{urls_credential: alerts, events: [fill]}")]
    lived = live(shop, {}, {0: [TargetPosition("NVDA", 10)]}, settings)
    filled = [turn.seq for turn in lived.turns if any(isinstance(o, Fill) for o in turn.outputs)]
    assert watched.looks_within == filled
    assert len(filled) == 1
