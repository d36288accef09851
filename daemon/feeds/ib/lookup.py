"""Looks the symbols up at the gateway: which contract each is, and which hours it states."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.ib.asking import Asking
from daemon.feeds.ib.client import IbClient
from daemon.feeds.ib.contracts import differences, stated_hours
from daemon.feeds.ib.errors import Meaning, row_of
from daemon.feeds.ib.messages import AnsweredError, Contract, LinkLostError
from daemon.feeds.ib.situation import Situation

LOOK_UP_TIMEOUT_S = 10.0
BEFORE_OPEN_NS = 900 * SECOND_NS
"""So long before an open the hours of its day are looked up again."""


class LookUp:
    """See the module. A contract that was known stays so where it cannot be looked up."""

    def __init__(self, situation: Situation, calendar: Calendar) -> None:
        self._situation = situation
        self._calendar = calendar
        self._hours_of: int | None = None

    async def all(self, client: IbClient, askings: Iterable[Asking]) -> None:
        """Look every symbol up; GatewayError where the gateway does not answer."""
        for asking in askings:
            await self.one(client, asking)
        self._hours_of = self._day_begun()

    def is_due(self) -> bool:
        """Whether a session is about to begin of which the hours have not been looked at."""
        return self._day_begun() not in (None, self._hours_of)

    def _day_begun(self) -> int | None:
        """The date of the session that goes on or begins soon."""
        now = self._situation.now()
        try:
            hours = self._calendar.session(self._calendar.exchange_date(now))
        except RefusedError:
            return None
        begun = hours is not None and hours.opens - BEFORE_OPEN_NS <= now < hours.closes
        return hours.date if begun and hours is not None else None

    async def one(self, client: IbClient, asking: Asking) -> None:
        """Look one symbol up."""
        now_s = asyncio.get_running_loop().time()
        try:
            found = await client.contracts(asking.symbol, LOOK_UP_TIMEOUT_S)
        except AnsweredError as error:
            self._refused(asking, error, now_s)
            return
        if len(found) != 1:
            line = f"{len(found)} US stocks have this symbol" if found else "no such stock"
            self._without(asking, line, now_s)
            return
        if asking.contract is None:
            self._situation.put_in(asking.symbol)
        asking.contract = found[0]
        asking.look_ups.reset()
        self._compare_hours(found[0])

    def _refused(self, asking: Asking, error: AnsweredError, now_s: float) -> None:
        row = row_of(error.code, error.text)
        if row.meaning in (Meaning.RECONNECT, Meaning.UPSTREAM_LOST):
            raise LinkLostError(row.line)
        if asking.contract is None:
            self._without(asking, row.line or str(error), now_s)

    def _without(self, asking: Asking, line: str, now_s: float) -> None:
        """A symbol cannot be asked for; the look-up is tried again, ever less often."""
        asking.refuse(now_s, asking.look_ups)
        if asking.contract is None:
            hint = "correct `symbols` in the config; `papertape probe` looks again at once"
            self._situation.put_out(asking.symbol, f"{line}: {hint}")

    def _compare_hours(self, contract: Contract) -> None:
        situation = self._situation
        try:
            stated = stated_hours(contract.liquid_hours, contract.zone, self._calendar.zone)
        except ValueError as error:
            detail = f"{contract.symbol}: the hours it states cannot be read: {error}"
            situation.tell_once("hours", "hours_unread", detail)
            return
        now = situation.now()
        try:
            next_date = self._calendar.next_session(self._calendar.exchange_date(now)).date
        except RefusedError:
            return  # the calendar ends here, which the clock says by itself
        found = [one for one in differences(self._calendar, stated) if stated]
        situation.hours_differ = bool(found)
        for one in found:
            if one.date <= next_date:
                situation.hold(f"hours {one.date}", one.text)
            else:
                situation.tell_once(f"hours {one.date}", "hours_differ", one.text)
