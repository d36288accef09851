"""The log cannot be written: its disk is full, it is closed, its reader has gone or does not
read -> trading and journal notice nothing; lost lines are counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import PACE, Daemons
from tests.faults.free_ports import free_port, metric
from tests.faults.trouble import Undisturbed, busy_settings, check_verified, turns_of


@contextmanager
def full_device() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def pipe_without_a_reader() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@contextmanager
def pipe_that_nobody_reads() -> Iterator[int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


PLACES = {
    "a full disk": full_device,
    "no reader": pipe_without_a_reader,
    "a reader that does not read": pipe_that_nobody_reads,
}


@pytest.mark.parametrize("name", PLACES)
def test_trading_does_not_notice(daemons: Daemons, three_weeks: Undisturbed, name: str) -> None:
    port = free_port()
    daemon = daemons(
        pace=PACE, settings=busy_settings(**{"observability.metrics": f"127.0.0.1:{port}"})
    )
    with PLACES[name]() as log:
        daemon.start(wait=False, stderr=log)
        daemon.reach(10)
        if name != "a reader that does not read":  # whose lines wait, 2,000 of them
            daemon.wait_for(lambda: metric(port, "papertape_log_lines_dropped_total") > 0)
        assert daemon.stop() == 0
    assert turns_of(daemon) == three_weeks.turns[: daemon.turns()]
    check_verified(daemon)


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_from_the_beginning(daemons: Daemons, three_weeks: Undisturbed, closed: str) -> None:
    """The descriptor may belong to another file by now: nothing may be written into that."""
    daemon = daemons(settings=busy_settings())
    daemon.start(prefix=("sh", "-c", f'exec "$@" {closed}', "sh"), wait=False)
    assert daemon.wait() == 0
    assert turns_of(daemon) == three_weeks.turns
    check_verified(daemon)


def test_a_log_on_a_full_file_system(
    small_disk: Path, daemons: Daemons, three_weeks: Undisturbed
) -> None:
    daemon = daemons(settings=busy_settings())
    daemon.log_path = small_disk / "daemon.log"
    (small_disk / "ballast").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 8192))
    daemon.start(wait=False)
    assert daemon.wait() == 0
    assert os.statvfs(small_disk).f_bavail == 0, "the log has fitted"
    assert turns_of(daemon) == three_weeks.turns
    check_verified(daemon)
