"""Serving over a real socket: beside a busy main thread, on an address that may be had or not."""

from __future__ import annotations

import errno
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from daemon.errors import Exit, RefusedError
from daemon.observability.health import LOOP_SILENT_S, pages
from daemon.observability.server import (
    CONNECTIONS_MAX,
    Page,
    Reply,
    Server,
    _reason,
    serve,
    text_reply,
)
from tests.unit.metric_pages import Page as MetricPage
from tests.unit.metric_pages import made

ANY = "127.0.0.1:0"

Serve = Callable[[Mapping[str, Page]], Server]


@pytest.fixture
def serving() -> Iterator[Serve]:
    begun: list[Server] = []

    def begin(by_path: Mapping[str, Page]) -> Server:
        begun.append(serve(ANY, by_path))
        return begun[-1]

    yield begin
    for server in begun:
        server.close()


def _get(address: str, path: str, method: str = "GET") -> tuple[int, Mapping[str, str], str]:
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_served_as_text(tmp_path: Path, serving: Serve) -> None:
    server = serving(pages(made(tmp_path)))
    status, headers, body = _get(server.address, "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert "Python" not in headers["Server"]
    assert MetricPage(body)("ready") == 0


def test_a_query_is_no_part_of_the_path_and_head_has_no_body(serving: Serve) -> None:
    server = serving({"/x": lambda: text_reply(200, "hello")})
    assert _get(server.address, "/x?y=1")[2] == "hello\n"
    status, headers, body = _get(server.address, "/x", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "6", "")


def test_other_paths_and_methods_are_not_found(tmp_path: Path, serving: Serve) -> None:
    server = serving(pages(made(tmp_path)))
    status, _, body = _get(server.address, "/")
    assert (status, body) == (404, "nothing is at /; there is /healthz, /metrics, /readyz\n")
    assert _get(server.address, "/metrics/..")[0] == 404
    assert _get(server.address, "/metrics", "POST")[0] == 501


def test_it_answers_while_the_main_thread_does_nothing_else(tmp_path: Path, serving: Serve) -> None:
    metrics = made(tmp_path)
    server = serving(pages(metrics))
    answers: list[int] = []

    def scrape() -> None:
        answers.append(_get(server.address, "/metrics")[0])

    scraping = threading.Thread(target=scrape)
    scraping.start()
    spun = 0
    while scraping.is_alive():  # never waits, as a strategy that blocks the loop
        spun += 1
    assert answers == [200]
    assert spun


def test_a_fault_in_a_page_is_one_answer(tmp_path: Path, serving: Serve) -> None:
    metrics = made(tmp_path)
    del metrics.tallies.last_bar
    server = serving(pages(metrics))
    status, _, body = _get(server.address, "/metrics")
    assert (status, body) == (500, "AttributeError in /metrics\n")
    assert metrics.failures == 1
    assert _get(server.address, "/healthz")[0] == 200


def test_health_is_that_of_the_loop(tmp_path: Path, serving: Serve) -> None:
    metrics = made(tmp_path)
    server = serving(pages(metrics))
    metrics.lag(0.0)
    assert _get(server.address, "/healthz")[::2] == (200, "ok\n")
    metrics._beat -= LOOP_SILENT_S + 2
    status, _, body = _get(server.address, "/healthz")
    assert status == 503
    assert body == "the event loop was seen 12 s ago (blocked after 10 s)\n"
    assert _get(server.address, "/readyz")[2].startswith(body)
    metrics.lag(0.0)
    assert _get(server.address, "/healthz")[0] == 200


def test_readiness_says_what_is_missing(tmp_path: Path, serving: Serve) -> None:
    metrics = made(tmp_path)
    server = serving(pages(metrics))
    status, _, body = _get(server.address, "/readyz")
    assert status == 503
    assert body.splitlines() == [
        "the journal is being recovered",
        "the state of the feed is not known yet",
    ]
    metrics.ready()
    assert _get(server.address, "/readyz")[2] == "the state of the feed is not known yet\n"
    metrics.feed("down", 0)  # known is enough: it is the trading state that says what follows
    assert _get(server.address, "/readyz")[::2] == (200, "ok\n")


# --- addresses ------------------------------------------------------------------------------------


def test_a_port_in_use_is_said_with_its_key(serving: Serve) -> None:
    address = serving({}).address
    with pytest.raises(RefusedError) as caught:
        serve(address, {})
    assert caught.value.code == Exit.REFUSED
    begins = f"observability.metrics: cannot serve at {address}: the port is in use: choose"
    assert str(caught.value).startswith(begins)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.1:9108", "it is no address of this machine"),
        ("nowhere.invalid:9108", "no such host"),
        ("127.0.0.1:70000", "a port is at most 65535"),
    ],
)
def test_an_address_that_cannot_be_had(address: str, said: str) -> None:
    with pytest.raises(RefusedError, match=f"observability.metrics: cannot serve at .*: {said}"):
        serve(address, {})


def test_a_port_that_is_not_permitted_is_said_in_words() -> None:
    assert _reason(PermissionError(errno.EACCES, "Permission denied")).startswith("not permitted")


def test_the_next_version_of_the_protocol(serving: Serve) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        server = serve("[::1]:0", {"/x": lambda: text_reply(200, "six")})
    except RefusedError:
        pytest.skip("this machine has no address ::1")
    try:
        assert server.address.startswith("[::1]:")
        assert _get(server.address, "/x")[2] == "six\n"
    finally:
        server.close()


# --- bounds ---------------------------------------------------------------------------------------


def test_nothing_is_served_after_the_end(serving: Serve) -> None:
    server = serving({"/x": lambda: text_reply(200)})
    assert _get(server.address, "/x")[0] == 200
    server.close()
    with pytest.raises(OSError, match="refused"):
        _get(server.address, "/x")
    again = serve(server.address, {})  # the port is free at once
    again.close()


def test_closing_does_not_wait_for_a_page(serving: Serve) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow() -> Reply:
        entered.set()
        leave.wait(20)
        return text_reply(200)

    server = serving({"/slow": slow})
    asking = threading.Thread(target=lambda: _get(server.address, "/slow"))
    asking.start()
    assert entered.wait(20)
    server.close()
    assert asking.is_alive()
    leave.set()
    asking.join(20)
    assert not asking.is_alive()


def test_who_says_nothing_takes_a_place_and_no_more_than_there_are(serving: Serve) -> None:
    server = serving({"/x": lambda: text_reply(200)})
    host, _, port = server.address.partition(":")
    mute = [socket.create_connection((host, int(port))) for _ in range(CONNECTIONS_MAX)]
    try:
        with socket.create_connection((host, int(port)), timeout=20) as one_more:
            assert one_more.recv(1) == b""  # turned away at once
    finally:
        for connection in mute:
            connection.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            assert _get(server.address, "/x")[0] == 200
            return
        except (http.client.HTTPException, OSError):
            continue  # the places are freed one by one
    raise AssertionError("no place was freed")
