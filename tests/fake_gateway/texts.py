"""The gateway's notices and refusals in its own words; clients tell some apart by text alone."""

from __future__ import annotations

from enum import StrEnum

_HISTORY = "Historical Market Data Service error message:"


class Text(StrEnum):
    """The words, by a name that scripts may use (`text: pacing`)."""

    PACING = _HISTORY + "Historical data request pacing violation"
    NO_DATA = _HISTORY + "HMDS query returned no data: {symbol}@{exchange} {what}"
    NO_PERMISSION = _HISTORY + "No market data permissions for {exchange} STK"
    CANCELLED = _HISTORY + "API historical data query cancelled: {request_id}"
    OTHER_ADDRESS = _HISTORY + "Trading TWS session is connected from a different IP address"
    HISTORY_FARM_DOWN = _HISTORY + "HMDS server disconnect occurred.  Attempting reconnection.."
    HISTORY_INFO = (
        "Historical Market Data Service query message:HMDS server connection was successful."
    )
    NO_SECURITY = "No security definition has been found for the request"
    AMBIGUOUS = "The contract description specified for {symbol} is ambiguous."
    INVALID = "Error validating request.-'bX' : cause - {cause}"
    READ_ONLY = (
        "Error validating request.-'bO' : cause - The API interface is currently in Read-Only mode."
    )
    DUPLICATE_ID = "Error processing request.-'bW' : cause - Duplicate ticker id"
    NOT_SUBSCRIBED = (
        "Requested market data is not subscribed. Check API status by selecting the Account menu "
        "then under Management choose Market Data Subscription Manager and/or availability of "
        "delayed data."
    )
    NEEDS_SUBSCRIPTION = (
        "Requested market data requires additional subscription for API. See link in 'Market Data "
        "Connections' dialog for more details.{symbol} NASDAQ.NMS/TOP/ALL"
    )
    PARTLY_SUBSCRIBED = (
        "Part of requested market data is not subscribed. Subscription-independent ticks are still "
        "active.{symbol} NASDAQ.NMS/TOP/ALL"
    )
    NOT_EVEN_DELAYED = (
        "Requested market data is not subscribed. Delayed market data is not enabled."
    )
    COMPETING = "No market data during competing live session"
    CLIENT_ID_IN_USE = (
        "Unable to connect as the client id is already in use. Retry with a unique client id."
    )
    NO_HISTORY_QUERY = "No historical data query found for ticker id:{request_id}"
    STREAM_PACING = "Invalid Real-time Query:Historical request pacing violation"
    UNKNOWN_ID = "Can't find EId with tickerId:{request_id}"
    NOT_CONNECTED = "Not connected"
    LIVE_UPDATES_FAILED = "Failed to request live updates (disconnected)."
    BUST = (
        "Bust event occurred, current subscription is deactivated. "
        "Please resubscribe real-time bars immediately."
    )
    BAD_END = (
        "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is "
        "yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional."
    )
    CONNECTION_LOST = "Connectivity between IBKR and Trader Workstation has been lost."
    RESTORED_DATA_LOST = (
        "Connectivity between IBKR and Trader Workstation has been restored - data lost. "
        "Your current requests are lost. Please re-request."
    )
    RESTORED_DATA_KEPT = (
        "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
        "All data farms are connected: usfarm; ushmds; secdefnj."
    )
    PORT_CHANGED = (
        "TWS socket port has been reset and this connection is being dropped. "
        "Please reconnect on the new port - {port}"
    )
    MARKET_FARM_BROKEN = "Market data farm connection is broken:usfarm"
    MARKET_FARM_OK = "Market data farm connection is OK:usfarm"
    HISTORY_FARM_BROKEN = "HMDS data farm connection is broken:ushmds"
    HISTORY_FARM_OK = "HMDS data farm connection is OK:ushmds"
    HISTORY_FARM_INACTIVE = (
        "HMDS data farm connection is inactive but should be available upon demand.ushmds"
    )
    MARKET_FARM_INACTIVE = (
        "Market data farm connection is inactive but should be available upon demand.usfarm"
    )
    SERVER_BROKEN = (
        "Connectivity between Trader Workstation and server is broken. "
        "It will be restored automatically."
    )
    DEFINITIONS_OK = "Sec-def data farm connection is OK:secdefnj"


# What a code says where a script gives no text.
USUAL: dict[int, Text] = {
    162: Text.PACING,
    165: Text.HISTORY_INFO,
    200: Text.NO_SECURITY,
    300: Text.UNKNOWN_ID,
    321: Text.INVALID,
    322: Text.DUPLICATE_ID,
    326: Text.CLIENT_ID_IN_USE,
    354: Text.NOT_SUBSCRIBED,
    366: Text.NO_HISTORY_QUERY,
    420: Text.STREAM_PACING,
    504: Text.NOT_CONNECTED,
    1100: Text.CONNECTION_LOST,
    1101: Text.RESTORED_DATA_LOST,
    1102: Text.RESTORED_DATA_KEPT,
    1300: Text.PORT_CHANGED,
    2103: Text.MARKET_FARM_BROKEN,
    2104: Text.MARKET_FARM_OK,
    2105: Text.HISTORY_FARM_BROKEN,
    2106: Text.HISTORY_FARM_OK,
    2107: Text.HISTORY_FARM_INACTIVE,
    2108: Text.MARKET_FARM_INACTIVE,
    2110: Text.SERVER_BROKEN,
    2158: Text.DEFINITIONS_OK,
    10089: Text.NEEDS_SUBSCRIPTION,
    10090: Text.PARTLY_SUBSCRIBED,
    10168: Text.NOT_EVEN_DELAYED,
    10182: Text.LIVE_UPDATES_FAILED,
    10197: Text.COMPETING,
    10225: Text.BUST,
    10314: Text.BAD_END,
}


class _Blank(dict[str, object]):
    """Leave a place in a text empty where the request has nothing for it."""

    def __missing__(self, key: str) -> str:
        return ""


def words(code: int, text: str | None = None, **values: object) -> str:
    """Return the text of a code: as given, by the name of a Text, or the usual one."""
    if text is None:
        text = USUAL[code].value if code in USUAL else f"Error {code}"
    elif text.upper() in Text.__members__:
        text = Text[text.upper()].value
    return text.format_map(_Blank(values)) if "{" in text else text
