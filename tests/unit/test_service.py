"""The notify protocol against a real datagram socket, the watchdog's interval, credentials."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import service
from daemon.errors import RefusedError

SAY: list[Callable[[], bool]] = [
    lambda: service.ready("ACTIVE"),
    lambda: service.status("ACTIVE"),
    service.alive,
    service.reloading,
    lambda: service.stopping("stopping"),
]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The service manager's end: what is said arrives here as datagrams."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield receiver


def heard(receiver: socket.socket) -> list[str]:
    return receiver.recv(4096).decode().split("\n")


def fill(receiver: socket.socket) -> int:
    """Say things until the socket takes no more; how many it took."""
    taken = 0
    while service.alive():
        taken += 1
    assert taken > 0
    return taken


def test_ready_says_the_state_with_it(manager: socket.socket) -> None:
    assert service.ready("ACTIVE · flat")
    assert heard(manager) == ["READY=1", "STATUS=ACTIVE · flat"]


def test_status_watchdog_and_stop_are_one_datagram_each(manager: socket.socket) -> None:
    assert service.status("HALTED by operator")
    assert service.alive()
    assert service.stopping("closing the journal")
    assert heard(manager) == ["STATUS=HALTED by operator"]
    assert heard(manager) == ["WATCHDOG=1"]
    assert heard(manager) == ["STOPPING=1", "STATUS=closing the journal"]


def test_reloading_carries_the_monotonic_clock_in_microseconds(manager: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert service.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    first, second = heard(manager)
    name, _, microseconds = second.partition("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(microseconds) <= after


def test_a_status_of_many_lines_cannot_say_anything_else(manager: socket.socket) -> None:
    assert service.status("halted: disk full\nSTOPPING=1\r\nREADY=1")
    assert heard(manager) == ["STATUS=halted: disk full STOPPING=1 READY=1"]


def test_a_text_that_is_no_unicode_is_said_as_far_as_it_is(manager: socket.socket) -> None:
    assert service.status("tape \udcff.csv")
    assert heard(manager) == ["STATUS=tape ?.csv"]


def test_an_abstract_socket_is_written_with_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"papertape-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert service.alive()
        assert heard(receiver) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "address",
    ["", "notify", "vsock:2:1234", "/nonexistent/notify", "/" + "x" * 200, "@gone", "/a\udcffb"],
)
@pytest.mark.parametrize("say", SAY)
def test_nobody_who_listens_is_no_trouble(
    say: Callable[[], bool], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not say()


@pytest.mark.parametrize("say", SAY)
def test_without_a_service_manager_nothing_is_said(
    say: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not say()


def test_a_manager_that_does_not_read_is_not_waited_for(manager: socket.socket) -> None:
    fill(manager)  # returns, so the call that found the socket full did
    assert not service.status("ACTIVE")


def test_only_readiness_waits_for_a_busy_manager(manager: socket.socket) -> None:
    queued = fill(manager)
    answers: list[bool] = []
    saying = threading.Thread(target=lambda: answers.append(service.ready("ACTIVE")))
    saying.start()
    saying.join(0.2)  # one that does not wait has its answer by now
    manager.settimeout(60)
    said = [heard(manager) for _ in range(queued + 1)]
    saying.join()
    assert answers == [True]
    assert said == [["WATCHDOG=1"]] * queued + [["READY=1", "STATUS=ACTIVE"]]


@pytest.mark.parametrize(
    ("allowed", "process", "expected"),
    [
        ("30000000", "own", 15.0),  # 30 s allowed: said every 15 s
        ("500000", None, 0.25),
        ("30000000", "1", None),  # meant for another process, such as our parent
        ("30000000", "", None),
        (None, "own", None),
        ("", None, None),
        ("0", None, None),
        ("-1", None, None),
        ("30 s", None, None),
        ("³", None, None),  # a digit to str.isdigit, none to int
    ],
)
def test_the_watchdog_is_fed_at_half_of_what_is_allowed(
    allowed: str | None,
    process: str | None,
    expected: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("WATCHDOG_USEC", allowed), ("WATCHDOG_PID", process)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    assert service.watchdog_interval_s() == expected


def test_a_credential_is_its_text_without_the_last_newline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "notify").write_text("token-ä \n\n", "utf-8")
    assert service.credential("notify") == "token-ä \n"


def test_without_credentials_the_refusal_says_what_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(RefusedError, match="LoadCredential=notify:FILE"):
        service.credential("notify")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(RefusedError, match=f"{tmp_path}/notify does not exist.*LoadCredential="):
        service.credential("notify")


@pytest.mark.parametrize("name", ["", ".", "..", "../notify", "/etc/passwd", "a/b"])
def test_a_credential_is_never_looked_for_elsewhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notify").write_text("secret")
    (tmp_path / "credentials").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    with pytest.raises(RefusedError, match="a name, not a path"):
        service.credential(name)


def test_what_cannot_be_read_is_refused_without_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "binary").write_bytes(b"secret\xff")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RefusedError, match="binary is not text in UTF-8") as refusal:
        service.credential("binary")
    assert "secret" not in str(refusal.value)
    with pytest.raises(RefusedError, match="folder: Is a directory"):
        service.credential("folder")
