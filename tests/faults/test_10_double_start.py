"""A second daemon is started on the same state directory -> it exits 75 and names the process that
holds it; the first one notices nothing.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import Undisturbed, busy_settings, refusal, turns_of
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
    assert first.wait() == 0
    assert turns_of(first) == three_weeks.turns


def test_one_of_several_at_once(daemons: Daemons, three_weeks: Undisturbed, tmp_path: Path) -> None:
    several = [daemons(pace="400000", settings=busy_settings()) for _ in range(4)]
    for number, daemon in enumerate(several):
        daemon.log_path = tmp_path / f"{number}.log"
        daemon.start(wait=False)
    codes = sorted(daemon.wait() for daemon in several)
    assert codes == [0, 75, 75, 75]
    assert turns_of(several[0]) == three_weeks.turns
