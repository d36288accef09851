"""Tapes for tests: a calendar made by hand, bars on it, and the forms that tools write them in."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from daemon.core.units import SECOND_NS
from daemon.feeds.calendar import Calendar, Facts
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session
from replay.tapes import PlainTapeSpec, Tape, open_tape

NEW_YORK = ZoneInfo("America/New_York")
CLOSED = {date(2024, 1, 1), date(2024, 1, 15), date(2024, 7, 4), date(2024, 11, 28)}
EARLY_CLOSES = {date(2024, 7, 3), date(2024, 11, 29)}


class Row(NamedTuple):
    """One bar as a tape holds it; `start` in ns."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@cache
def calendar() -> Calendar:
    """Weekdays of 2024 from 09:30 to 16:00 New York, two of them to 13:00, four closed."""
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    days = [day for day in days if day.weekday() < 5 and day not in CLOSED]
    opens = [_second(day, 9, 30) for day in days]
    closes = [_second(day, 13 if day in EARLY_CLOSES else 16, 0) for day in days]
    dates = [day.year * 10_000 + day.month * 100 + day.day for day in days]
    return Calendar(
        Facts("TEST", "America/New_York", "0", 20240101, 20241231, dates, opens, closes)
    )


def _second(day: date, hour: int, minute: int) -> int:
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK)
    return int(moment.timestamp())


def at(text: str) -> int:
    """The instant of exchange time `2024-01-02 10:30`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND_NS


def starts(first: int, last: int, size: str = "1h", grid: str = "session") -> list[int]:
    """The starts of all expected bars of sessions `first` to `last` (YYYYMMDD)."""
    sessions = each_expected_session(calendar(), first, last, BAR_SIZES_NS[size], grid)
    return [start for session in sessions for start in session.starts]


def bars(
    first: int = 20240102, last: int = 20240105, size: str = "1h", grid: str = "session"
) -> list[Row]:
    """A quiet market: bar n opens at 100 + 3n cents and closes a cent higher; volume 1000 + n."""
    rows = []
    for n, start in enumerate(starts(first, last, size, grid)):
        price = 100 + 3 * n / 100
        open_, close = round(price, 2), round(price + 0.01, 2)
        rows.append(
            Row(start, open_, round(close + 0.05, 2), round(open_ - 0.05, 2), close, 1000 + n)
        )
    return rows


def moment(start: int, zone: ZoneInfo | None = None) -> datetime:
    return datetime.fromtimestamp(start // SECOND_NS, zone or UTC)


def iso_z(start: int) -> str:
    return moment(start).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(start: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """The exchange's wall clock, without a zone."""
    return moment(start, NEW_YORK).strftime(form)


def text_of(header: str, rows: Iterable[Sequence[Any]]) -> str:
    """A CSV with this header line (none if empty)."""
    out = io.StringIO()
    if header:
        out.write(header + "\n")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


# --- the dialects, each written as its tool does ------------------------------------------------


def papertape(rows: Sequence[Row]) -> str:
    header = "timestamp,open,high,low,close,volume"
    return text_of(header, [(iso_z(row.start), *row[1:]) for row in rows])


def yfinance_history(rows: Sequence[Row]) -> str:
    header = "Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits"
    stamped = [(moment(row.start, NEW_YORK).isoformat(" "), *row[1:], 0.0, 0.0) for row in rows]
    return text_of(header, stamped)


def yfinance_adj_close(rows: Sequence[Row]) -> str:
    header = "Datetime,Open,High,Low,Close,Adj Close,Volume"
    return text_of(
        header,
        [(moment(row.start, NEW_YORK).isoformat(" "), *row[1:5], 1.5, row.volume) for row in rows],
    )


def yfinance_download(rows: Sequence[Row]) -> str:
    header = "Price,Close,High,Low,Open,Volume\nTicker,NVDA,NVDA,NVDA,NVDA,NVDA\nDatetime,,,,,"
    return text_of(
        header,
        [
            (moment(row.start).isoformat(" "), row.close, row.high, row.low, row.open, row.volume)
            for row in rows
        ],
    )


def yfinance_amount(rows: Sequence[Row]) -> str:
    header = "timestamps,open,high,low,close,volume,amount"
    return text_of(header, [(moment(row.start).isoformat(), *row[1:], 12.5) for row in rows])


