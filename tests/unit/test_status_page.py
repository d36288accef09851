"""The status page's answers: what is in them, what keeps others out, and what is concealed."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from daemon.observability.history import History, SliceRow
from daemon.observability.server import Reply, Server, serve, text_reply
from daemon.observability.status_page import RECENT, StatusPage, plain_text

DOCUMENT: dict[str, Any] = {
    "name": "made<b>",
    "state": "PAUSED",
    "holds": [
        {
            "source": "operator",
            "level": "PAUSED",
            "since": "2024-01-02T15:30:00Z",
            "reason": "see https://bob:canary@example.org",
        }
    ],
    "positions": [{"symbol": "NVDA", "quantity": -5}],
    "equity_usd": 1234.5,
    "day_pnl_usd": -6.7,
    "last_bars": {"NVDA": "2024-01-02T15:30:00Z"},
}


def clean(text: str) -> str:
    return text.replace("canary", "***")


def made(silence_s: float = 0.5) -> StatusPage:
    return StatusPage(lambda: silence_s, lambda: True, clean)


def shown(silence_s: float = 0.5, rows: int = 0) -> StatusPage:
    page, history = made(silence_s), History(clean)
    for number in range(rows):
        history._rows.append(SliceRow(number, number, 1.0, "ACTIVE", {}))
    history._kept = None
    page.show(DOCUMENT, history.kept())
    return page


def answer(page: StatusPage, path: str) -> Reply:
    return page.pages[path]()


def told(page: StatusPage, path: str = "/status.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(page, path).body)
    return found


def test_without_a_script_the_state_is_there_to_read() -> None:
    assert plain_text(DOCUMENT, latched=True) == (
        "made<b>: PAUSED. PAUSED by operator since 2024-01-02 10:30: see "
        "https://bob:canary@example.org. The kill latch is set. Position: -5 NVDA. "
        "Equity 1,234.50 USD, today -6.70. Last bar: NVDA 2024-01-02 10:30."
    )
    html = answer(shown(), "/").body.decode()
    noscript = re.findall(r"<noscript><p[^>]*>(.*?)</p></noscript>", html, re.DOTALL)[0]
    assert noscript.startswith("made&lt;b&gt;: PAUSED. ")
    assert "***" in noscript
    assert "canary" not in html
    assert "The event loop was seen 31 s ago." in answer(shown(31.0), "/").body.decode()


def test_the_page_runs_its_own_script_and_asks_its_own_server() -> None:
    reply = answer(made(), "/")
    policy = dict(reply.headers)["Content-Security-Policy"]
    html = reply.body.decode()
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert len(text) > 1000
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(?!data:)", html)


def test_before_anything_is_known_it_says_so() -> None:
    assert told(made())["document"] is None
    assert told(made(), "/history.json")["rows"] == []
    assert "starting" in answer(made(), "/").body.decode()


def test_an_answer_brings_the_last_rows_and_how_long_the_loop_is_silent() -> None:
    page = shown(12.5, rows=RECENT + 7)
    found = told(page)
    assert (found["silence_s"], found["latched"]) == (12.5, True)
    assert [row["number"] for row in found["rows"]] == list(range(7, RECENT + 7))
    assert found["document"]["holds"][0]["reason"] == "see https://bob:***@example.org"
    assert len(told(page, "/history.json")["rows"]) == RECENT + 7


# --- who may ask ----------------------------------------------------------------------------------


@pytest.fixture
def local() -> Iterator[Server]:
    server = serve("127.0.0.1:0", {"/x": lambda: text_reply(200, "hello")})
    yield server
    server.close()


def _status(server: Server, host: str | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.address, timeout=20)
    try:
        connection.putrequest("GET", "/x", skip_host=True)
        if host is not None:
            connection.putheader("Host", host)
        connection.endheaders()
        found = connection.getresponse()
        return found.status, found.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9108", "127.0.0.1", "127.0.0.1:1", "[::1]:9108", "::1", None]
)
def test_this_machine_may_ask_under_its_own_names(local: Server, host: str | None) -> None:
    assert _status(local, host) == (200, "hello\n")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9108", "localhost.evil.example", "192.0.2.7", "", "[x"]
)
def test_a_name_that_was_led_here_is_turned_away(local: Server, host: str) -> None:
    status, body = _status(local, host)
    assert status == 421
    assert "hello" not in body


def test_an_address_for_others_is_asked_under_any_name() -> None:
    server = serve("0.0.0.0:0", {"/x": lambda: text_reply(200, "hello")})
    try:
        server.address = f"127.0.0.1:{server.address.rpartition(':')[2]}"
        assert _status(server, "papertape.example")[0] == 200
    finally:
        server.close()


def test_every_answer_has_the_headers_of_its_page(local: Server) -> None:
    server = serve("127.0.0.1:0", shown().pages)
    try:
        connection = http.client.HTTPConnection(server.address, timeout=20)
        connection.request("GET", "/")
        headers = dict(connection.getresponse().getheaders())
        connection.close()
    finally:
        server.close()
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
