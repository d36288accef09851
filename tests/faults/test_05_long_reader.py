"""A reader that keeps a snapshot of the journal for hours -> the writer does not notice; the log
that grows meanwhile is a metric, and it is cut back once the reader has gone.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.faults.conftest import PACE, Daemons
from tests.faults.free_ports import free_port, metric
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    check_verified,
)


def test_a_snapshot_that_is_held(daemons: Daemons, three_weeks: Undisturbed) -> None:
    port = free_port()
    daemon = daemons(
        pace=PACE, settings=busy_settings(**{"observability.metrics": f"127.0.0.1:{port}"})
    )
    daemon.start()
    daemon.reach(3)
    uri = f"{daemon.journal.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        (seen,) = reader.execute("SELECT max(seq) FROM turns").fetchone()
        name = 'papertape_journal_size_bytes{file="wal"'
        early = metric(port, name)
        daemon.reach(20)
        assert metric(port, name) > early, "nobody could see the log grow"
        assert daemon.stop() == 0
        at = check_no_turn_lost(daemon, three_weeks)
        assert reader.execute("SELECT max(seq) FROM turns").fetchone() == (seen,)
        wal = daemon.state / "journal.db-wal"
        assert wal.stat().st_size > 0
    daemon.start()
    daemon.reach(at + 1)
    assert daemon.stop() == 0
    assert not wal.exists() or wal.stat().st_size == 0
    assert check_no_turn_lost(daemon, three_weeks) > at
    check_verified(daemon)
