"""Everything clients asked, with virtual instants, for tests to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.requests import ORDER_KINDS, HistoryQuery, Kind, Request


class Entry(Struct, frozen=True):
    """One request; `connection` counts from 1 over the gateway's life.

    A connection itself and its version handshake are entries too, of kinds ACCEPT and GREET.
    """

    at_ns: int
    connection: int
    client_id: int | None
    request: Request
    open_history: int = 0  # requests for bars that were open then, this one included

    @property
    def kind(self) -> Kind:
        """The request's kind."""
        return self.request.kind

    @property
    def when(self) -> str:
        """The virtual instant, for a person."""
        return f"{datetime.fromtimestamp(self.at_ns / SECOND_NS, UTC):%Y-%m-%dT%H:%M:%S}Z"


class Answered(Struct, frozen=True):
    """What a request came to, once it did: `code` 0 is an answer, others a refusal."""

    at_ns: int
    connection: int
    request_id: int
    code: int


@dataclass
class RequestLog:
    """All requests and connections of a gateway, in order; `lost_ns` is when connections ended."""

    entries: list[Entry] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    lost_ns: list[int] = field(default_factory=list)
    listener: Callable[[str], None] | None = None

    def add(self, entry: Entry) -> None:
        """Keep a request, and tell whoever listens."""
        self.entries.append(entry)
        if self.listener is not None:
            self.listener(_line(entry))

    def of(self, kind: Kind | str, symbol: str | None = None) -> list[Entry]:
        """Return the requests of a kind, of one symbol if it is named."""
        return [
            entry
            for entry in self.entries
            if entry.kind == kind
            and (symbol is None or (entry.request.contract or _NOBODY).symbol == symbol)
        ]

    @property
    def orders(self) -> list[Entry]:
        """Requests that would have traded or cancelled: there may never be one."""
        return [entry for entry in self.entries if entry.kind in ORDER_KINDS]

    @property
    def unknown(self) -> list[Entry]:
        """Messages that the gateway did not understand."""
        return self.of(Kind.UNKNOWN)

    def history(self) -> Iterator[tuple[Entry, HistoryQuery]]:
        """Yield the requests for bars with what they ask."""
        for entry in self.entries:
            if isinstance(entry.request.query, HistoryQuery):
                yield entry, entry.request.query

    def lines(self) -> Iterator[str]:
        """Return a line a request, for a person or a failing test."""
        return (_line(entry) for entry in self.entries)


def _line(entry: Entry) -> str:
    asked = ",".join(entry.request.fields)
    return f"{entry.when} connection {entry.connection} {entry.kind} {asked}"


class _Nobody(Struct, frozen=True):
    symbol: str = ""


_NOBODY = _Nobody()
