"""Looks a gateway over before money (on paper) depends on it: what it is, and what to change.

It measures what no page of the vendor's tells for certain: where hour bars are cut, how long after
its end a bar is final, which hours a contract states. It asks and never trades.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from daemon.config import IbFeedConfig
from daemon.core.units import MINUTE_NS, SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, Hours
from daemon.feeds.expected import BAR_SIZES_NS, bar_edges
from daemon.feeds.ib.client import IbClient
from daemon.feeds.ib.contracts import differences, stated_hours
from daemon.feeds.ib.errors import Meaning, row_of
from daemon.feeds.ib.history import PARTS, BarMaker, BarsWanted
from daemon.feeds.ib.messages import (
    AnsweredError,
    ClientIdTakenError,
    Contract,
    GatewayError,
    HistoryAsk,
    RawBar,
)
from daemon.feeds.ib.situation import READ_ONLY, SKEW_ALARM_S
from daemon.feeds.times import date_text, zone_text

ANSWER_WITHIN_S = 15.0
OPEN_WITHIN_S = 2.0
USUAL_PORTS = {
    7497: "TWS, paper",
    7496: "TWS, live account",
    4002: "Gateway, paper",
    4001: "Gateway, live account",
}
LAG_LOOKS = 15
"""Looks at the last minute's bar, one a second from its end on."""

OK, NOTE, FAIL = "ok", "note", "fail"

_AGAIN = "wait until it is over, or log in at the gateway again"
ADVICE = {
    Meaning.NO_CONTRACT: "correct `symbols` in the config",
    Meaning.NO_PERMISSION: "subscribe, and share it with the paper account",
    Meaning.COMPETING: "log the other one out, or use another user for papertape",
    Meaning.PACING: "wait ten minutes",
    Meaning.UPSTREAM_LOST: _AGAIN,
    Meaning.RECONNECT: _AGAIN,
    Meaning.HISTORY_FARM_BROKEN: _AGAIN,
    Meaning.MARKET_FARM_BROKEN: _AGAIN,
    Meaning.INVALID: "is bars.size one that it sells for this symbol? Else bring it up to date",
    Meaning.FAILED: "run `papertape probe` again",
}
"""What to do where the gateway answers a request with an error."""


class Finding(Struct, frozen=True):
    """What was looked at, how it is, and what to change (empty: nothing)."""

    check: str
    state: str
    text: str
    advice: str = ""


