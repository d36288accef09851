"""The daemon's metrics: counted as turns close, shown when somebody asks.

    metrics = Metrics("nvda-hourly", ("NVDA",), TASKS, state, build={"version": "1.0"})
    metrics.turn(turn, facts)
    metrics.stand(standing_of(account, latched=False))
    server = serve("127.0.0.1:9108", {"/metrics": metrics.page})

Counting is a few additions in the thread of the event loop; all else happens in the thread that
serves (readings.py, server.py). A fault in here is counted and never raised into a turn.
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daemon.core.events import MarketSlice
from daemon.core.turn import Turn
from daemon.core.units import MICROS_PER_USD, SECOND_NS
from daemon.journal.ledger import LedgerRow
from daemon.observability import readings
from daemon.observability.checks import Checks
from daemon.observability.metric_table import METRICS, Metric
from daemon.observability.readings import Rows
from daemon.observability.server import Reply
from daemon.observability.standing import Standing
from daemon.observability.tallies import Buckets, Tallies
from daemon.ports import Outside

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family

    from daemon.feeds.calendar import Calendar

HEARTBEAT_S = 1.0
"""How often `lag` is called by a loop that is not blocked."""


class WatchedTask(Protocol):
    """What is shown of a supervised task."""

    failures: int
    observe: Callable[[int], None] | None

    @property
    def depth(self) -> int: ...


class Metrics:
    """All metrics of one account; `build` are the labels of `papertape_build_info`.

    `tasks` are names; `watch` brings the tasks themselves once they exist. `constants` are gauges
    that never change. The calendar knows when checks are due.
    """

    def __init__(
        self,
        name: str,
        symbols: Sequence[str],
        tasks: Sequence[str],
        state: Path,
        build: Mapping[str, str],
        dropped: Callable[[], int] = lambda: 0,
        constants: Mapping[str, float] | None = None,
        calendar: Calendar | None = None,
    ) -> None:
        self.tallies = Tallies(symbols, tasks)
        self.failures = 0
        self.is_ready = False
        self.feed_state: str | None = None
        self._name = name
        self._tasks: Mapping[str, WatchedTask] = {}
        self._task_names = tuple(tasks)
        self._state = state
        known = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, **build}
        self._build = tuple(known.get(label, "") for label in METRICS[_BUILD].labels)
        self._dropped = dropped
        self._checks = Checks(state)
        self._calendar = calendar
        self._standing: Standing | None = None
        self._started = time.time()
        self._generation = 0
        self._outside = Outside()
        self._constants = dict(constants or {})
        self._commit_failures = 0
        self._blocked = False
        self._spent_s = 0.0
        self._lag_s = 0.0
        self._beat = time.monotonic()
        self._seen = self._started
        self._registry = _registry(self)

    # --- what happens: called from the event loop ------------------------------------------------

    def steps_s(self) -> float:
        """What the steps have taken since this was asked last, at the end of a turn."""
        spent_s, self._spent_s = self._spent_s, 0.0
        return spent_s

    def turn(self, turn: Turn, facts: Iterable[LedgerRow] = (), steps_s: float = 0.0) -> None:
        """A turn was closed; `facts` is what the ledger learnt, `steps_s` what its steps took."""
        self.tallies.turns.add(steps_s)
        try:
            self.tallies.turn(turn, facts)
        except Exception:  # noqa: BLE001 - counting must not end the turn
            self.failures += 1

    def stand(self, standing: Standing) -> None:
        """The account as it stands now."""
        self._standing = standing

    def recovered(
        self,
        standing: Standing,
        last: MarketSlice | None,
        instant: int | None,
        peak_micros: int,
    ) -> None:
        """Go on from a recovered account, counting nothing of what it lived through.

        `last` is the slice it saw last, `instant` that of the feed's last input, `peak_micros` the
        highest equity known of.
        """
        self._standing = standing
        self.tallies.take_over(last, instant)
        self.tallies.peak_micros = max(peak_micros, standing.equity_micros)

    def watch(self, tasks: Mapping[str, WatchedTask]) -> None:
        """Show mailboxes, failures and the time of the steps of these tasks from now on."""
        self._tasks = tasks
        for name, task in tasks.items():
            task.observe = partial(self._step, self.tallies.steps[name])

    def _step(self, buckets: Buckets, nanoseconds: int) -> None:
        seconds = nanoseconds / SECOND_NS
        buckets.add(seconds)
        self._spent_s += seconds

    def ready(self) -> None:
        """Recovered, and about to take the feed's first input."""
        self.is_ready = True

    def commit(self, seconds: float) -> None:
        """A turn has been committed."""
        self.tallies.commits.add(seconds)
        self._blocked = False

    def commit_failed(self) -> None:
        """A turn could not be committed and stays open."""
        self._commit_failures += 1
        self._blocked = True

    def lag(self, seconds: float) -> None:
        """The loop is alive and came by so much later than it was asked to; every HEARTBEAT_S."""
        self._lag_s = seconds
        self._beat = time.monotonic()
        self._seen = time.time()

    def clock_stepped(self) -> None:
        """This machine's clock has jumped."""
        self.tallies.counts["papertape_clock_steps_total"][()] += 1

    def reload_refused(self) -> None:
        """A config was to be reloaded, and the old one stays in force."""
        self.tallies.counts["papertape_reloads_refused_total"][()] += 1

    def notification(self, metric: str, event: str) -> None:
        """What became of a notice; called by one thread at a time, the notifier's as a rule."""
        self.tallies.counts[metric][event,] += 1

    def feed(self, state: str, generation: int) -> None:
        """The feed's state, and how often it has been connected."""
        self.feed_state, self._generation = state, generation

    def outside(self, outside: Outside) -> None:
        """What the feed's source knows of the world behind it."""
        self._outside = outside

    # --- what is shown: called from the thread that serves ----------------------------------------

    @property
    def loop_silence_s(self) -> float:
        """Seconds since the loop was seen last."""
        return time.monotonic() - self._beat

    def page(self) -> Reply:
        """The answer to a scrape."""
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        try:
            return Reply(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry))
        except Exception:
            self.failures += 1
            raise

    def collect(self) -> Iterator[Family]:
        """Every metric of the table, with its series."""
        rows = dict(self._rows())
        histograms = self._histograms()
        for name, metric in METRICS.items():
            if metric.kind == "histogram":
                yield self._histogram(name, metric, histograms[name])
            else:
                yield self._family(name, metric, rows.get(name, {}))

    def _rows(self) -> Iterator[tuple[str, Rows]]:
        tallies, standing = self.tallies, self._standing
        yield from self._counters()
        if standing is not None:
            yield from readings.account_rows(standing, tallies)
        next_bar = None if standing is None else standing.next_bar
        yield from chain(
            readings.bar_rows(tallies, next_bar),
            readings.hour_rows(None if standing is None else standing.hours),
            readings.feed_rows(self.feed_state, self._generation),
            readings.outside_rows(self._outside),
            readings.check_rows(self._checks, self._calendar),
            readings.disk_rows(self._state),
            readings.process_rows(self._started),
        )
        for name, value in self._constants.items():
            yield name, {(): value}
        yield "papertape_ready", {(): self.is_ready}
        yield "papertape_journal_blocked", {(): self._blocked}
        yield "papertape_mailbox_depth", self._by_task(lambda task: task.depth)
        yield "papertape_loop_seen_timestamp_seconds", {(): self._seen}
        lag = max(self._lag_s, self.loop_silence_s - HEARTBEAT_S)
        yield "papertape_loop_lag_seconds", {(): lag}
        yield _BUILD, {self._build: 1}

    def _counters(self) -> Iterator[tuple[str, Rows]]:
        for name, counts in self.tallies.counts.items():
            if name == "papertape_costs_usd_total":
                yield name, {labels: micros / MICROS_PER_USD for labels, micros in counts.items()}
            else:
                yield name, counts
        yield "papertape_task_failures_total", self._by_task(lambda task: task.failures)
        yield "papertape_journal_commit_failures_total", {(): self._commit_failures}
        yield "papertape_log_lines_dropped_total", {(): self._dropped()}
        yield "papertape_metrics_failures_total", {(): self.failures}

    def _by_task(self, number: Callable[[WatchedTask], int]) -> Rows:
        found: dict[tuple[str, ...], float] = {(name,): 0 for name in self._task_names}
        found.update({(name,): number(task) for name, task in self._tasks.items()})
        return found

    def _histograms(self) -> dict[str, dict[tuple[str, ...], Buckets]]:
        tallies = self.tallies
        return {
            "papertape_step_duration_seconds": {(k,): v for k, v in tallies.steps.items()},
            "papertape_turn_duration_seconds": {(): tallies.turns},
            "papertape_journal_commit_duration_seconds": {(): tallies.commits},
        }

    def _family(self, name: str, metric: Metric, rows: Rows) -> Family:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(name, metric.help, labels=("name", *metric.labels))
        for labels, value in rows.items():
            family.add_metric((self._name, *labels), float(value))
        return family

    def _histogram(
        self, name: str, metric: Metric, rows: Mapping[tuple[str, ...], Buckets]
    ) -> Family:
        from prometheus_client.metrics_core import HistogramMetricFamily
        from prometheus_client.utils import floatToGoString

        family = HistogramMetricFamily(name, metric.help, labels=("name", *metric.labels))
        for labels, buckets in rows.items():
            bounds = [*map(floatToGoString, buckets.bounds), "+Inf"]
            counts = list(buckets.counts)  # of one moment, so that the sums fit together
            cumulative = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric((self._name, *labels), cumulative, buckets.total)
        return family


_BUILD = "papertape_build_info"


def _registry(collector: Any) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
