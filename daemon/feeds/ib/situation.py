"""Where the feed stands, and who is told when that changes: the bar clock, the ledger, a trader.

The clock is told that the feed is lost whenever it leaves LIVE and that it is back when it is
LIVE again: in between, a bar that does not come means nothing (`state.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daemon.core.events import Outcome, Pause
from daemon.core.trading_state import HoldSource
from daemon.core.units import SECOND_NS
from daemon.feeds.bar_clock import BarClock, Emitted
from daemon.feeds.feed_health import FeedState
from daemon.feeds.ib.resets import planned_reset
from daemon.feeds.ib.state import IbMachine, IbState, IbTrigger

SKEW_USED_S = 1.0
"""The gateway tells whole seconds: a smaller difference is none."""
SKEW_ALARM_S = 2.0

_TRYING = (IbState.DOWN, IbState.BACKOFF, IbState.CONNECTING)
_WORDS = {
    IbState.SYNC: "connected, looking up the symbols",
    IbState.BACKFILL: "connected, fetching what was missed",
    IbState.LIVE: "live",
    IbState.STOPPING: "stopping",
}
_PROBE = "`papertape probe` says what to change"
READ_ONLY = "read-only: no order can reach Interactive Brokers"


class Situation:
    """See the module. `now` is the wall clock (UTC ns); `zone` the exchange's.

    `why` says why it is not LIVE, `troubles` what degrades it and `out` which symbols get no bars,
    each by a key. `on_move` are called when the state changes, `on_input` when there may be inputs
    to take.
    """

    def __init__(self, clock: BarClock, now: Callable[[], int], zone: str) -> None:
        self.clock = clock
        self.now = now
        self.machine = IbMachine(now())
        self.why = ""
        self.troubles: dict[str, str] = {}
        self.out: dict[str, str] = {}
        self.generation = 0
        self.tries = 0
        self.ahead_s: float | None = None
        self.hours_differ: bool | None = None
        self.client_id: int | None = None
        self.on_move: list[Callable[[], None]] = []
        self.on_input: list[Callable[[], None]] = []
        self._zone = zone
        self._told_here: set[tuple[IbState, str]] = set()  # since it was live
        self._told: set[str] = set()
        self._held: set[str] = set()
        self._pauses: list[Emitted] = []
        clock.lost(now(), "not connected yet")

    @property
    def state(self) -> IbState:
        """The connection's state."""
        return self.machine.state

    def asked_at(self) -> int:
        """The time by which a bar's end is judged: the gateway's, where that is behind ours."""
        behind_s = -(self.ahead_s or 0.0)
        return self.now() - (round(behind_s * SECOND_NS) if behind_s > SKEW_USED_S else 0)

    # --- what happens -----------------------------------------------------------------------------

    def move(self, trigger: IbTrigger, why: str = "") -> None:
        """Follow the table; `why` is for a person."""
        before, now = self.machine.state, self.now()
        if why:
            self.why = why
        if not self.machine.move(trigger, now):
            return
        if trigger is IbTrigger.CONNECTED:
            self.troubles.clear()  # they were the last connection's
        if self.machine.state in (IbState.LIVE, IbState.SYNC, IbState.BACKFILL):
            self.why = ""
        self._tell(before, self.machine.state, now)
        for listener in self.on_move:
            listener()
        self.stir()

    def trouble(self, key: str, line: str) -> None:
        """Something keeps bars away though the gateway is there."""
        self.troubles[key] = line
        self.move(IbTrigger.TROUBLED, "; ".join(dict.fromkeys(self.troubles.values())))

    def clear(self, *keys: str) -> None:
        """These troubles are over; without keys: bars come, so all are."""
        for key in keys or tuple(self.troubles):
            self.troubles.pop(key, None)
        if self.state is IbState.DEGRADED and not self.troubles:
            self.move(IbTrigger.CLEARED)

    def put_out(self, symbol: str, line: str) -> None:
        """A symbol gets no bars for a reason of its own."""
        self.out[symbol] = line
        self.tell_once(f"out {symbol}", "symbol_out", f"{symbol}: {line}")

    def put_in(self, symbol: str) -> None:
        """A symbol may get bars again."""
        if self.out.pop(symbol, None) is not None:
            self._told.discard(f"out {symbol}")

    def skewed(self, ahead_s: float) -> None:
        """The gateway's clock is so far ahead of ours (behind: below 0)."""
        self.ahead_s = ahead_s
        if abs(ahead_s) <= SKEW_ALARM_S:
            self._told.discard("clock")
            return
        self.tell_once("clock", "clock_skew", _skew(ahead_s))

    def hold(self, key: str, reason: str) -> None:
        """Pause trading until a person has looked; once a key."""
        if key not in self._held:
            self._held.add(key)
            self._pauses.append(Emitted(Pause(self.now(), HoldSource.DATA, reason)))
            self.stir()

    def tell_once(self, key: str, event: str, detail: str) -> None:
        """A row of the ledger, unless one of this key has been written and is not over."""
        if key not in self._told:
            self._told.add(key)
            self.clock.gaps.feed(event, self.now(), detail)
            self.stir()

    def stir(self) -> None:
        """Let who takes the inputs look again."""
        for listener in self.on_input:
            listener()

    def take(self) -> list[Emitted]:
        """What must be admitted now, in order."""
        pauses, self._pauses = self._pauses, []
        return [*pauses, *self.clock.take()]

    # --- what is told -----------------------------------------------------------------------------

    def _tell(self, before: IbState, after: IbState, now: int) -> None:
        told_by_clock = self._tell_clock(before, after, now)
        detail, key = self.why, (after, self.why)
        if after is IbState.DOWN:
            self.tries += 1
        elif after is IbState.SYNC and before is IbState.CONNECTING:
            tries = f" after {self.tries} tries" if self.tries > 1 else ""
            detail = f"connected for the {_ordinal(self.generation)} time{tries}"
        elif after is IbState.LIVE:
            self._told_here.clear()
            self.tries = 0
        if (
            told_by_clock
            or key in self._told_here
            or after in (IbState.CONNECTING, IbState.BACKOFF)
        ):
            return
        self._told_here.add(key)
        detail = detail or _WORDS.get(after, "")
        reset = planned_reset(now, self._zone) if detail == self.why else None
        self.clock.gaps.feed(after.value, now, f"{detail} ({reset})" if reset else detail)

    def _tell_clock(self, before: IbState, after: IbState, now: int) -> bool:
        """Whether the clock has made a row of it."""
        known = self.clock.feed.state
        if before is IbState.LIVE:
            self.clock.lost(now, self.why or after.value)
        elif after is IbState.LIVE:
            self.clock.restored(now)
        return self.clock.feed.state is not known

    def words(self) -> str:
        """The state as a trader reads it."""
        state, reset = self.state, planned_reset(self.now(), self._zone)
        if state is IbState.LIVE and self.clock.feed.state is FeedState.SILENT:
            text = "connected, but no bar comes"
        elif state in _TRYING:
            text = f"connecting: {self.why}" if self.why else "connecting"
        else:
            text = _WORDS.get(state) or f"connected: {self.why}"
        if reset and state is not IbState.LIVE:
            text += f" ({reset})"
        elif state in _TRYING and not self.generation:
            text += f"; {_PROBE}"
        more = [f"{symbol}: {line}" for symbol, line in self.out.items()]
        return "; ".join([text, *(one for one in more if one not in text)])

    @property
    def needs_a_person(self) -> bool:
        """Whether this is no planned reset and does not mend itself quietly."""
        if self.state is IbState.LIVE and not self.out:
            return self.clock.feed.state is FeedState.SILENT
        if not (self.generation or self.tries):
            return False  # it has only just begun
        return planned_reset(self.now(), self._zone) is None

    def gap_counts(self) -> dict[str, int]:
        """How many bars ended in each way but received, of those that did."""
        ends = self.clock.gaps.ends
        quiet = (Outcome.RECEIVED, Outcome.WARMUP)
        return {end.value: n for end, n in ends.items() if n > 0 and end not in quiet}

    def standing(self) -> dict[str, Any]:
        """What status tells of the connection."""
        ahead_s = self.ahead_s or 0.0
        skew = f"{_skew(ahead_s)}; " if abs(ahead_s) > SKEW_ALARM_S else ""
        return {
            "kind": "ib",
            "state": f"{self.words()}; {skew}{READ_ONLY}",
            "why": self.words(),
            "connection": self.state.value,
            "needs_a_person": self.needs_a_person,
            "generation": self.generation,
            "client_id": self.client_id,
            "read_only": True,
            "gaps": self.gap_counts(),
            "quarantined": self.clock.put_aside.plain(),
        }


def _skew(ahead_s: float) -> str:
    word = "behind" if ahead_s > 0 else "ahead of"
    return f"this machine's clock is {abs(ahead_s):.0f} s {word} the gateway's: set up NTP"


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
