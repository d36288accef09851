"""The daemon: one live account from start-up to its end.

Order of start: config, lock, latch, recovery, journal, control socket, and only then READY and
the first input. Order of stop: nothing more is admitted, the open turn is committed, the account
is written down by value, the journal is closed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daemon import ENGINE_VERSION, __version__, service
from daemon.control.killswitch import KILL_SWITCH, KillSwitch
from daemon.control.server import ControlServer
from daemon.core.trading_state import HoldSource
from daemon.core.values import values_of
from daemon.errors import BusyError, Exit, PapertapeError
from daemon.feeds.calendar import load_calendar
from daemon.journal.faults import JournalBrokenError, JournalFullError
from daemon.live.committer import Committer
from daemon.live.inbox import Inbox
from daemon.live.monitor import Monitor
from daemon.live.opening import Opened, open_live
from daemon.live.recovery import Place, Told
from daemon.live.running import Live
from daemon.live.segments import Setup
from daemon.observability.server import require
from daemon.ports import Source
from daemon.state_directory import StateDirectory
from daemon.supervisor import supervise
from daemon.tasks import TaskFailedError

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.journal.store import LiveJournal

STOP_WITHIN_S = 15.0
"""How long the open turn of a stopping daemon may take; systemd's own limit is longer."""
HEARTBEAT_S = 1.0
MARK_EVERY_S = 60.0


class MakeSource(Protocol):
    """Makes the source of a feed that goes on where the journal ends."""

    def __call__(
        self, place: Place | None, *, held: bool, same_tape: bool, told: Sequence[Told]
    ) -> Source:
        """`held`: the account carries the feed's hold; `same_tape`: the config is the same.

        `told` are the commands that the feed was told before. Raises RefusedError where the feed
        has nothing like the journal's last input.
        """


class Prepare(Protocol):
    """Loads what the feed of a config needs."""

    def __call__(self, config: Config, state: Path) -> tuple[Setup, MakeSource]:
        """RefusedError where something is missing or wrong."""


