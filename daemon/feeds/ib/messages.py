"""What is asked of the gateway of Interactive Brokers, what it tells, and how it can fail.

Apart from its client library: whoever works with answers needs no connection.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class GatewayError(Exception):
    """The gateway did not do what was asked; the text is for a person."""


class LinkLostError(GatewayError):
    """There is no connection, or none any more."""


class NoAnswerError(GatewayError):
    """Nothing came in time."""


class ClientIdTakenError(GatewayError):
    """Another program is connected with this client id."""


class AnsweredError(GatewayError):
    """The gateway answered a request with an error of this code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"error {code}: {text}")
        self.code = code
        self.text = text


class HistoryAsk(Struct, frozen=True):
    """A request for bars: the last `duration` before `end` (UTC ns; None: now), in IB's words."""

    end: int | None
    duration: str
    bar_size: str


class RawBar(Struct, frozen=True):
    """A bar as the gateway tells it, its start in UTC ns. It may be false or not over yet."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Contract(Struct, frozen=True):
    """A US stock as the gateway knows it; `handle` is the library's and is only handed back.

    `liquid_hours` is as in the protocol: `20261123:0930-20261123:1600;20261124:CLOSED`.
    """

    con_id: int
    symbol: str
    primary_exchange: str
    name: str
    zone: str
    liquid_hours: str
    handle: Any = None
