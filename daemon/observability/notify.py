"""Sends messages through apprise: the one file that knows it, and imports it when there is need.

An address is a secret. What comes out of here names a service (`Telegram`) and a number, never
more; what apprise itself says is caught and has to be cleaned by whoever logs it.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from daemon.errors import RefusedError

MESSAGE_MAX = 3_000
"""Characters of a message; services take 2,000 to 4,096, and split or cut what is longer."""


class Sent(NamedTuple):
    """How one address (a number from 1) took a message; `problem` None: it has it."""

    address: int
    service: str
    problem: str | None


class Sender:
    """The addresses of a credential; RefusedError where one is not understood."""

    def __init__(self, urls: Sequence[str], where: str) -> None:
        self._library = logging.getLogger("apprise")
        self._library.propagate = False  # what it says is told by us, cleaned
        if not self._library.handlers:  # or it would go to stderr for lack of anything better
            self._library.addHandler(logging.NullHandler())
        try:
            with warnings.catch_warnings():
                # Its modules import what Python is going to drop, and do without where it has.
                warnings.simplefilter("ignore", DeprecationWarning)
                import apprise

                asset = apprise.AppriseAsset(
                    app_id="papertape",
                    app_desc="papertape",
                    app_url="",
                    async_mode=False,
                    secure_logging=True,
                    storage_mode=apprise.PersistentStoreMode.MEMORY,
                )
                targets = [apprise.Apprise.instantiate(url, asset=asset) for url in urls]
        except ImportError:
            raise RefusedError(
                "notify: apprise is not installed: pip install 'papertape[notify]', or leave "
                "notify.events empty"
            ) from None
        self._targets = [target for target in targets if target is not None]
        if None in targets:
            number = 1 + targets.index(None)
            raise RefusedError(f"{where}: address {number} is none that apprise understands")
        self._one_at_a_time = threading.Lock()

    @property
    def services(self) -> tuple[str, ...]:
        """The name of each address's service, in order."""
        return tuple(str(target.service_name or "custom") for target in self._targets)

    def send(self, title: str, body: str, only: Iterable[int] | None = None) -> list[Sent]:
        """Send to every address, or to those numbers; waits for each of them."""
        wanted = range(1, len(self._targets) + 1) if only is None else only
        with self._one_at_a_time:
            return [self._send(number, title, body[:MESSAGE_MAX]) for number in wanted]

    def _send(self, number: int, title: str, body: str) -> Sent:
        said = _Said()
        self._library.addHandler(said)
        problem: str | None
        try:
            taken = self._targets[number - 1].notify(body=body, title=title, notify_type="info")
            problem = None if taken else (said.text or "it was not taken")
        except Exception as error:  # noqa: BLE001 - whatever a service's module raises
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._library.removeHandler(said)
        return Sent(number, self.services[number - 1], problem)


class _Said(logging.Handler):
    """What the library says while it sends."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        return " ".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) < 3:
            self._lines.append(record.getMessage())
