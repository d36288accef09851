"""How often the gateway may be asked: a budget below the vendor's limits, and growing pauses.

Times are seconds of a monotonic clock, so that a step of the wall clock changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from random import Random

WINDOW_S = 600.0
REQUESTS_MAX = 50
"""In ten minutes; the vendor's own limit is 60."""
OPEN_MAX = 6
"""Requests under way at once; the vendor allows 50."""
IDENTICAL_S = 15.0
BURST_S = 2.0
BURST_MAX = 5
"""Requests for one symbol in two seconds; six break the vendor's limit."""


class RequestBudget:
    """What may be asked when. `is_free` and `take` say what is under way; `give_back` ends it."""

    def __init__(self, limit: int = REQUESTS_MAX) -> None:
        self.limit = limit
        self.open = 0
        self._taken: deque[tuple[float, str, Hashable]] = deque()

    def left(self, now_s: float) -> int:
        """How many requests the ten minutes still allow."""
        self._forget(now_s)
        return max(0, self.limit - len(self._taken))

    def free_at(self, symbol: str, request: Hashable, now_s: float) -> float:
        """When this request may be sent, as far as time decides; `now_s` where it may now."""
        self._forget(now_s)
        at_s = now_s
        if len(self._taken) >= self.limit:
            at_s = max(at_s, self._taken[-self.limit][0] + WINDOW_S)
        burst = [taken_s for taken_s, of, _ in self._taken if of == symbol]
        if len(burst) >= BURST_MAX:
            at_s = max(at_s, burst[-BURST_MAX] + BURST_S)
        for taken_s, _, same in reversed(self._taken):
            if same == request:
                at_s = max(at_s, taken_s + IDENTICAL_S)
                break
        return at_s

    @property
    def is_full(self) -> bool:
        """Whether so many requests are under way that the next one must wait for one to end."""
        return self.open >= OPEN_MAX

    def take(self, symbol: str, request: Hashable, now_s: float) -> None:
        """A request is sent."""
        self.open += 1
        self._taken.append((now_s, symbol, request))

    def give_back(self) -> None:
        """A request is over, whatever came of it."""
        assert self.open > 0, "nothing is under way"
        self.open -= 1

    def _forget(self, now_s: float) -> None:
        while self._taken and now_s - self._taken[0][0] >= WINDOW_S:
            self._taken.popleft()


class Backoff:
    """Pauses that double from `first_s` to `last_s`, give or take `jitter_fraction` of each."""

    def __init__(
        self, first_s: float, last_s: float, random: Random, jitter_fraction: float = 0.0
    ) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._random = random
        self._jitter_fraction = jitter_fraction
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait this time."""
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._last_s)
        return pause_s * (1 + self._random.uniform(-1, 1) * self._jitter_fraction)

    def reset(self) -> None:
        """All is well: the next pause is a short one."""
        self._next_s = self._first_s


def requests_needed(symbols: int, size_ns: int) -> float:
    """How many requests in ten minutes so many symbols need for bars of a size, one a bar."""
    return symbols * WINDOW_S * 1e9 / size_ns
