"""Tells everybody who is told what the daemon does: once a closed turn, once a heartbeat.

A turn waits for none of them: it is handed to the log's thread and put aside. At the next
heartbeat all that was put aside is counted, remembered for the page and told in messages, beside
one look at the account as it stands then: so what is shown is of one moment, at most a heartbeat
old. What a message might miss by then, a short halt or the balance of a day, is not put off.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from daemon import ENGINE_VERSION, __version__
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.core.units import SECOND_NS
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.journal.ledger import LedgerRow
from daemon.live.display import Display, recorded
from daemon.live.notifications import Notifications
from daemon.observability.clock_watch import ClockWatch
from daemon.observability.events import tell
from daemon.observability.hours import ExchangeHours
from daemon.observability.standing import Standing, standing_of

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.live.running import Live
    from daemon.observability.metrics import Metrics
    from daemon.observability.server import Server

CLOSED_MAX = 1_000
"""Turns that may be put aside between two heartbeats."""


class Closed(NamedTuple):
    """A closed turn, what the ledger learnt, the state after it, and what took how long."""

    turn: Turn
    facts: Sequence[LedgerRow]
    state: TradingState
    steps_s: float
    commit_s: float


class Monitor:
    """Log, metrics, status page and notifications of one daemon; none of it decides anything."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._server: Server | None = None
        self._address: str | None = None
        self._hours = ExchangeHours(live.calendar)
        self._metrics = _metrics(live)
        self._clock = ClockWatch(time.time(), time.monotonic())
        self._told_why = ""
        self._closed: deque[Closed] = deque()
        self.notifications = Notifications(live, self._metrics.notification)
        self._display = Display(
            live, lambda: self._metrics.loop_silence_s, self.notifications.document
        )
        live.committer.on_turn.append(self._turn)

    def start(self) -> None:
        """Serve pages, if the config says where; RefusedError where it cannot."""
        again = self._live.rerun
        self._metrics.recovered(
            self._standing(),
            again.account.venue.book.last,
            None if again.place is None else again.place.instant,
            max(again.account.risk.peak_micros, max(again.pipeline.equity, default=0)),
        )
        self._metrics.watch(again.pipeline.tasks)
        with self._harmless():
            lived = list(recorded(self._live))
            self._display.recover(lived)
            self.notifications.start(turn for turn, _ in lived)
        self.serve_at(self._live.config.observability.metrics)

    def serve_at(self, address: str | None) -> None:
        """Serve there from now on (None: nowhere); RefusedError leaves everything as it was."""
        if self._server is not None and address == self._address:
            return
        server = None
        if address is not None:
            from daemon.observability.health import pages
            from daemon.observability.server import serve

            server = serve(address, {**pages(self._metrics), **self._display.pages})
            self._live.log.info("metrics_served", address=address)
        self._serve_no_more()
        self._server, self._address = server, address

    def ready(self) -> None:
        """Recovered, and the feed's first input is about to be taken."""
        self._feed()
        self._metrics.ready()
        with self._harmless():
            self.notifications.ready(self._standing())

    def beat(self, lag_s: float) -> None:
        """The loop came by, so much later than it was asked to."""
        self._metrics.lag(lag_s)
        step_s = self._clock.step_s(time.time(), time.monotonic())
        if step_s is not None:
            self._metrics.clock_stepped()
            self._live.log.warning("clock_stepped", by_s=round(step_s, 3))
        with self._harmless():
            self._feed()
            self._take_up()
            self._display.show()
            self.notifications.beat()
            if self._live.committer.blocked is not None:
                self._metrics.commit_failed()

    def reload_refused(self) -> None:
        """A config was to be reloaded, and the old one stays in force."""
        self._metrics.reload_refused()

    def close(self) -> None:
        """Say the last things and serve no more."""
        with self._harmless():
            self.notifications.close(self._take_up())
        self._serve_no_more()

    def _serve_no_more(self) -> None:
        if self._server is not None:
            self._server.close()

    def _turn(self, turn: Turn, commit_s: float) -> None:
        live = self._live
        facts, state = live.inbox.facts, live.rerun.account.control.state
        live.log.turn = turn.seq
        try:
            tell(live.log, turn, facts)
            steps_s = self._metrics.steps_s()
            self._closed.append(Closed(turn, facts, state, steps_s, commit_s))
            if len(self._closed) >= CLOSED_MAX or self.notifications.is_news():
                self._take_up()
            elif self.notifications.ends_day(turn):  # before the source brings another day
                asyncio.get_running_loop().call_soon(self._take_up_soon)
        except Exception as error:  # noqa: BLE001 - what is only told must not end a turn
            self._failed(error)

    def _take_up_soon(self) -> None:
        with self._harmless():
            self._take_up()

    def _take_up(self) -> Standing:
        """Tell of what was put aside, and of the account as it stands now."""
        standing = self._standing()
        while self._closed:
            closed = self._closed.popleft()
            self._metrics.turn(closed.turn, closed.facts, closed.steps_s)
            self._metrics.commit(closed.commit_s)
            self._display.turn(closed.turn, closed.state, closed.facts)
            self.notifications.turn(closed.turn, standing, closed.facts)
        self._metrics.stand(standing)
        self.notifications.stand(standing)
        return standing

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """A fault in what is only told must end nothing."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and counted
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._metrics.failures += 1
        self._live.log.error("monitor_failed", exc_info=error)

    def _standing(self) -> Standing:
        live = self._live
        return standing_of(
            live.rerun.account,
            latched=live.switch.thrown,
            next_bar=live.source.next_bar(),
            hours=self._hours.at(live.source.now()),
        )

    def _feed(self) -> None:
        source = self._live.source
        state, generation = source.health()
        standing = source.standing()
        why = standing.get("why", "")
        if (state, why) != (self._metrics.feed_state, self._told_why):
            level = "warning" if standing.get("needs_a_person") else "info"
            fields = {"previous": self._metrics.feed_state, "generation": generation}
            if why:
                fields["why"] = why
            self._live.log.say(level, "feed_changed", {"state": state, **fields})
            self._told_why = why
        self._metrics.feed(state, generation)
        self._metrics.outside(source.outside())


def _metrics(live: Live) -> Metrics:
    from daemon.observability.metrics import Metrics

    config: Config = live.config
    manifest = live.rerun.segment.manifest
    return Metrics(
        config.name,
        config.symbols,
        tuple(live.rerun.pipeline.tasks),
        live.state.path,
        {
            "version": __version__,
            "engine": str(ENGINE_VERSION),
            "model_sha256": manifest["model"]["sha256"] or "",
            "config_sha256": config.sha256,
        },
        lambda: live.log.dropped,
        {
            "papertape_feed_live": config.feed is not None and config.feed.kind != "tape",
            "papertape_bar_duration_seconds": BAR_SIZES_NS[config.bars.size] / SECOND_NS,
        },
        live.calendar,
    )
