"""Short words for the tables of cases: targets, orders, quotes, and fills as tuples.

Quotes are (open, high, low, close[, volume]) in dollars; a fill is (slice, signed shares, dollars).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from daemon.core.events import (
    Bracket,
    MarketSlice,
    OrderRequest,
    OrderType,
    Side,
    TargetPosition,
    TimeInForce,
)
from daemon.core.limits import Limits
from daemon.core.outputs import OrderUpdated
from daemon.core.units import HOUR_NS, SECOND_NS
from daemon.feeds.calendar import Hours
from daemon.feeds.expected import ExpectedSession, expected_session
from tests import harness
from tests.harness import Quote, Result

USD = 1_000_000
E4 = 10_000
HALF_HOUR_NS = HOUR_NS // 2
MINUTE_NS = HOUR_NS // 60
WIDE = Limits(allow_short=True)


def flat(price: float, volume: int = 1_000_000) -> Quote:
    """A bar in which the price does not move."""
    return (price, price, price, price, volume)


def target(quantity: int, symbol: str = "NVDA", reason: str = "", **bracket: float) -> Any:
    """A target, with a bracket where one is given."""
    return TargetPosition(symbol, quantity, Bracket(**bracket) if bracket else None, reason)


def order(signed: int, symbol: str = "NVDA", **details: Any) -> OrderRequest:
    """An explicit order; the sign is the side, the prices given make the type."""
    kind = OrderType.MARKET
    if "limit_price" in details:
        kind = OrderType.LIMIT
    if "stop_price" in details:
        kind = OrderType.STOP_LIMIT if "limit_price" in details else OrderType.STOP
    if "trail_pct" in details:
        kind = OrderType.TRAILING_STOP
    side = Side.BUY if signed > 0 else Side.SELL
    return OrderRequest(symbol, side, abs(signed), kind, **details)


GTC = TimeInForce.GTC
IOC = TimeInForce.IOC


def fills(result: Result, symbol: str | None = None) -> list[tuple[int, int, float]]:
    """(slice, signed shares, price in dollars) of every fill, in order."""
    return [
        (
            result.slice_starts.index(fill.effective),
            fill.quantity if fill.side is Side.BUY else -fill.quantity,
            fill.price_e4 / E4,
        )
        for fill in result.fills
        if symbol in {None, fill.symbol}
    ]


def mirrored(quotes: Sequence[Quote | None], about: float = 100.0) -> list[Quote | None]:
    """The same bars upside down: a price p becomes 2 x about - p."""

    def turn(price: float) -> float:
        return round(2 * about - price, 4)

    return [quote and (*(turn(quote[i]) for i in (0, 2, 1, 3)), *quote[4:]) for quote in quotes]


def ends(result: Result, order_id: int) -> OrderUpdated:
    """The last update of an order."""
    found: OrderUpdated = [u for u in result.updates if u.order_id == order_id][-1]
    return found


def why(result: Result, order_id: int) -> tuple[str, str]:
    """(status, reason) of the last update of an order."""
    last = ends(result, order_id)
    return (str(last.status), str(last.reason))


def middle(result_or_slice: int) -> int:
    """The instant half-way through a slice of the harness's seven-bar sessions."""
    day, index = divmod(result_or_slice, 7)
    return harness.opens_ns(day) + index * HOUR_NS + HALF_HOUR_NS


def at_end(number: int, per_session: int = 7) -> int:
    """The end of a slice of the harness's sessions."""
    day, index = divmod(number, per_session)
    return harness.opens_ns(day) + (index + 1) * HOUR_NS


def by_slice(plan: dict[int, Any]) -> Any:
    """A `decide` that counts its own calls: for sessions of unequal length."""
    calls = iter(range(10_000))

    def decide(market: MarketSlice, predictions: Any, portfolio: Any) -> Any:
        return plan.get(next(calls))

    return decide


def uneven_sessions(monkeypatch: Any, minutes: Sequence[int]) -> None:
    """Make the harness's sessions last so many minutes each, hourly bars from the open."""

    def made(days: int, per_session: int) -> list[ExpectedSession]:
        found = []
        for day, length in enumerate(minutes):
            opens = harness.opens_ns(day)
            when = datetime.fromtimestamp(opens // SECOND_NS, UTC)
            hours = Hours(int(f"{when:%Y%m%d}"), opens, opens + length * MINUTE_NS)
            following = harness.opens_ns(day + 1)
            found.append(expected_session(hours, following, HOUR_NS, "session"))
        return found

    monkeypatch.setattr(harness, "sessions", made)


def limits(**given: Any) -> Limits:
    """Limits with short sales allowed."""
    return Limits(**({"allow_short": True} | given))


def denied(result: Result) -> list[tuple[str, int]]:
    """(reason, signed shares) of every denial."""
    return [(str(denial.reason), denial.quantity) for denial in result.denials]


def state_names(result: Result) -> list[str]:
    """The trading state after each change."""
    return [change.state.upper() for change in result.states]
