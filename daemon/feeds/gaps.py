"""The gap ledger: what expected bars ended as, counted, with a row for each not just received.

The last row of a bar is what it ended as: one that is missing when its slice closes may still be
backfilled, or be late. A bar of the warm-up has no row.
"""

from __future__ import annotations

from daemon.core.events import Bar, Outcome
from daemon.core.units import SECOND_NS
from daemon.feeds.awaited import Waiting
from daemon.feeds.put_aside import Quarantined
from daemon.journal.ledger import LedgerRow

FACTS_WAITING_MAX = 1024
"""Rows that may wait for an input to ride on; those beyond are counted in a last one."""
UNEXPECTED_REMEMBERED = 256
"""Unexpected bars that get one row however often they come."""


class Gaps:
    """`ends` sums up to the bars expected so far; the other counts are of arrivals without effect.

    `old` bars are from before everything that is remembered.
    """

    def __init__(self) -> None:
        self.ends: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.duplicates = 0
        self.revisions = 0
        self.old = 0
        self._facts: list[LedgerRow] = []
        self._dropped = 0
        self._unexpected: dict[tuple[str, int, int], None] = {}

    def take(self) -> tuple[LedgerRow, ...]:
        """The rows that ride on the input that comes out now."""
        taken, self._facts = tuple(self._facts), []
        if self._dropped:
            detail = f"{self._dropped} rows of the ledger left out: too many at once"
            taken = (*taken, LedgerRow("feed", taken[-1].instant, outcome="dropped", detail=detail))
            self._dropped = 0
        return taken

    def feed(self, event: str, now: int, detail: str = "") -> None:
        """Something happened to the feed."""
        self._add(LedgerRow("feed", now, outcome=event, detail=detail))

    def closed(self, waiting: Waiting, outcome: Outcome, now: int, why: str) -> dict[str, Outcome]:
        """A slice comes out with `outcome`, without some bars because of `why`: how each ended."""
        ends: dict[str, Outcome] = {}
        slot, late_s = waiting.slot, (now - waiting.slot.end) / SECOND_NS
        for symbol in slot.symbols:
            bar = waiting.bars.get(symbol)
            if bar is None:
                ends[symbol], detail = waiting.why.get(symbol, (Outcome.MISSING, why))
                if not slot.warmup:
                    self._gap(symbol, slot.start, slot.end, ends[symbol], now, detail)
                continue
            ends[symbol] = outcome
            if outcome is Outcome.BACKFILLED:
                self._gap(symbol, slot.start, slot.end, outcome, now, f"{late_s:g} s after its end")
            other = waiting.others.get(symbol)
            if other is not None and not slot.warmup:
                ends[symbol] = Outcome.REVISED
                self._gap(symbol, slot.start, slot.end, Outcome.REVISED, now, _numbers(other))
        for end in ends.values():
            self.ends[end] += not slot.warmup or end is Outcome.WARMUP
        return ends

    def came_after(self, bar: Bar, now: int, before: Outcome, after: Outcome | None) -> None:
        """A bar of a closed slice has come: see `closed_bars.py`."""
        if after is None:
            self.duplicates += 1
            return
        self.ends[before] -= 1
        self.ends[after] += 1
        detail = f"{(now - bar.end) / SECOND_NS:g} s after its end"
        if after is Outcome.REVISED:
            self.revisions += 1
            detail = _numbers(bar)
        self._gap(bar.symbol, bar.start, bar.end, after, now, detail)

    def rejected(self, one: Quarantined, now: int, reason: str) -> Outcome:
        """A person has said that a quarantined bar is false: it ends as it had."""
        detail = f"rejected: {reason}"
        self._gap(one.symbol, one.start, one.end, Outcome.QUARANTINED, now, detail)
        return Outcome.QUARANTINED

    def unexpected(self, bar: Bar, now: int, detail: str) -> None:
        """A bar that the calendar does not know, or that comes before its time."""
        self.ends[Outcome.UNEXPECTED] += 1
        key = (bar.symbol, bar.start, bar.end)
        if key in self._unexpected:
            return
        if len(self._unexpected) == UNEXPECTED_REMEMBERED:
            del self._unexpected[next(iter(self._unexpected))]
        self._unexpected[key] = None
        self._gap(bar.symbol, bar.start, bar.end, Outcome.UNEXPECTED, now, detail)

    def _gap(
        self, symbol: str, start: int, end: int, outcome: Outcome, now: int, detail: str
    ) -> None:
        self._add(LedgerRow("gap", now, symbol, start, end, outcome.value, detail))

    def _add(self, row: LedgerRow) -> None:
        if len(self._facts) < FACTS_WAITING_MAX:
            self._facts.append(row)
        else:
            self._dropped += 1


def _numbers(bar: Bar) -> str:
    return f"came again as {bar.open:g} {bar.high:g} {bar.low:g} {bar.close:g} {bar.volume}"
