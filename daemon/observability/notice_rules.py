"""When a notice is sent: not the same one again and again, and not too many in all.

Pure: time (seconds of a clock that never goes back) is an argument.
"""

from __future__ import annotations

from typing import NamedTuple

from daemon.config.notify import NoticeEvent

MINUTE_S = 60.0

QUIET_S: dict[NoticeEvent, float] = {
    "pause": 10 * MINUTE_S,
    "feed": 10 * MINUTE_S,
    "gap": 60 * MINUTE_S,
}
"""After one of these the next of the same key waits so long; the others are told when they come,
for each of them is one change."""

BURST_MAX = 12
REFILL_EVERY_S = 3 * MINUTE_S
"""So many may be sent at once, and one more every three minutes. A halt always is."""
KEYS_MAX = 200


class Notice(NamedTuple):
    """A message; two with the same event and `key` are about the same thing."""

    event: NoticeEvent
    key: str
    title: str
    body: str


class _Waiting(NamedTuple):
    notice: Notice
    due: float
    others: int


class NoticeRules:
    """What may be sent now. `dropped` counts what was too much."""

    def __init__(self) -> None:
        self.dropped: dict[NoticeEvent, int] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._left = float(BURST_MAX)
        self._filled_at = 0.0
        self._held_back = 0

    def offer(self, notice: Notice, now: float) -> Notice | None:
        """What to send of it now; None: nothing, or later (`due`)."""
        place = (notice.event, notice.key)
        quiet_s = QUIET_S.get(notice.event)
        if quiet_s is None:
            return self._limited(notice, now)
        told = self._told.get(place)
        if told is None or now - told >= quiet_s:
            self._tell(place, now)
            return self._limited(notice, now)
        waiting = self._waiting.get(place)
        others = 0 if waiting is None else waiting.others + 1
        self._waiting[place] = _Waiting(notice, told + quiet_s, others)
        return None

    def clear(self, event: NoticeEvent, key: str) -> None:
        """It is over: what waits about it is not worth telling any more."""
        self._waiting.pop((event, key), None)

    def due(self, now: float) -> list[Notice]:
        """What has waited long enough."""
        found = []
        for place, waiting in list(self._waiting.items()):
            if waiting.due <= now:
                del self._waiting[place]
                self._tell(place, now)
                notice = waiting.notice
                if waiting.others:
                    body = f"{notice.body}\n({waiting.others} more like it before)"
                    notice = notice._replace(body=body)
                limited = self._limited(notice, now)
                if limited is not None:
                    found.append(limited)
        return found

    def next_due(self) -> float | None:
        """When `due` has something to say."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def _tell(self, place: tuple[str, str], now: float) -> None:
        self._told.pop(place, None)
        self._told[place] = now
        if len(self._told) > KEYS_MAX:
            del self._told[next(iter(self._told))]

    def _limited(self, notice: Notice, now: float) -> Notice | None:
        self._left = min(BURST_MAX, self._left + (now - self._filled_at) / REFILL_EVERY_S)
        self._filled_at = now
        if self._left < 1 and notice.event != "halt":
            self._held_back += 1
            self.dropped[notice.event] = self.dropped.get(notice.event, 0) + 1
            return None
        self._left = max(0.0, self._left - 1)
        if self._held_back:
            body = f"{notice.body}\n({self._held_back} messages before it were held back)"
            notice, self._held_back = notice._replace(body=body), 0
        return notice