def yfinance_symbol(rows: Sequence[Row]) -> str:
    header = "Datetime,Open,High,Low,Close,Volume,Symbol"
    stamped = [(moment(row.start, NEW_YORK).isoformat(" "), *row[1:], "NVDA") for row in rows]
    return text_of(header, stamped)


def ib_async_frame(rows: Sequence[Row]) -> str:
    header = ",date,open,high,low,close,volume,average,barCount"
    return text_of(
        header,
        [
            (n, moment(row.start, NEW_YORK).isoformat(" "), *row[1:5], float(row.volume), 1.0, 7)
            for n, row in enumerate(rows)
        ],
    )


def ib_async_raw(rows: Sequence[Row]) -> str:
    header = "date,open,high,low,close,volume,average,barCount"
    return text_of(
        header,
        [(local(row.start, "%Y%m%d %H:%M:%S US/Eastern"), *row[1:], 1.0, 7) for row in rows],
    )


def alpaca(rows: Sequence[Row]) -> str:
    header = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap"
    return text_of(
        header, [("NVDA", moment(row.start).isoformat(" "), *row[1:], 9, 1.0) for row in rows]
    )


def polygon(rows: Sequence[Row]) -> str:
    header = "datetime,open,high,low,close,volume,vwap,transactions"
    return text_of(
        header, [(moment(row.start, NEW_YORK).isoformat(), *row[1:], 1.0, 9) for row in rows]
    )


def polygon_raw(rows: Sequence[Row]) -> str:
    return text_of(
        "v,vw,o,c,h,l,t,n",
        [
            (row.volume, 1.0, row.open, row.close, row.high, row.low, row.start // 10**6, 9)
            for row in rows
        ],
    )


def lean_hour(rows: Sequence[Row]) -> str:
    """Stamps are the clock hours that bars lie in: 09:00 for 09:30 to 10:00."""
    return text_of(
        "",
        [
            (local(row.start, "%Y%m%d %H:00"), *(round(p * 10_000) for p in row[1:5]), row.volume)
            for row in rows
        ],
    )


WRITERS: Mapping[str, tuple[Callable[[Sequence[Row]], str], str, str]] = {
    # name: (writer, the dialect it must be taken for, grid of its bars)
    "papertape": (papertape, "papertape", "session"),
    "yfinance history()": (yfinance_history, "yfinance", "session"),
    "yfinance with Adj Close": (yfinance_adj_close, "yfinance", "session"),
    "yfinance download()": (yfinance_download, "yfinance", "session"),
    "yfinance timestamps, amount": (yfinance_amount, "yfinance", "session"),
    "yfinance with Symbol": (yfinance_symbol, "yfinance", "session"),
    "ib_async util.df": (ib_async_frame, "ib_async", "session"),
    "ib_async raw": (ib_async_raw, "ib_async", "session"),
    "alpaca": (alpaca, "alpaca", "session"),
    "polygon": (polygon, "polygon", "session"),
    "polygon raw": (polygon_raw, "polygon", "session"),
    "lean hour": (lean_hour, "lean", "clock"),
}


# --- opening ----------------------------------------------------------------------------------


def save(folder: Path, text: str | bytes, name: str = "nvda.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def save_zip(folder: Path, members: Mapping[str, str], name: str = "nvda.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def opened(
    path: Path,
    *,
    symbols: Sequence[str] = ("NVDA",),
    size: str = "1h",
    grid: str = "session",
    state: Path | None = None,
    hours: Calendar | None = None,
    **options: Any,
) -> Tape:
    """The tape of a file, without a cache unless `state` is given."""
    spec = PlainTapeSpec(path, **options)
    return open_tape(
        spec,
        symbols,
        size,
        grid,
        hours or calendar(),
        state or path.parent / "state",
        use_cache=state is not None,
    )


def rows_of(tape: Tape, symbol: str = "NVDA") -> list[Row]:
    """The bars of a tape as rows."""
    columns = tape.columns[symbol]
    return [
        Row(*values)
        for values in zip(
            columns.start,
            columns.open,
            columns.high,
            columns.low,
            columns.close,
            columns.volume,
            strict=True,
        )
    ]


def rules_of(tape: Tape) -> dict[str, int]:
    """How often each rule found something."""
    return dict(tape.fault_counts)
