"""A made-up market: two correlated, strongly rising, volatile stocks in hourly bars.

Nothing in it is recorded. What it imitates, because strategies and reports stumble over it:

* daily volatility that clusters and rises more after losses: GJR-GARCH(1,1), Glosten, Jagannathan
  and Runkle (1993)
* the U shape of a day's volatility and volume; volume that follows volatility
* a gap over every night, a jump on the night after each of four earnings dates a year
* years of different temper (`PHASES`): long rises, a crash, falls of a third and of half
* highs and lows of a Brownian bridge between open and close, by the reflection principle

Only `Random.random()` is drawn from: of all its methods it alone is promised to give the same
numbers in every version of Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, log, pi, sqrt
from random import Random
from typing import TYPE_CHECKING

from daemon.core.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.feeds.expected import ExpectedSession

SESSIONS_PER_YEAR = 252
OVERNIGHT_VARIANCE_FRACTION = 0.22
CORRELATION = 0.62
EARNINGS_MONTHS = (2, 5, 8, 11)
EARNINGS_FIRST_DAY = 20
HALF_HOUR_NS = HOUR_NS // 2

# GJR-GARCH: weight of yesterday's square, more of it after a loss, and of yesterday's variance.
SQUARE_WEIGHT, LOSS_WEIGHT, VARIANCE_WEIGHT = 0.05, 0.07, 0.895

# Shares of a whole day's variance and volume by bar 09:30, 10:30 … 15:30 (the last: half an hour).
VARIANCE_SHAPE = (0.34, 0.16, 0.11, 0.09, 0.09, 0.12, 0.09)
VOLUME_SHAPE = (0.25, 0.15, 0.11, 0.09, 0.09, 0.13, 0.18)

# From this date on: yearly drift of the log price, and the factor on volatility.
PHASES = (
    (20180101, 0.45, 0.90),
    (20181001, -2.30, 1.35),
    (20190101, 0.75, 0.95),
    (20200219, -3.60, 2.10),
    (20200320, 1.55, 1.20),
    (20200903, 0.55, 1.00),
    (20211122, -1.00, 1.20),
    (20221015, 0.95, 1.05),
    (20240620, 0.10, 1.15),
)


@dataclass(frozen=True, slots=True)
class Stock:
    """What a made-up stock is like; volatility is of a day's log return."""

    symbol: str
    first_date: int
    first_price: float
    drift_fraction: float
    daily_volatility: float
    daily_shares: float
    earnings_jump: float


@dataclass(frozen=True, slots=True)
class SyntheticBar:
    """One bar, prices in whole cents; `surprise` is its open-to-close return in deviations."""

    start: int
    end: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    surprise: float
    deviation: float


class Normals:
    """Normally distributed numbers by Box and Muller's method."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._spare: float | None = None

    def uniform(self) -> float:
        """In (0, 1], so that its logarithm exists."""
        return 1.0 - self._random.random()

    def normal(self) -> float:
        """Mean 0, deviation 1."""
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value
        radius, angle = sqrt(-2.0 * log(self.uniform())), 2.0 * pi * self.uniform()
        self._spare = radius * cos(angle - pi / 2)
        return radius * cos(angle)


def make_bars(
    stock: Stock, sessions: Sequence[ExpectedSession], shared: Sequence[float], seed: int
) -> list[SyntheticBar]:
    """A stock's bars over hourly sessions.

    `shared` holds one normal number a bar and one a night, in order, which every stock of the
    market feels; how much of each is the stock's own follows from `CORRELATION`.
    """
    path = _Path(stock, seed)
    bars: list[SyntheticBar] = []
    place = 0
    for expected in sessions:
        if expected.session.date < stock.first_date:
            place += len(expected.starts) + 1
            continue
        path.begin_day(expected.session.date, shared[place])
        for at, edges in enumerate(zip(expected.starts, expected.ends, strict=True)):
            bars.append(path.bar(*edges, at, shared[place + 1 + at]))
        path.end_day()
        place += len(expected.starts) + 1
    return bars


def make_shared(sessions: Sequence[ExpectedSession], seed: int) -> list[float]:
    """The market's own normal numbers: for each session one for its night, one for each bar."""
    normals = Normals(seed)
    return [normals.normal() for expected in sessions for _ in range(len(expected.starts) + 1)]


