"""What a client asks for: one immutable record a message, read from its fields."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """The messages that the fake gateway knows, by the word used in scripts and logs."""

    ACCEPT = "accept"  # the connection itself, before anything is said
    GREET = "greet"  # the version handshake; like the first it has no message number
    START = "start"
    CURRENT_TIME = "current_time"
    MARKET_DATA_TYPE = "market_data_type"
    CONTRACT = "contract"
    HISTORY = "history"
    CANCEL_HISTORY = "cancel_history"
    HEAD_TIMESTAMP = "head_timestamp"
    CANCEL_HEAD_TIMESTAMP = "cancel_head_timestamp"
    REAL_TIME_BARS = "real_time_bars"
    CANCEL_REAL_TIME_BARS = "cancel_real_time_bars"
    MARKET_DATA = "market_data"
    CANCEL_MARKET_DATA = "cancel_market_data"
    IDS = "ids"
    AUTO_OPEN_ORDERS = "auto_open_orders"
    OPEN_ORDERS = "open_orders"
    ALL_OPEN_ORDERS = "all_open_orders"
    COMPLETED_ORDERS = "completed_orders"
    ACCOUNT_UPDATES = "account_updates"
    ACCOUNT_UPDATES_MULTI = "account_updates_multi"
    ACCOUNT_SUMMARY = "account_summary"
    CANCEL_ACCOUNT_SUMMARY = "cancel_account_summary"
    POSITIONS = "positions"
    CANCEL_POSITIONS = "cancel_positions"
    EXECUTIONS = "executions"
    MANAGED_ACCOUNTS = "managed_accounts"
    LOG_LEVEL = "log_level"
    PLACE_ORDER = "place_order"
    CANCEL_ORDER = "cancel_order"
    CANCEL_ALL_ORDERS = "cancel_all_orders"
    EXERCISE_OPTIONS = "exercise_options"
    UNKNOWN = "unknown"


# Requests that would change something at the broker: a paper daemon may never send one.
ORDER_KINDS = frozenset(
    {Kind.PLACE_ORDER, Kind.CANCEL_ORDER, Kind.CANCEL_ALL_ORDERS, Kind.EXERCISE_OPTIONS}
)

# What a connection begins with is no message that counts against the vendor's limits.
CONVERSATION = frozenset({Kind.ACCEPT, Kind.GREET})

# Message number -> kind and where the request's number stands among the fields (0: it has none).
MESSAGES: dict[int, tuple[Kind, int]] = {
    1: (Kind.MARKET_DATA, 2),
    2: (Kind.CANCEL_MARKET_DATA, 2),
    3: (Kind.PLACE_ORDER, 1),
    4: (Kind.CANCEL_ORDER, 1),
    5: (Kind.OPEN_ORDERS, 0),
    6: (Kind.ACCOUNT_UPDATES, 0),
    7: (Kind.EXECUTIONS, 2),
    8: (Kind.IDS, 0),
    9: (Kind.CONTRACT, 2),
    14: (Kind.LOG_LEVEL, 0),
    15: (Kind.AUTO_OPEN_ORDERS, 0),
    16: (Kind.ALL_OPEN_ORDERS, 0),
    17: (Kind.MANAGED_ACCOUNTS, 0),
    20: (Kind.HISTORY, 1),
    21: (Kind.EXERCISE_OPTIONS, 2),
    25: (Kind.CANCEL_HISTORY, 2),
    49: (Kind.CURRENT_TIME, 0),
    50: (Kind.REAL_TIME_BARS, 2),
    51: (Kind.CANCEL_REAL_TIME_BARS, 2),
    58: (Kind.CANCEL_ALL_ORDERS, 0),
    59: (Kind.MARKET_DATA_TYPE, 0),
    61: (Kind.POSITIONS, 0),
    62: (Kind.ACCOUNT_SUMMARY, 2),
    63: (Kind.CANCEL_ACCOUNT_SUMMARY, 2),
    64: (Kind.CANCEL_POSITIONS, 0),
    71: (Kind.START, 0),
    76: (Kind.ACCOUNT_UPDATES_MULTI, 2),
    87: (Kind.HEAD_TIMESTAMP, 1),
    90: (Kind.CANCEL_HEAD_TIMESTAMP, 1),
    99: (Kind.COMPLETED_ORDERS, 0),
}

CONTRACT_FIELDS = 12


class ContractQuery(Struct, frozen=True):
    """The fields of a contract that tell stocks apart; empty or 0 means "any"."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""

    @property
    def label(self) -> str:
        """The symbol, or the number where a client sent that alone."""
        return self.symbol or f"conId {self.con_id}"


class HistoryQuery(Struct, frozen=True):
    """A request for bars, in the words of the protocol."""

    contract: ContractQuery
    end: str
    bar_size: str
    duration: str
    regular_hours: bool
    what: str
    format_date: int
    keep_up_to_date: bool


class StreamQuery(Struct, frozen=True):
    """A request for a live bar every five seconds."""

    contract: ContractQuery
    what: str
    regular_hours: bool


Query = ContractQuery | HistoryQuery | StreamQuery | None


class Request(Struct, frozen=True):
    """One message of a client; `fields` are as received, `query` is what they mean."""

    kind: Kind
    fields: tuple[str, ...]
    request_id: int = -1
    query: Query = None

    @property
    def contract(self) -> ContractQuery | None:
        """The contract that is asked for, if it is about one."""
        if isinstance(self.query, HistoryQuery | StreamQuery):
            return self.query.contract
        return self.query


def read_request(fields: list[str]) -> Request:
    """Read a message; one that cannot be read is UNKNOWN, never an exception."""
    try:
        kind, place = MESSAGES[int(fields[0])]
        request_id = int(fields[place]) if place else -1
        query = _query(kind, fields)
    except (KeyError, ValueError, IndexError):
        return Request(Kind.UNKNOWN, tuple(fields))
    return Request(kind, tuple(fields), request_id, query)


def _query(kind: Kind, fields: list[str]) -> Query:
    if kind is Kind.CONTRACT:
        return _contract(fields[3:])
    if kind is Kind.HEAD_TIMESTAMP:
        return _contract(fields[2:])
    if kind is Kind.HISTORY:
        rest = fields[2 + CONTRACT_FIELDS + 1 :]
        return HistoryQuery(
            contract=_contract(fields[2:]),
            end=rest[0],
            bar_size=rest[1],
            duration=rest[2],
            regular_hours=rest[3] == "1",
            what=rest[4],
            format_date=int(rest[5]),
            keep_up_to_date=rest[6] == "1",
        )
    if kind is Kind.REAL_TIME_BARS:
        rest = fields[3 + CONTRACT_FIELDS :]
        return StreamQuery(_contract(fields[3:]), what=rest[1], regular_hours=rest[2] == "1")
    return None


def _contract(fields: list[str]) -> ContractQuery:
    con_id, symbol, sec_type, _, _, _, _, exchange, primary, currency = fields[:10]
    return ContractQuery(int(con_id or 0), symbol, sec_type, exchange, primary, currency)
