"""What the benchmark plays: a seeded random walk on the exchange's calendar, and its configs.

One workload for all rows: moving averages of 10 and 50 closes, long only, 100 shares, market
orders, about one fill in 36 bars. Costs, limits and marks are those of a careful config.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from math import exp
from pathlib import Path

from daemon.core.units import SECOND_NS
from daemon.feeds.calendar import Calendar
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session

HOURLY_BARS = 12_250
MINUTE_BARS = 700_000
FIRST_DATE, LAST_DATE = 20160104, 20241231  # every fee table speaks for these
SIGMA = {"1h": 0.003, "1m": 0.0005}  # of a bar's return
SEED = 20240102

Row = tuple[float, float, float, float, int]

SMA_CROSS = "{kind: sma_cross, params: {fast: 10, slow: 50, quantity: 100, allow_short: false}}"

THRESHOLD = """\

  kind: threshold
  params:
    enter_long_bps: 20
    exit_long_bps: -20
    quantity: 100
    stop_loss_pct: 2
    take_profit_pct: 4
    trailing_stop_pct: 2.5
    max_holding_bars: 21
    cooldown_bars: 2"""

CONFIG = """\
name: bench
symbols: [{symbols}]
bars: {{size: {size}, grid: session}}
tape: {{path: "{tape}", adjustment: raw}}
account: {{cash_usd: 1000000}}
{model}
strategy: {strategy}
execution:
  slippage_bps: 1
  commission: ibkr_fixed
  regulatory_fees: true
  participation_fraction: 0.025
risk:
  max_position_shares: 500
  max_order_usd: 500000
  max_gross_leverage: 2.0
  price_collar_pct: 10
  max_orders_per_hour: 1000
  max_orders_per_day: 1000
  max_daily_loss_usd: 900000
  max_drawdown_pct: 90
  allow_short: false
"""
"""Every limit is set and none is reached, so that the whole tape is traded."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A tape and a config on disk: `bars` of each of `symbols`."""

    config: Path
    size: str
    bars: int
    symbols: tuple[str, ...]

    @property
    def total_bars(self) -> int:
        return self.bars * len(self.symbols)


def make_workload(
    folder: Path,
    calendar: Calendar,
    size: str,
    bars: int,
    *,
    symbols: Sequence[str] = ("AAA",),
    rows: Iterable[Row] | None = None,
) -> Workload:
    """Write tapes and config of the moving-average workload; `rows` in place of the random walk."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, symbol in enumerate(symbols):
        walk = random_walk(bars, size, SEED + number) if rows is None else rows
        _write_tape(folder / f"{symbol}.csv", _slots(calendar, size), walk, bars)
    return _configured(folder, size, bars, tuple(symbols), SMA_CROSS, "")


def make_bracket_workload(folder: Path, calendar: Calendar, bars: int) -> Workload:
    """The hourly walk traded on recorded predictions, each position with its bracket."""
    workload = make_workload(folder, calendar, "1h", bars)
    chance = random.Random(SEED)
    with (folder / "predictions.csv").open("w", encoding="utf-8") as file:
        file.write("ts,symbol,value\n")
        for _, end in islice(_slots(calendar, "1h"), bars):
            file.write(f"{_stamp(end)},AAA,{chance.gauss(0, 0.001):.6f}\n")
    model = f'model: {{kind: recorded, path: "{folder / "predictions.csv"}"}}'
    return _configured(folder, "1h", bars, workload.symbols, THRESHOLD, model)


def random_walk(bars: int, size: str, seed: int) -> Iterator[Row]:
    """Open, high, low, close in dollars and cents, and volume, of a walk that starts at 100."""
    chance = random.Random(seed)
    gauss, sigma, close = chance.gauss, SIGMA[size], 100.0
    for _ in range(bars):
        opened = close * (1 + gauss(0, sigma / 5))
        close *= exp(gauss(0, sigma))
        high = max(opened, close) * (1 + abs(gauss(0, sigma / 2)))
        low = min(opened, close) * (1 - abs(gauss(0, sigma / 2)))
        prices = round(opened, 2), round(high, 2), round(low, 2), round(close, 2)
        yield *prices, chance.randrange(50_000, 500_000)


def _configured(
    folder: Path, size: str, bars: int, symbols: tuple[str, ...], strategy: str, model: str
) -> Workload:
    path = folder / "config.yaml"
    tape = folder / ("{symbol}.csv" if len(symbols) > 1 else f"{symbols[0]}.csv")
    text = CONFIG.format(
        symbols=", ".join(symbols), size=size, tape=tape, strategy=strategy, model=model
    )
    path.write_text(text, encoding="utf-8")
    return Workload(path, size, bars, symbols)


def _slots(calendar: Calendar, size: str) -> Iterator[tuple[int, int]]:
    """Start and end of every bar that the calendar expects, from FIRST_DATE on."""
    sessions = each_expected_session(calendar, FIRST_DATE, LAST_DATE, BAR_SIZES_NS[size], "session")
    return chain.from_iterable(zip(each.starts, each.ends, strict=True) for each in sessions)


def _write_tape(
    path: Path, slots: Iterator[tuple[int, int]], rows: Iterable[Row], bars: int
) -> None:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for (start, _), row in zip(slots, rows, strict=False):
            opened, high, low, close, volume = row
            file.write(f"{_stamp(start)},{opened},{high},{low},{close},{volume}\n")
            written += 1
            if written == bars:
                return
    raise AssertionError(f"{path}: the calendar has {written} slots for {bars} bars")


def _stamp(instant: int) -> str:
    return f"{datetime.fromtimestamp(instant // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
