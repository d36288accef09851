"""Asking for one symbol: which bar is lacking, how often it was asked for, and when next.

A bar that has ended and is not there is asked for again after 2, 5, 10 and 30 s, then every
minute. That there is none is known

    after two answers       from a later bar that is over
    after all four retries  from a later bar that has begun, or when its session has been over for
                            `SESSION_OVER_S`

and until then silence is silence, which the bar clock notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from daemon.core.units import SECOND_NS
from daemon.feeds.closed_bars import Slot
from daemon.feeds.ib.history import Made
from daemon.feeds.ib.messages import Contract
from daemon.feeds.ib.pacing import Backoff

RETRIES_S = (2.0, 5.0, 10.0, 30.0)
THEN_S = 60.0
SESSION_OVER_S = 600
FAILURE_FIRST_S, FAILURE_LAST_S = 2.0, 60.0
LOOK_UP_FIRST_S, LOOK_UP_LAST_S = 60.0, 600.0
REFUSED_FIRST_S, REFUSED_LAST_S = 60.0, 3600.0
"""Between two tries for what the user has no permission for, or what is invalid."""


class Asking:
    """What is known of asking for one symbol. Times are seconds of the monotonic clock.

    `tries` counts the answers that lacked the bar which begins at `first`, `failed` refusals in a
    row that nobody can explain; `not_before_s` is when the next request may go, `out_until_s` when
    one that was refused is tried again.
    """

    def __init__(self, symbol: str, random: Random) -> None:
        self.symbol = symbol
        self.contract: Contract | None = None
        self.first: int | None = None
        self.tries = 0
        self.not_before_s = 0.0
        self.out_until_s = 0.0
        self.is_open = False
        self.answered = False
        self.unanswered = 0
        self.failed = 0
        self.checked_date = 0
        self._failures = Backoff(FAILURE_FIRST_S, FAILURE_LAST_S, random, 0.2)
        self.look_ups = Backoff(LOOK_UP_FIRST_S, LOOK_UP_LAST_S, random, 0.2)
        self.refusals = Backoff(REFUSED_FIRST_S, REFUSED_LAST_S, random, 0.2)

    def begin(self) -> None:
        """A new connection: nothing of the last one counts."""
        self.first, self.tries = None, 0
        self.not_before_s = self.out_until_s = 0.0
        self.is_open = self.answered = False
        self.unanswered = 0

    def begin_again(self) -> None:
        """The trouble is over: what is lacking is asked for at once, unless it was refused."""
        self.answered = False
        self.not_before_s = self.out_until_s

    def lacks(self, slot: Slot, now_s: float, jitter_s: float) -> None:
        """This is the oldest bar that is lacking now."""
        if slot.start != self.first:
            self.first, self.tries = slot.start, 0
            self.not_before_s = max(self.not_before_s, now_s + jitter_s)

    def conclude(self, left: Sequence[Slot], now_s: float) -> None:
        """An answer has been taken in; `left` is what is still lacking."""
        self.answered = True
        self.unanswered = self.failed = 0
        self._failures.reset()
        if not left:
            self.first, self.tries = None, 0
        elif left[0].start != self.first:  # it brought something: the next ones may be asked for
            self.first, self.tries = left[0].start, 0
            self.not_before_s = now_s
        else:
            pause_s = RETRIES_S[self.tries] if self.tries < len(RETRIES_S) else THEN_S
            self.tries += 1
            self.not_before_s = now_s + pause_s

    def fail(self, now_s: float, pause_s: float | None = None) -> None:
        """A request came to nothing; the next one waits `pause_s`, or ever longer."""
        self.not_before_s = now_s + (self._failures.next_s() if pause_s is None else pause_s)

    def refuse(self, now_s: float, pauses: Backoff) -> None:
        """A request was refused for good, as it seems: it is tried again after a long pause."""
        self.not_before_s = self.out_until_s = now_s + pauses.next_s()

    def knows_absent(self, slot: Slot, made: Made, asked: int) -> bool:
        """Whether an answer without this bar, to a request sent at `asked`, says there is none.

        Call it before `conclude`.
        """
        if made.bars and made.bars[-1].start >= slot.end and self.tries >= 1:
            return True
        over = asked >= slot.session.closes + SESSION_OVER_S * SECOND_NS
        return self.tries >= len(RETRIES_S) and (over or made.last >= slot.end)
