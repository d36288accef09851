"""The machine sleeps for an hour in a session -> a live feed's missed bars pause trading and are
made up in order without deciding anything; on a tape, whose time is its own, nothing is lost.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.conftest import PACE, Daemons
from tests.faults.test_12_clock_step import lying
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_verified,
    no_traceback,
    with_environment,
)
from tests.replay.workshop import Workshop
from tests.unit.clock_day import Day


def test_every_clock_jumps_by_an_hour(
    shop: Workshop, daemons: Daemons, three_weeks: Undisturbed, faketime: str
) -> None:
    offset = shop.folder / "offset"
    offset.write_text("+0")
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start(prefix=with_environment(lying(faketime, offset)))
    daemon.reach(5)
    offset.write_text("+3600")
    daemon.reach(14)
    assert daemon.stop() == 0
    ((first, last),) = daemon.query("SELECT min(wall), max(wall) FROM turns")
    assert last - first > 3_600 * 10**9, "the clock did not jump, so nothing is shown"
    check_no_turn_lost(daemon, three_weeks)
    check_verified(daemon)
    no_traceback(daemon)


def test_a_process_that_is_stopped_and_goes_on(daemons: Daemons, three_weeks: Undisturbed) -> None:
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start()
    daemon.reach(5)
    pid = daemon.pid
    os.kill(pid, signal.SIGSTOP)
    daemon.wait_for(lambda: _is_stopped(pid))
    at = daemon.turns()
    assert "no answer within 2 s" in daemon.status()["daemon"]["blocked"]
    assert daemon.turns() == at
    os.kill(pid, signal.SIGCONT)
    daemon.go_on(5)
    assert daemon.stop() == 0
    check_no_turn_lost(daemon, three_weeks)
    check_verified(daemon)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("T")


def test_a_live_feed_pauses_and_makes_up_for_it() -> None:
    """The clock of live bars, by hand: it slept from before the bar of 11:30 to 12:31."""
    day = Day(start="10:30")
    assert day.due() == "11:32"
    assert day.advance("12:31") == ["Pause 12:31"]
    assert day.bar("11:30", "12:31:02") == ["late slice 11:30 NVDA"]
    assert day.bar("12:30", "12:31:03") == ["late slice 12:30 NVDA"]
    # Both are in hand at 12:31:03; the feed must be stable for 120 s from its first sign of life.
    assert day.until("13:29") == ["12:33:02 Resume 12:33:02"]
    assert day.bar("13:30", "13:30:05") == ["slice 13:30 NVDA"]
    assert day.events == ["silent 12:31", "stable 12:33:02"] or day.events[0] == "silent 12:31"
