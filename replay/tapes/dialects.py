"""Which column is what: the forms in which tools write bars, told by header or shape.

A dialect is named in the config or recognised by marks that only it has; a header that fits none
is refused with a `tape.columns` mapping to start from, because a wrong guess trades.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from daemon.errors import RefusedError
from replay.tapes.model import TapeSpec
from replay.tapes.source import Head
from replay.tapes.stamps import is_number

PRICES = ("open", "high", "low", "close")
NEW_YORK = "America/New_York"


class StampKind(StrEnum):
    """How a row says when."""

    WRITTEN = "written"
    MILLISECONDS_OF_DAY = "milliseconds since midnight"


@dataclass(frozen=True, slots=True)
class Group:
    """The columns of one symbol's bar in a row; `symbol` where the header names it."""

    symbol: str | None
    prices: tuple[int, int, int, int]
    volume: int | None


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a row: positions of cells, counted from 0.

    Data begins after line `header_line`. `time` is a second cell that completes the stamp;
    `units_per_usd` is what a price of one dollar is written as; `symbol` is the one that the
    file as a whole is about, where its name or header says so; `zone` the dialect's own.
    """

    dialect: str
    header_line: int
    stamp: int
    groups: tuple[Group, ...]
    names: Mapping[str, str]
    time: int | None = None
    symbol_column: int | None = None
    symbol: str | None = None
    units_per_usd: int = 1
    stamp_kind: StampKind = StampKind.WRITTEN
    day: date | None = None
    zone: str | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Dialect:
    """A dialect with one header row: the names it uses, and the marks that tell it apart.

    `stamps` are the names its stamp may have, `prices` those of open, high, low, close.
    A header is of this dialect if it has a stamp, the prices and any of `marks`
    (no marks: if it has nothing but those, volume and `also`). Names compare as written.
    """

    name: str
    stamps: tuple[str, ...]
    prices: tuple[str, str, str, str]
    volume: str
    marks: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ("symbol", "Symbol", "ticker", "Ticker")


_UPPER = ("Open", "High", "Low", "Close")
DIALECTS = (
    Dialect("polygon", ("t",), ("o", "h", "l", "c"), "v", marks=("vw", "n")),
    Dialect(
        "polygon",
        ("datetime", "timestamp", "window_start", "date"),
        PRICES,
        "volume",
        marks=("transactions",),
    ),
    Dialect("alpaca", ("timestamp",), PRICES, "volume", marks=("trade_count", "vwap")),
    Dialect("ib_async", ("date",), PRICES, "volume", marks=("barCount", "average", "wap")),
    Dialect("yfinance", ("Datetime", "Date", ""), _UPPER, "Volume", marks=_UPPER),
    Dialect("yfinance", ("timestamps",), PRICES, "volume", marks=("amount", "volume")),
    Dialect("papertape", ("timestamp",), PRICES, "volume"),
)
NAMES = ("papertape", "yfinance", "ib_async", "alpaca", "polygon", "lean")


def find_layout(head: Head, spec: TapeSpec) -> Layout:
    """How to read the file; `RefusedError` names what is missing or what to configure."""
    if spec.columns:
        return _named_columns(head, spec.columns)
    if spec.dialect not in ("auto", *NAMES):
        raise RefusedError(
            f"tape.dialect: {spec.dialect!r} is none of auto, {', '.join(NAMES)};"
            " for other files name their columns in tape.columns"
        )
    line, first = head.rows[0]
    lean = _lean(head) if spec.dialect in ("auto", "lean") else None
    if lean is not None:
        return lean
    if spec.dialect == "lean":
        raise RefusedError(
            f"{head.where(line)}: dialect lean has rows like '20240102 09:00,4725100,…' and no"
            f" header, this is {_shown(first)}"
        )
    stacked = _stacked_header(head) if spec.dialect in ("auto", "yfinance") else None
    if stacked is not None:
        return stacked
    candidates = [each for each in DIALECTS if spec.dialect in ("auto", each.name)]
    for dialect in candidates:
        layout = _by_header(dialect, line, first)
        if layout is not None:
            return layout
    raise _no_dialect(head, spec.dialect, candidates)


def _by_header(dialect: Dialect, line: int, header: Sequence[str]) -> Layout | None:
    stamp = next((name for name in dialect.stamps if name in header), None)
    if stamp is None or any(name not in header for name in dialect.prices):
        return None
    allowed = {stamp, *dialect.prices, dialect.volume, *dialect.symbols, *dialect.also}
    marked = any(mark in header for mark in dialect.marks)
    if not marked and (dialect.marks or not set(header) <= allowed):
        return None
    names = {"timestamp": stamp or "(first column)"}
    names.update(zip(PRICES, dialect.prices, strict=True))
    open_, high, low, close = (header.index(name) for name in dialect.prices)
    volume = header.index(dialect.volume) if dialect.volume in header else None
    symbol = next((name for name in dialect.symbols if name in header), None)
    if volume is not None:
        names["volume"] = dialect.volume
    if symbol is not None:
        names["symbol"] = symbol
    return Layout(
        dialect=dialect.name,
        header_line=line,
        stamp=header.index(stamp),
        groups=(Group(None, (open_, high, low, close), volume),),
        names=names,
        symbol_column=header.index(symbol) if symbol is not None else None,
    )


def _no_dialect(head: Head, wanted: str, candidates: Sequence[Dialect]) -> RefusedError:
    """The error for a header that fits nothing: what is missing, or a mapping to start from."""
    line, header = head.rows[0]
    lowered = {name.lower(): name for name in header}
    if sum(name in lowered for name in PRICES) == 0 and wanted == "auto":
        return RefusedError(
            f"{head.where(line)}: {_shown(header)} is neither a header of prices nor a row of a"
            f" known dialect ({', '.join(NAMES)})"
        )
    closest = max(candidates, key=lambda each: sum(name in header for name in each.prices))
    missing = [name for name in closest.prices if name not in header]
    if not any(name in header for name in closest.stamps):
        missing.insert(0, " or ".join(name for name in closest.stamps if name))
    named = ", ".join(missing) or "none of the columns that tell it apart"
    stamp = next((name for name in header if name.lower() not in (*PRICES, "volume")), "…")
    mapping = {"timestamp": stamp} | {name: lowered.get(name, "…") for name in (*PRICES, "volume")}
    suggestion = ", ".join(f"{ours}: {theirs}" for ours, theirs in mapping.items())
    return RefusedError(
        f"{head.where(line)}: the header {_shown(header)} is of no known dialect (closest:"
        f" {closest.name}, missing: {named}); name its columns: tape.columns: {{{suggestion}}}"
    )


# --- yfinance.download(): three header rows ---------------------------------------------------


def _stacked_header(head: Head) -> Layout | None:
    """`Price,Close,…` over `Ticker,SPY,…` over `Datetime,,…`, in either order of the first two."""
    if len(head.rows) < 3 or head.rows[0][1][0] not in ("Price", "Ticker", ""):
        return None
    (_, first), (_, second), (line, third) = head.rows[:3]
    if third[0] not in ("Datetime", "Date") or any(third[1:]):
        return None
    fields, tickers = (first, second) if "Close" in first else (second, first)
    if "Close" not in fields or len(fields) != len(tickers):
        return None
    groups = []
    for ticker in dict.fromkeys(tickers[1:]):
        at = {fields[i]: i for i in range(1, len(fields)) if tickers[i] == ticker}
        missing = [name for name in _UPPER if name not in at]
        if missing:
            raise RefusedError(
                f"{head.where(head.rows[0][0])}: {ticker} has no column {', '.join(missing)}"
            )
        open_, high, low, close = (at[name] for name in _UPPER)
        groups.append(Group(ticker.upper(), (open_, high, low, close), at.get("Volume")))
    names = {"timestamp": third[0]} | dict(zip(PRICES, _UPPER, strict=True))
    return Layout(
        dialect="yfinance",
        header_line=line,
        stamp=0,
        groups=tuple(groups),
        names=names | {"volume": "Volume"},
        notes=("three header rows, as yfinance.download() writes them",),
    )


# --- LEAN: no header --------------------------------------------------------------------------

_LEAN_STAMP = re.compile(r"\d{8} \d\d:\d\d")
_LEAN_MINUTE_NAME = re.compile(r"(?P<day>\d{8})_(?P<symbol>[a-z0-9.]+)_minute_(?P<kind>[a-z]+)")
_LEAN_HOUR_NAME = re.compile(r"(?P<symbol>[A-Za-z0-9.]+)\.csv")
_DAY_MS = 86_400_000


def _lean(head: Head) -> Layout | None:
    cells = head.rows[0][1]
    if len(cells) < 6 or not all(map(is_number, cells[1:6])):
        return None
    if _LEAN_STAMP.fullmatch(cells[0]):
        if len(head.rows) > 1 and all(cells[0].endswith(" 00:00") for _, cells in head.rows):
            raise RefusedError(
                f"{head.where(head.rows[0][0])}: LEAN daily bars are not a size papertape trades"
                " (1h, 30m, 15m, 5m, 1m)"
            )
        named = _LEAN_HOUR_NAME.fullmatch(head.names[-1]) if len(head.names) > 1 else None
        return _lean_layout(named["symbol"].upper() if named else None)
    if not is_number(cells[0]) or int(cells[0]) >= _DAY_MS:
        return None
    if len(cells) > 6:
        raise RefusedError(
            f"{head.where(head.rows[0][0])}: has {len(cells)} columns as LEAN's quotes have;"
            " a tape needs its trades (…_trade.zip)"
        )
    return _lean_minute(head)


def _lean_minute(head: Head) -> Layout:
    named = next((m for name in head.names if (m := _LEAN_MINUTE_NAME.search(name))), None)
    digits = next((m[0] for name in head.names if (m := re.search(r"\d{8}", name))), "")
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise RefusedError(
            f"{head.path.name}: LEAN's minute files have their date in the name"
            " (20240102_trade.zip); this name has none"
        ) from None
    return _lean_layout(named["symbol"].upper() if named else None, day)


def _lean_layout(symbol: str | None, day: date | None = None) -> Layout:
    names = ("timestamp", *PRICES, "volume")
    return Layout(
        dialect="lean",
        header_line=0,
        stamp=0,
        groups=(Group(None, (1, 2, 3, 4), 5),),
        names={name: f"column {position}" for position, name in enumerate(names, 1)},
        symbol=symbol,
        units_per_usd=10_000,
        stamp_kind=StampKind.MILLISECONDS_OF_DAY if day else StampKind.WRITTEN,
        day=day,
        zone=NEW_YORK,
        notes=("prices are written in 1/10,000 dollar",),
    )


# --- a named mapping --------------------------------------------------------------------------


def _named_columns(head: Head, columns: Mapping[str, str]) -> Layout:
    line, header = head.rows[0]
    wanted = dict(columns)
    unknown = set(wanted) - {"timestamp", "date", "time", "volume", "symbol", *PRICES}
    if unknown:
        raise RefusedError(
            f"tape.columns: {', '.join(sorted(unknown))} is none of timestamp (or date and time),"
            " open, high, low, close, volume, symbol"
        )
    stamp = "timestamp" if "timestamp" in wanted else "date"
    lacking = [name for name in (stamp, *PRICES) if name not in wanted]
    if lacking:
        raise RefusedError(f"tape.columns: {', '.join(lacking)} must be named too")
    absent = [name for name in wanted.values() if name not in header]
    if absent:
        raise RefusedError(
            f"{head.where(line)}: tape.columns names {', '.join(absent)}, which the header"
            f" {_shown(header)} does not have"
        )
    at = {ours: header.index(theirs) for ours, theirs in wanted.items()}
    return Layout(
        dialect="columns",
        header_line=line,
        stamp=at[stamp],
        groups=(Group(None, (at["open"], at["high"], at["low"], at["close"]), at.get("volume")),),
        names=wanted,
        time=at.get("time"),
        symbol_column=at.get("symbol"),
    )


def _shown(cells: Sequence[str]) -> str:
    text = ",".join(cells)
    return repr(text if len(text) <= 80 else text[:77] + "…")
