"""What each code of the gateway means, and how a trader is told: a table.

Codes come as notices (of no request) and as answers to a request. 162 is told apart by its text
alone. A code that is not in the table changes nothing as a notice; as an answer it is a failure
that is tried again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Meaning(StrEnum):
    """What the feed does about it."""

    IGNORE = "ignore"
    UPSTREAM_LOST = "upstream_lost"  # wait; connect anew where it lasts
    UPSTREAM_BACK = "upstream_back"  # verify everything
    RECONNECT = "reconnect"  # this connection is over
    MARKET_FARM_BROKEN = "market_farm_broken"  # degraded until it is back or bars come
    HISTORY_FARM_BROKEN = "history_farm_broken"
    MARKET_FARM_OK = "market_farm_ok"
    HISTORY_FARM_OK = "history_farm_ok"
    PACING = "pacing"  # ask nothing for a while, and for longer each time
    NO_DATA = "no_data"  # an answer: there are no bars
    NO_PERMISSION = "no_permission"  # of this symbol; asked again every hour
    NO_CONTRACT = "no_contract"  # of this symbol; asked again, ever less often
    INVALID = "invalid"  # our fault or the config's; asked again every ten minutes
    COMPETING = "competing"  # degraded; asked again every minute
    FAILED = "failed"  # anything else


class Row(NamedTuple):
    """A code's meaning, and what is said of it; an empty text is not told."""

    meaning: Meaning
    line: str = ""


_GATEWAY = "the gateway has lost Interactive Brokers' servers; waiting"
_BACK = "the gateway has Interactive Brokers' servers again; asking for what was missed"
_NO_PERMISSION = "no market data subscription: subscribe in Client Portal, Settings"
_FARM = "Interactive Brokers' {} is down; waiting"
_COMPETING = (
    "another login of this user (a phone, another computer) took the market data; waiting until "
    "it gives it back"
)
_INVALID = "the gateway refused the request as invalid: run `papertape probe`"

ROWS: dict[int, Row] = {
    165: Row(Meaning.IGNORE),
    200: Row(Meaning.NO_CONTRACT, "Interactive Brokers knows no such stock"),
    321: Row(Meaning.INVALID, _INVALID),
    322: Row(Meaning.INVALID, _INVALID),
    354: Row(Meaning.NO_PERMISSION, _NO_PERMISSION),
    366: Row(Meaning.IGNORE),
    420: Row(Meaning.PACING, "asked too often; waiting"),
    502: Row(Meaning.RECONNECT, "the gateway is not there"),
    503: Row(Meaning.RECONNECT, "the gateway is too old: version 9.72 or later is needed"),
    504: Row(Meaning.RECONNECT, "the gateway says that it is not connected"),
    1100: Row(Meaning.UPSTREAM_LOST, _GATEWAY),
    1101: Row(Meaning.UPSTREAM_BACK, _BACK),
    1102: Row(Meaning.UPSTREAM_BACK, _BACK),
    1300: Row(
        Meaning.RECONNECT,
        "the gateway's port was changed: put the new one into the config, feed.port",
    ),
    2103: Row(Meaning.MARKET_FARM_BROKEN, _FARM.format("market data")),
    2104: Row(Meaning.MARKET_FARM_OK),
    2105: Row(Meaning.HISTORY_FARM_BROKEN, _FARM.format("store of past bars")),
    2106: Row(Meaning.HISTORY_FARM_OK),
    2107: Row(Meaning.IGNORE),
    2108: Row(Meaning.IGNORE),
    2110: Row(Meaning.UPSTREAM_LOST, _GATEWAY),
    2158: Row(Meaning.IGNORE),
    10089: Row(Meaning.NO_PERMISSION, _NO_PERMISSION),
    10090: Row(Meaning.IGNORE),  # a part of the data is not subscribed: judged by what comes
    10168: Row(Meaning.NO_PERMISSION, _NO_PERMISSION),
    10182: Row(Meaning.IGNORE),  # of streams, which we have none of
    10197: Row(Meaning.COMPETING, _COMPETING),
    10225: Row(Meaning.IGNORE),  # of streams
    10314: Row(Meaning.INVALID, _INVALID),
}

HISTORY_TEXTS: tuple[tuple[str, Row], ...] = (
    ("pacing violation", ROWS[420]),
    ("no market data permissions", ROWS[354]),
    ("query cancelled", Row(Meaning.IGNORE)),
    ("different ip address", ROWS[10197]),
    ("server disconnect", ROWS[2105]),
    ("no data", Row(Meaning.NO_DATA)),
)
"""What stands in the text of a 162, in lower case."""


def row_of(code: int, text: str) -> Row:
    """The meaning of a code and its text."""
    if code == 162:
        folded = text.lower()
        for part, row in HISTORY_TEXTS:
            if part in folded:
                return row
    return ROWS.get(code) or Row(Meaning.FAILED, f"the gateway answered {code}: {text}")
