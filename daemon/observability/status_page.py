"""The status page at `/`: one file that asks for `/status.json` again and again.

    page = StatusPage(silence_s, latched, clean)
    page.show(document, history.kept())
    server = serve("127.0.0.1:9108", page.pages)

What is shown was handed over by the event loop and never changes afterwards; it is written in the
thread of whoever asks, so the page answers while the loop is blocked, and says so. It only tells:
there is nothing on it that does anything.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import msgspec

from daemon.feeds.times import parse_iso, zone_text
from daemon.observability.history import Kept
from daemon.observability.server import Page, Reply

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("status_core.js", "status_charts.js", "status_parts.js")
SILENT_S = 3.0
"""A loop that was not seen for so long is told of; it comes by every second."""
RECENT = 30
"""Rows of the history that every answer brings; who has missed more asks for all."""
ZONE = "America/New_York"
HTML = "text/html; charset=utf-8"
JSON = "application/json"


class Shown(NamedTuple):
    """What is known at one moment."""

    document: Mapping[str, Any]
    kept: Kept


class StatusPage:
    """See the module.

    `silence_s` tells how long ago the loop was seen, `latched` whether the kill latch is set, be
    it that the loop does not know yet; `clean` conceals secrets. All are called from the thread
    that serves.
    """

    def __init__(
        self,
        silence_s: Callable[[], float],
        latched: Callable[[], bool],
        clean: Callable[[str], str],
    ) -> None:
        self._silence_s = silence_s
        self._latched = latched
        self._clean = clean
        self._shown: Shown | None = None
        style, script = _read("status.css"), "\n".join(map(_read, SCRIPTS))
        self._frame = Template(_read("status.html"))
        self._parts = {"style": style, "script": script}
        self._headers = (
            ("Content-Security-Policy", _policy(style, script)),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        )

    def show(self, document: Mapping[str, Any], kept: Kept) -> None:
        """Show this from now on; nobody may change `document` any more."""
        self._shown = Shown(document, kept)

    @property
    def pages(self) -> Mapping[str, Page]:
        """The pages by their paths."""
        return {"/": self._page, "/status.json": self._status, "/history.json": self._history}

    def _page(self) -> Reply:
        shown = self._shown
        name = "papertape" if shown is None else str(shown.document["name"])
        plain = "starting"
        if shown is not None:
            plain = self._clean(plain_text(shown.document, latched=self._latched()))
        silence_s = self._silence_s()
        if silence_s > SILENT_S:
            plain += f" The event loop was seen {silence_s:.0f} s ago."
        body = self._frame.substitute(self._parts, name=html.escape(name), plain=html.escape(plain))
        return Reply(HTTPStatus.OK, HTML, body.encode(), self._headers)

    def _status(self) -> Reply:
        shown = self._shown
        if shown is None:
            return self._json({"silence_s": self._silence_s(), "document": None})
        kept = shown.kept
        return self._json({
            "silence_s": self._silence_s(),
            "latched": self._latched(),
            "document": _cleaned(shown.document, self._clean),
            "happened": kept.happened,
            "revision": kept.revision,
            "rows": kept.rows[-RECENT:],
        })  # fmt: skip

    def _history(self) -> Reply:
        kept = Kept() if self._shown is None else self._shown.kept
        return self._json({"revision": kept.revision, "rows": kept.rows})

    def _json(self, document: Any) -> Reply:
        return Reply(HTTPStatus.OK, JSON, msgspec.json.encode(document), self._headers[1:])


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """A document whose texts have been cleaned; those of the history are so already."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(each, clean) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each, clean) for each in value]
    return value


def plain_text(document: Mapping[str, Any], *, latched: bool) -> str:
    """The standing in a few sentences, for who reads without scripts."""
    said = [f"{document['name']}: {document['state']}."]
    said += [
        f"{hold['level']} by {hold['source']} since {_when(hold['since'])}: "
        f"{hold['reason'] or 'no reason given'}."
        for hold in document["holds"]
    ]
    if latched:
        said.append("The kill latch is set.")
    held = [f"{one['quantity']:+d} {one['symbol']}" for one in document["positions"]]
    said.append(f"Position: {', '.join(held) or 'flat'}.")
    said.append(f"Equity {document['equity_usd']:,.2f} USD, today {document['day_pnl_usd']:+,.2f}.")
    bars = [f"{symbol} {_when(end)}" for symbol, end in document["last_bars"].items()]
    said.append(f"Last bar: {', '.join(bars) or 'none yet'}.")
    return " ".join(said)


def _when(iso: str) -> str:
    return zone_text(parse_iso(iso), ZONE)


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """This very script and style; requests to where the page came from; nothing else."""
    return (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
