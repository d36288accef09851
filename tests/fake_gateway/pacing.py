"""The vendor's limits on requests: what breaks them is told, and may be refused."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.request_log import Entry, RequestLog
from tests.fake_gateway.requests import CONVERSATION, HistoryQuery, Kind

IDENTICAL_NS = 15 * SECOND_NS
BURST_NS, BURST_MAX = 2 * SECOND_NS, 5
LONG_NS, LONG_MAX = 600 * SECOND_NS, 60
OPEN_MAX = 50
MESSAGES_NS, MESSAGES_MAX = SECOND_NS, 50


class Pacer:
    """Watch requests for bars in the order of their instants; remembers ten minutes."""

    def __init__(self, long_max: int = LONG_MAX) -> None:
        self._long_max = long_max
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
        if weight > self._long_max:
            return f"{name}: request {weight} within 10 minutes"
        return None


def _same_source(one: HistoryQuery, two: HistoryQuery) -> bool:
    return one.contract == two.contract and one.what == two.what


def violations(log: RequestLog, long_max: int = LONG_MAX) -> list[str]:
    """Return every breach of the vendor's limits in a log; a client that paces itself has none."""
    return [f"{entry.when} {broken}" for entry, broken in _violations(log, long_max)]


def _violations(log: RequestLog, long_max: int) -> Iterator[tuple[Entry, str]]:
    pacer = Pacer(long_max)
    for entry, query in log.history():
        if broken := pacer.check(entry.at_ns, query):
            yield entry, broken
        if entry.open_history > OPEN_MAX:
            yield entry, f"{entry.open_history} requests for bars open at once"
    messages: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in log.entries:
        if entry.kind not in CONVERSATION:
            messages[entry.connection].append(entry)
    for connection, sent in messages.items():
        for entry in _crowded(sent, MESSAGES_NS, MESSAGES_MAX):
            yield entry, f"connection {connection}: more than {MESSAGES_MAX} messages within 1 s"


def crowded(
    log: RequestLog, kind: Kind | str, within_s: float, at_most: int, symbol: str | None = None
) -> list[str]:
    """Return the requests of a kind that come too close together: signs of a tight retry loop.

    With kind "accept" it judges how often a client connects.
    """
    found = _crowded(log.of(kind, symbol), round(within_s * SECOND_NS), at_most)
    return [f"{entry.when} more than {at_most} x {kind} within {within_s:g} s" for entry in found]


def _crowded(entries: list[Entry], within_ns: int, at_most: int) -> Iterator[Entry]:
    for first, last in zip(entries, entries[at_most:], strict=False):
        if last.at_ns - first.at_ns < within_ns:
            yield last
