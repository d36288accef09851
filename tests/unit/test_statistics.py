"""Session statistics: cases computed by hand, empyrical and a second implementation in numpy."""

from __future__ import annotations

import random
import warnings
from importlib import import_module
from math import isclose, sqrt
from types import ModuleType

import numpy as np
import pytest

from replay.summary import statistics
from replay.summary.drawdowns import deepest_fraction
from replay.summary.statistics import (
    NO_LOSING_SESSION,
    NO_VARIATION,
    RUINED,
    YEAR_NS,
    NotAvailable,
    SharpeInterval,
)

SWINGING = [0.02, 0.0] * 30
ONE_LOSS = [0.01] * 30 + [-0.03] + [0.01] * 29


@pytest.fixture(scope="module")
def empyrical() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("empyrical.stats")


def daily_returns(seed: int, count: int = 750) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(0.0005, 0.012) * (3 if rng.random() < 0.02 else 1) for _ in range(count)]


def growth_of(returns: list[float]) -> list[float]:
    values, value = [], 1.0
    for change in returns:
        value *= 1 + change
        values.append(value)
    return values


def number(value: float | NotAvailable) -> float:
    assert not isinstance(value, NotAvailable)
    return value


# --- by hand --------------------------------------------------------------------------------------


def test_the_first_return_is_from_the_starting_cash() -> None:
    assert statistics.simple_returns([110, 99], 100) == pytest.approx([0.1, -0.1], abs=1e-15)
    assert statistics.simple_returns([], 100) == []


def test_session_end_rows_are_the_last_of_each_date() -> None:
    dates = [20240102, 20240102, 20240102, 20240103, 20240104, 20240104]
    assert statistics.session_end_rows(dates) == [2, 3, 5]
    assert statistics.session_end_rows([]) == []


def test_sharpe_of_two_alternating_returns() -> None:
    # mean 0.01, sum of squared deviations 60 x 0.01^2, so deviation 0.01 x sqrt(60 / 59)
    assert number(statistics.sharpe(SWINGING)) == pytest.approx(sqrt(59 / 60 * 252), rel=1e-13)


def test_a_risk_free_rate_is_taken_off_the_mean() -> None:
    halved = number(statistics.sharpe(SWINGING, risk_free=0.005))
    assert halved == pytest.approx(sqrt(59 / 60 * 252) / 2, rel=1e-13)


def test_sortino_counts_all_sessions_in_the_denominator() -> None:
    # mean 0.56 / 60, downside sqrt(0.03^2 / 60): the one loss is spread over sixty sessions
    expected = (0.56 / 60) / (0.03 / sqrt(60)) * sqrt(252)
    assert number(statistics.sortino(ONE_LOSS)) == pytest.approx(expected, rel=1e-13)


def test_sortino_above_a_minimum_acceptable_return() -> None:
    # above 0.01: excesses are 0 in 59 sessions and -0.04 in one
    expected = (-0.04 / 60) / (0.04 / sqrt(60)) * sqrt(252)
    found = number(statistics.sortino(ONE_LOSS, minimum_acceptable=0.01))
    assert found == pytest.approx(expected, rel=1e-12)


def test_constant_growth_has_no_ratio_but_a_growth_rate() -> None:
    returns = [0.01] * 60
    assert statistics.sharpe(returns) == NO_VARIATION
    assert statistics.sharpe_interval(returns) == NO_VARIATION
    assert statistics.sortino(returns) == NO_LOSING_SESSION
    assert number(statistics.annual_volatility(returns)) == pytest.approx(0, abs=1e-15)
    assert statistics.skewness(returns) == NO_VARIATION
    assert number(statistics.cagr(100, 121, round(2 * YEAR_NS), 500)) == pytest.approx(0.1)


def test_rounding_to_micro_dollars_is_no_variation() -> None:
    closes = [round(1e11 * 1.001**session) for session in range(1, 101)]
    returns = statistics.simple_returns(closes, 100_000_000_000)
    assert len(set(returns)) > 1
    assert statistics.sharpe(returns) == NO_VARIATION


def test_a_flat_account_has_no_ratio() -> None:
    assert statistics.sharpe([0.0] * 100) == NO_VARIATION
    assert statistics.sortino([0.0] * 100) == NO_LOSING_SESSION
    assert statistics.bar_sharpe([5] * 100, 5, round(YEAR_NS), 100) == NO_VARIATION


