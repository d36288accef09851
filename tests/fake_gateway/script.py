"""A gateway described in a file: its settings, its market, and what goes wrong when."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import yaml
from msgspec import Struct

from tests.fake_gateway.clock import SECOND_NS, instant_ns
from tests.fake_gateway.market import Instrument, Market, MarketBar, bars_from, session_starts
from tests.fake_gateway.sessions import DAY_NS
from tests.fake_gateway.settings import Settings
from tests.fake_gateway.steps import Step
from tests.fake_gateway.walk import walk


class Walk(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Made-up bars of all sessions from a day on."""

    first: date
    days: int
    size: str = "30 mins"
    seed: int = 1
    price: float = 100.0


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bars of a CSV file: timestamp,open,high,low,close,volume; ISO-8601 with a zone."""

    path: str
    size: str = "30 mins"


class Symbol(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stock; `lag_s`, `grid` and the exchange as in market.Instrument."""

    con_id: int | None = None
    lag_s: float = 1.0
    grid: str = "clock"
    primary_exchange: str = "NASDAQ"
    currency: str = "USD"
    walk: Walk | None = None
    table: Table | None = None
    closed: tuple[date, ...] = ()
    early: tuple[date, ...] = ()


class Script(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about a gateway; `start` is where a virtual clock begins."""

    start: str | None = None
    settings: Settings = Settings()
    symbols: dict[str, Symbol] = {}
    steps: tuple[Step, ...] = ()


def read_script(path: Path) -> tuple[Script, Market]:
    """Read a YAML script and make its market; paths in it are relative to its folder.

    Raises ValueError with the place of what is wrong.
    """
    script = parse_script(path.read_text(encoding="utf-8"))
    return script, market_of(script, path.parent)


def parse_script(text: str) -> Script:
    """Read a script's text."""
    try:
        return msgspec.convert(yaml.safe_load(text) or {}, Script, strict=False)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise ValueError(str(error)) from error


def market_of(script: Script, folder: Path) -> Market:
    """Make the market of a script."""
    market = Market()
    for name, symbol in script.symbols.items():
        instrument = market.add(
            name,
            symbol.con_id,
            lag_s=symbol.lag_s,
            grid=symbol.grid,
            primary_exchange=symbol.primary_exchange,
            currency=symbol.currency,
        )
        instrument.hours.closed.update(symbol.closed)
        instrument.hours.early.update(symbol.early)
        if symbol.walk is not None:
            instrument.add(_walked(instrument, symbol.walk))
        if symbol.table is not None:
            instrument.add(read_table(folder / symbol.table.path, symbol.table.size))
    return market


def made_up(now_ns: int) -> Script:
    """Return the script of a gateway that nobody described: NVDA, some weeks around now.

    In minutes, so that it has whatever size of bars a daemon or `papertape probe` asks for.
    """
    first = datetime.fromtimestamp((now_ns - 30 * DAY_NS) // SECOND_NS, UTC).date()
    walked = Walk(first=first, days=60, size="1 min")
    return Script(symbols={"NVDA": Symbol(con_id=4815747, walk=walked)})


def read_table(path: Path, size: str) -> list[MarketBar]:
    """Read the bars of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_row(row) for row in csv.DictReader(file)]
    return bars_from(rows, size)


def _row(row: dict[str, str]) -> tuple[int, float, float, float, float, float]:
    start_ns = instant_ns(row["timestamp"])
    open_, high, low, close, volume = (float(row[name]) for name in _PRICES)
    return start_ns, open_, high, low, close, volume


_PRICES = ("open", "high", "low", "close", "volume")


def _walked(instrument: Instrument, made: Walk) -> list[MarketBar]:
    starts = session_starts(instrument.hours, f"{made.first}", made.days, made.size)
    return walk(starts, made.size, made.seed, made.price)
