"""A second daemon is started on the same state directory -> it exits 75 and names the process that
holds it; the first one notices nothing.
"""

from __future__ import annotations

from pathlib import Path

from tests.daemons.running import Daemon
from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    no_traceback,
    refusal,
)
from tests.replay.workshop import Workshop


def test_the_second_one_says_who_holds_it(
    shop: Workshop, daemons: Daemons, three_weeks: Undisturbed, tmp_path: Path
) -> None:
    first = daemons(pace=PACE, settings=busy_settings())
    first.start()
    second = daemons(pace=PACE, settings=busy_settings())
    second.log_path = tmp_path / "second.log"
    said = refusal(second, code=75)
    assert f"held by process {first.pid}" in said
    assert str(shop.state) in said
    assert not first.ended
    assert first.status()["daemon"]["process"] == first.pid
    first.go_on(2)
    assert first.stop() == 0
    check_no_turn_lost(first, three_weeks)
    no_traceback(first)


def test_one_of_several_at_once(daemons: Daemons, three_weeks: Undisturbed, tmp_path: Path) -> None:
    several = [daemons(pace=PACE, settings=busy_settings()) for _ in range(3)]
    for number, daemon in enumerate(several):
        daemon.log_path = tmp_path / f"{number}.log"
        daemon.start(wait=False)
    # whichever they are: also the first one may be refused
    Daemon.wait_for(several[0], lambda: sum(daemon.ended for daemon in several) == 2)
    assert [daemon.wait() for daemon in several if daemon.ended] == [75, 75]
    (holder,) = [daemon for daemon in several if not daemon.ended]
    holder.reach(5)
    assert holder.stop() == 0
    check_no_turn_lost(holder, three_weeks)
