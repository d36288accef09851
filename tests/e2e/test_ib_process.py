"""`papertape run` with a gateway that is not there, or is none: ready, patient, quick to stop."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port
from tests.replay.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@contextmanager
def running(shop: Workshop, port: int, *, wait: bool = True) -> Iterator[Daemon]:
    daemon = Daemon(shop, settings={"feed": f"{{kind: ib, port: {port}}}"})
    daemon.start(wait=wait)
    try:
        yield daemon
    finally:
        daemon.clean_up()


def test_without_a_gateway_it_is_ready_and_says_what_it_waits_for(shop: Workshop) -> None:
    port = free_port()
    with running(shop, port) as daemon:
        feed = daemon.status()["feed"]
        assert feed["state"].startswith(f"connecting: nothing listens at 127.0.0.1:{port}")
        assert feed["state"].endswith("; read-only: no order can reach Interactive Brokers")
        shown = daemon.type("status").out
        assert f"ib: connecting: nothing listens at 127.0.0.1:{port}" in shown
        assert "read-only: no order can reach Interactive Brokers" in shown
        assert daemon.stop() == 0
    changed = [line for line in logged(daemon) if line["event"] == "feed_changed"]
    assert {line["state"] for line in changed} == {"down"}
    assert any("nothing listens" in str(line["why"]) for line in changed)
    assert [line for line in logged(daemon) if line["event"] == "library_message"] == []


@contextmanager
def waiting_for_an_answer(shop: Workshop) -> Iterator[Daemon]:
    """A daemon whose gateway has accepted it and says nothing."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as mute,
        running(shop, mute.getsockname()[1], wait=False) as daemon,
    ):
        connection, _ = mute.accept()
        with closing(connection):
            daemon.wait_for((shop.state / "control.sock").exists)
            assert "ready" not in daemon.events()
            yield daemon


def test_it_stops_at_once_while_it_waits_for_an_answer(shop: Workshop) -> None:
    with waiting_for_an_answer(shop) as daemon:
        assert daemon.stop() == 0
        assert daemon.events()[-1] == "stopped"
        assert "ready" not in daemon.events()


def test_a_kill_works_while_it_waits_for_an_answer(shop: Workshop) -> None:
    with waiting_for_an_answer(shop) as daemon:
        answer = daemon.type("kill", "--reason", "test")
        assert answer.code == 0, answer.err
        assert daemon.status()["state"] == "HALTED"


def test_too_many_symbols_for_the_gateway_are_refused(shop: Workshop) -> None:
    symbols = ", ".join(f"S{number}" for number in range(6))
    answer = shop.process(
        "run", "--config", str(shop.config), "--state", str(shop.state),
        "--set", f"symbols=[{symbols}]", "--set", "bars.size=1m", "--set", "feed={kind: ib}",
    )  # fmt: skip
    assert answer.code == 78
    (line,) = answer.lines
    assert line == (
        f"{shop.config}: symbols: 6 symbols of 1m bars need 60 requests in ten minutes and "
        f"Interactive Brokers allows about 50: trade at most 5 symbols, or larger bars"
    )


def logged(daemon: Daemon) -> list[dict[str, object]]:
    return [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
