"""The history service: requests for bars checked, paced and answered from the market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_gateway import answers
from tests.fake_gateway.mangling import Mangling, mangled
from tests.fake_gateway.pacing import Pacer
from tests.fake_gateway.requests import HistoryQuery, Request
from tests.fake_gateway.sessions import SIZES_NS, bar_date, end_instant, step_refused, window
from tests.fake_gateway.texts import Text, words

if TYPE_CHECKING:
    from tests.fake_gateway.connection import Connection
    from tests.fake_gateway.gateway import FakeGateway
    from tests.fake_gateway.market import Instrument, MarketBar

KINDS_OF_BARS = frozenset({"TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"})


class HistoryDesk:
    """Answer requests for bars of one gateway."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway
        self._pacer = Pacer(gateway.settings.history_max)

    def history(
        self, connection: Connection, request: Request, wrong: Mangling | None = None
    ) -> None:
        """Answer a request for bars, or refuse it as the real service would."""
        query = request.query
        assert isinstance(query, HistoryQuery)
        gateway = self._gateway
        violation = self._pacer.check(gateway.clock.now_ns(), query)
        if violation and gateway.settings.enforce_pacing:
            gateway.refused(connection, request, 162, Text.PACING)
            return
        if not (gateway.is_upstream and gateway.history_farm_ok):
            gateway.refused(connection, request, 162, Text.HISTORY_FARM_DOWN)
            return
        found = gateway.market.matching(query.contract)
        if refusal := self._refusal(query, found):
            gateway.refused(connection, request, *refusal)
            return
        if not found[0].has(query.bar_size):
            gateway.complain(
                f"{found[0].symbol}: the table has no bars as small as {query.bar_size}"
            )
            gateway.refused(connection, request, 162, Text.NO_DATA)
            return
        self._deliver(connection, request, found[0], wrong)

    def _deliver(
        self,
        connection: Connection,
        request: Request,
        instrument: Instrument,
        wrong: Mangling | None,
    ) -> None:
        """Send the bars as they are known now; none at all is an error to the real service."""
        query = request.query
        assert isinstance(query, HistoryQuery)
        bars, span_ns = self.bars(instrument, query)
        if not bars and not query.keep_up_to_date:
            names = {"exchange": query.contract.exchange or "SMART", "what": query.what.title()}
            text = words(162, "no_data", symbol=instrument.symbol, **names)
            self._gateway.refused(connection, request, 162, text)
            return
        dates = answers.dates_of(bars, query.bar_size, query.format_date, instrument)
        span = (
            bar_date(span_ns[0], "", 1, instrument.hours),
            bar_date(span_ns[1], "", 1, instrument.hours),
        )
        self._gateway.finished(connection, request)
        fields = answers.history(request, bars, span, dates, query.what)
        connection.send(mangled(fields, wrong) if wrong else fields)
        if query.keep_up_to_date:
            self._gateway.streams.keep_up_to_date(connection, request, instrument)

    def bars(
        self, instrument: Instrument, query: HistoryQuery
    ) -> tuple[list[MarketBar], tuple[int, int]]:
        """Return what a legal request gets now, and the span it asked for."""
        now_ns = self._gateway.clock.now_ns()
        end_ns = min(end_instant(query.end, now_ns) or now_ns, now_ns)
        settings = self._gateway.settings
        span = window(
            query.duration,
            end_ns,
            instrument.hours,
            regular=query.regular_hours,
            days_are_sessions=settings.days == "sessions",
        )
        assert span is not None, "the duration was checked"
        first_ns = span[0]
        if settings.first_bar == "overlapping":
            first_ns -= SIZES_NS[query.bar_size] - 1
        bars = instrument.shown(
            query.bar_size, first_ns, span[1], now_ns, regular=query.regular_hours
        )
        return bars, span

    def cancel(self, connection: Connection, request: Request) -> None:
        """End a request that is kept up to date; others are over or not known."""
        number = request.request_id
        if number in connection.open_history:
            connection.open_history.discard(number)
            self._gateway.streams.end(connection, number)
            connection.send_error(162, words(162, "cancelled", request_id=number), number)
            return
        if number not in connection.lost_streams:
            self._gateway.complain(
                f"connection {connection.number} cancelled history request {number}, which was over"
            )
        connection.send_usual(366, number)

    def head_timestamp(self, connection: Connection, request: Request) -> None:
        """Answer where a symbol's history begins."""
        assert request.contract is not None
        found = self._gateway.market.matching(request.contract)
        if not found or not found[0].bars:
            self._gateway.refused(connection, request, 200, Text.NO_SECURITY)
            return
        format_date = int(request.fields[-1] or 1)
        text = bar_date(found[0].bars[0].start_ns, "", format_date, found[0].hours)
        self._gateway.finished(connection, request)
        connection.send(answers.head_timestamp(request.request_id, text))

    def _refusal(self, query: HistoryQuery, found: list[Instrument]) -> tuple[int, str] | None:
        """Say why a request is not legal: code and text."""
        if not found:
            return 200, Text.NO_SECURITY
        if len(found) > 1:
            return 200, words(200, "ambiguous", symbol=query.contract.label)
        if query.what not in KINDS_OF_BARS:
            return 321, words(321, cause=f"Invalid what to show {query.what}")
        if query.end and (query.keep_up_to_date or query.what == "ADJUSTED_LAST"):
            return 321, words(321, cause="End date not supported with this request")
        if end_instant(query.end, 0) is None:
            return 10314, Text.BAD_END
        cause = step_refused(query.duration, query.bar_size)
        if cause and (self._gateway.settings.legal_steps or not cause.startswith("invalid step")):
            return 321, words(321, cause=cause)
        return None
