"""A client of the fake gateway: the real library over a real socket, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.fake_gateway import (
    FakeGateway,
    Instrument,
    Market,
    Settings,
    VirtualTimeLoop,
    bars_from,
    run_virtually,
)
from tests.ib.library import IS_INSYNC, library

NEW_YORK = "America/New_York"
TUESDAY = "2026-11-24"
# A morning in 30-minute bars, so plain that every sum can be done in the head.
MORNING = (
    (f"{TUESDAY}T09:30 {NEW_YORK}", 100.0, 101.0, 99.0, 100.5, 1_000),
    (f"{TUESDAY}T10:00 {NEW_YORK}", 100.5, 103.0, 100.0, 102.0, 2_000),
    (f"{TUESDAY}T10:30 {NEW_YORK}", 102.0, 102.5, 98.0, 99.0, 3_000),
    (f"{TUESDAY}T11:00 {NEW_YORK}", 99.0, 104.0, 98.5, 103.0, 4_000),
)


def morning(**more: object) -> tuple[Market, Instrument]:
    """Return a market of one stock that has traded one morning."""
    market = Market()
    nvda = market.add("NVDA", 4815747, **more)
    nvda.add(bars_from(MORNING, "30 mins"))
    return market, nvda


def play(
    scenario: Callable[[FakeGateway, VirtualTimeLoop], Coroutine[Any, Any, None]],
    market: Market,
    at: str = f"{TUESDAY}T11:10 {NEW_YORK}",
    settings: Settings | None = None,
) -> FakeGateway:
    """Run a scenario against a gateway on virtual time; the gateway comes back for its log."""

    async def main(loop: VirtualTimeLoop) -> FakeGateway:
        async with FakeGateway(market, loop.clock, settings) as gateway:
            await scenario(gateway, loop)
        return gateway

    return run_virtually(main, at)


@asynccontextmanager
async def client(gateway: FakeGateway, client_id: int = 17) -> AsyncIterator[library.IB]:
    """Connect as papertape does: read-only, nothing fetched at the start, refusals raised."""
    ib = library.IB()
    ib.RaiseRequestErrors = True
    less: dict[str, Any] = {} if IS_INSYNC else {"fetchFields": library.StartupFetchNONE}
    await ib.connectAsync(
        "127.0.0.1", gateway.port, clientId=client_id, timeout=10, readonly=True, **less
    )
    try:
        yield ib
    finally:
        ib.disconnect()
        await asyncio.sleep(0.1)


def stock(symbol: str = "NVDA") -> library.Stock:
    """Return a contract as a user would name it."""
    return library.Stock(symbol, "SMART", "USD")


async def history(
    ib: library.IB,
    size: str = "30 mins",
    duration: str = "1 D",
    *,
    end: str = "",
    what: str = "TRADES",
    regular: bool = True,
    contract: library.Contract | None = None,
) -> list[library.BarData]:
    """Ask for bars once, as the feed does, with a time-out of ten virtual seconds."""
    bars = await ib.reqHistoricalDataAsync(
        contract or stock(),
        endDateTime=end,
        durationStr=duration,
        barSizeSetting=size,
        whatToShow=what,
        useRTH=regular,
        formatDate=2,
        keepUpToDate=False,
        timeout=10,
    )
    return list(bars)


def rows(bars: list[library.BarData]) -> list[tuple[str, float, float, float, float, float]]:
    """Return bars as (UTC time of the start, open, high, low, close, volume)."""
    return [(_clock(bar.date), bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]


def _clock(moment: object) -> str:
    assert isinstance(moment, datetime)
    return f"{moment.astimezone(UTC):%H:%M}"
