"""The metrics' port is in use, or no address of ours -> exit 78 with one line that names the key;
by default only this machine can ask, and a scraper's trouble never stops trading.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from daemon.config.models import ObservabilityConfig
from tests.faults.conftest import PACE, Daemons
from tests.faults.free_ports import free_port, metric
from tests.faults.trouble import (
    Undisturbed,
    busy_settings,
    check_no_turn_lost,
    no_traceback,
    refusal,
)

KEY = "observability.metrics"


@contextlib.contextmanager
def _taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_port_in_use(daemons: Daemons) -> None:
    with _taken() as port:
        daemon = daemons(settings={KEY: f"127.0.0.1:{port}"})
        said = refusal(daemon)
    assert said.startswith(f"{KEY}: cannot serve at 127.0.0.1:{port}: the port is in use: choose")
    assert not (daemon.state / "HALT").exists()  # nothing is wrong with the account
    assert not (daemon.state / "journal.db").exists()  # nothing has begun
    assert daemon.log().count("\n") == 1
    daemon.start(wait=False)
    assert daemon.wait() == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.1:9108", "it is no address of this machine"),
        ("nowhere.invalid:9108", "no such host"),
    ],
)
def test_an_address_that_is_not_ours(daemons: Daemons, address: str, said: str) -> None:
    assert said in refusal(daemons(settings={KEY: address}))


def test_only_this_machine_can_ask_unless_told_otherwise() -> None:
    assert ObservabilityConfig().metrics == "127.0.0.1:9108"


def test_scrapers_that_hang_or_go_away_change_nothing(
    daemons: Daemons, three_weeks: Undisturbed
) -> None:
    port = free_port()
    daemon = daemons(pace=PACE, settings=busy_settings(**{KEY: f"127.0.0.1:{port}"}))
    daemon.start()
    hanging = []
    for _ in range(20):  # more than it serves at a time
        with contextlib.suppress(OSError):
            hanging.append(socket.create_connection(("127.0.0.1", port)))
    for _ in range(20):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as gone:
            gone.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    for connection in hanging:
        connection.close()
    daemon.wait_for(lambda: _scraped(port))
    daemon.go_on(3)
    assert daemon.stop() == 0
    no_traceback(daemon)
    check_no_turn_lost(daemon, three_weeks)


def _scraped(port: int) -> bool:
    with contextlib.suppress(OSError):
        return metric(port, "papertape_ready") == 1
    return False
