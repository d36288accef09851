"""Bars that are sent as they form: requests kept up to date, and a bar every five seconds.

Streams may die while the client believes in them, which is why none of them is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.fake_gateway import answers
from tests.fake_gateway.clock import SECOND_NS, Cancel
from tests.fake_gateway.market import Instrument, MarketBar
from tests.fake_gateway.requests import HistoryQuery, Request, StreamQuery
from tests.fake_gateway.sessions import bar_date
from tests.fake_gateway.texts import Text, words

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection
    from tests.fake_gateway.gateway import FakeGateway

REAL_TIME_S = 5


@dataclass
class Stream:
    """One subscription of one connection."""

    connection: Connection
    request: Request
    instrument: Instrument
    every_s: float
    cancel: Cancel = lambda: None
    before: MarketBar | None = None


class StreamDesk:
    """The subscriptions of a gateway."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        self.streams: list[Stream] = []

    def keep_up_to_date(
        self, connection: Connection, request: Request, instrument: Instrument
    ) -> None:
        """Send the running bar of a request for bars from now on."""
        connection.open_history.add(request.request_id)
        self._begin(connection, request, instrument, self._gateway.settings.stream_every_s)

    def real_time_bars(self, connection: Connection, request: Request) -> None:
        """Send a bar every five seconds while the market is open."""
        query = request.query
        assert isinstance(query, StreamQuery)
        found = self._gateway.market.matching(query.contract)
        if len(found) != 1:
            self._gateway.refused(connection, request, 200, Text.NO_SECURITY)
        else:
            self._begin(connection, request, found[0], REAL_TIME_S)

    def cancel_real_time_bars(self, connection: Connection, request: Request) -> None:
        """End a subscription; an unknown one is an error."""
        number = request.request_id
        if self.end(connection, number):
            return
        if number not in connection.lost_streams:
            self._gateway.complain(
                f"connection {connection.number} cancelled stream {number}, which is not there"
            )
        connection.send_usual(300, number)

    def end(self, connection: Connection, request_id: int) -> bool:
        """Stop sending; False if there was nothing to stop."""
        for stream in self.streams:
            if stream.connection is connection and stream.request.request_id == request_id:
                stream.cancel()
                self.streams.remove(stream)
                return True
        return False

    def left(self, connection: Connection) -> None:
        """Forget the subscriptions of a connection that ended."""
        for stream in [one for one in self.streams if one.connection is connection]:
            stream.cancel()
            self.streams.remove(stream)

    def lose(self, code: int | None) -> None:
        """Stop every stream; with a code each client is told, without it learns nothing."""
        for stream in self.streams:
            stream.cancel()
            number = stream.request.request_id
            stream.connection.open_history.discard(number)
            stream.connection.lost_streams.add(number)
            if code is not None:
                stream.connection.send_error(code, words(code), number)
        self.streams.clear()

    # --- a stream's life ------------------------------------------------------------------------

    def _begin(
        self, connection: Connection, request: Request, instrument: Instrument, every_s: float
    ) -> None:
        stream = Stream(connection, request, instrument, every_s)
        self.streams.append(stream)
        self._schedule(stream)

    def _schedule(self, stream: Stream) -> None:
        """Wait for the next multiple of the interval on the clock."""
        every_ns = round(stream.every_s * SECOND_NS)
        next_ns = (self._gateway.clock.now_ns() // every_ns + 1) * every_ns
        stream.cancel = stream.connection.later(next_ns, lambda: self._tick(stream, next_ns))

    def _tick(self, stream: Stream, now_ns: int) -> None:
        self._schedule(stream)
        if not self._gateway.is_upstream:
            return
        query = stream.request.query
        if isinstance(query, HistoryQuery):
            self._update(stream, query, now_ns)
        elif isinstance(query, StreamQuery):
            self._five_seconds(stream, query, now_ns)

    def _update(self, stream: Stream, query: HistoryQuery, now_ns: int) -> None:
        bar = stream.instrument.forming(query.bar_size, now_ns, regular=query.regular_hours)
        if bar is not None:
            date = bar_date(
                bar.start_ns, query.bar_size, query.format_date, stream.instrument.hours
            )
            number = stream.request.request_id
            stream.connection.send(answers.history_update(number, date, bar, query.what))

    def _five_seconds(self, stream: Stream, query: StreamQuery, now_ns: int) -> None:
        bar = stream.instrument.running(now_ns, regular=query.regular_hours)
        before, stream.before = stream.before, bar
        if bar is None:
            return
        known = before is not None and before.start_ns == bar.start_ns
        opened = before.close if before is not None and known else bar.open
        piece = replace(
            bar,
            start_ns=now_ns - REAL_TIME_S * SECOND_NS,
            end_ns=now_ns,
            open=opened,
            high=max(opened, bar.close),
            low=min(opened, bar.close),
            volume=max(0.0, bar.volume - (before.volume if before is not None and known else 0)),
        )
        number = stream.request.request_id
        stream.connection.send(answers.real_time_bar(number, piece, query.what))
