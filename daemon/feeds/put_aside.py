"""Quarantined bars that nobody has judged yet, and corporate actions that no slice has carried."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from math import isfinite
from typing import NamedTuple

from msgspec.structs import replace

from daemon.core.events import Bar, CorporateAction, Dividend, Judgement, Release, Split
from daemon.feeds.closed_bars import Slot
from daemon.feeds.times import iso_z

PUT_ASIDE_MAX = 256
"""Bars that wait for a judgement; the oldest one is forgotten."""


class Quarantined(NamedTuple):
    """A bar that was set aside; `bar` is None where its numbers are not known."""

    symbol: str
    start: int
    end: int
    reason: str
    bar: Bar | None


class PutAside:
    """The quarantined bars of a feed, by symbol and start."""

    def __init__(self) -> None:
        self._bars: dict[tuple[str, int], Quarantined] = {}

    def put(self, one: Quarantined) -> None:
        """A bar has been set aside."""
        self._bars[one.symbol, one.start] = one
        if len(self._bars) > PUT_ASIDE_MAX:
            del self._bars[next(iter(self._bars))]

    def forget(self, symbol: str, start: int) -> None:
        """It has come after all, or was judged."""
        self._bars.pop((symbol, start), None)

    def plain(self) -> list[dict[str, str]]:
        """What status tells of them."""
        return [
            {"symbol": one.symbol, "start": iso_z(one.start), "reason": one.reason}
            for one in self._bars.values()
        ]

    def judged(self, command: Judgement) -> Quarantined:
        """A bar waits no more; it has its numbers if it is released, none if it is rejected.

        LookupError where no such bar waits, or none that could be released.
        """
        one = self._bars.get((command.symbol, command.start))
        if one is None:
            raise LookupError(
                "no quarantined bar begins there: it was judged, or set aside before the last start"
            )
        bar = _numbers_of(one) if isinstance(command, Release) else None
        self.forget(one.symbol, one.start)
        return one._replace(bar=bar)


def _numbers_of(one: Quarantined) -> Bar:
    bar = one.bar
    if bar is None:
        raise LookupError(f"its numbers are not known ({one.reason})")
    prices = (bar.open, bar.high, bar.low, bar.close)
    inside = bar.low <= min(bar.open, bar.close) and max(bar.open, bar.close) <= bar.high
    if not (all(map(isfinite, prices)) and min(prices) > 0 and inside and bar.volume >= 0):
        raise LookupError(f"its numbers cannot be true ({one.reason})")
    return bar


AsApplied = Callable[[CorporateAction], CorporateAction | None]


def _as_it_is(action: CorporateAction) -> CorporateAction:
    return action


class SessionOverError(LookupError):
    """An action is told of too late: its symbol has been traded on since."""


class ComingActions:
    """Corporate actions that were told of while the feed runs, or that no slice has carried.

    `as_applied` is what one comes to on this feed: on a tape of adjusted prices something else,
    or nothing. Whatever takes effect in a session is carried by one slice, once. A split may be
    told of after its session for as long as no bar since has gone into trading: those are set aside
    where it is suspected.
    """

    def __init__(self) -> None:
        self.as_applied: AsApplied = _as_it_is
        self._seen: dict[str, int] = {}
        self._coming: list[CorporateAction] = []
        self._session = 0
        self._carried: tuple[CorporateAction, ...] = ()

    def add(self, action: CorporateAction) -> None:
        """One more; LookupError where it is known already, or nothing comes of it.

        SessionOverError where it should have been carried before.
        """
        applied = self.as_applied(action)
        if applied is None:
            raise LookupError("the prices of this tape hold it: the account is not changed")
        if applied in (*self._coming, *self._carried):
            raise LookupError("it is known already")
        if applied.effective < self._session and not self._is_to_come(applied):
            raise SessionOverError("its session is over: the account is not changed")
        self._coming.append(applied)

    def go_on(
        self,
        session: int,
        carried: Iterable[CorporateAction],
        coming: Iterable[CorporateAction],
        listed: Iterable[CorporateAction],
        seen: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Go on after a restart in a session, of which slices have carried some actions before.

        What the feed was told of comes with the next slice, as does what else is listed for that
        session, or for one before it of whose symbol nothing has been `seen` since (`saw`).
        """
        self._session, self._carried = 0, tuple(carried)
        for symbol, date in seen:
            self.saw((symbol,), date)
        due = [
            action
            for action in listed
            if action.effective == session
            or (action.effective < session and self._is_to_come(action))
        ]
        for action in (*coming, *due):
            with suppress(LookupError):
                self.add(action)
        self._session = session

    def saw(self, symbols: Iterable[str], date: int) -> None:
        """Bars of this session, or a split in it, have gone into trading."""
        for symbol in symbols:
            self._seen[symbol] = max(date, self._seen.get(symbol, 0))

    def _is_to_come(self, action: CorporateAction) -> bool:
        """Whether its symbol still has the shares of before, though its session has begun."""
        seen = self._seen.get(action.symbol)
        return isinstance(action, Split) and seen is not None and seen < action.effective

    def joined(self, slot: Slot, symbols: Iterable[str]) -> Slot:
        """The slot, with bars of these symbols, and what takes effect by its session.

        That has been carried then.
        """
        if slot.warmup:
            return slot
        date = slot.session.date
        due = [action for action in self._coming if action.effective <= date]
        if due:
            self._coming = [action for action in self._coming if action not in due]
            slot = replace(slot, actions=tuple(sorted({*slot.actions, *due}, key=_order)))
        if date != self._session:
            self._session, self._carried = date, ()
        self._carried += slot.actions
        self.saw(symbols, date)
        self.saw((one.symbol for one in slot.actions if isinstance(one, Split)), date)
        return slot


def _order(action: CorporateAction) -> tuple[int, bool, str]:
    # a dividend's amount is per new share when both fall on one date, so the split goes first
    return action.effective, isinstance(action, Dividend), action.symbol
