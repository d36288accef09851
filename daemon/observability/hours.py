"""When the exchange closed last, closes and opens next: what tells an alarm from a quiet night."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar


class Hours(NamedTuple):
    """Instants (UTC ns) around one; 0 where the calendar knows none.

    The exchange is open where the next close comes before the next open.
    """

    previous_close: int
    next_close: int
    next_open: int


class ExchangeHours:
    """The opens and closes of all sessions of a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        sessions = calendar.sessions(calendar.first_date, calendar.last_date)
        self._opens = array("q", (each.opens for each in sessions))
        self._closes = array("q", (each.closes for each in sessions))
        self._from = self._until = 0
        self._known = Hours(0, 0, 0)

    def at(self, instant: int) -> Hours:
        """The hours around an instant. A session has ended at the very instant of its close."""
        if not self._from <= instant < self._until:  # they change twice a day
            self._known = self._look_up(instant)
            later = [each for each in self._known[1:] if each]
            self._from, self._until = instant, min(later, default=instant)
        return self._known

    def _look_up(self, instant: int) -> Hours:
        opened = bisect_right(self._opens, instant)
        closed = bisect_right(self._closes, instant)
        return Hours(
            self._closes[closed - 1] if closed else 0,
            self._closes[closed] if closed < len(self._closes) else 0,
            self._opens[opened] if opened < len(self._opens) else 0,
        )
