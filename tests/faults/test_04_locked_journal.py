"""Another program holds the journal's write lock -> after 2 s the daemon halts and says who holds
things up; the open turn is committed when the lock is given back, and no turn is dropped.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.faults.conftest import PACE, Daemons
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_verified,
    halted_by_file,
    last_event,
    no_traceback,
    turns_of,
    until_the_first_halt,
)


def test_a_second_writer(daemons: Daemons, three_weeks: Undisturbed) -> None:
    daemon = daemons(pace=PACE, settings=busy_settings())
    daemon.start()
    daemon.reach(10)
    with closing(sqlite3.connect(daemon.journal, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        daemon.wait_for(lambda: "turn_not_committed" in daemon.events())
        at = daemon.turns()
        assert "another process is writing" in last_event(daemon, "turn_not_committed")["problem"]
        assert halted_by_file(daemon.state)
        assert "another process is writing" in daemon.status()["daemon"]["blocked"]
        assert daemon.turns() == at
        other.execute("ROLLBACK")
    daemon.wait_for(lambda: daemon.status()["state"] == "HALTED")
    assert daemon.type("reset", "--reason", "the other program has gone").code == 0
    daemon.go_on(3)
    assert daemon.stop() == 0
    turns = turns_of(daemon)
    halt = until_the_first_halt(turns)
    assert halt > at
    assert turns[:halt] == three_weeks.turns[:halt]
    inputs = [turn[3] for turn in turns if turn[2] != "command"]
    same = [turn[3] for turn in three_weeks.turns[: len(inputs)]]
    assert inputs == same, "a bar is lost, or came twice"
    check_verified(daemon)
    no_traceback(daemon)


def test_a_second_writer_that_is_brief_is_waited_for(
    daemons: Daemons, three_weeks: Undisturbed
) -> None:
    daemon = daemons(settings=busy_settings())
    daemon.start(wait=False)
    taken = 0
    daemon.wait_for(lambda: daemon.turns() > 0)
    with closing(sqlite3.connect(daemon.journal, isolation_level=None, timeout=30)) as other:
        while not daemon.ended and taken < 20:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            taken += 1
    assert taken > 1
    assert daemon.wait() == 0
    assert turns_of(daemon) == three_weeks.turns
    assert not halted_by_file(daemon.state)
