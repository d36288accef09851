"""Takes notifications on this machine, as a service that people use would.

with receiver() as got:
    sender = Sender([got.url("/path")], "test")
assert got.messages[0].title == "..."
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Message(NamedTuple):
    """One message as it came."""

    path: str
    title: str
    body: str


class Receiver:
    """What has come; `answers` are the statuses of the next requests, after them all are taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[Message] = []
        self.refused: list[Message] = []
        self.answers: list[int] = []

    def url(self, path: str = "/", user: str = "") -> str:
        """An address as apprise writes it."""
        return f"json://{user}127.0.0.1:{self.port}{path}"

    @property
    def titles(self) -> list[str]:
        """The titles of what came, in order."""
        return [message.title for message in self.messages]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = Message(self.path, content["title"], content["message"])
            status = got.answers.pop(0) if got.answers else 200
            (got.messages if status == 200 else got.refused).append(message)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Requests are looked at, not told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
