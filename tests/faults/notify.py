"""A service manager that listens, for tests: what a daemon tells it, one datagram a list entry."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path


class Manager:
    """Hand `environment` to a daemon; `said` is what it has told so far."""

    def __init__(self, folder: Path, **more: str) -> None:
        self._address = folder / "notify.sock"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(self._address))
        self._listener.setblocking(False)
        self._said: list[str] = []
        self.environment = {"NOTIFY_SOCKET": str(self._address), **more}

    @property
    def said(self) -> list[str]:
        """Every datagram so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._said.append(self._listener.recv(65_536).decode())
        return self._said

    @property
    def is_ready(self) -> bool:
        """Whether READY was said."""
        return any("READY=1" in one for one in self.said)

    @property
    def alive(self) -> int:
        """How often the watchdog was fed."""
        return sum("WATCHDOG=1" in one for one in self.said)

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
