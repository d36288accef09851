"""The gateway of Interactive Brokers behind one small class; no type of its library gets out.

The only file that imports ib_async. Its predecessor ib_insync, which has the same names, is taken
where ib_async is not installed (never install both: they overwrite each other's files).

A client is for one connection: nothing of it survives a loss, so that no stale request number can
be used again. It asks and never trades: it connects read-only, and has no method for an order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from daemon.core.units import SECOND_NS
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

try:
    import ib_async as library
except ImportError:  # the names are the same
    import ib_insync as library  # type: ignore[import-not-found, no-redef]  # one of the two

CONNECT_TIMEOUT_S = 10.0
TIMER_EARLY_S = 0.1
"""By so much a time-out may come too early; loops count time in steps."""
CLIENT_ID_IN_USE = 326
CLOSED = "the gateway closed the connection"
NO_INFORMATION = (321, 322)
"""Refusals that the library takes for warnings: the request would hang until its time is up."""

_LIBRARY = library.__name__
for _quiet in ("client", "ib", "wrapper"):
    # What these log is told in our own words, once and not at every try.
    logging.getLogger(f"{_LIBRARY}.{_quiet}").setLevel(logging.CRITICAL)


OnNotice = Callable[[int, str, bool], None]
"""Told of each code and text; the flag says whether it answers one of our requests."""
OnLost = Callable[[str], None]


class IbClient:
    """One connection to the gateway. `on_notice` and `on_lost` are called in the event loop."""

    def __init__(self, on_notice: OnNotice, on_lost: OnLost) -> None:
        self._ib: Any = library.IB()
        self._ib.RaiseRequestErrors = True  # or a refusal looks like an empty answer
        self._ib.errorEvent += self._on_error
        self._ib.disconnectedEvent += self._on_disconnected
        self._on_notice = on_notice
        self._on_lost = on_lost
        self._connecting: asyncio.Task[Any] | None = None
        self._id_taken = False
        self._closed = False
        self._complaint: tuple[int, str] | None = None

    # --- the connection -------------------------------------------------------------------------

    async def connect(
        self,
        host: str,
        port: int,
        client_id: int,
        *,
        first_request_id: int = 0,
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        """Connect; GatewayError, in words, where that fails. `first_request_id` is the lowest."""
        # The library looks its loop up by the policy, which need not know the one that runs.
        asyncio.set_event_loop(asyncio.get_running_loop())
        self._id_taken = False
        options: dict[str, Any] = {"readonly": True, "timeout": timeout_s}
        if hasattr(library, "StartupFetchNONE"):
            options["fetchFields"] = library.StartupFetchNONE
        self._connecting = asyncio.ensure_future(
            self._ib.connectAsync(host, port, client_id, **options)
        )
        try:
            await self._connecting
        except asyncio.CancelledError:
            if self._id_taken:
                raise ClientIdTakenError(f"client id {client_id} is in use") from None
            raise
        except (TimeoutError, OSError) as error:
            if self._id_taken:
                raise ClientIdTakenError(f"client id {client_id} is in use") from None
            raise _connect_error(host, port, error) from None
        finally:
            self._connecting = None
        self._ib.client.updateReqId(first_request_id)

    def disconnect(self) -> None:
        """Let the connection go; `on_lost` is not called."""
        self._closed = True
        with contextlib.suppress(ConnectionError):  # of one that never became ready
            self._ib.disconnect()
        self._ib.client.disconnect()

    # --- requests -------------------------------------------------------------------------------

    async def current_time(self, timeout_s: float) -> int:
        """The gateway's clock in UTC ns, in whole seconds. One at a time: the library mixes two."""
        told: datetime = await self._answer(self._ib.reqCurrentTimeAsync, timeout_s)
        return int(told.timestamp()) * SECOND_NS

    async def contracts(self, symbol: str, timeout_s: float) -> list[Contract]:
        """The US stocks of a symbol (BRK.B is BRK B here); more than one where it is ambiguous."""
        name = symbol.replace(".", " ").replace("-", " ")
        asked = library.Contract(secType="STK", symbol=name, exchange="SMART", currency="USD")
        found = await self._answer(lambda: self._ib.reqContractDetailsAsync(asked), timeout_s)
        return [
            Contract(
                con_id=details.contract.conId,
                symbol=symbol,
                primary_exchange=details.contract.primaryExchange,
                name=details.longName,
                zone=details.timeZoneId,
                liquid_hours=details.liquidHours,
                handle=details.contract,
            )
            for details in found
        ]

    async def history(self, contract: Contract, ask: HistoryAsk, timeout_s: float) -> list[RawBar]:
        """Bars of trades in regular hours, as they are now; the last one may not be over yet."""
        end = "" if ask.end is None else datetime.fromtimestamp(ask.end // SECOND_NS, UTC)
        self._complaint = None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            # Its own timeout cancels the request at the gateway; one from outside would not.
            bars = await self._ib.reqHistoricalDataAsync(
                contract.handle, end, ask.duration, ask.bar_size, "TRADES", useRTH=True,
                formatDate=2, timeout=timeout_s,
            )  # fmt: skip
        except library.RequestError as error:
            raise AnsweredError(error.code, error.message) from None
        except ConnectionError:
            raise LinkLostError(CLOSED) from None
        if not bars and loop.time() - began >= timeout_s - TIMER_EARLY_S:
            raise self._silence(timeout_s)  # to which the library answers with no bars
        return [
            RawBar(
                int(bar.date.timestamp()) * SECOND_NS,
                bar.open, bar.high, bar.low, bar.close, bar.volume,
            )
            for bar in bars
            if getattr(bar.date, "tzinfo", None) is not None  # or nobody knows when it was
        ]  # fmt: skip

    async def _answer(self, ask: Callable[[], Any], timeout_s: float) -> Any:
        self._complaint = None
        try:
            async with asyncio.timeout(timeout_s):
                return await ask()
        except TimeoutError:
            raise self._silence(timeout_s) from None
        except library.RequestError as error:
            raise AnsweredError(error.code, error.message) from None
        except ConnectionError:
            raise LinkLostError(CLOSED) from None

    def _silence(self, timeout_s: float) -> GatewayError:
        if self._complaint is not None:
            return AnsweredError(*self._complaint)
        return NoAnswerError(f"no answer within {timeout_s:g} s")

    # --- what the library calls: must not await, must not raise -----------------------------------

    def _on_error(self, request_id: int, code: int, text: str, contract: Any) -> None:
        if code == CLIENT_ID_IN_USE and self._connecting is not None:
            # The library would find out only when its time is up.
            self._id_taken = True
            self._connecting.cancel()
            return
        if code in NO_INFORMATION:
            self._complaint = (code, text)
        self._on_notice(code, text, request_id > 0)

    def _on_disconnected(self) -> None:
        if not self._closed and self._connecting is None:
            self._on_lost(CLOSED)


def _connect_error(host: str, port: int, error: Exception) -> GatewayError:
    place = f"{host}:{port}"
    if isinstance(error, ConnectionRefusedError):
        return LinkLostError(f"nothing listens at {place}")
    if isinstance(error, TimeoutError):
        return NoAnswerError(f"{place} does not answer as a gateway does")
    text = getattr(error, "strerror", None) or str(error)
    return LinkLostError(f"{place}: {text}")