@pytest.mark.parametrize("sessions", [0, 1, 59])
def test_nothing_is_annualised_under_sixty_sessions(sessions: int) -> None:
    returns = SWINGING[:sessions]
    found = (
        statistics.sharpe(returns),
        statistics.sharpe_interval(returns),
        statistics.sortino(returns),
        statistics.annual_volatility(returns),
        statistics.cagr(1, 2, round(YEAR_NS), sessions),
        statistics.bar_sharpe([1, 2, 3], 1, round(YEAR_NS), sessions),
    )
    reason = f"{sessions} sessions; nothing is annualised under 60"
    assert found == (NotAvailable(reason),) * 6
    assert statistics.too_short(60) is None


def test_growth_of_a_ruined_account_is_not_available() -> None:
    assert statistics.cagr(100, 0, round(YEAR_NS), 252) == RUINED
    assert statistics.cagr(100, -5, round(YEAR_NS), 252) == RUINED


def test_calmar_is_growth_over_depth() -> None:
    assert number(statistics.calmar(0.3, -0.15)) == pytest.approx(2)
    assert statistics.calmar(0.3, 0) == NotAvailable("no drawdown")
    assert statistics.calmar(RUINED, -0.15) == RUINED


def test_the_interval_of_alternating_returns() -> None:
    # Standardised deviations are +1, -1, ... and the squares do not vary; 3 lags at 60 sessions:
    # 1 - 2 (3/4) 59/60 + 2 (2/4) 58/60 - 2 (1/4) 57/60 = 1/60; 252 / 60 / 60 = 0.07
    interval = statistics.sharpe_interval(SWINGING)
    assert isinstance(interval, SharpeInterval)
    assert interval.lags == 3
    assert interval.standard_error == pytest.approx(sqrt(0.07), rel=1e-9)
    middle = (interval.low + interval.high) / 2
    assert middle == pytest.approx(sqrt(59 / 60 * 252))
    assert interval.high - middle == pytest.approx(1.959963984540054 * sqrt(0.07), rel=1e-9)


@pytest.mark.parametrize(("sessions", "lags"), [(60, 3), (252, 4), (1000, 6), (2768, 8)])
def test_lags_grow_slowly(sessions: int, lags: int) -> None:
    interval = statistics.sharpe_interval(daily_returns(1, sessions))
    assert isinstance(interval, SharpeInterval)
    assert interval.lags == lags


def test_the_interval_of_independent_normal_returns_is_lo_s_short_formula() -> None:
    rng = random.Random(11)
    returns = [rng.gauss(0.02, 0.04) for _ in range(40_000)]
    interval = statistics.sharpe_interval(returns)
    assert isinstance(interval, SharpeInterval)
    ratio = number(statistics.sharpe(returns)) / sqrt(252)
    expected = sqrt((1 + ratio**2 / 2) / len(returns) * 252)
    assert interval.standard_error == pytest.approx(expected, rel=0.05)


def test_positive_autocorrelation_widens_the_interval() -> None:
    rng, returns, last = random.Random(5), [], 0.0
    for _ in range(2_000):
        last = 0.5 * last + rng.gauss(0.0005, 0.01)
        returns.append(last)
    mixed = returns.copy()
    rng.shuffle(mixed)
    following, independent = map(statistics.sharpe_interval, (returns, mixed))
    assert isinstance(following, SharpeInterval)
    assert isinstance(independent, SharpeInterval)
    assert following.standard_error > 1.3 * independent.standard_error


def test_months_and_years_start_where_the_last_one_ended() -> None:
    dates = [20231229, 20240102, 20240131, 20240201]
    closes = [110.0, 99.0, 121.0, 60.5]
    months = statistics.period_returns(dates, closes, 100.0, statistics.month_of)
    assert [(month.period, month.sessions) for month in months] == [
        (202312, 1),
        (202401, 2),
        (202402, 1),
    ]
    assert [month.return_fraction for month in months] == pytest.approx([0.1, 0.1, -0.5])
    years = statistics.period_returns(dates, closes, 100.0, statistics.year_of)
    assert [(year.period, year.sessions) for year in years] == [(2023, 1), (2024, 3)]
    assert [year.return_fraction for year in years] == pytest.approx([0.1, -0.45])
    assert statistics.period_returns([], [], 100.0, statistics.year_of) == []


