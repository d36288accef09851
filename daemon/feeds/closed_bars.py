r"""What became of the bars whose slices are closed, and what one that comes again means.

    it ended as \ comes       the same   other numbers   before its       after its
                                                         symbol's next    symbol's next
    received, backfilled,
    late, revised              nothing    revised         -                -
    missing, quarantined       -          -               backfilled       late

Only `backfilled` reaches trading, as a slice of its own; the rest is written down. The last word
about a bar is what it ended as. Memory is bounded: `SLICES_REMEMBERED` slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from daemon.core.events import Bar, CorporateAction, Outcome, Session, Split

SLICES_REMEMBERED = 512
"""A day and a half of minute bars, three months of hourly ones."""


class Slot(Struct, frozen=True, gc=False):
    """One instant at which bars are expected to end, and of which symbols."""

    start: int
    end: int
    symbols: tuple[str, ...]
    session: Session
    index: int
    actions: tuple[CorporateAction, ...] = ()
    warmup: bool = False


class Arrival(StrEnum):
    """How a bar relates to what is known of it."""

    SAME = "same"
    OTHER = "other"
    IN_ORDER = "in_order"
    OVERTAKEN = "overtaken"


_HAD = (Outcome.RECEIVED, Outcome.BACKFILLED, Outcome.LATE, Outcome.REVISED)
_NOT_HAD = (Outcome.MISSING, Outcome.QUARANTINED)

ENDS: dict[tuple[Outcome, Arrival], Outcome | None] = {
    **{(had, Arrival.SAME): None for had in _HAD},
    **{(had, Arrival.OTHER): Outcome.REVISED for had in _HAD},
    **{(not_had, Arrival.IN_ORDER): Outcome.BACKFILLED for not_had in _NOT_HAD},
    **{(not_had, Arrival.OVERTAKEN): Outcome.LATE for not_had in _NOT_HAD},
}
"""What a bar that comes after its slice ends as; None: it changes nothing."""


class _Ended:
    """A closed slot: what each expected bar ended as, and its numbers where it came."""

    __slots__ = ("bars", "outcomes", "slot")

    def __init__(self, slot: Slot, outcomes: dict[str, Outcome], bars: dict[str, Bar]) -> None:
        self.slot = slot
        self.outcomes = outcomes
        self.bars = bars


class ClosedBars:
    """The last closed slots by start, and how far each symbol has got."""

    def __init__(self) -> None:
        self._slots: dict[int, _Ended] = {}
        self._reached: dict[str, int] = {}

    @property
    def oldest(self) -> Slot | None:
        """The first slot that is remembered."""
        return next(iter(self._slots.values())).slot if self._slots else None

    def close(
        self, slot: Slot, outcomes: Mapping[str, Outcome], dispatched: Mapping[str, Bar]
    ) -> None:
        """Remember a slot and its bars; the oldest one is forgotten.

        A split that takes effect in it overtakes what its symbol still lacks: those bars are of
        other shares than the account now holds.
        """
        for action in slot.actions:
            if isinstance(action, Split) and self._reached.get(action.symbol, -1) < slot.start - 1:
                self._reach(action.symbol, slot.start - 1)
        for symbol in dispatched:
            self._reach(symbol, slot.start)
        self._slots[slot.start] = _Ended(slot, dict(outcomes), dict(dispatched))
        if len(self._slots) > SLICES_REMEMBERED:
            del self._slots[next(iter(self._slots))]

    def get(self, start: int) -> Slot | None:
        """The closed slot that began there, if it is remembered."""
        ended = self._slots.get(start)
        return None if ended is None else ended.slot

    def come(self, bar: Bar) -> tuple[Outcome, Outcome | None]:
        """A bar of a closed slot: what it had ended as, and what it ends as now (None: as it had).

        If that is BACKFILLED, the caller makes a slice of it.
        """
        ended = self._slots[bar.start]
        before = ended.outcomes[bar.symbol]
        after = ENDS[before, self._arrival(ended, bar)]
        if after is not None:
            ended.outcomes[bar.symbol] = after
            ended.bars[bar.symbol] = bar
        if after is Outcome.BACKFILLED:
            self._reach(bar.symbol, bar.start)
        return before, after

    def _arrival(self, ended: _Ended, bar: Bar) -> Arrival:
        known = ended.bars.get(bar.symbol)
        if known is not None:
            return Arrival.SAME if known == bar else Arrival.OTHER
        in_order = bar.start > self._reached.get(bar.symbol, -1)
        return Arrival.IN_ORDER if in_order else Arrival.OVERTAKEN

    def _reach(self, symbol: str, start: int) -> None:
        assert start > self._reached.get(symbol, -1), f"{symbol} went back in time"
        self._reached[symbol] = start
