"""Statistics of returns: Sharpe and its interval, Sortino, volatility, CAGR, moments, periods.

The conventions, once for all of them:

* Returns are simple returns from session close to session close; the first is measured from the
  starting cash, and no session is left out, flat or not.
* Annualised figures use 252 sessions a year; the growth rate uses calendar years of 365.25 days.
* Fractions (0.02 = 2 %) go in and come out; multiplying by 100 is the summary's business.
* What cannot be said is a `NotAvailable` with its reason, never infinity or NaN: nothing is
  annualised under 60 sessions, and nothing is divided by a spread of zero.

Sums are `math.fsum`, so a figure does not depend on the order of additions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import floor, fsum, sqrt
from operator import mul, sub, truediv

from msgspec import Struct

from daemon.core.units import SECOND_NS

SESSIONS_PER_YEAR = 252
DAYS_PER_YEAR = 365.25
YEAR_NS = DAYS_PER_YEAR * 86_400 * SECOND_NS
MINIMUM_SESSIONS = 60
NORMAL_QUANTILE_975 = 1.959963984540054

# A spread below this part of the mean is what rounding to micro-dollars leaves of no spread.
NO_SPREAD = 1e-6


class NotAvailable(Struct, frozen=True, gc=False):
    """Why a figure cannot be said."""

    reason: str


Number = float | NotAvailable

NO_VARIATION = NotAvailable("the returns do not vary")
NO_LOSING_SESSION = NotAvailable("no session lost")
RUINED = NotAvailable("equity fell to zero or below")


class SharpeInterval(Struct, frozen=True, gc=False):
    """A 95 % confidence interval of an annualised Sharpe ratio; `lags` are sessions."""

    low: float
    high: float
    standard_error: float
    lags: int


class PeriodReturn(Struct, frozen=True, gc=False):
    """The return of a month (`period` is YYYYMM) or of a year (YYYY), as a fraction."""

    period: int
    return_fraction: float
    sessions: int


# --- from rows to session returns -----------------------------------------------------------------


def session_end_rows(session_dates: Sequence[int]) -> list[int]:
    """The last row of each session; `session_dates` (YYYYMMDD, one a row) never decreases."""
    ends, row = [], 0
    while row < len(session_dates):
        row = bisect_right(session_dates, session_dates[row], row)
        ends.append(row - 1)
    return ends


def simple_returns(values: Sequence[float], start: float) -> list[float]:
    """Simple returns of values (session closes, equity at bars), the first from `start`.

    All values are above zero and in one unit (dollars or micro-dollars).
    """
    return list(_each_return(values, start))


def _each_return(values: Sequence[float], start: float) -> Iterator[float]:
    changes = map(sub, values, chain((start,), values))
    return map(truediv, changes, chain((start,), values))


# --- ratios of session returns --------------------------------------------------------------------


def sharpe(returns: Sequence[float], *, risk_free: float = 0.0) -> Number:
    """The annualised Sharpe ratio: mean / standard deviation (ddof 1) x sqrt(252).

    `risk_free` is a fraction per session.
    """
    if short := too_short(len(returns)):
        return short
    mean, deviation = _mean_and_deviation(returns)
    excess = mean - risk_free
    if _is_nothing(deviation, mean):
        return NO_VARIATION
    return excess / deviation * sqrt(SESSIONS_PER_YEAR)


def sharpe_interval(
    returns: Sequence[float], *, risk_free: float = 0.0
) -> SharpeInterval | NotAvailable:
    """The 95 % interval of `sharpe`, which allows for autocorrelation and fat tails.

    Source: A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), 2002,
    the section on non-IID returns. The ratio is a function of mean m and variance v, so by the
    delta method its asymptotic variance is g'Sg / n with g = (1 / s, -(m - rf) / (2 s^3)) and S
    the long-run covariance of (r - m, (r - m)^2 - v). S is estimated as Newey and West (1987) do,
    with weights 1 - j / (lags + 1). As g is a constant, g'Sg is the long-run variance of the one
    series z = g' (r - m, (r - m)^2 - v), which is what is summed here; without autocorrelation
    and for normal returns it comes to Lo's 1 + SR^2 / 2. lags = floor(4 (n / 100)^(2/9)), the
    rule of Newey and West (1994). The standard error is multiplied by sqrt(252), as the ratio is.
    """
    ratio = sharpe(returns, risk_free=risk_free)
    if isinstance(ratio, NotAvailable):
        return ratio
    count = len(returns)
    mean = fsum(returns) / count
    deviations = [value - mean for value in returns]
    squares = list(map(mul, deviations, deviations))
    variance = fsum(squares) / count
    per_mean = 1 / sqrt(variance)
    per_variance = -(mean - risk_free) / (2 * variance * sqrt(variance))
    influence = [
        per_mean * deviation + per_variance * (square - variance)
        for deviation, square in zip(deviations, squares, strict=True)
    ]
    lags = floor(4 * (count / 100) ** (2 / 9))
    standard_error = sqrt(long_run_variance(influence, lags) / count * SESSIONS_PER_YEAR)
    reach = NORMAL_QUANTILE_975 * standard_error
    return SharpeInterval(ratio - reach, ratio + reach, standard_error, lags)


def long_run_variance(values: Sequence[float], lags: int) -> float:
    """The Newey-West (1987) estimate for a series of mean zero; never negative."""
    count = len(values)
    total = fsum(map(mul, values, values))
    for lag in range(1, min(lags, count - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * fsum(map(mul, values[lag:], values))
    return max(0.0, total / count)


def sortino(returns: Sequence[float], *, minimum_acceptable: float = 0.0) -> Number:
    """The annualised Sortino ratio: mean excess / downside deviation x sqrt(252).

    The downside deviation is sqrt(mean(min(r - MAR, 0)^2)) over all sessions, not the standard
    deviation of the losing ones; `minimum_acceptable` (MAR) is a fraction per session.
    """
    if short := too_short(len(returns)):
        return short
    below = [value - minimum_acceptable for value in returns if value < minimum_acceptable]
    downside = sqrt(fsum(map(mul, below, below)) / len(returns))
    excess = fsum(returns) / len(returns) - minimum_acceptable
    if _is_nothing(downside, excess):
        return NO_LOSING_SESSION
    return excess / downside * sqrt(SESSIONS_PER_YEAR)


def annual_volatility(returns: Sequence[float]) -> Number:
    """The standard deviation of session returns (ddof 1) x sqrt(252), as a fraction."""
    if short := too_short(len(returns)):
        return short
    return _mean_and_deviation(returns)[1] * sqrt(SESSIONS_PER_YEAR)


def cagr(start: float, final: float, elapsed_ns: int, sessions: int) -> Number:
    """The compound annual growth rate by the calendar: (final / start)^(365.25 / days) - 1.

    `elapsed_ns` runs from the start of the first bar to the end of the last.
    """
    if short := too_short(sessions):
        return short
    if final <= 0:
        return RUINED
    return float((final / start) ** (YEAR_NS / elapsed_ns)) - 1


def calmar(growth: Number, depth: float) -> Number:
    """CAGR / |deepest drawdown|, both fractions, the drawdown on equity marked at every bar."""
    if isinstance(growth, NotAvailable):
        return growth
    return growth / -depth if depth < 0 else NotAvailable("no drawdown")


def bar_sharpe(equity: Sequence[float], start: float, elapsed_ns: int, sessions: int) -> Number:
    """The Sharpe ratio of bar returns; its year has as many bars as the run had a year.

    Secondary to `sharpe`: bars within a session are not alike (the first holds the night), and
    the number of bars in a year is an observation (252 x 7 or 252 x 6.5 are wrong on half days).
    """
    if short := too_short(sessions):
        return short
    returns = array("d", _each_return(equity, start))  # a list of a million floats weighs 32 MB
    count = len(returns)
    mean = fsum(returns) / count
    # One pass will do: bar returns have a mean far below their spread.
    deviation = sqrt(max(0.0, fsum(map(mul, returns, returns)) - count * mean**2) / (count - 1))
    if _is_nothing(deviation, mean):
        return NO_VARIATION
    return mean / deviation * sqrt(count * YEAR_NS / elapsed_ns)


# --- the distribution -----------------------------------------------------------------------------


def skewness(returns: Sequence[float]) -> Number:
    """The third standardised moment (population formula, no bias correction)."""
    return _standardised_moment(returns, 3)


def excess_kurtosis(returns: Sequence[float]) -> Number:
    """The fourth standardised moment less 3 (population formula): 0 for a normal distribution."""
    moment = _standardised_moment(returns, 4)
    return moment if isinstance(moment, NotAvailable) else moment - 3


def period_returns(
    dates: Sequence[int], closes: Sequence[float], start: float, period_of: Callable[[int], int]
) -> list[PeriodReturn]:
    """Returns of months or years, each from the close before it; the first from `start`.

    `dates` are YYYYMMDD; `period_of` is `month_of` or `year_of`.
    """
    periods: list[PeriodReturn] = []
    before, first = start, 0
    for index, date in enumerate(dates):
        is_last = index + 1 == len(dates) or period_of(dates[index + 1]) != period_of(date)
        if is_last:
            after = closes[index]
            change = after / before - 1 if before > 0 else 0.0
            periods.append(PeriodReturn(period_of(date), change, index + 1 - first))
            before, first = after, index + 1
    return periods


def month_of(date: int) -> int:
    """YYYYMMDD as YYYYMM."""
    return date // 100


def year_of(date: int) -> int:
    """YYYYMMDD as YYYY."""
    return date // 10_000


def correlation(first: Sequence[float], second: Sequence[float]) -> Number:
    """Pearson's correlation of two series of equal length."""
    count = len(first)
    if count < 2:
        return NotAvailable("fewer than two pairs")
    mean_first, mean_second = fsum(first) / count, fsum(second) / count
    from_first = [value - mean_first for value in first]
    from_second = [value - mean_second for value in second]
    spread_first = sqrt(fsum(map(mul, from_first, from_first)))
    spread_second = sqrt(fsum(map(mul, from_second, from_second)))
    if _is_nothing(spread_first, mean_first) or _is_nothing(spread_second, mean_second):
        return NotAvailable("one of the series does not vary")
    return fsum(map(mul, from_first, from_second)) / (spread_first * spread_second)


# --- helpers --------------------------------------------------------------------------------------


def too_short(sessions: int) -> NotAvailable | None:
    """Why a run of so many sessions is not annualised, or None."""
    if sessions >= MINIMUM_SESSIONS:
        return None
    return NotAvailable(f"{sessions} sessions; nothing is annualised under {MINIMUM_SESSIONS}")


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the standard deviation (ddof 1) of at least two values."""
    mean = fsum(values) / len(values)
    squares = fsum([(value - mean) ** 2 for value in values])
    return mean, sqrt(squares / (len(values) - 1))


def _is_nothing(spread: float, mean: float) -> bool:
    return spread <= NO_SPREAD * abs(mean)


def _standardised_moment(returns: Sequence[float], power: int) -> Number:
    count = len(returns)
    if count < 3:
        return NotAvailable("fewer than three sessions")
    mean = fsum(returns) / count
    deviation = sqrt(fsum([(value - mean) ** 2 for value in returns]) / count)
    if _is_nothing(deviation, mean):
        return NO_VARIATION
    return fsum([((value - mean) / deviation) ** power for value in returns]) / count