def test_correlation_by_hand() -> None:
    assert number(statistics.correlation([1, 2, 3], [2, 4, 6])) == pytest.approx(1)
    # deviations (-1, 0, 1) and (1, 1, -2): -3 / sqrt(2 x 6)
    assert number(statistics.correlation([1, 2, 3], [5, 5, 2])) == pytest.approx(-3 / sqrt(12))
    assert isinstance(statistics.correlation([1, 2], [3, 3]), NotAvailable)
    assert isinstance(statistics.correlation([1], [3]), NotAvailable)


def test_moments_by_hand() -> None:
    # 0, 0, 0, 4: mean 1, variance 3; third moment (27 - 3) / 4 = 6; fourth (81 + 3) / 4 = 21
    returns = [0.0, 0.0, 0.0, 4.0]
    assert number(statistics.skewness(returns)) == pytest.approx(6 / 3**1.5)
    assert number(statistics.excess_kurtosis(returns)) == pytest.approx(21 / 9 - 3)
    assert statistics.skewness([0.1, 0.2]) == NotAvailable("fewer than three sessions")


# --- against others -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_daily_figures_equal_empyrical(empyrical: ModuleType, seed: int) -> None:
    returns = daily_returns(seed)
    series = np.array(returns)
    values = growth_of(returns)
    # Ours counts calendar days, empyrical sessions: they agree where a session is 1/252 year.
    elapsed_ns = round(len(returns) / 252 * YEAR_NS)
    growth = statistics.cagr(1.0, values[-1], elapsed_ns, len(returns))
    depth = deepest_fraction(values, values, 1.0)
    pairs = {
        "sharpe": (statistics.sharpe(returns), empyrical.sharpe_ratio(series)),
        "sharpe above a rate": (
            statistics.sharpe(returns, risk_free=1e-4),
            empyrical.sharpe_ratio(series, risk_free=1e-4),
        ),
        "sortino": (statistics.sortino(returns), empyrical.sortino_ratio(series)),
        "sortino above a rate": (
            statistics.sortino(returns, minimum_acceptable=2e-4),
            empyrical.sortino_ratio(series, required_return=2e-4),
        ),
        "volatility": (statistics.annual_volatility(returns), empyrical.annual_volatility(series)),
        "max drawdown": (depth, empyrical.max_drawdown(series)),
        "cagr": (growth, empyrical.annual_return(series)),
        "calmar": (statistics.calmar(growth, depth), empyrical.calmar_ratio(series)),
    }
    differ = {
        name: (ours, theirs)
        for name, (ours, theirs) in pairs.items()
        if not isclose(number(ours), theirs, rel_tol=1e-12)
    }
    assert differ == {}


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_equals_the_two_by_two_form_in_numpy(seed: int) -> None:
    returns = np.array(daily_returns(seed))
    count, mean, variance = len(returns), returns.mean(), returns.var()
    moments = np.stack([returns - mean, (returns - mean) ** 2 - variance])
    lags = int(4 * (count / 100) ** (2 / 9))
    covariance = moments @ moments.T / count
    for lag in range(1, lags + 1):
        shifted = moments[:, lag:] @ moments[:, :-lag].T / count
        covariance += (1 - lag / (lags + 1)) * (shifted + shifted.T)
    gradient = np.array([1 / variance**0.5, -mean / (2 * variance**1.5)])
    expected = sqrt(gradient @ covariance @ gradient / count * 252)
    interval = statistics.sharpe_interval(list(returns))
    assert isinstance(interval, SharpeInterval)
    assert interval.standard_error == pytest.approx(expected, rel=1e-10)


def test_moments_and_correlation_equal_numpy() -> None:
    first, second = daily_returns(1), daily_returns(2)
    series = np.array(first)
    standard = (series - series.mean()) / series.std()
    assert number(statistics.skewness(first)) == pytest.approx((standard**3).mean(), rel=1e-11)
    kurtosis = (standard**4).mean() - 3
    assert number(statistics.excess_kurtosis(first)) == pytest.approx(kurtosis, rel=1e-11)
    expected = np.corrcoef(first, second)[0, 1]
    assert number(statistics.correlation(first, second)) == pytest.approx(expected, rel=1e-11)


def test_bar_sharpe_takes_the_observed_number_of_bars_a_year() -> None:
    values = growth_of(daily_returns(3, 2_000))
    returns = np.diff([1.0, *values]) / np.array([1.0, *values[:-1]])
    expected = returns.mean() / returns.std(ddof=1) * sqrt(2_000 / 1.5)
    found = number(statistics.bar_sharpe(values, 1.0, round(1.5 * YEAR_NS), 300))
    assert found == pytest.approx(expected, rel=1e-9)
