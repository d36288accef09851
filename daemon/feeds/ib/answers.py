"""Takes a gateway's answers in: bars to the clock, refusals to the situation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

from daemon.core.events import CorporateAction
from daemon.feeds.calendar import Calendar
from daemon.feeds.closed_bars import Slot
from daemon.feeds.ib.asking import RETRIES_S, Asking
from daemon.feeds.ib.errors import Meaning, row_of
from daemon.feeds.ib.history import BarMaker, BarsWanted, Made, reaches
from daemon.feeds.ib.messages import AnsweredError, HistoryAsk, LinkLostError, RawBar
from daemon.feeds.ib.pacing import Backoff
from daemon.feeds.ib.situation import Situation
from daemon.feeds.ib.split import SplitWatch
from daemon.feeds.ib.state import IbState
from daemon.feeds.times import date_text

WANTED_MAX = 4096
"""Lacking bars looked at together, of all symbols."""
STRAYS_REMEMBERED = 256
MISSES_MAX = 3
"""So many bars in a row that nobody brings though the gateway answers: connect anew."""
UNANSWERED_MAX = 3
FAILED_MAX = 5
COMPETING_RETRY_S = 60.0
PACING_FIRST_S, PACING_LAST_S = 15.0, 600.0
RESTATED = "it has come only after a split, in the shares of after it"


ReadActions = Callable[[], Sequence[CorporateAction]]


class Answers:
    """See the module. `paused_until_s` is when anything may be asked again after a pacing error.

    `read_actions` gives the splits and dividends that are on record now.
    """

    def __init__(
        self,
        situation: Situation,
        calendar: Calendar,
        maker: BarMaker,
        wanted: BarsWanted,
        splits: SplitWatch,
        read_actions: ReadActions,
        random: Random,
    ) -> None:
        self.paused_until_s = 0.0
        self._situation = situation
        self._calendar = calendar
        self._maker = maker
        self._symbols = wanted.symbols
        self._grace_ns = wanted.grace_ns
        self._splits = splits
        self._read_actions = read_actions
        self._pacing = Backoff(PACING_FIRST_S, PACING_LAST_S, random)
        self._strays: dict[tuple[str, int], None] = {}
        self._kept_back: dict[str, int] = {}
        self._misses = 0

    def lacking(self, asked: int) -> dict[str, list[Slot]]:
        """What must be asked for by each symbol, oldest first."""
        found: dict[str, list[Slot]] = {}
        for symbol, slot in self._situation.clock.wanted(asked, WANTED_MAX):
            found.setdefault(symbol, []).append(slot)
        return found

    # --- bars -------------------------------------------------------------------------------------

    def take(self, asking: Asking, ask: HistoryAsk, asked: int, raw: Sequence[RawBar]) -> None:
        """An answer to a request that was sent at `asked`. LinkLostError where too many lacked."""
        situation, symbol = self._situation, asking.symbol
        made = self._maker.make(symbol, raw, asked - self._grace_ns)
        if made.bars:
            self._pacing.reset()
            asking.refusals.reset()
            situation.put_in(symbol)
            situation.clear()
        ratio = self._splits.look(symbol, made.bars)
        if ratio is not None:
            # What was restated is no news, whether the split is on record or not.
            self._keep_from(symbol, self._splits.suspected[symbol].until)
            if not self._splits.clear(symbol, self._read_actions()):
                self._suspect(symbol, ratio)
        if symbol in self._splits.suspected:
            self._keep_back(symbol, made, asked)
        else:
            self._bring(symbol, made, asked)
            self._give_up(asking, ask, asked, made)
        left = self.lacking(asked).get(symbol, [])
        asking.conclude(left, asyncio.get_running_loop().time())
        if asking.tries > len(RETRIES_S):
            self._count_misses(asked)

    def _bring(self, symbol: str, made: Made, asked: int) -> None:
        clock, now = self._situation.clock, self._situation.now()
        lacking = {slot.start for slot in self.lacking(asked).get(symbol, ())}
        for bar in made.bars:
            if bar.start in lacking:
                self._misses = 0
                if self._splits.is_restated(bar):  # when its turn comes the account has old ones
                    clock.quarantine(symbol, bar.start, now, RESTATED)
                    continue
                clock.bar(bar, now)
                self._splits.remember(bar)
            elif bar.start > self._kept_back.get(symbol, -1) and not self._splits.knows(bar):
                clock.bar(bar, now)  # it has been revised, or we are too young for it
        for stray in made.strays:
            key = (symbol, stray.start)
            if key not in self._strays:
                if len(self._strays) == STRAYS_REMEMBERED:
                    del self._strays[next(iter(self._strays))]
                self._strays[key] = None
                clock.bar(stray, now)
        self._situation.stir()

    def _give_up(self, asking: Asking, ask: HistoryAsk, asked: int, made: Made) -> None:
        """Say of lacking bars that there are none, or that they cannot be true, where it is known.

        Only while all is well: of a feed in trouble it means nothing.
        """
        situation = self._situation
        if situation.state not in (IbState.LIVE, IbState.BACKFILL):
            return
        bad, now = dict(made.bad), situation.now()
        for slot in self.lacking(asked).get(asking.symbol, ()):
            if slot.end > reaches(ask, asked):
                break
            if slot.start in bad and asking.tries:
                situation.clock.quarantine(asking.symbol, slot.start, now, bad[slot.start])
            elif asking.knows_absent(slot, made, asked):
                partly = slot.start in made.incomplete
                reason = "a part of it is missing" if partly else "the gateway has none"
                situation.clock.absent(asking.symbol, slot.start, now, reason)
        situation.stir()

    def leave_out(self, symbol: str, asked: int) -> None:
        """A symbol without a contract or permission: the others, if any, do not wait for it."""
        situation = self._situation
        others = len(situation.out) < len(self._symbols)
        if others and situation.state in (IbState.LIVE, IbState.BACKFILL):
            now, line = situation.now(), situation.out[symbol]
            for slot in self.lacking(asked).get(symbol, ()):
                situation.clock.absent(symbol, slot.start, now, line)
            situation.stir()

    def _count_misses(self, asked: int) -> None:
        lacking = self.lacking(asked)
        active = [symbol for symbol in self._symbols if symbol not in self._situation.out]
        starts = [
            {slot.start for slot in lacking.get(symbol, ()) if not slot.warmup} for symbol in active
        ]
        missed = len(set.intersection(*starts)) if starts else 0
        if missed - self._misses >= MISSES_MAX:
            self._misses = missed
            raise LinkLostError(f"{missed} bars have not come though the gateway answers")

    # --- splits -----------------------------------------------------------------------------------

    def _suspect(self, symbol: str, ratio: Fraction) -> None:
        day = date_text(self._calendar.exchange_date(self._situation.now()))
        text = f"{ratio.numerator}:{ratio.denominator}"
        self._situation.hold(
            f"split {symbol} {text}",
            f"{symbol}: past bars have been restated as after a split of {text}: look it up, then "
            f"`papertape data action add {symbol} split {text} --effective {day}`",
        )

    def _keep_back(self, symbol: str, made: Made, asked: int) -> None:
        """Bars in shares that the account does not hold would fill its stops."""
        clock, now = self._situation.clock, self._situation.now()
        reason = "a split is suspected that nobody has recorded"
        lacking = {slot.start for slot in self.lacking(asked).get(symbol, ())}
        for bar in made.bars:
            if bar.start in lacking:
                clock.quarantine(symbol, bar.start, now, reason, bar)
                self._keep_from(symbol, bar.start)  # only a person may let it in
        self._situation.stir()

    def _keep_from(self, symbol: str, start: int) -> None:
        """Bars up to this one go nowhere any more."""
        self._kept_back[symbol] = max(start, self._kept_back.get(symbol, 0))

    # --- refusals ---------------------------------------------------------------------------------

    def refused(self, asking: Asking, ask: HistoryAsk, asked: int, error: AnsweredError) -> None:
        """An answer that is an error; LinkLostError where it says that the connection is over."""
        row = row_of(error.code, error.text)
        now_s = asyncio.get_running_loop().time()
        asking.unanswered = 0
        match row.meaning:
            case Meaning.NO_DATA:
                self.take(asking, ask, asked, ())
            case Meaning.PACING:
                pause_s = self._pacing.next_s()
                self.paused_until_s = now_s + pause_s
                asking.fail(now_s, pause_s)
                self._situation.trouble("pacing", row.line)
            case Meaning.COMPETING:
                asking.fail(now_s, COMPETING_RETRY_S)
                self._situation.trouble("competing", row.line)
            case Meaning.HISTORY_FARM_BROKEN:
                asking.fail(now_s)
                self._situation.trouble("history farm", row.line)
            case Meaning.NO_PERMISSION | Meaning.INVALID:
                asking.refuse(now_s, asking.refusals)
                self._situation.put_out(asking.symbol, row.line)
            case Meaning.RECONNECT | Meaning.UPSTREAM_LOST:
                raise LinkLostError(row.line)
            case _:  # a contract that was known a moment ago may be unknown during maintenance
                asking.failed += 1
                if asking.failed < FAILED_MAX:
                    asking.fail(now_s)
                else:  # the others must not wait for it
                    asking.refuse(now_s, asking.refusals)
                    self._situation.put_out(asking.symbol, row.line or str(error))

    def unanswered(self, asking: Asking) -> None:
        """No answer came in time; LinkLostError where that happens too often in a row."""
        asking.unanswered += 1
        if asking.unanswered >= UNANSWERED_MAX:
            raise LinkLostError("the gateway does not answer requests for bars")
        asking.fail(asyncio.get_running_loop().time())
