"""What a service manager is told, and what it hands over: readiness, watchdog, credentials.

The protocol is one datagram of `NAME=value` lines to the socket that $NOTIFY_SOCKET names (see
sd_notify(3)). Without that variable every call does nothing, so a terminal needs no other way.
None of them ever raises: a service manager that does not listen must not disturb trading.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from daemon.errors import RefusedError

# READY=1 is said once and a start fails without it, so it may wait for a busy service manager. All
# else is said from the event loop and comes again: it is dropped rather than waited for.
READY_WAIT_S = 10.0


def ready(status: str) -> bool:
    """Say that start-up is complete; whether it was heard."""
    return _notify("READY=1", _status(status), wait_s=READY_WAIT_S)


def status(text: str) -> bool:
    """Say in one line what the daemon is doing (`systemctl status` shows it)."""
    return _notify(_status(text))


def alive() -> bool:
    """Feed the watchdog; call it where only a loop that makes progress comes by."""
    return _notify("WATCHDOG=1")


def reloading() -> bool:
    """Say that a reload has begun; `ready` says that it is over."""
    microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    return _notify("RELOADING=1", f"MONOTONIC_USEC={microseconds}")


def stopping(status: str) -> bool:
    """Say that an orderly stop has begun."""
    return _notify("STOPPING=1", _status(status))


def watchdog_interval_s() -> float | None:
    """How often to call `alive`: half of what the service manager allows; None if it does not ask.

    $WATCHDOG_PID names the process that is meant; a child inherits the variables, not the duty.
    """
    allowed, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if process is not None and process != str(os.getpid()):
        return None
    if not (allowed.isascii() and allowed.isdigit() and int(allowed) > 0):
        return None
    return int(allowed) / 2_000_000


def credential(name: str) -> str:
    """The secret `name` from $CREDENTIALS_DIRECTORY, without the newline at its end.

    RefusedError says how to provide it; the text of a secret is never part of a message.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise RefusedError(
            f"credential {name}: $CREDENTIALS_DIRECTORY is not set; under systemd add "
            f"LoadCredential={name}:FILE to the unit, else set it to a folder only you can read"
        )
    if not name or "/" in name or name in {".", ".."}:
        raise RefusedError(f"credential {name!r}: a name, not a path")
    file = Path(folder, name)
    try:
        return file.read_text("utf-8").removesuffix("\n")
    except FileNotFoundError:
        raise RefusedError(
            f"credential {name}: {file} does not exist; under systemd add "
            f"LoadCredential={name}:FILE to the unit"
        ) from None
    except UnicodeDecodeError:
        raise RefusedError(f"credential {name}: {file} is not text in UTF-8") from None
    except OSError as error:
        raise RefusedError(f"credential {name}: {file}: {error.strerror}") from None


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"  # a line break would begin another assignment


def _notify(*assignments: str, wait_s: float = 0.0) -> bool:
    """Send one datagram; whether the service manager's socket took it within `wait_s`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # an abstract socket: a NUL stands where the @ is written
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(wait_s)
            sender.sendto("\n".join(assignments).encode(errors="replace"), address)
    except (OSError, ValueError):
        return False
    return True
