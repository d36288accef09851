"""What each request to a running daemon does: commands become turns, answers come from them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from daemon import service
from daemon.control.feed_operator import FeedOperator
from daemon.control.reload import plan_reload
from daemon.control.server import Handler, Request
from daemon.control.status import live_document, told_changes, what_still_holds
from daemon.core.events import Commands, Note, Pause, Reduce, Resume
from daemon.core.outputs import CommandRefused, StateChanged
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.errors import Exit, PapertapeError
from daemon.live.inbox import MAKES
from daemon.live.notifications import told

if TYPE_CHECKING:
    from daemon.live.monitor import Monitor
    from daemon.live.running import Live

_SET = {
    Pause: (
        TradingState.PAUSED,
        "no new orders; protective stops kept (`papertape resume` goes on)",
    ),
    Reduce: (TradingState.REDUCING, "no entries, exits run on (`papertape resume` goes on)"),
}
"""The state that a command asks for, and what that means."""


class Operator:
    """Handlers by verb; each waits until its turn is committed."""

    def __init__(self, live: Live, monitor: Monitor) -> None:
        self._live = live
        self._monitor = monitor
        self._feed = FeedOperator(live)
        self._reloading: set[asyncio.Task[Any]] = set()

    def by_verb(self) -> Mapping[str, Handler]:
        """What the control socket offers."""
        return {
            "status": self.status,
            "pause": self._simple(Pause),
            "resume": self._simple(Resume),
            "reduce": self._simple(Reduce),
            "note": self._simple(Note),
            "reset": self.reset,
            "reload": self.reload,
            "action": self._feed.action,
            "release": self._feed.release,
            "reject": self._feed.reject,
            "notify_test": self.notify_test,
        }

    async def status(self, request: Request) -> dict[str, Any]:
        """The whole standing of the daemon, between two turns or in an open one."""
        document = live_document(self._live, self._monitor.notifications.document())
        return {"code": 0, "lines": [], "status": document}

    def _simple(self, kind: type[Pause | Resume | Reduce | Note]) -> Handler:
        async def handle(request: Request) -> dict[str, Any]:
            reason = str(request.get("reason") or "")

            def make(now: int) -> Commands:
                return kind(now, HoldSource.OPERATOR, reason)

            turn = await self._turn_of(make)
            if kind is Note:
                return self._answer(turn, [f"noted as turn {turn.seq}"])
            account = self._live.rerun.account
            lines = told_changes(turn, account)
            if kind is Resume:
                lines += what_still_holds(account)
            elif any(isinstance(output, StateChanged) for output in turn.outputs):
                lines.append(_what_it_means(kind, account.control.state))
            return self._answer(turn, lines)

        return handle

    async def reset(self, request: Request) -> dict[str, Any]:
        """Lift the halts and then the latch; refused while a cause persists."""
        live = self._live
        making = live.committer.making_reset(
            HoldSource.OPERATOR, str(request.get("reason") or ""), request.get("accept")
        )
        turn = await self._turn_of(making)
        lines = told_changes(turn, live.rerun.account)
        if not _refused(turn):
            lines += what_still_holds(live.rerun.account)
        if live.switch.closed() and not _refused(turn):
            lines.append("a kill came during the reset: still HALTED")
        return self._answer(turn, lines)

    async def reload(self, request: Request) -> dict[str, Any]:
        """Read the config again: limits and observability only; anything else changes nothing.

        Once begun it goes on, also without whoever asked: half of a config must not be in force.
        """
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloaded)
        return await asyncio.shield(task)

    def _reloaded(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._reloading.discard(task)
        # Asked for here as well: that nobody has waited for it is no fault.
        refused = task.cancelled() or task.exception() is not None
        if refused:
            self._monitor.reload_refused()

    async def _reload(self) -> dict[str, Any]:
        self._live.committer.require_storable()
        service.reloading()
        try:
            reloading = plan_reload(self._live)
            observability = reloading.config.observability
            notify, use_notify = reloading.config.notify, None
            if notify != self._live.config.notify:
                use_notify = self._monitor.notifications.prepared(notify)
            self._monitor.serve_at(observability.metrics)
            if use_notify is not None:
                use_notify()
            turn = None
            if reloading.make is not None:
                turn = await self._turn_of(reloading.make)
            if observability.log != self._live.config.observability.log:
                self._live.log.write_as(observability.log)
            self._live.config = reloading.config
        finally:
            service.ready(self._live.status_line())
        lines = list(reloading.changes) or ["nothing has changed in the config"]
        if turn is None:
            return {"code": 0, "lines": lines, "turn": None}
        return self._answer(turn, lines)

    async def notify_test(self, request: Request) -> dict[str, Any]:
        """Send a test message and say how each address took it; trading goes on meanwhile."""
        results = await asyncio.to_thread(self._monitor.notifications.test)
        failed = any(each.problem is not None for each in results)
        code = Exit.CHECK_FAILED if failed else Exit.OK
        return {"code": int(code), "lines": told(results, self._live.log.without_secrets)}

    def reload_by_signal(self) -> None:
        """SIGHUP: the same, told in the log."""
        task = asyncio.get_running_loop().create_task(self._reload_and_log())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    async def _reload_and_log(self) -> None:
        try:
            answer = await self.reload({})
        except PapertapeError as error:
            problem = "; ".join(error.lines)
            self._live.log.error("reload_refused", problem=problem)  # noqa: TRY400 - it is no bug
        else:
            self._live.log.info("reloaded", changes="; ".join(answer["lines"]))

    async def _turn_of(self, makes: MAKES) -> Turn:
        """The turn that a command becomes; BusyError where it could not be stored."""
        self._live.committer.require_storable()
        return await self._live.inbox.command(makes)

    def _answer(self, turn: Turn, lines: list[str]) -> dict[str, Any]:
        state = self._live.rerun.account.control.state.name
        code = Exit.CHECK_FAILED if _refused(turn) else Exit.OK
        return {"code": int(code), "lines": lines, "state": state, "turn": turn.seq}


def _what_it_means(kind: type[Pause | Reduce | Resume | Note], state: TradingState) -> str:
    asked, meaning = _SET[kind]
    if state is asked:
        return meaning
    return f"{state.name} allows less still; then this holds, until `papertape resume`"


def _refused(turn: Turn) -> bool:
    return any(isinstance(output, CommandRefused) for output in turn.outputs)
