"""Bars of the past from Interactive Brokers' gateway: the `History` of `papertape data update`.

It has client ids of its own, so that it may run beside a daemon, and a budget of requests that
leaves the daemon the larger part of what the vendor allows. What fails is tried again with growing
pauses; a lost connection is made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

from daemon.core.events import Bar
from daemon.data.history import Fetched, HistoryAwayError
from daemon.data.progress import Progress
from daemon.errors import PapertapeError, RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.ib.errors import Meaning, row_of
from daemon.feeds.ib.history import PARTS, BarMaker
from daemon.feeds.ib.messages import (
    AnsweredError,
    ClientIdTakenError,
    Contract,
    GatewayError,
    HistoryAsk,
    LinkLostError,
    NoAnswerError,
    RawBar,
)
from daemon.feeds.ib.pacing import Backoff, RequestBudget
from daemon.feeds.times import number_date

if TYPE_CHECKING:
    from daemon.config import IbFeedConfig
    from daemon.feeds.ib.client import IbClient

REQUESTS_MAX = 25
"""In ten minutes, of 60 that the vendor allows; a daemon beside this needs a few."""
TRIES_MAX = 7
"""With their pauses more than two minutes, in which a gateway has restarted."""
ANSWER_WITHIN_S = 60.0
LOOK_UP_WITHIN_S = 10.0
PAUSE_FIRST_S, PAUSE_LAST_S = 2.0, 60.0
PACING_FIRST_S, PACING_LAST_S = 15.0, 600.0
CLIENT_IDS = 3

_NEVER = (Meaning.NO_CONTRACT, Meaning.NO_PERMISSION, Meaning.INVALID)
"""Refusals that asking again does not change."""


class GatewayHistory:
    """See `History`. `size` and `grid` are those of every request."""

    def __init__(
        self,
        feed: IbFeedConfig,
        size: str,
        grid: str,
        calendar: Calendar,
        random: Random,
        progress: Progress,
    ) -> None:
        self._feed = feed
        self._progress = progress
        self._calendar = calendar
        self._maker = BarMaker(calendar, size, grid)
        self._random = random
        self._budget = RequestBudget(REQUESTS_MAX)
        self._client: IbClient | None = None
        self._contracts: dict[str, Contract] = {}
        self._generation = 0

    @property
    def name(self) -> str:
        """What stands beside bars from here."""
        return "ib"

    @property
    def adjustment(self) -> str:
        """TRADES are adjusted for splits alone."""
        return "splits"

    def days_at_once(self, size: str) -> int:
        """See `History`."""
        return PARTS[size][2]

    async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
        """See `History`."""
        found: dict[int, Bar] = {}
        untrue: set[int] = set()
        for ask in _asks(self._calendar, size, start, end):
            made = self._maker.make(symbol, await self._answer(symbol, ask), end)
            found |= {bar.start: bar for bar in made.bars if start <= bar.start}
            untrue |= {bad.start for bad in made.bad if start <= bad.start}
        return Fetched([found[each] for each in sorted(found)], len(untrue))

    async def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    # --- one request ------------------------------------------------------------------------------

    async def _ask(self, symbol: str, ask: HistoryAsk) -> list[RawBar]:
        client = await self._connected()
        contract = await self._contract(client, symbol)
        loop, budget = asyncio.get_running_loop(), self._budget
        request = (contract.con_id, ask)
        wait_s = budget.free_at(symbol, request, loop.time()) - loop.time()
        if wait_s > 0:
            self._progress.wait(f"waits {wait_s:.0f} s, as the vendor's pace demands")
            await asyncio.sleep(wait_s)
        budget.take(symbol, request, loop.time())
        try:
            return await client.history(contract, ask, ANSWER_WITHIN_S)
        finally:
            budget.give_back()

    async def _answer(self, symbol: str, ask: HistoryAsk) -> list[RawBar]:
        """Ask until there is an answer; HistoryAwayError or RefusedError where there is none."""
        pauses = Backoff(PAUSE_FIRST_S, PAUSE_LAST_S, self._random, 0.2)
        pacing = Backoff(PACING_FIRST_S, PACING_LAST_S, self._random, 0.2)
        problem = ""
        for number in range(TRIES_MAX):
            try:
                return await self._ask(symbol, ask)
            except AnsweredError as error:
                row = row_of(error.code, error.text)
                problem = row.line or str(error)
                if row.meaning is Meaning.NO_DATA:
                    return []
                if row.meaning in _NEVER:
                    raise RefusedError(f"{symbol}: {problem}") from None
                pause_s = (pacing if row.meaning is Meaning.PACING else pauses).next_s()
            except (LinkLostError, NoAnswerError) as error:
                self._drop()
                problem, pause_s = str(error), pauses.next_s()
            if number + 1 < TRIES_MAX:
                self._progress.wait(f"again in {pause_s:.0f} s: {problem}")
                await asyncio.sleep(pause_s)
        raise HistoryAwayError(f"{symbol}: {problem}; tried {TRIES_MAX} times: try again later")

    # --- the connection ---------------------------------------------------------------------------

    async def _connected(self) -> IbClient:
        """The connection, made where there is none; one that nobody accepts is not tried again."""
        if self._client is not None:
            return self._client
        from daemon.feeds.ib.client import IbClient

        feed, first = self._feed, max(self._feed.client_ids) + 1
        for client_id in range(first, first + CLIENT_IDS):
            client = IbClient(_unheard, lambda _: self._drop())
            try:
                await client.connect(feed.host, feed.port, client_id)
            except ClientIdTakenError:
                client.disconnect()
                continue
            except GatewayError as error:
                client.disconnect()
                raise self._unreachable(error) from None
            self._client = client
            self._generation += 1
            return client
        raise HistoryAwayError(
            f"client ids {first} to {first + CLIENT_IDS - 1} are used by other programs: does "
            f"another update run?"
        )

    def _unreachable(self, error: GatewayError) -> PapertapeError | GatewayError:
        """The first connection fails at once; a later one may come back."""
        if self._generation:
            return error
        return HistoryAwayError(
            f"{error}: start TWS or the gateway and allow API connections, or correct feed.host "
            f"and feed.port"
        )

    async def _contract(self, client: IbClient, symbol: str) -> Contract:
        known = self._contracts.get(symbol)
        if known is not None:
            return known
        found = await client.contracts(symbol, LOOK_UP_WITHIN_S)
        if len(found) != 1:
            what = f"{len(found)} US stocks have this symbol" if found else "no such stock"
            raise RefusedError(f"{symbol}: {what}: correct `symbols` in the config")
        self._contracts[symbol] = found[0]
        return found[0]

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()


def _asks(calendar: Calendar, size: str, start: int, end: int) -> Iterator[HistoryAsk]:
    """Requests that together cover the sessions from `start` to `end`, none longer than allowed.

    Each ends with a session and counts the days from the first one's date, so it reaches that far
    whether the vendor counts days by the calendar or by sessions.
    """
    bar_size, _, days_max = PARTS[size]
    first, last = calendar.exchange_date(start), calendar.exchange_date(end - 1)
    sessions = list(calendar.sessions(first, last))
    while sessions:
        begins = number_date(sessions[0].date)
        block = [one for one in sessions if (number_date(one.date) - begins).days < days_max]
        del sessions[: len(block)]
        days = (number_date(block[-1].date) - begins).days + 1
        yield HistoryAsk(min(block[-1].closes, end), f"{days} D", bar_size)


def _unheard(code: int, text: str, is_answer: bool) -> None:  # noqa: FBT001 - the client calls it so
    """What the gateway says unasked is nobody's business here."""
