"""Asks the gateway for bars, each after its end.

One request at a time a symbol, a few at once in all, within the budget. The same requests fetch
what was missed: whatever the bar clock lacks is asked for, oldest first.
"""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from random import Random
from typing import NoReturn

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, Hours
from daemon.feeds.closed_bars import Slot
from daemon.feeds.expected import BAR_SIZES_NS, bar_edges
from daemon.feeds.ib.answers import Answers
from daemon.feeds.ib.asking import Asking
from daemon.feeds.ib.client import IbClient
from daemon.feeds.ib.history import PARTS, BarsWanted, ask_for
from daemon.feeds.ib.lookup import BEFORE_OPEN_NS, LookUp
from daemon.feeds.ib.messages import AnsweredError, HistoryAsk, LinkLostError, NoAnswerError
from daemon.feeds.ib.pacing import RequestBudget
from daemon.feeds.ib.situation import Situation
from daemon.feeds.ib.split import SplitWatch
from daemon.feeds.ib.state import IbState, IbTrigger
from daemon.feeds.ib.tasks import end_all

TIMEOUT_S, LONG_TIMEOUT_S = 12.0, 30.0
"""For the last hours' bars, which are there at once, and for days of them."""
UPSTREAM_PATIENCE_S = 300.0
"""A gateway that has lost its servers for longer is connected to anew."""
REST_MAX_S = 30.0
"""The wall clock may be set: it is looked at least so often."""
JITTER_MAX_S = 1.0