def run(
    config: Config,
    state_path: Path,
    prepare: Prepare,
    log: Any,
    overrides: Sequence[tuple[str, str]] = (),
    switch: KillSwitch = KILL_SWITCH,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run the daemon until it is stopped or its tape ends; the exit code.

    `overrides` are those `config` was loaded with, for a reload.
    """
    if not switch.installed:  # by whoever calls this without the entry point, which does it first
        switch.install()
    state = StateDirectory(state_path)
    state.make()
    with state:
        switch.attach(state.latch)
        state.latch.arm()
        setup, make_source = prepare(config, state_path)
        if config.observability.metrics is not None:
            require(config.observability.metrics)
        began = time.perf_counter()
        opened = open_live(state_path, setup)
        seconds = round(time.perf_counter() - began, 3)
        log.info(  # only now: a refused start says one line and nothing else
            "started",
            name=config.name,
            version=__version__,
            engine=ENGINE_VERSION,
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            config_sha256=config.sha256,
            state=str(state_path),
            pid=os.getpid(),
        )
        log.info(
            "recovered",
            turns=opened.rerun.turns,
            segment="new" if opened.new_segment else opened.rerun.segment.segment,
            state=opened.rerun.account.control.state.name,
            seconds=seconds,
        )
        for note in (*opened.notes, opened.mark_note):
            if note is not None:
                log.warning("start_note", note=note)
        if switch.stops:
            log.info("stopped", reason="asked to stop during start-up")
            return Exit.OK
        held = any(hold.cause == HoldSource.FEED for hold in opened.rerun.account.control.holds)
        again = opened.rerun
        same_tape = opened.new_segment is None
        source = make_source(again.place, held=held, same_tape=same_tape, told=again.told)
        gc.collect()
        gc.freeze()
        daemon = _Daemon(state, setup, opened, switch, log, overrides)
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(daemon.serve(source))
        except PapertapeError:
            raise  # it could not begin
        except BaseException:
            # Whatever ended it, a restart must not trade before somebody has looked.
            switch.throw(HoldSource.FAULT, "the daemon ended by a fault")
            state.latch.sync()
            raise


class _Daemon:
    """The parts of a running daemon, and the order in which they come and go."""

    def __init__(
        self,
        state: StateDirectory,
        setup: Setup,
        opened: Opened,
        switch: KillSwitch,
        log: Any,
        overrides: Sequence[tuple[str, str]],
    ) -> None:
        self._state = state
        self._setup = setup
        self._opened = opened
        self._switch = switch
        self._log = log
        self._overrides = overrides
        self._started = time.time()
        self._stopping: str | None = None
        self._deadline: asyncio.Timeout | None = None
        self._live: Live | None = None

    async def serve(self, source: Source) -> int:
        """Everything between the recovered account and the closed journal."""
        from daemon.journal.store import LiveJournal

        journal = await LiveJournal.open(self._state.journal)
        try:
            new = self._opened.new_segment
            if new is not None:
                await journal.open_segment(new.first_seq, new.reason, new.manifest, new.opening)
                again = self._opened.rerun
                again.segment = again.segment._replace(segment=journal.segment)
            return await self._trade(journal, source)
        finally:
            await journal.close()
            if journal.mark_failure is not None:
                self._log.warning("mark_not_written", problem=journal.mark_failure)

    async def _trade(self, journal: LiveJournal, source: Source) -> int:
        from daemon.control.operator import Operator

        again, switch = self._opened.rerun, self._switch
        inbox = Inbox(source.now, again.last_instant)
        committer = Committer(journal, inbox, switch, self._state.latch, again, self._log)
        self._live = live = Live(
            self._state, self._setup, self._opened, inbox, committer, journal, source, switch,
            self._log, self._started, self._stop, self._setup.config, self._overrides,
            load_calendar(self._state.path, self._setup.config.bars.calendar),
        )  # fmt: skip
        again.pipeline.go_live(committer, switch)
        if again.predictor is not None:
            again.predictor.recorded = None
        loop = asyncio.get_running_loop()
        monitor = Monitor(live)
        operator = Operator(live, monitor)
        server = ControlServer(self._state.socket, operator.by_verb())
        await server.start()
        switch.wake = lambda: loop.call_soon_threadsafe(self._on_signal, operator.reload_by_signal)
        try:
            monitor.start()
            committer.agree()
            self._on_signal(operator.reload_by_signal)  # what came before anybody could be woken
            return await self._supervised(live, source, monitor)
        finally:
            switch.wake = None
            inbox.give_up()
            await server.stop()
            monitor.close()

    async def _supervised(self, live: Live, source: Source, monitor: Monitor) -> int:
        beside = {
            "source": self._drive(source, live, monitor),
            "heartbeat": self._beat(live, monitor),
        }
        try:
            async with asyncio.timeout(None) as self._deadline:
                await supervise(live.rerun.pipeline, live.inbox, beside=beside)
        except TaskFailedError as error:
            return self._failed(error)
        except TimeoutError:
            self._log.critical("stopped_with_open_turn", blocked=live.committer.blocked)
            return Exit.INTERNAL
        await self._close(live)
        return Exit.OK

    async def _drive(self, source: Source, live: Live, monitor: Monitor) -> None:
        """The source, until its tape ends; then the daemon stops."""
        await source.start()
        monitor.ready()
        service.ready(live.status_line())
        self._log.info("ready", version=__version__)
        try:
            await source.run(live.inbox.offer)
        except BusyError:  # what it offered was not admitted any more
            if self._stopping is None:
                raise
        self._stop("the tape has ended")
        await asyncio.Event().wait()

    async def _beat(self, live: Live, monitor: Monitor) -> None:
        """Idle passes of the loop: the watchdog, a latch that was made by hand, the mark."""
        interval = service.watchdog_interval_s()
        pause = HEARTBEAT_S if interval is None else min(HEARTBEAT_S, interval)
        loop = asyncio.get_running_loop()
        since_mark, told, expected = 0.0, "", loop.time()
        while True:
            service.alive()
            monitor.beat(max(0.0, loop.time() - expected))
            line = live.status_line()
            if line != told:
                service.status(line)
                told = line
            live.committer.look()
            if since_mark >= MARK_EVERY_S:
                since_mark = 0.0
                await live.journal.sync_mark()
            expected = loop.time() + pause
            await asyncio.sleep(pause)
            since_mark += pause

    async def _close(self, live: Live) -> None:
        """After the last turn: the account by value, so that a changed config can go on from it."""
        pipeline = live.rerun.pipeline
        if pipeline.seq:
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await live.journal.write_closing(pipeline.seq, values_of(live.rerun.account))
            except (JournalFullError, JournalBrokenError) as error:
                self._log.warning("closing_not_written", problem=str(error))
            except TimeoutError:
                problem = f"the disk has not answered for {STOP_WITHIN_S:g} s"
                self._log.warning("closing_not_written", problem=problem)
        self._log.info(
            "stopped", reason=self._stopping, turns=pipeline.seq, digest=live.rerun.digest_now
        )

    def _failed(self, error: TaskFailedError) -> int:
        """A dead task: latched, nothing of the open turn committed."""
        self._switch.throw(HoldSource.FAULT, str(error))
        self._state.latch.sync()
        lines = error.cause.lines if isinstance(error.cause, PapertapeError) else (str(error),)
        self._log.critical("task_failed", task=error.task, problem=" ".join(lines), error=error)
        return Exit.INTERNAL

    # --- signals and the end --------------------------------------------------------------------

    def _on_signal(self, reload_config: Callable[[], None]) -> None:
        assert self._live is not None, "signals before the daemon is live"
        if self._switch.stops:
            self._stop("asked to stop by a signal")
        if self._switch.reloads:
            self._switch.reloads = 0
            reload_config()
        self._live.committer.look()

    def _stop(self, reason: str) -> None:
        """Stop in order; what has begun may take STOP_WITHIN_S."""
        if self._stopping is not None or self._live is None:
            return
        self._stopping = reason
        service.stopping(f"stopping: {reason}")
        self._log.info("stopping", reason=reason)
        self._live.inbox.stop()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + STOP_WITHIN_S)
