"""Asks a running daemon over its control socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from daemon.control.wire import LINE_BYTES_MAX, from_line, short_path, to_line
from daemon.errors import BusyError, NotPermittedError
from daemon.paths import as_owner
from daemon.state_directory import SOCKET

ANSWER_WITHIN_S = 5.0


class NotListeningError(BusyError):
    """No daemon listens in this state directory."""


def ask(
    state: Path, verb: str, *, within_s: float = ANSWER_WITHIN_S, **fields: Any
) -> dict[str, Any]:
    """The daemon's answer.

    NotListeningError where none runs, NotPermittedError where this user may not ask, BusyError
    where none came in time (what the daemon had not begun then, it does not begin any more).
    """
    path = state / SOCKET
    try:
        with short_path(path) as short, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(within_s)
            connection.connect(short)
            connection.sendall(to_line({"verb": verb, **fields}))
            return from_line(_line(connection))
    except PermissionError:
        raise NotPermittedError(
            f"{state}: you may not ask its daemon, nothing was done; type: {as_owner(state)}"
        ) from None
    except (TimeoutError, BlockingIOError):  # the latter: too many wait to be heard already
        raise BusyError(
            f"{state}: the daemon did not answer within {within_s:g} s: it is busy or hangs; what "
            f"it had not begun, it does not do any more (`papertape kill` works all the same)"
        ) from None
    except (ConnectionError, FileNotFoundError, NotADirectoryError):
        raise NotListeningError(
            f"{state}: no daemon runs here, nothing was done: start it with `papertape run` or "
            f"systemctl"
        ) from None
    except msgspec.MsgspecError:
        raise BusyError(f"{state}: the daemon went away while it was asked: try again") from None


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65_536)
        if not part or len(received) > LINE_BYTES_MAX:
            break
        received += part
    return received
