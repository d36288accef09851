"""How long a live bar waits for its decision: from the feed's hands to a turn that is to be stored.

The daemon of `observability.py`, watched from outside: between the feed's offer and the committer
lie the inbox, the loop and all tasks of the turn. Wall time, since waiting is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

from daemon.core.events import MarketSlice
from daemon.core.turn import Turn
from daemon.feeds.bar_clock import Emitted
from daemon.live.committer import Committer
from daemon.live.inbox import Inbox
from tests.bench.observability import run_daemon
from tests.bench.table import Row
from tests.bench.workload import Workload

DECIDED_GOAL_MS = 0.5


def decided_row(workload: Workload, folder: Path) -> Row:
    """99 of 100 bars of a daemon are decided in so many milliseconds."""
    folder.mkdir()
    spent_ms: list[float] = []
    with _watching(spent_ms):
        run_daemon(workload, folder / "state", [])
    note = f"median {median(spent_ms):.2f} ms, {len(spent_ms):,} bars"
    p99 = quantiles(spent_ms, n=100)[-1]
    return Row("bar received to orders decided, live, p99", p99, "ms", DECIDED_GOAL_MS, note=note)


@contextmanager
def _watching(spent_ms: list[float]) -> Iterator[None]:
    offer, keep = Inbox.offer, Committer.keep
    offered = 0

    async def timed_offer(inbox: Inbox, emitted: Emitted) -> Turn:
        nonlocal offered
        offered = perf_counter_ns()
        return await offer(inbox, emitted)

    def timed_keep(committer: Committer, turn: Turn) -> None:
        if isinstance(turn.input, MarketSlice) and turn.input.bars:
            spent_ms.append((perf_counter_ns() - offered) / 1e6)
        keep(committer, turn)

    inboxes: Any = Inbox
    committers: Any = Committer
    inboxes.offer, committers.keep = timed_offer, timed_keep
    try:
        yield
    finally:
        inboxes.offer, committers.keep = offer, keep
