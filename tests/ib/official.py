"""The vendor's own client, as a test uses it: every callback becomes an entry in a queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.wrapper import EWrapper

WAIT_S = 20.0
CALLBACKS = (
    "connectionClosed",
    "contractDetails",
    "contractDetailsEnd",
    "currentTime",
    "error",
    "headTimestamp",
    "historicalData",
    "historicalDataEnd",
    "historicalDataUpdate",
    "managedAccounts",
    "nextValidId",
    "openOrderEnd",
    "positionEnd",
    "realtimeBar",
    "accountSummary",
    "accountSummaryEnd",
    "accountDownloadEnd",
    "updateAccountValue",
    "execDetailsEnd",
)


class Official(EWrapper, EClient):  # type: ignore[misc]  # the vendor's client has no types
    """A client that keeps what it is told, in order, as (name of the callback, arguments)."""

    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.heard: queue.Queue[tuple[str, tuple[Any, ...]]] = queue.Queue()

    def wait_for(self, name: str) -> tuple[Any, ...]:
        """Return the arguments of the next callback of a name, passing others by."""
        while True:
            heard, arguments = self.heard.get(timeout=WAIT_S)
            if heard == name:
                return arguments

    def all_until(self, name: str, end: str) -> list[tuple[Any, ...]]:
        """Return the arguments of each callback of a name, up to the one that ends them."""
        found: list[tuple[Any, ...]] = []
        while True:
            heard, arguments = self.heard.get(timeout=WAIT_S)
            if heard == end:
                return found
            if heard == name:
                found.append(arguments)


def _hearing(name: str) -> Callable[..., None]:
    def hear(self: Official, *arguments: Any) -> None:
        self.heard.put((name, arguments))

    return hear


for _name in CALLBACKS:
    setattr(Official, _name, _hearing(_name))


def contract() -> Contract:
    """Return a contract as a user would name it."""
    named = Contract()
    named.symbol, named.secType = "NVDA", "STK"
    named.exchange, named.currency = "SMART", "USD"
    return named


@contextmanager
def official(port: int, client_id: int = 17) -> Iterator[Official]:
    """Connect the vendor's client and run its thread until the block ends."""
    client = Official()
    client.connect("127.0.0.1", port, client_id)
    thread = threading.Thread(target=client.run, daemon=True)
    thread.start()
    try:
        yield client
    finally:
        client.disconnect()
        thread.join(WAIT_S)
        assert not thread.is_alive()