class _Path:
    """A stock's log price, its variance, and where it is in the year."""

    def __init__(self, stock: Stock, seed: int) -> None:
        self._stock = stock
        self._normals = Normals(seed)
        self._log = log(stock.first_price * 100)
        self._typical = stock.daily_volatility**2
        self._variance = self._typical
        self._previous_close = self._log
        self._drift = 0.0
        self._today = 0.0
        self._reported: int | None = None

    def begin_day(self, date: int, shared: float) -> None:
        """The night: its drift, its noise and, after an earnings date, its jump."""
        _, yearly, factor = next(phase for phase in reversed(PHASES) if phase[0] <= date)
        self._drift = yearly * self._stock.drift_fraction / SESSIONS_PER_YEAR
        # Some days are busier than yesterday's return foretells: that gives the tails.
        busy = exp(0.5 * self._normals.normal() - 0.125)
        self._today = self._variance * factor**2 * busy
        night = OVERNIGHT_VARIANCE_FRACTION
        self._log += self._drift * night + self._noise(shared) * sqrt(self._today * night)
        if self._reports(date):
            self._log += 0.012 + self._stock.earnings_jump * self._normals.normal()
            self._today *= 1.8

    def bar(self, start: int, end: int, at: int, shared: float) -> SyntheticBar:
        """The `at`-th bar of the day."""
        half = end - start == HALF_HOUR_NS
        # The bar that an early close cuts short ends the day, with a closing auction's volume.
        share = VARIANCE_SHAPE[-1 if half else at] * (1 - OVERNIGHT_VARIANCE_FRACTION)
        deviation = sqrt(self._today * share)
        opens = self._log + 0.02 * deviation * self._normals.normal()
        surprise = self._noise(shared)
        self._log = opens + self._drift * share + surprise * deviation
        high, low = self._extremes(opens, self._log, deviation)
        quiet = log(self._today / self._typical)
        volume = (
            self._stock.daily_shares
            * VOLUME_SHAPE[-1 if half else at]
            * exp(
                0.45 * quiet + 0.25 * min(abs(surprise), 3.0) - 0.2 + 0.22 * self._normals.normal()
            )
        )
        cents = [round(exp(level)) for level in (opens, high, low, self._log)]
        return SyntheticBar(
            start,
            end,
            open=cents[0],
            high=cents[1],
            low=cents[2],
            close=cents[3],
            volume=round(volume),
            surprise=surprise,
            deviation=deviation,
        )

    def end_day(self) -> None:
        """Tomorrow's variance from today's return."""
        # A jump or a factor must not feed on itself: the square counts in deviations of today.
        squared = (self._log - self._previous_close) ** 2 / self._today * self._variance
        loss = squared if self._log < self._previous_close else 0.0
        persistence = SQUARE_WEIGHT + LOSS_WEIGHT / 2 + VARIANCE_WEIGHT
        self._variance = (
            (1 - persistence) * self._typical
            + SQUARE_WEIGHT * squared
            + LOSS_WEIGHT * loss
            + VARIANCE_WEIGHT * self._variance
        )
        self._previous_close = self._log

    def _noise(self, shared: float) -> float:
        own = self._normals.normal()
        return sqrt(CORRELATION) * shared + sqrt(1 - CORRELATION) * own

    def _extremes(self, opens: float, closes: float, deviation: float) -> tuple[float, float]:
        """The highest and lowest point of a Brownian bridge, drawn independently."""
        move, spread = closes - opens, 2 * deviation**2
        up = (move + sqrt(move**2 - spread * log(self._normals.uniform()))) / 2
        down = (move - sqrt(move**2 - spread * log(self._normals.uniform()))) / 2
        return opens + up, opens + down

    def _reports(self, date: int) -> bool:
        """Whether this is the first session after a quarter's earnings."""
        quarter, month, day = date // 100, date // 100 % 100, date % 100
        if month not in EARNINGS_MONTHS or day < EARNINGS_FIRST_DAY or quarter == self._reported:
            return False
        self._reported = quarter
        return True
