"""The trading state: what is allowed, derived from the holds that are set.

Two laws. A state is never stored, only derived: permissions are the intersection over all holds,
and the name shown is the strictest. A hold is lifted only by the rule of its own source, so
nothing automatic ever gives back what a person or a limit has taken (the feed's hold excepted).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum

from msgspec import Struct

from daemon.core.outputs import Origin, Reason


class TradingState(IntEnum):
    """From free to stopped; the order is the order of strictness."""

    ACTIVE = 0
    REDUCING = 1
    PAUSED = 2
    HALTED = 3


class Cancels(StrEnum):
    """Which working orders a state does away with (the market's fills are never recalled)."""

    NONE = "none"
    GROWERS = "growers"
    ALL = "all"


class Permissions(Struct, frozen=True):
    """What one state lets through: the origins that may grow and that may shrink a position."""

    grow: frozenset[Origin]
    shrink: frozenset[Origin]
    cancels: Cancels
    denial: Reason | None


_STRATEGY = frozenset({Origin.TARGET, Origin.EXPLICIT})
_DEMANDED = frozenset({Origin.LIMIT, Origin.FLATTEN})
_FLATTEN = frozenset({Origin.FLATTEN})
_NOBODY: frozenset[Origin] = frozenset()

PERMISSIONS: dict[TradingState, Permissions] = {
    TradingState.ACTIVE: Permissions(_STRATEGY, _STRATEGY | _DEMANDED, Cancels.NONE, None),
    TradingState.REDUCING: Permissions(
        _NOBODY, _STRATEGY | _DEMANDED, Cancels.GROWERS, Reason.REDUCING
    ),
    TradingState.PAUSED: Permissions(_NOBODY, _DEMANDED, Cancels.GROWERS, Reason.PAUSED),
    TradingState.HALTED: Permissions(_NOBODY, _FLATTEN, Cancels.ALL, Reason.HALTED),
}


class HoldSource(StrEnum):
    """Who may set a hold; a limit's hold carries the limit's name after a colon."""

    OPERATOR = "operator"
    LIMIT = "limit"
    MODEL = "model"
    DATA = "data"
    FEED = "feed"
    STRATEGY = "strategy"
    SIGNAL = "signal"
    LATCH = "latch"  # the file was found, nobody knows who made it
    FAULT = "fault"
    MISMATCH = "mismatch"


class Hold(Struct, frozen=True):
    """One reason why trading is restricted, since the instant `since`."""

    source: str
    level: TradingState
    since: int
    reason: str

    @property
    def cause(self) -> str:
        """The source without the limit's name."""
        return self.source.partition(":")[0]


class Holds:
    """The holds in force, keyed by source and level so that one source may pause and halt."""

    __slots__ = ("_holds", "state")

    def __init__(self) -> None:
        self._holds: dict[tuple[str, TradingState], Hold] = {}
        self.state = TradingState.ACTIVE

    def __iter__(self) -> Iterator[Hold]:
        return iter(self._holds.values())

    def set(self, hold: Hold) -> bool:
        """Add a hold; False where that source already holds at that level (the first one stays)."""
        key = (hold.source, hold.level)
        if key in self._holds:
            return False
        self._holds[key] = hold
        self._derive()
        return True

    def resumable(self) -> list[Hold]:
        """What `resume` lifts: everything below a halt but the feed's."""
        return [
            hold
            for hold in self._holds.values()
            if hold.level < TradingState.HALTED and hold.cause != HoldSource.FEED
        ]

    def of_feed(self) -> list[Hold]:
        """What a stable feed lifts: its own."""
        return [
            hold
            for hold in self._holds.values()
            if hold.level < TradingState.HALTED and hold.cause == HoldSource.FEED
        ]

    def halts(self) -> list[Hold]:
        """What `reset` lifts."""
        return [hold for hold in self._holds.values() if hold.level == TradingState.HALTED]

    def lift(self, hold: Hold) -> None:
        """Remove one hold; the caller has checked that its rule allows it."""
        del self._holds[hold.source, hold.level]
        self._derive()

    @property
    def permissions(self) -> Permissions:
        """What the present state lets through."""
        return PERMISSIONS[self.state]

    def _derive(self) -> None:
        self.state = max((hold.level for hold in self._holds.values()), default=TradingState.ACTIVE)
