"""Whether this machine's clock was set while the daemon ran."""

from __future__ import annotations

STEP_S = 1.0
"""A clock that has gone so much more or less than time has been set, or the machine has slept:
what only keeps it right is a thousand times slower."""


class ClockWatch:
    """Looks at two clocks again and again: the wall's, and one that cannot be set."""

    def __init__(self, wall_s: float, monotonic_s: float) -> None:
        self._ahead_s = wall_s - monotonic_s

    def step_s(self, wall_s: float, monotonic_s: float) -> float | None:
        """By how much the clock has jumped since the last look; None: it went as it should."""
        ahead_s = wall_s - monotonic_s
        step_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return step_s if abs(step_s) >= STEP_S else None
