"""Make the bundled sample: `python -m replay.samples.make_sample [--out DIR]`.

Two tapes and one file of predictions, all synthetic, the same rows every time. README.md beside
this file says what is in them; the faults are listed there and in `FAULTS` and `NO_PREDICTION`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.expected import BAR_SIZES_NS, expected_sessions
from daemon.feeds.times import iso_z, parse_date, parse_when, zone_date
from replay.samples.synthetic_market import Normals, Stock, SyntheticBar, make_bars, make_shared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 112
FIRST_DATE, LAST_DATE = 20180102, 20241231
STOCKS = (
    Stock("NVDA", 20180102, 49.0, 1.0, 0.0235, 42_000_000, 0.060),
    Stock("AMD", 20220103, 150.0, 0.75, 0.0255, 58_000_000, 0.055),
)
TAPE_NAME = "{symbol}_synthetic_hourly.csv"
PREDICTIONS_NAME = "synthetic_predictions.csv"

# The edge: the correlation of a prediction with the next bar's open-to-close return, and how far
# predictions spread, in deviations of that bar (far wider than such an edge deserves, as usual).
INFORMATION_COEFFICIENT = 0.065
PREDICTION_SPREAD = 0.16

# Faults of the tapes: symbol, exchange time of the bar's start, what was done to it.
FAULTS = (
    ("NVDA", "2018-09-12 10:30", "duplicate"),
    ("NVDA", "2019-05-14 11:30", "missing"),
    ("NVDA", "2020-10-07 11:30", "spike"),
    ("NVDA", "2021-08-18 12:30", "missing"),
    ("NVDA", "2021-08-18 13:30", "missing"),
    ("NVDA", "2021-08-18 14:30", "missing"),
    ("NVDA", "2021-08-18 15:30", "missing"),
    ("NVDA", "2022-02-16 14:30", "missing"),
    ("NVDA", "2023-06-20 13:30", "placeholder"),
    ("AMD", "2023-09-07 12:30", "missing"),
)
# Predictions that were never made, by the exchange time of the bar's end (a date: all of that
# day), and one that is `nan`. The model makes none at the end of a bar that is missing, either.
NO_PREDICTION = (
    "2018-03-06 11:30",
    "2019-01-24 14:30",
    "2019-11-05 10:30",
    "2020-06-17 15:30",
    "2021-03-17",
    "2022-07-21 13:30",
    "2023-04-13 12:30",
    "2024-10-01 16:00",
)
NAN_PREDICTION = "2022-11-09 12:30"


def make_sample() -> dict[str, str]:
    """The text of every file by its name (without .zip)."""
    with tempfile.TemporaryDirectory() as state:
        calendar = load_calendar(Path(state))
    sessions = expected_sessions(calendar, FIRST_DATE, LAST_DATE, BAR_SIZES_NS["1h"], "session")
    shared = make_shared(sessions, SEED)
    bars = {
        stock.symbol: make_bars(stock, sessions, shared, SEED + at)
        for at, stock in enumerate(STOCKS, start=1)
    }
    files = {
        TAPE_NAME.format(symbol=symbol.lower()): _tape_text(symbol, made, calendar)
        for symbol, made in bars.items()
    }
    files[PREDICTIONS_NAME] = _predictions_text(bars, calendar)
    return files


def write_sample(folder: Path) -> list[Path]:
    """Write every file, zipped, into a folder that exists; the paths written."""
    paths = []
    for name, text in make_sample().items():
        path = folder / f"{name}.zip"
        path.write_bytes(_zipped(name, text))
        paths.append(path)
    return paths


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the synthetic sample.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="a folder")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for path in write_sample(out):
        print(f"{path} ({path.stat().st_size:,} bytes)")


def _tape_text(symbol: str, bars: Sequence[SyntheticBar], calendar: Calendar) -> str:
    """papertape's own form, with this symbol's faults."""
    faults = {
        parse_when(when, calendar.zone): fault for name, when, fault in FAULTS if name == symbol
    }
    lines = ["timestamp,open,high,low,close,volume"]
    close = 0
    for bar in bars:
        fault = faults.pop(bar.start, None)
        if fault == "missing":
            continue
        if fault == "spike":
            lines.append(_row(replace(bar, low=bar.low // 10)))
        elif fault == "placeholder":
            flat = replace(bar, open=close, high=close, low=close, close=close, volume=0)
            lines.append(_row(flat))
        else:
            lines.append(_row(bar))
        if fault == "duplicate":
            lines.append(lines[-1])
        close = bar.close
    assert not faults, f"faults of bars that do not exist: {faults}"
    return "\n".join(lines) + "\n"


def _row(bar: SyntheticBar) -> str:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return ",".join((iso_z(bar.start), *(_dollars(cents) for cents in prices), str(bar.volume)))


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _predictions_text(bars: Mapping[str, Sequence[SyntheticBar]], calendar: Calendar) -> str:
    """`ts,symbol,value` for the end of each bar that has a next one, in order of time."""
    zone = calendar.zone
    skipped_days = {parse_date(text) for text in NO_PREDICTION if len(text) == 10}
    skipped = {parse_when(text, zone) for text in NO_PREDICTION if len(text) > 10}
    missing = {(name, parse_when(when, zone)) for name, when, fault in FAULTS if fault == "missing"}
    nan_end = parse_when(NAN_PREDICTION, zone)
    rows = []
    for at, (symbol, made) in enumerate(bars.items()):
        noise = Normals(SEED + 100 + at)
        for bar, following in pairwise(made):
            value = _prediction(following, noise.normal())
            if (symbol, bar.start) in missing or bar.end in skipped:
                continue
            if zone_date(bar.start, zone) in skipped_days:
                continue
            text = "nan" if bar.end == nan_end and symbol == "NVDA" else f"{value:.6f}"
            rows.append((bar.end, at, f"{iso_z(bar.end)},{symbol},{text}"))
    return "\n".join(["ts,symbol,value", *(row for _, _, row in sorted(rows))]) + "\n"


def _prediction(following: SyntheticBar, noise: float) -> float:
    """A fractional return: a little of the next bar's surprise, the rest noise."""
    coefficient = INFORMATION_COEFFICIENT
    signal = coefficient * following.surprise + sqrt(1 - coefficient**2) * noise
    return signal * PREDICTION_SPREAD * following.deviation


def _zipped(name: str, text: str) -> bytes:
    """A zip of one file whose bytes depend on its text alone (and on the version of zlib)."""
    info = zipfile.ZipInfo(name, date_time=(2024, 12, 31, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    info.create_system = 3
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, text.encode("ascii"), compresslevel=9)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
