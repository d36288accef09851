"""What `status` says of a daemon that is down is what it said while it was up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.feeds.times import iso_z
from tests.daemons.running import Daemon
from tests.replay.workshop import Workshop, bar_starts, write_tape

END = "2024-01-03"
WITHOUT = (3, 8, 9)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.chdir(tmp_path)
    shop = Workshop(tmp_path)
    write_tape(tmp_path / "nvda.csv", without=WITHOUT)
    made = Daemon(
        shop,
        settings={
            "feed": f"{{kind: tape, pace: max, end: {END}}}",
            "risk.max_position_shares": "400",
        },
    )
    yield made
    made.clean_up()


def test_gaps_limits_and_the_next_bar_are_told(daemon: Daemon) -> None:
    daemon.start(wait=False)
    assert daemon.wait() == 0
    status = daemon.status()
    assert status["daemon"] == {"running": False}
    next_start = bar_starts()[14]  # the first two sessions have seven bars each
    assert status["feed"] == {
        "kind": "tape",
        "state": "the daemon is down",
        "next_bar": iso_z(next_start + 3_600_000_000_000),
        "gaps": {"missing": len(WITHOUT)},
    }
    assert [(limit["name"], limit["limit"]) for limit in status["limits"]] == [
        ("max_position_shares", 400.0),
        ("max_orders_per_day", 1.0),
    ]
    text = daemon.type("status").out
    assert "feed      tape: the daemon is down" in text
    assert "next 2024-01-04 10:30" in text
    assert "gaps      3 missing" in text
