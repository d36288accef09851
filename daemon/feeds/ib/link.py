"""Keeps a connection to the gateway: one generation after the other, with growing pauses between.

A generation is a connection with all that runs on it: the poller, a heartbeat, and whoever reads
the gateway's notices. The first of them that ends, or the loss of the socket, ends them all;
nothing of it is used again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from random import Random
from typing import Any, NoReturn

from daemon.config import IbFeedConfig
from daemon.core.units import SECOND_NS
from daemon.feeds.ib.client import IbClient
from daemon.feeds.ib.errors import Meaning, row_of
from daemon.feeds.ib.messages import ClientIdTakenError, GatewayError, LinkLostError, NoAnswerError
from daemon.feeds.ib.pacing import Backoff
from daemon.feeds.ib.poller import Poller
from daemon.feeds.ib.situation import Situation
from daemon.feeds.ib.state import IbTrigger
from daemon.feeds.ib.tasks import end_all

HEARTBEAT_S = 30.0
HEARTBEAT_TIMEOUT_S = 10.0
BACKOFF_FIRST_S, BACKOFF_LAST_S, BACKOFF_JITTER = 1.0, 60.0, 0.2
STEADY_S = 60.0
"""A connection that lasted so long was a good one: the next pause is short."""
NOTICES_MAX = 1000
"""Notices that may wait; of more the oldest are left out."""
REQUEST_IDS = 100_000
"""Each generation has request numbers of its own, whatever the gateway counts from."""
REQUEST_ID_RANGES = 20_000


class Link:
    """See the module. `client_ids` are tried in turn where one is in use."""

    def __init__(
        self, feed: IbFeedConfig, situation: Situation, poller: Poller, random: Random
    ) -> None:
        self._feed = feed
        self._situation = situation
        self._poller = poller
        self._backoff = Backoff(BACKOFF_FIRST_S, BACKOFF_LAST_S, random, BACKOFF_JITTER)
        self._client_id_at = 0
        self._ids_taken = 0  # in a row

    async def run(self) -> NoReturn:
        """Connect, and connect again, for as long as this task lives."""
        situation = self._situation
        try:
            while True:
                situation.move(IbTrigger.CONNECT)
                why = await self._generation()
                situation.move(IbTrigger.LOST, why)
                situation.move(IbTrigger.WAIT)
                await asyncio.sleep(self._backoff.next_s())
        finally:
            situation.move(IbTrigger.STOP)

    async def _generation(self) -> str:
        """One connection, from its making to its end; why it ended."""
        feed, situation = self._feed, self._situation
        loop = asyncio.get_running_loop()
        notices = _Notices()
        lost: asyncio.Future[str] = loop.create_future()

        def tell_lost(why: str) -> None:
            if not lost.done():
                lost.set_result(why)

        client = IbClient(notices.put, tell_lost)
        client_id = feed.client_ids[self._client_id_at]
        began_s = loop.time()
        try:
            first_id = (situation.generation + 1) % REQUEST_ID_RANGES * REQUEST_IDS
            await client.connect(feed.host, feed.port, client_id, first_request_id=first_id)
            situation.generation += 1
            self._ids_taken = 0
            situation.client_id = client_id
            situation.move(IbTrigger.CONNECTED)
            return await self._until_lost(client, notices, lost)
        except ClientIdTakenError:
            return self._take_next_id(client_id)
        except GatewayError as error:
            return str(error)
        finally:
            client.disconnect()
            if loop.time() - began_s >= STEADY_S:
                self._backoff.reset()

    def _take_next_id(self, taken: int) -> str:
        ids = self._feed.client_ids
        self._client_id_at = (self._client_id_at + 1) % len(ids)
        self._ids_taken += 1
        if len(ids) == 1:
            return f"client id {taken} is used by another program: add ids to feed.client_ids"
        if self._ids_taken >= len(ids):
            every = ", ".join(map(str, ids))
            return f"client ids {every} are all used by other programs: add to feed.client_ids"
        return f"client id {taken} is used by another program; trying {ids[self._client_id_at]}"

    async def _until_lost(
        self, client: IbClient, notices: _Notices, lost: asyncio.Future[str]
    ) -> str:
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._read(notices),
                self._beat(client),
                self._poller.serve(client),
            )
        ]
        try:
            ends: list[asyncio.Future[Any]] = [lost, *tasks]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    await task
            return lost.result()
        finally:
            await end_all(tasks)

    async def _beat(self, client: IbClient) -> NoReturn:
        """Ask for the time now and then: a socket that is silent looks healthy."""
        situation = self._situation
        while True:
            self._poller.poke.clear()
            began = situation.now()
            try:
                told = await client.current_time(HEARTBEAT_TIMEOUT_S)
            except NoAnswerError as error:
                raise LinkLostError(f"the gateway gives no sign of life: {error}") from None
            # It tells whole seconds: half of one is missing, on average.
            ahead = told + SECOND_NS // 2 - (began + situation.now()) // 2
            situation.skewed(round(ahead / SECOND_NS, 3))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._poller.poke.wait()

    async def _read(self, notices: _Notices) -> NoReturn:
        situation = self._situation
        while True:
            code, text = await notices.get()
            row = row_of(code, text)
            farm = text.rpartition(":")[2]
            match row.meaning:
                case Meaning.UPSTREAM_LOST:
                    situation.move(IbTrigger.UPSTREAM_LOST, row.line)
                case Meaning.UPSTREAM_BACK:
                    situation.move(IbTrigger.UPSTREAM_BACK, row.line)
                case Meaning.RECONNECT:
                    raise LinkLostError(row.line)
                case Meaning.MARKET_FARM_BROKEN:
                    situation.trouble(f"market farm {farm}", row.line)
                case Meaning.HISTORY_FARM_BROKEN:
                    situation.trouble(f"history farm {farm}", row.line)
                case Meaning.MARKET_FARM_OK:
                    situation.clear(f"market farm {farm}")
                case Meaning.HISTORY_FARM_OK:
                    situation.clear(f"history farm {farm}", "history farm")
                case Meaning.COMPETING:
                    situation.trouble("competing", row.line)
                case _:
                    pass  # said for information, or the answer to a request that knows it too


class _Notices:
    """What the gateway says unasked, between the library's callback and the task that reads it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, str]] = deque(maxlen=NOTICES_MAX)
        self._came = asyncio.Event()

    def put(self, code: int, text: str, is_answer: bool) -> None:  # noqa: FBT001 - the client calls it so
        """Keep a notice; an answer goes to who asked."""
        if not is_answer:
            self._waiting.append((code, text))
            self._came.set()

    async def get(self) -> tuple[int, str]:
        """The next one."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()
