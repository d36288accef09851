"""Ports that nobody listens on, and what a daemon's metrics say."""

from __future__ import annotations

import socket
from urllib.request import urlopen


def free_port() -> int:
    """A port of this machine that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def page(port: int) -> str:
    """Everything that the metrics say."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text: str = answer.read().decode()
        return text


def metric(port: int, start: str) -> float:
    """The value of the one series that starts like this."""
    found = [line for line in page(port).splitlines() if line.startswith(start)]
    assert len(found) == 1, f"{start}: {found}"
    return float(found[0].rsplit(" ", 1)[1])
