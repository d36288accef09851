"""Several replays at once, in the state directory of a running daemon -> equal runs to the byte,
each in a folder of its own; the daemon's journal, latch and lock are never touched.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.faults.conftest import Daemons
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_verified,
)
from tests.replay.workshop import Workshop, manifest, rows

SETTINGS = [word for key, value in busy_settings().items() for word in ("--set", f"{key}={value}")]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_four_at_once(shop: Workshop, daemons: Daemons, three_weeks: Undisturbed) -> None:
    daemon = daemons(pace="20000", settings=busy_settings())
    daemon.start()
    lock = (daemon.state / "daemon.lock").read_bytes()
    started = [shop.start(*shop.words(*SETTINGS)) for _ in range(4)]
    ended = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended
    runs = [Path(out.strip()) for out, _ in ended]
    assert len(set(runs)) == 4
    assert {manifest(run)["digest"] for run in runs} == {three_weeks.digest}
    for name in ("fills.csv", "orders.csv", "trades.csv", "equity.csv", "journal.db"):
        assert len({hashlib.sha256((run / name).read_bytes()).hexdigest() for run in runs}) == 1, (
            name
        )
    assert len(rows(runs[0] / "fills.csv")) == len(three_weeks.trading["fills"])
    assert not daemon.ended
    assert (daemon.state / "daemon.lock").read_bytes() == lock
    assert not (daemon.state / "HALT").exists()
    assert daemon.status()["daemon"]["process"] == daemon.pid
    at = daemon.turns()
    daemon.reach(at + 1)
    assert daemon.stop() == 0
    check_no_turn_lost(daemon, three_weeks)
    check_verified(daemon)


def test_a_replay_never_writes_where_a_daemon_lives(shop: Workshop, daemons: Daemons) -> None:
    daemon = daemons(pace="20000")
    daemon.start()
    before = sorted(path.name for path in shop.state.iterdir())
    answer = shop.process(*shop.words("--out", str(shop.state)))
    assert answer.code in {2, 78}
    assert str(shop.state) in answer.err
    assert sorted(path.name for path in shop.state.iterdir()) == before
    assert not daemon.ended
    assert daemon.stop() == 0


def test_a_halted_account_is_no_matter_for_a_replay(
    shop: Workshop, daemons: Daemons, three_weeks: Undisturbed
) -> None:
    daemon = daemons(pace="20000", settings=busy_settings())
    daemon.start()
    assert daemon.type("kill", "--flatten").code == 0
    run = shop.replay(*SETTINGS)
    assert manifest(run)["digest"] == three_weeks.digest
    assert daemon.status()["state"] == "HALTED"
    assert daemon.stop() == 0
