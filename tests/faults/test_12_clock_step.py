"""The system's clock jumps by an hour, forward or back -> trading is the same: order comes from the
journal's numbers, time from the tape, waiting from a clock that cannot be set; it is logged, and
counted for an alert.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import (
    Patient,
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_verified,
    no_traceback,
    with_environment,
)
from tests.replay.workshop import Workshop

HOUR_NS = 3_600 * 10**9
STEP_NS = 1_800 * 10**9
"""Nothing but a step moves the clock as much within a test."""


def lying(faketime: str, offset: Path, **more: str) -> Mapping[str, str]:
    """A clock that is off by what the file says, whenever it is looked at."""
    return {"FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1", **lie(faketime, more)}


def lie(faketime: str, more: Mapping[str, str]) -> Mapping[str, str]:
    """Load the library; files keep their times, and waiting is not made to spin."""
    return {
        "LD_PRELOAD": faketime,
        "NO_FAKE_STAT": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        **more,
    }


def wait_for_steps(daemon: Patient, number: int) -> None:
    daemon.wait_for(lambda: daemon.events().count("clock_stepped") == number)


def test_a_clock_that_is_set_while_it_trades(
    shop: Workshop, daemons: Daemons, three_weeks: Undisturbed, faketime: str
) -> None:
    offset = shop.folder / "offset"
    offset.write_text("+0")
    daemon = daemons(pace=PACE, settings=busy_settings())
    environment = lying(faketime, offset, FAKETIME_DONT_FAKE_MONOTONIC="1")
    daemon.start(prefix=with_environment(environment))
    for number, (step, turns) in enumerate((("+3600", 6), ("-3600", 12)), 1):
        daemon.reach(turns)
        offset.write_text(step)
        wait_for_steps(daemon, number)
    daemon.go_on(8)  # over a night
    assert daemon.stop() == 0
    walls = [wall for (wall,) in daemon.query("SELECT wall FROM turns ORDER BY seq")]
    jumps = [b - a for a, b in itertools.pairwise(walls) if abs(b - a) > STEP_NS]
    assert [jump // STEP_NS for jump in jumps] == [2, -4], "the clock was not set"
    check_no_turn_lost(daemon, three_weeks)
    check_verified(daemon)
    no_traceback(daemon)


def test_a_restart_in_the_past(daemons: Daemons, three_weeks: Undisturbed, faketime: str) -> None:
    """The journal was written a day ahead of the clock: it goes on all the same."""
    daemon = daemons(pace=PACE, settings=busy_settings())
    for offset, turns in (("+1d", 6), ("-1d", 12)):
        more = {"FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        daemon.start(prefix=with_environment(lie(faketime, more)))
        daemon.reach(turns)
        assert daemon.stop() == 0
    ((first, last),) = daemon.query("SELECT min(wall), max(wall) FROM turns")
    assert last - first > 47 * HOUR_NS, "the clock did not lie, so nothing is shown"
    check_no_turn_lost(daemon, three_weeks)
    assert len(daemon.query("SELECT * FROM segments")) == 1
    check_verified(daemon)