class Poller:
    """See the module. `budget` is what may still be asked; `poke` is set when an answer stays out.

    Times with `_s` are the event loop's, instants are the wall clock's.
    """

    def __init__(
        self,
        situation: Situation,
        calendar: Calendar,
        answers: Answers,
        splits: SplitWatch,
        wanted: BarsWanted,
        random: Random,
    ) -> None:
        self.budget = RequestBudget()
        self.poke = asyncio.Event()
        self._situation = situation
        self._calendar = calendar
        self._answers = answers
        self._splits = splits
        self._size = wanted.size
        self._grid = wanted.grid
        self._grace_ns = wanted.grace_ns
        self._random = random
        self._look_up = LookUp(situation, calendar)
        self._askings = {symbol: Asking(symbol, random) for symbol in wanted.symbols}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._caught_up_since = 0
        situation.on_move.append(self._wake.set)

    async def serve(self, client: IbClient) -> NoReturn:
        """Ask over one connection, until a GatewayError says that it is over."""
        for asking in self._askings.values():
            asking.begin()
        try:
            while True:
                self._wake.clear()
                wake_s = await self._step(client)
                await self._rest(wake_s)
        finally:
            await end_all(self._tasks)
            self._tasks.clear()

    async def _step(self, client: IbClient) -> float:
        """Do what is to be done now; when to look again."""
        situation, now_s = self._situation, asyncio.get_running_loop().time()
        if situation.state is IbState.UPSTREAM_DOWN:
            waited_s = (situation.now() - situation.machine.since) / SECOND_NS
            if waited_s >= UPSTREAM_PATIENCE_S:
                raise LinkLostError(situation.why)
            return now_s + UPSTREAM_PATIENCE_S - waited_s
        if situation.state is IbState.SYNC:
            await self._look_up.all(client, self._askings.values())
            if situation.state is IbState.SYNC:  # it may have changed meanwhile
                situation.move(IbTrigger.SYNCED)
                if situation.troubles:
                    situation.move(IbTrigger.TROUBLED, "; ".join(situation.troubles.values()))
            return now_s
        if self._look_up.is_due():
            await self._look_up.all(client, self._askings.values())
        if situation.machine.since != self._caught_up_since:
            self._caught_up_since = situation.machine.since
            if situation.state is IbState.BACKFILL:
                for asking in self._askings.values():
                    asking.begin_again()
        for asking in self._askings.values():
            if asking.contract is None and asking.not_before_s <= now_s:
                await self._look_up.one(client, asking)
        asked = situation.asked_at()
        wake_s = self._launch(client, asked)
        self._settle(asked)
        return min(wake_s, self._next_edge_s(asked))

    async def _rest(self, wake_s: float) -> None:
        """Until `wake_s`, or something happens."""
        rest_s = min(wake_s - asyncio.get_running_loop().time(), REST_MAX_S)
        if rest_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._wake.wait()
        else:
            await asyncio.sleep(0)
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()

    # --- requests ---------------------------------------------------------------------------------

    def _launch(self, client: IbClient, asked: int) -> float:
        """Send what may be sent now; when the next request may be."""
        now_s = asyncio.get_running_loop().time()
        lacking = self._answers.lacking(asked)
        wake_s = now_s + REST_MAX_S
        for asking in self._askings.values():
            slots = lacking.get(asking.symbol, [])
            if asking.is_open:
                continue
            if asking.symbol in self._situation.out and asking.out_until_s > now_s:
                self._answers.leave_out(asking.symbol, asked)
                wake_s = min(wake_s, asking.out_until_s)
                continue
            ask = self._next_ask(asking, slots, asked, now_s)
            if ask is None or asking.contract is None:
                continue
            at_s = max(asking.not_before_s, self._answers.paused_until_s)
            if at_s <= now_s:  # what is asked for later will be another request
                at_s = self.budget.free_at(asking.symbol, (asking.symbol, ask), now_s)
            if at_s > now_s:
                wake_s = min(wake_s, at_s)
            elif not self.budget.is_full:  # one that ends wakes us
                self._send(client, asking, ask, asked)
        return wake_s

    def _next_ask(
        self, asking: Asking, slots: list[Slot], asked: int, now_s: float
    ) -> HistoryAsk | None:
        past = self._past_ask(asking, asked)
        if past is not None:
            return past
        if not slots:
            return None
        jitter_s = self._random.uniform(0, JITTER_MAX_S) if len(self._askings) > 1 else 0.0
        asking.lacks(slots[0], now_s, jitter_s)
        return ask_for(self._size, slots[0], asked)

    def _past_ask(self, asking: Asking, asked: int) -> HistoryAsk | None:
        """Once a session, before its first bar: those before it again, where a split shows."""
        hours = self._hours_at(asked - self._grace_ns)
        last = self._splits.last(asking.symbol)
        if hours is None or last is None or asking.checked_date == hours.date:
            return None
        if last.start >= hours.opens:
            return None
        before = self._calendar.previous_session(hours.date)
        return HistoryAsk(before.closes, "1 D", PARTS[self._size][0])

    def _send(self, client: IbClient, asking: Asking, ask: HistoryAsk, asked: int) -> None:
        self.budget.take(asking.symbol, (asking.symbol, ask), asyncio.get_running_loop().time())
        asking.is_open = True
        hours = self._hours_at(asked - self._grace_ns)
        if hours is not None:
            asking.checked_date = hours.date  # what is past is asked for first
        task = asyncio.create_task(self._ask(client, asking, ask, asked))
        task.add_done_callback(lambda _: self._wake.set())
        self._tasks.add(task)

    async def _ask(self, client: IbClient, asking: Asking, ask: HistoryAsk, asked: int) -> None:
        assert asking.contract is not None, "asked for without a contract"
        try:
            timeout_s = TIMEOUT_S if ask.duration.endswith("S") else LONG_TIMEOUT_S
            raw = await client.history(asking.contract, ask, timeout_s)
        except AnsweredError as error:
            self._answers.refused(asking, ask, asked, error)
        except NoAnswerError:
            self.poke.set()
            self._answers.unanswered(asking)
        else:
            self._answers.take(asking, ask, asked, raw)
        finally:
            asking.is_open = False
            self.budget.give_back()

    # --- states -----------------------------------------------------------------------------------

    def _settle(self, asked: int) -> None:
        """What was missed is there, or is being waited for: the feed is live."""
        situation = self._situation
        if situation.out.keys() >= self._askings.keys():
            lines = "; ".join(f"{symbol}: {line}" for symbol, line in situation.out.items())
            if situation.troubles.get("symbols") != lines:
                situation.trouble("symbols", lines)
        else:
            situation.clear("symbols")
        if situation.state is not IbState.BACKFILL or situation.troubles:
            return
        lacking = self._answers.lacking(asked)
        for asking in self._askings.values():
            waits = asking.answered and asking.tries
            if asking.symbol in lacking and asking.symbol not in situation.out and not waits:
                return
        situation.move(IbTrigger.CAUGHT_UP)

    # --- time -------------------------------------------------------------------------------------

    def _hours_at(self, instant: int) -> Hours | None:
        try:
            return self._calendar.session_of(instant)
        except RefusedError:
            return None

    def _next_edge_s(self, asked: int) -> float:
        """When the next bar may be asked for, or the next session's day must be looked at."""
        now_s = asyncio.get_running_loop().time()
        edge = self._next_edge(asked)
        return now_s + (REST_MAX_S if edge is None else (edge - asked) / SECOND_NS)

    def _next_edge(self, asked: int) -> int | None:
        try:
            date = self._calendar.exchange_date(asked)
            hours = self._calendar.session(date)
            if hours is None or asked >= hours.closes + self._grace_ns:
                hours = self._calendar.next_session(date)
        except RefusedError:
            return None
        _, ends = bar_edges(hours.opens, hours.closes, BAR_SIZES_NS[self._size], self._grid)
        edges = [hours.opens - BEFORE_OPEN_NS]
        edges += [edge + self._grace_ns for edge in (hours.opens, *ends)]
        at = bisect_right(edges, asked)
        return edges[at] if at < len(edges) else None
