"""What the gateway sends: each function returns the fields of one message.

Layouts are those of server versions 157 to 178, as ib_insync, ib_async and ibapi read them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.fake_gateway.clock import SECOND_NS
from tests.fake_gateway.market import Instrument, MarketBar
from tests.fake_gateway.requests import Request
from tests.fake_gateway.sessions import bar_date, utc_text

Fields = tuple[object, ...]

VERSION_MIN = 157
VERSION_MAX = 178
HOURS_DAYS = 6
# What a bar has that is made of quotes instead of trades.
NO_TRADES = -1


def handshake(version: int, now_ns: int) -> Fields:
    """Exactly two fields, so that a client tells it from every other message."""
    return (version, utc_text(now_ns))


def managed_accounts(accounts: Sequence[str]) -> Fields:
    """The accounts of the login."""
    return (15, 1, ",".join(accounts))


def next_valid_id(order_id: int) -> Fields:
    """The first number the client may use; ib_async counts requests from it."""
    return (9, 1, order_id)


def error(version: int, request_id: int, code: int, message: str) -> Fields:
    """A refusal of a request, or with -1 a notice about the whole connection."""
    fields = (4, 2, request_id, code, message)
    return (*fields, "") if version >= 166 else fields


def current_time(now_ns: int) -> Fields:
    """The gateway's clock in whole seconds."""
    return (49, 1, now_ns // SECOND_NS)


def contract_details(version: int, request_id: int, instrument: Instrument, now_ns: int) -> Fields:
    """One contract that matches, with the hours of the coming days."""
    hours = instrument.hours
    old = version < 164
    sizes: Fields = ("0.0001", "0.0001", "100")
    if version < 163:
        sizes = ()
    elif version == 163:
        sizes = ("100",)
    return (
        10,
        *((8,) if old else ()),
        request_id,
        instrument.symbol,
        instrument.sec_type,
        "",  # last trade date
        "0",  # strike
        "",  # right
        instrument.exchange,
        instrument.currency,
        instrument.symbol,  # local symbol
        instrument.trading_class,  # market name
        instrument.trading_class,
        instrument.con_id,
        "0.01",  # smallest price step
        *((100,) if old else ()),
        "",  # multiplier
        "ACTIVETIM,AD,ADJUST,LMT,MKT,STP",
        f"SMART,{instrument.primary_exchange}",
        1,  # price magnifier
        0,  # underlying
        instrument.name or instrument.symbol,
        instrument.primary_exchange,
        "",  # contract month
        "Technology",
        "Semiconductors",
        "Electronic Compo-Semicon",
        hours.zone_id,
        hours.text(now_ns, HOURS_DAYS, regular=False),
        hours.text(now_ns, HOURS_DAYS, regular=True),
        "",  # economic value rule
        "",  # and its multiplier
        0,  # number of security ids
        1,  # aggregated group
        "",  # underlying symbol
        "",  # and its type
        "26,26",  # market rules
        "",  # real expiration
        "COMMON",
        *sizes,
    )


def contract_details_end(request_id: int) -> Fields:
    """No further contract matches."""
    return (52, 1, request_id)


def history(
    request: Request,
    bars: Sequence[MarketBar],
    span: tuple[str, str],
    dates: Sequence[str],
    what: str,
) -> Fields:
    """All bars of a request at once; it is its own end."""
    rows: list[object] = []
    for date, bar in zip(dates, bars, strict=True):
        volume, average, count = _traded(bar, what)
        rows += [date, bar.open, bar.high, bar.low, bar.close, volume, average, count]
    return (17, request.request_id, *span, len(bars), *rows)


def history_update(request_id: int, date: str, bar: MarketBar, what: str) -> Fields:
    """A running bar of a request that is kept up to date; note the order of the fields."""
    volume, average, count = _traded(bar, what)
    return (
        90, request_id, count, date, bar.open, bar.close, bar.high, bar.low, average, volume,
    )  # fmt: skip


def real_time_bar(request_id: int, bar: MarketBar, what: str) -> Fields:
    """Five seconds of a stock."""
    volume, average, count = _traded(bar, what)
    epoch_s = bar.start_ns // SECOND_NS
    return (
        50, 3, request_id, epoch_s, bar.open, bar.high, bar.low, bar.close, volume, average, count,
    )  # fmt: skip


def head_timestamp(request_id: int, text: str) -> Fields:
    """The start of the oldest bar there is."""
    return (88, request_id, text)


def account_values(account: str, request_id: int, *, multi: bool) -> list[Fields]:
    """The little that a client's start needs of an account, and its end mark."""
    values = (("NetLiquidation", "100000.00", "USD"), ("TotalCashValue", "100000.00", "USD"))
    if multi:
        rows: list[Fields] = [(73, 1, request_id, account, "", *value) for value in values]
        return [*rows, (74, 1, request_id)]
    return [*((6, 2, *value, account) for value in values), (54, 1, account)]


def account_summary(account: str, request_id: int) -> list[Fields]:
    """As account_values, for the third way to ask."""
    return [
        (63, 1, request_id, account, "NetLiquidation", "100000.00", "USD"),
        (64, 1, request_id),
    ]


def position_end() -> Fields:
    """The account holds nothing."""
    return (62, 1)


def open_order_end() -> Fields:
    """No orders are open."""
    return (53, 1)


def completed_orders_end() -> Fields:
    """No orders were completed."""
    return (102,)


def executions_end(request_id: int) -> Fields:
    """Nothing was executed."""
    return (55, 1, request_id)


def dates_of(
    bars: Sequence[MarketBar], bar_size: str, format_date: int, instrument: Instrument
) -> list[str]:
    """Write the starts of bars as a request asked for them."""
    return [bar_date(bar.start_ns, bar_size, format_date, instrument.hours) for bar in bars]


def _traded(bar: MarketBar, what: str) -> tuple[object, object, object]:
    if what in ("MIDPOINT", "BID", "ASK", "BID_ASK"):
        return NO_TRADES, NO_TRADES, NO_TRADES
    average = round((bar.open + bar.high + bar.low + bar.close) / 4, 3)
    volume = int(bar.volume) if bar.volume == int(bar.volume) else bar.volume
    return volume, average, bar.count
