"""The pipeline's two edges: where inputs come from and where turns are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from daemon.core.events import Input
from daemon.core.turn import Turn


class Sink(Protocol):
    """What keeps the turns: the journal."""

    def keep(self, turn: Turn) -> None:
        """Take a turn that had outputs or was a command."""

    def flush(self) -> None:
        """A chunk of the feed is done: make what was kept durable where that is promised."""


class Feed(Protocol):
    """Where inputs come from: chunks of them, each chunk in order of event time."""

    def chunks(self) -> AsyncIterator[Iterable[Input]]:
        """The chunks; between two of them the loop gets its turn."""
