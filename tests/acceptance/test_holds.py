"""DESIGN 4: the state is derived from holds, each of which is lifted by its own source's rule."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat

RAMP = [flat(100.0 + i) for i in range(10)]
BUY = "TargetPosition('AAA', 10)"


def holds(made: Stage) -> list[tuple[str, str]]:
    """(source, level) of the holds, in order."""
    return [(hold["source"], hold["level"]) for hold in made.read("status")["holds"]]


def state(made: Stage) -> str:
    found: str = made.read("status")["state"]
    return found


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The feed is away from 09:40 on, so that there is a hold of its own; at an hour a second.

    It stays away for a year, so that however slow the machine is, it does not come back.
    """
    made = Stage(tmp_path_factory.mktemp("away") / "stage", {"AAA": RAMP}, {})
    fault = "{kind: lost, at: 2024-01-02 09:40, for_s: 30000000}"
    made.settings["feed"] = f"{{kind: tape, pace: 3600, faults: [{fault}]}}"
    made.start()
    made.wait_for(lambda: made.query("SELECT 1 FROM state_changes"))
    yield made
    made.clean_up()


def test_who_lifts_which(away: Stage) -> None:
    """The feed's hold outlives whatever a person may type; each other goes by its own word."""
    feed = ("feed", "PAUSED")
    assert holds(away) == [feed]
    away.done("resume")
    assert holds(away) == [feed]
    away.done("pause", "--reason", "lunch")
    assert sorted(holds(away)) == [feed, ("operator", "PAUSED")]
    away.done("kill", "--reason", "enough")
    assert sorted(holds(away)) == [feed, ("operator", "HALTED"), ("operator", "PAUSED")]
    assert state(away) == "HALTED"
    away.done("resume")  # lifts the operator's pause, under the halt
    assert sorted(holds(away)) == [feed, ("operator", "HALTED")]
    away.done("pause")
    away.done("reset", "--reason", "again")  # lifts the halt, and nothing else
    assert sorted(holds(away)) == [feed, ("operator", "PAUSED")]
    assert state(away) == "PAUSED"
    away.done("resume")
    assert holds(away) == [feed]
    assert away.say("status", "--check").code == 1


def test_status_says_who_holds_it_and_since_when(away: Stage) -> None:
    """Away since 09:40, 120 s of it are a hold."""
    shown = away.done("status")
    assert "PAUSED by feed since 2024-01-02 09:42" in shown
    (hold,) = away.read("status")["holds"]
    assert hold["since"] == "2024-01-02T14:42:00Z"
    assert away.read("status")["feed"]["state"] == "down, 3,600 x"


def test_a_reduction_under_a_pause_waits_below_it(away: Stage) -> None:
    """The strictest names the state; the answer says what has become of it."""
    said = away.done("reduce")
    assert "PAUSED → PAUSED: REDUCING of operator set" in said
    assert sorted(holds(away)) == [("feed", "PAUSED"), ("operator", "REDUCING")]
    away.done("resume")


def test_a_sigkill_keeps_the_feeds_hold_until_the_feed_is_stable(away: Stage) -> None:
    """Started without the fault: the hold is there at once, and goes after 120 s of bars."""
    away.kill_9()
    assert holds(away) == [("feed", "PAUSED")]
    away.settings["feed"] = "{kind: tape, pace: 36000}"
    away.start()
    away.wait_for(lambda: state(away) == "ACTIVE")
    assert away.stop() == 0
    found = away.query("SELECT source, lifted FROM state_changes WHERE source = 'feed'")
    assert found == [("feed", 0), ("feed", 1)]
    assert away.proved()


def test_holds_survive_a_restart_and_keep_denying(tmp_path: Path) -> None:
    """An hourly limit of one order: the second of one close is denied and pauses.

    The first, of the same close, is an entry and not eligible yet: the pause recalls it. An
    operator's reduction joins the hold, a SIGKILL changes nothing, `resume` lifts both.
    """
    quotes = {"AAA": RAMP, "BBB": RAMP}
    plan = {
        0: "TargetPosition('AAA', 10), TargetPosition('BBB', 10)",
        3: "TargetPosition('BBB', 10)",
        5: "TargetPosition('AAA', 20)",
    }
    made = Stage(tmp_path / "stage", quotes, plan, risk="{max_orders_per_hour: 1}").play(1)
    limit = ("limit:max_orders_per_hour", "PAUSED")
    assert holds(made) == [limit]
    assert made.denials("BBB") == [(0, 10, "MAX_ORDERS_PER_HOUR")]
    assert made.fills() == []
    made.hold()
    made.done("reduce", "--reason", "odd")
    made.kill_9()
    assert sorted(holds(made)) == [limit, ("operator", "REDUCING")]
    made.play(3)
    assert made.denials("BBB")[1:] == [(3, 10, "PAUSED")]
    with made.held():
        assert sorted(holds(made)) == [limit, ("operator", "REDUCING")]
        made.done("resume", "--reason", "seen")
        assert holds(made) == []
    made.play()
    assert made.fills() == [(6, 20, 106.0)]
    assert made.proved()


def test_five_failed_predictions_pause_and_are_counted_over_a_restart(tmp_path: Path) -> None:
    """Three failures, SIGKILL, two more: five in a row hold; a person lifts it."""
    made = Stage(tmp_path / "stage", {"AAA": RAMP}, {6: BUY, 8: BUY})
    made.write_predictions([nan] * 5 + [0.001] * 5)
    made.die(3)
    made.play(6)
    assert made.states() == [("PAUSED", "model", 0)]
    ((ts,),) = made.query("SELECT ts FROM state_changes")
    assert ts == made.end(4)
    assert made.denials() == [(6, 10, "PAUSED")]
    with made.held():
        made.done("resume")
    made.play()
    assert made.fills() == [(9, 10, 109.0)]


def test_a_strategy_that_raises_halts_and_is_reset(tmp_path: Path) -> None:
    """The turn's fills and marks stand; type and line are the reason; the latch is there."""
    made = Stage(
        tmp_path / "stage", {"AAA": RAMP}, {0: BUY, 1: "1 / 0", 5: "TargetPosition('AAA', 0)"}
    )
    made.play(3)
    assert made.fills() == [(1, 10, 101.0)]
    assert made.equity()[1:4] == [100_000.0, 100_010.0, 100_020.0]
    assert made.states() == [("HALTED", "strategy", 0)]
    (hold,) = made.read("status")["holds"]
    assert hold["reason"].startswith("ZeroDivisionError: division by zero (")
    assert "plan.py:" in hold["reason"]
    assert (made.state / "HALT").exists()
    made.done("reset", "--reason", "mended")
    made.play()
    assert made.fills()[1:] == [(6, -10, 106.0)]
    assert made.proved()
