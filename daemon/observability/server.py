"""Serves pages over HTTP from a thread of its own, so that it answers while the loop is blocked.

    server = serve("127.0.0.1:9108", {"/metrics": page})
    server.close()

A page is a function without arguments, called in the thread of the request. Whatever goes wrong in
one is an answer with status 500 and reaches nobody else.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.errors import RefusedError

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

TEXT = "text/plain; charset=utf-8"
KEY = "observability.metrics"
PORT_MAX = 65_535
LOCAL = "localhost"

CONNECTIONS_MAX = 16
"""Requests handled at a time; one more is turned away."""
REQUEST_WITHIN_S = 10.0
"""A client that says nothing for so long is left."""
CLOSE_WITHIN_S = 2.0


class Reply(NamedTuple):
    """What a page answers; `headers` are those besides the ones that every answer has."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Page = Callable[[], Reply]


def text_reply(status: int, *lines: str) -> Reply:
    """Lines of plain text."""
    return Reply(status, TEXT, "".join(f"{line}\n" for line in lines).encode())


class Server:
    """Pages being served at `address`, which has the port that was chosen where 0 was asked for."""

    def __init__(self, http: ThreadingHTTPServer) -> None:
        self._http = http
        host, port = str(http.server_address[0]), http.server_address[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread = threading.Thread(
            target=http.serve_forever, args=(0.2,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more; a request that is being answered is not waited for."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(CLOSE_WITHIN_S)


def serve(address: str, pages: Mapping[str, Page]) -> Server:
    """Serve pages by their path at HOST:PORT; RefusedError where that address cannot be had."""
    with _refusing(address) as (family, place):
        return Server(_make(family, place, pages))


def require(address: str) -> None:
    """RefusedError where `serve` would refuse the address: before anything has begun."""
    with _refusing(address) as (family, place):
        socket.create_server(place, family=family).close()


@contextmanager
def _refusing(address: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Family and place of an address; what goes wrong with it is a RefusedError."""
    host, _, port = address.rpartition(":")
    if int(port) > PORT_MAX:  # getaddrinfo would take it for a smaller one
        raise RefusedError(f"{KEY}: cannot serve at {address}: a port is at most {PORT_MAX}")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, _, _, _, place = found[0]
        yield family, place
    except OSError as error:
        raise RefusedError(f"{KEY}: cannot serve at {address}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host: write an address of this machine, such as 127.0.0.1:9108"
    if error.errno == errno.EADDRINUSE:
        return "the port is in use: choose another one, or null to serve no metrics"
    if error.errno == errno.EADDRNOTAVAIL:
        return "it is no address of this machine: 127.0.0.1 is always one"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "not permitted: choose a port above 1023"
    return error.strerror or str(error)


def _make(family: int, place: tuple[object, ...], pages: Mapping[str, Page]) -> ThreadingHTTPServer:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    free = threading.BoundedSemaphore(CONNECTIONS_MAX)
    # A site that a browser on this machine has open may let its own name lead here (DNS
    # rebinding), and would then be allowed to read what is served for this machine alone.
    is_local = _is_local(str(place[0]))

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_WITHIN_S
        server_version = "papertape"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            host = self.headers.get("Host", LOCAL) if is_local else LOCAL
            reply = _reply(pages, host, self.path.partition("?")[0])
            self.send_response(reply.status)
            for name, value in (*_headers(reply), *reply.headers):
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Requests are no events of the daemon."""

    class Http(ThreadingHTTPServer):
        address_family = family
        daemon_threads = True
        block_on_close = False
        request_queue_size = CONNECTIONS_MAX

        def process_request(self, request: object, client: object) -> None:
            if not free.acquire(blocking=False):
                self.shutdown_request(request)  # type: ignore[arg-type]  # what accept() gave
                return
            try:
                super().process_request(request, client)  # type: ignore[arg-type]  # as above
            except RuntimeError:  # no thread can be started
                free.release()
                raise

        def process_request_thread(self, request: object, client: object) -> None:
            try:
                super().process_request_thread(request, client)  # type: ignore[arg-type]  # as above
            finally:
                free.release()

        def handle_error(self, request: object, client: object) -> None:
            """A client that went away; faults of pages are answered."""

    return Http(place, Handler)  # type: ignore[arg-type]  # typeshed knows pairs; IPv6 has four


def _headers(reply: Reply) -> Iterator[tuple[str, str]]:
    """What every answer has."""
    yield "Content-Type", reply.content_type
    yield "Content-Length", str(len(reply.body))
    yield "Cache-Control", "no-store"
    yield "X-Content-Type-Options", "nosniff"


def _is_local(host: str) -> bool:
    """Whether the name or address in a Host header is this machine's own to itself."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host
    if name.count(":") == 1:
        name = name.partition(":")[0]
    if name.lower() == LOCAL:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _reply(pages: Mapping[str, Page], host: str, path: str) -> Reply:
    if not _is_local(host):
        return text_reply(HTTPStatus.MISDIRECTED_REQUEST, f"not served as {host!r}: use {LOCAL}")
    page = pages.get(path)
    if page is None:
        known = ", ".join(sorted(pages))
        return text_reply(HTTPStatus.NOT_FOUND, f"nothing is at {path}; there is {known}")
    try:
        return page()
    except Exception as error:  # noqa: BLE001 - a page's fault is this one answer
        return text_reply(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__} in {path}")
