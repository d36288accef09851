"""The vendor's limits on requests for bars: what breaks them is told, and may be refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.request_log import RequestLog
from tests.fake_gateway.requests import HistoryQuery

IDENTICAL_NS = 15 * SECOND_NS
BURST_NS, BURST_MAX = 2 * SECOND_NS, 5
LONG_NS, LONG_MAX = 600 * SECOND_NS, 60


class Limits(Struct, frozen=True):
    """How many requests are allowed within ten minutes; a test may ask for fewer."""

    long_max: int = LONG_MAX


class Pacer:
    """Watch requests in the order of their instants; remembers ten minutes."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._recent: deque[tuple[int, HistoryQuery]] = deque()

    def check(self, now_ns: int, query: HistoryQuery) -> str | None:
        """Take a request in and say which limit it breaks, if it breaks one."""
        while self._recent and now_ns - self._recent[0][0] >= LONG_NS:
            self._recent.popleft()
        self._recent.append((now_ns, query))
        identical = burst = weight = 0
        for at_ns, other in self._recent:
            weight += 2 if other.what == "BID_ASK" else 1
            age_ns = now_ns - at_ns
            identical += other == query and age_ns < IDENTICAL_NS
            burst += _same_source(other, query) and age_ns < BURST_NS
        name = f"{query.contract.label} {query.bar_size} {query.duration} {query.what}"
        if identical > 1:
            return f"{name}: asked {identical} times within 15 s"
        if burst > BURST_MAX:
            return f"{name}: {burst} requests for the same contract within 2 s"
        if weight > self._limits.long_max:
            return f"{name}: request {weight} within 10 minutes"
        return None


def _same_source(one: HistoryQuery, two: HistoryQuery) -> bool:
    return one.contract == two.contract and one.what == two.what


def violations(log: RequestLog, limits: Limits | None = None) -> list[str]:
    """Return every breach of the limits in a log; a client that paces itself has none."""
    return list(_violations(log, limits))


def _violations(log: RequestLog, limits: Limits | None) -> Iterator[str]:
    pacer = Pacer(limits)
    for entry, query in log.history():
        if broken := pacer.check(entry.at_ns, query):
            yield f"{entry.at_ns / SECOND_NS:.3f} {broken}"