class Probe:
    """One look. `found` are the findings in order, `facts` what was measured, as JSON."""

    def __init__(
        self, feed: IbFeedConfig, wanted: BarsWanted, calendar: Calendar, now: Callable[[], int]
    ) -> None:
        self.found: list[Finding] = []
        self.facts: dict[str, Any] = {}
        self._feed = feed
        self._wanted = wanted
        self._calendar = calendar
        self._now = now
        self._notices: list[tuple[int, str]] = []

    async def run(self) -> None:
        """Look at everything that can be looked at now."""
        client = await self._connected()
        if client is None:
            return
        try:
            await self._look(client)
        except GatewayError as error:
            self._fail("connection", f"lost in the middle: {error}", "run `papertape probe` again")
        finally:
            client.disconnect()
            await asyncio.sleep(0)  # the socket closes

    async def _look(self, client: IbClient) -> None:
        self._ok("trading", READ_ONLY)
        await self._clock(client)
        known = [
            contract
            for symbol in self._wanted.symbols
            if (contract := await self._contract(client, symbol)) is not None
        ]
        answered = [contract for contract in known if await self._bars(client, contract)]
        for line in dict.fromkeys(self._said()):
            self._fail("servers", line, _AGAIN)
        if answered:  # else why has been told
            await self._hour_edges(client, answered[0])
            await self._lag(client, answered[0])

    # --- the connection ---------------------------------------------------------------------------

    async def _connected(self) -> IbClient | None:
        feed = self._feed
        place, taken = f"{feed.host}:{feed.port}", list[int]()
        for client_id in feed.client_ids:
            client = IbClient(self._heard, lambda _: None)
            try:
                await client.connect(feed.host, feed.port, client_id)
            except ClientIdTakenError:
                client.disconnect()
                taken.append(client_id)
                continue
            except GatewayError as error:
                client.disconnect()
                self._fail("connection", str(error), await self._connect_advice())
                return None
            text = f"{place} with client id {client_id}"
            self._ok("connection", text)
            self.facts["client_id"] = client_id
            if taken:
                ids = ", ".join(map(str, taken))
                self._note("client ids", f"{ids} in use: by the daemon, if it runs")
            return client
        ids = ", ".join(map(str, taken))
        self._fail(
            "client ids",
            f"{place} answers, and {ids} are in use by other programs",
            "add more ids to feed.client_ids, or end what uses them",
        )
        return None

    async def _connect_advice(self) -> str:
        if not await self._has_address():
            return "correct feed.host"
        if await self._is_open(self._feed.port):
            return (
                "is it TWS or the Gateway, logged in? Allow this machine under API, Settings, "
                "Trusted IPs"
            )
        listening = [port for port in USUAL_PORTS if await self._is_open(port)]
        others = [f"{port} ({USUAL_PORTS[port]})" for port in listening]
        if others:
            return f"something listens at {', '.join(others)}: is that it? Correct feed.port"
        return (
            "start TWS or the Gateway, log in, and turn on API, Settings, Enable ActiveX and "
            "Socket Clients; else correct feed.host and feed.port"
        )

    async def _has_address(self) -> bool:
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().getaddrinfo(self._feed.host, self._feed.port)
            return True
        return False

    async def _is_open(self, port: int) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(OPEN_WITHIN_S):
                _, writer = await asyncio.open_connection(self._feed.host, port)
            writer.close()
            return True
        return False

    def _heard(self, code: int, text: str, is_answer: bool) -> None:  # noqa: FBT001 - the client calls it so
        if not is_answer:
            self._notices.append((code, text))

    def _said(self) -> Iterator[str]:
        """What the gateway says is wrong with it and has not said is over."""
        broken: dict[Meaning, str] = {}
        ends = {
            Meaning.UPSTREAM_BACK: Meaning.UPSTREAM_LOST,
            Meaning.MARKET_FARM_OK: Meaning.MARKET_FARM_BROKEN,
            Meaning.HISTORY_FARM_OK: Meaning.HISTORY_FARM_BROKEN,
        }
        for code, text in self._notices:
            row = row_of(code, text)
            if row.meaning in ends:
                broken.pop(ends[row.meaning], None)
            elif row.meaning in ends.values() or row.meaning is Meaning.COMPETING:
                broken[row.meaning] = row.line.partition("; waiting")[0]
        yield from broken.values()

    # --- clock, contracts, hours, bars ------------------------------------------------------------

    async def _clock(self, client: IbClient) -> None:
        began = self._now()
        told = await client.current_time(ANSWER_WITHIN_S)
        ahead_s = round((told + SECOND_NS // 2 - (began + self._now()) // 2) / SECOND_NS, 1)
        self.facts["clock_ahead_s"] = ahead_s
        text = f"the gateway's is {abs(ahead_s):g} s {'ahead' if ahead_s > 0 else 'behind'}"
        if abs(ahead_s) > SKEW_ALARM_S:
            self._fail("clock", text, "let NTP set this machine's clock (timedatectl)")
        else:
            self._ok("clock", text)

    async def _contract(self, client: IbClient, symbol: str) -> Contract | None:
        try:
            found = await client.contracts(symbol, ANSWER_WITHIN_S)
        except AnsweredError as error:
            self._refused(symbol, error)
            return None
        if len(found) != 1:
            text = f"{len(found)} US stocks have it"
            self._fail(symbol, text, ADVICE[Meaning.NO_CONTRACT])
            return None
        contract = found[0]
        self._ok(symbol, f"{contract.name}, {contract.primary_exchange}")
        self._hours(contract)
        return contract

    def _hours(self, contract: Contract) -> None:
        check = f"{contract.symbol} hours"
        try:
            stated = stated_hours(contract.liquid_hours, contract.zone, self._calendar.zone)
        except ValueError as error:
            self._note(check, f"cannot be read: {error}")
            return
        found = differences(self._calendar, stated)
        for one in found:
            text, _, advice = one.text.partition(": ")
            self._fail(check, text, advice)
        if not found:
            self._ok(check, f"as the calendar's, to {date_text(max(stated))}")

    async def _bars(self, client: IbClient, contract: Contract) -> bool:
        """Whether bars may be had; tell whether the last session's are where they are expected."""
        symbol, size = contract.symbol, self._wanted.size
        session = self._last_session()
        ask = HistoryAsk(session.closes, "1 D", PARTS[size][0])
        raw = await self._history(client, contract, ask, f"{symbol} bars")
        if raw is None:
            return False
        made = BarMaker(self._calendar, size, self._wanted.grid).make(symbol, raw, session.closes)
        starts, _ = bar_edges(session.opens, session.closes, BAR_SIZES_NS[size], self._wanted.grid)
        here = {bar.start for bar in made.bars}
        missing = [start for start in starts if start not in here]
        day = date_text(session.date)
        if not here:
            text = f"none of {len(starts)} expected on {day}"
            self._fail(f"{symbol} bars", text, "is the symbol traded? See feed.grid and bars.size")
        elif missing or made.strays or made.bad:
            first = (
                f", the first at {zone_text(missing[0], self._calendar.zone)}" if missing else ""
            )
            text = (
                f"{day}: {len(here)} of {len(starts)} expected{first}; {len(made.strays)} where no "
                f"bar begins, {len(made.bad)} that cannot be true"
            )
            self._note(f"{symbol} bars", text, "an illiquid symbol trades not every bar")
        else:
            self._ok(f"{symbol} bars", f"{day}: all {len(starts)} expected")
        return True

    async def _history(
        self, client: IbClient, contract: Contract, ask: HistoryAsk, check: str
    ) -> list[RawBar] | None:
        try:
            return await client.history(contract, ask, ANSWER_WITHIN_S)
        except AnsweredError as error:
            if row_of(error.code, error.text).meaning is Meaning.NO_DATA:
                return []
            self._refused(check, error)
            return None

    def _refused(self, check: str, error: AnsweredError) -> None:
        row = row_of(error.code, error.text)
        line = "" if row.meaning is Meaning.INVALID else row.line.partition("; waiting")[0]
        self._fail(check, line or str(error), ADVICE.get(row.meaning, ""))

    # --- what nobody has written down -------------------------------------------------------------

    async def _hour_edges(self, client: IbClient, contract: Contract) -> None:
        """Where the vendor cuts its own hour bars; the feed needs none of them."""
        session = self._last_session()
        ask = HistoryAsk(session.closes, "1 D", "1 hour")
        raw = await self._history(client, contract, ask, "hour bars")
        if not raw:
            return  # told, or of a symbol that has none at all
        zone = self._calendar.zone
        starts = [zone_text(one.start, zone)[11:] for one in raw if one.start >= session.opens]
        self.facts["hour_bars_start"] = starts
        self._note("hour bars", f"begin at {', '.join(starts)}; papertape joins half hours")

    async def _lag(self, client: IbClient, contract: Contract) -> None:
        """How long after its end a minute's bar does not change any more."""
        now = self._now()
        grace_s = self._feed.grace_s
        hours = self._session_at(now)
        if hours is None or hours.closes - now < 3 * MINUTE_NS:
            text = "not measured: the exchange is closed"
            self._note("history lag", text, "run `papertape probe` again while it is open")
            return
        end = now - now % MINUTE_NS + MINUTE_NS
        await asyncio.sleep((end - now) / SECOND_NS)
        looks: list[tuple[float, RawBar | None]] = []
        for number in range(1, LAG_LOOKS + 1):
            await asyncio.sleep(max(0.0, (end - self._now()) / SECOND_NS + number))
            asked_s = (self._now() - end) / SECOND_NS
            ask = HistoryAsk(None, f"{300 + number} S", "1 min")
            raw = await self._history(client, contract, ask, "history lag")
            if raw is None:
                return
            bars = {one.start: one for one in raw}
            looks.append((asked_s, bars.get(end - MINUTE_NS)))
        lag_s = final_after(looks)
        self.facts["history_lag_s"] = lag_s
        if lag_s is None:
            text = f"the bar before was not there {LAG_LOOKS} s after its end"
            self._fail("history lag", text, "raise feed.grace_s; is market data delayed?")
        elif lag_s > grace_s:
            text = f"a bar is final {lag_s:.1f} s after its end, and asked for after {grace_s:g} s"
            self._fail("history lag", text, f"set feed.grace_s to {int(lag_s) + 2}")
        else:
            text = (
                f"a bar is final {lag_s:.1f} s after its end; it is asked for after {grace_s:g} s"
            )
            self._ok("history lag", text)

    def _session_at(self, now: int) -> Hours | None:
        try:
            return self._calendar.session_of(now)
        except RefusedError:
            return None

    def _last_session(self) -> Hours:
        """The last session that is over."""
        date = self._calendar.exchange_date(self._now())
        today = self._calendar.session(date)
        over = today is not None and today.closes <= self._now()
        return today if over and today is not None else self._calendar.previous_session(date)

    # --- telling ----------------------------------------------------------------------------------

    def _ok(self, check: str, text: str) -> None:
        self.found.append(Finding(check, OK, text))

    def _note(self, check: str, text: str, advice: str = "") -> None:
        self.found.append(Finding(check, NOTE, text, advice))

    def _fail(self, check: str, text: str, advice: str) -> None:
        self.found.append(Finding(check, FAIL, text, advice))


def final_after(looks: Sequence[tuple[float, RawBar | None]]) -> float | None:
    """Of looks at a bar (seconds after its end, what was there) the first that is like the last.

    None where it was not there in the last one.
    """
    last = looks[-1][1]
    if last is None:
        return None
    since_s = looks[-1][0]
    for seconds, bar in reversed(looks):
        if bar != last:
            break
        since_s = seconds
    return since_s
