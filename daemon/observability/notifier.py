"""Sends notices from a thread of its own: nothing that it waits for is waited for by trading.

The queue is bounded; where it is full the oldest that is not about a halt makes room. What an
address does not take is tried again, a halt for two hours if nobody took it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from daemon.config.notify import NoticeEvent
from daemon.observability.notice_rules import Notice, NoticeRules
from daemon.observability.notify import Sent

WAITING_MAX = 100
RETRY_AFTER_S = (5.0, 30.0, 120.0)
HALT_EVERY_S = 300.0
HALT_TRIES = 24
CLOSE_WITHIN_S = 3.0

SENT, FAILED, DROPPED = (
    f"papertape_notifications_{what}_total" for what in ("sent", "failed", "dropped")
)
"""The metrics that are counted by `count`."""

Count = Callable[[str, NoticeEvent], None]
Wait = Callable[[threading.Condition, float | None], object]


class SendsTo(Protocol):
    """What reaches people (`notify.Sender`)."""

    def send(self, title: str, body: str, only: Sequence[int] | None = None) -> list[Sent]:
        """Send to every address, or to those numbers; waits for each of them."""


class Notifier:
    """See the module. `count` is told of each notice's end by the metric's name.

    `tell` and `clear` may be called from any thread and return at once.
    """

    def __init__(
        self,
        sender: SendsTo,
        log: Any,
        count: Count,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self._sender = sender
        self._log = log
        self._count = count
        self._monotonic = monotonic
        self._wait = wait
        self._rules = NoticeRules()
        self._waiting: deque[Notice | tuple[NoticeEvent, str]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()

    def tell(self, notice: Notice) -> None:
        """Send it when its turn comes, unless it has been told already."""
        self._put(notice)

    def clear(self, event: NoticeEvent, key: str) -> None:
        """What it was about is over."""
        self._put((event, key))

    def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Send what waits, once, for at most so long."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(within_s)

    def _put(self, item: Notice | tuple[NoticeEvent, str]) -> None:
        with self._changed:
            if len(self._waiting) >= WAITING_MAX:
                self._make_room()
            self._waiting.append(item)
            self._changed.notify()

    def _make_room(self) -> None:
        for place, item in enumerate(self._waiting):
            if item[0] != "halt":
                del self._waiting[place]
                break
        else:
            item = self._waiting.popleft()
        if isinstance(item, Notice):
            self._count(DROPPED, item.event)

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            item = self._next()
            if item is None and self._closing:
                return
            now = self._monotonic()
            try:
                if isinstance(item, Notice):
                    notice = self._rules.offer(item, now)
                    if notice is not None:
                        self._deliver(notice)
                elif item is not None:
                    self._rules.clear(*item)
                for notice in self._rules.due(self._monotonic()):
                    self._deliver(notice)
                self._count_dropped()
            except Exception:  # noqa: BLE001 - whatever it is, the next notice may fare better
                self._log.exception("notification_lost")

    def _next(self) -> Notice | tuple[NoticeEvent, str] | None:
        """What comes next; None when something that waited is due, or at the end."""
        with self._changed:
            while not self._waiting:
                due = self._rules.next_due()
                left = None if due is None else due - self._monotonic()
                if self._closing or (left is not None and left <= 0):
                    return None
                self._wait(self._changed, left)
            return self._waiting.popleft()

    def _deliver(self, notice: Notice) -> None:
        """Try until every address has it, or it has been tried often enough."""
        only: Sequence[int] | None = None
        reached = False
        for pause_s in _pauses(notice):
            results = self._sender.send(notice.title, notice.body, only)
            failed = [each for each in results if each.problem is not None]
            reached = reached or len(failed) < len(results)
            if not failed:
                break
            for each in failed:
                self._log.warning(
                    "notification_failed",
                    notice=notice.event,
                    address=each.address,
                    service=each.service,
                    problem=each.problem,
                )
            only = [each.address for each in failed]
            enough = reached and pause_s >= HALT_EVERY_S
            if enough or not self._rest(pause_s):
                break
        self._count(SENT if reached else FAILED, notice.event)
        if reached:
            self._log.info("notification_sent", notice=notice.event, title=notice.title)

    def _rest(self, seconds: float) -> bool:
        """Wait before the next try; False when there is none because the end has come."""
        until = self._monotonic() + seconds
        with self._changed:
            while not self._closing:
                left = until - self._monotonic()
                if left <= 0:
                    return seconds > 0
                self._wait(self._changed, left)
        return False

    def _count_dropped(self) -> None:
        dropped, self._rules.dropped = self._rules.dropped, {}
        for event, times in dropped.items():
            for _ in range(times):
                self._count(DROPPED, event)


def _pauses(notice: Notice) -> Sequence[float]:
    """How long to wait after each try that failed; nothing after the last."""
    if notice.event == "halt":
        return (*RETRY_AFTER_S, *[HALT_EVERY_S] * HALT_TRIES, 0.0)
    return (*RETRY_AFTER_S, 0.0)
