"""What the gauges show at a scrape: taken from the last standing, the tallies and the system.

Everything here runs in the thread that serves the metrics, so a turn pays for none of it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.units import MICROS_PER_USD, SECOND_NS
from daemon.feeds.feed_health import FeedState
from daemon.observability.checks import Checks, due
from daemon.observability.hours import Hours
from daemon.observability.standing import Standing
from daemon.observability.tallies import Tallies
from daemon.ports import Outside
from daemon.state_directory import JOURNAL

if TYPE_CHECKING:
    from daemon.feeds.calendar import Calendar

Rows = Mapping[tuple[str, ...], float]
"""Label values (without the name) and value of each series of a metric."""

OTHER = "other"
"""A label value for what is in no list: a person may name any source in the file HALT."""


def account_rows(standing: Standing, tallies: Tallies) -> Iterable[tuple[str, Rows]]:
    """What the account is worth, holds, and may do."""
    yield (
        "papertape_trading_state",
        _one_hot([each.name for each in TradingState], standing.state.name),
    )
    yield "papertape_holds", _holds(standing)
    yield "papertape_kill_latch", {(): standing.latched}
    yield "papertape_flattening", {(): standing.flattening}
    yield "papertape_flat_before_close", {(): standing.flat_before_close}
    yield "papertape_orders_day", {(): standing.orders_day}
    yield "papertape_model_failures", {(): standing.model_failures}
    held = standing.holdings
    yield "papertape_working_orders", {(each.symbol,): each.working for each in held}
    yield "papertape_position_shares", {(each.symbol,): each.quantity for each in held}
    values: Rows = {(each.symbol,): each.value_micros / MICROS_PER_USD for each in held}
    yield "papertape_position_value_usd", values
    limits = standing.limits
    yield "papertape_limit_current", {(each.name,): each.current for each in limits}
    yield "papertape_limit_bound", {(each.name,): each.limit for each in limits}
    yield "papertape_limit_use_ratio", {(each.name,): each.use for each in limits}
    peak = tallies.peak_micros if standing.peak_micros is None else standing.peak_micros
    peak = max(peak, standing.equity_micros)
    below = (peak - standing.equity_micros) / peak if peak > 0 else 0.0
    yield "papertape_drawdown_ratio", {(): below}
    for name, micros in (
        ("cash", standing.cash_micros),
        ("equity", standing.equity_micros),
        ("equity_peak", peak),
        ("pnl_day", standing.equity_micros - standing.day_start_micros),
        ("pnl_realised", standing.realised_micros),
        ("pnl_unrealised", standing.unrealised_micros),
    ):
        yield f"papertape_{name}_usd", {(): micros / MICROS_PER_USD}


def bar_rows(tallies: Tallies, next_bar: int | None) -> Iterable[tuple[str, Rows]]:
    """Where the bars of each symbol stand."""
    last: Rows = {(symbol,): end / SECOND_NS for symbol, end in tallies.last_bar.items()}
    yield "papertape_last_bar_timestamp_seconds", last
    following = (next_bar or 0) / SECOND_NS
    yield "papertape_next_bar_timestamp_seconds", dict.fromkeys(last, following)
    missing: Rows = {(symbol,): len(ends) for symbol, ends in tallies.missing.items()}
    yield "papertape_gap_bars", missing
    yield "papertape_market_open", {(): tallies.market_open}


def hour_rows(hours: Hours | None) -> Iterable[tuple[str, Rows]]:
    """The exchange's hours; none while nobody has asked the calendar."""
    for name, instant in () if hours is None else hours._asdict().items():
        yield f"papertape_{name}_timestamp_seconds", {(): instant / SECOND_NS}


def outside_rows(outside: Outside) -> Iterable[tuple[str, Rows]]:
    """What the feed's source says of itself; nothing of what it does not say."""
    if outside.hours_differ is not None:
        yield "papertape_calendar_mismatch", {(): outside.hours_differ}
    if outside.clock_ahead_s is not None:
        yield "papertape_clock_skew_seconds", {(): outside.clock_ahead_s}
    if outside.pacing is not None:
        left, limit = outside.pacing
        yield "papertape_pacing_budget_requests", {(): left}
        yield "papertape_pacing_limit_requests", {(): limit}


def feed_rows(state: str | None, generation: int) -> Iterable[tuple[str, Rows]]:
    """The feed's state; none while it is not known."""
    yield "papertape_feed_state", _one_hot([*FeedState], state)
    yield "papertape_feed_generation", {(): generation}


def check_rows(checks: Checks, calendar: Calendar | None) -> Iterable[tuple[str, Rows]]:
    """The last result of each one-shot job, and when the next one is due."""
    results = checks.results()
    yield "papertape_check_success", {(name,): each.success for name, each in results.items()}
    ended: Rows = {(name,): each.ended / SECOND_NS for name, each in results.items()}
    yield "papertape_check_last_run_timestamp_seconds", ended
    if calendar is not None:
        again = ((name, due(name, each.ended, calendar)) for name, each in results.items())
        missed: Rows = {(name,): at / SECOND_NS for name, at in again if at is not None}
        yield "papertape_check_due_timestamp_seconds", missed


def process_rows(started: float) -> Iterable[tuple[str, Rows]]:
    """What every process has; under a hardened unit only /proc/self can be read, which will do."""
    yield "process_start_time_seconds", {(): started}
    yield "papertape_clock_timestamp_seconds", {(): time.time()}
    yield "process_cpu_seconds_total", {(): time.process_time()}
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        yield "process_resident_memory_bytes", {(): pages * resource.getpagesize()}
        yield "process_open_fds", {(): sum(1 for _ in Path("/proc/self/fd").iterdir())}
    yield "process_max_fds", {(): resource.getrlimit(resource.RLIMIT_NOFILE)[0]}


def disk_rows(state: Path) -> Iterable[tuple[str, Rows]]:
    """The size of the journal, and the space that is left for it."""
    sizes: dict[tuple[str, ...], float] = {("db",): 0, ("wal",): 0}
    for (file,), name in zip(sizes, (JOURNAL, f"{JOURNAL}-wal"), strict=True):
        with contextlib.suppress(OSError):
            sizes[file,] = (state / name).stat().st_size
    yield "papertape_journal_size_bytes", sizes
    with contextlib.suppress(OSError):
        found = os.statvfs(state)
        yield "papertape_state_free_bytes", {(): found.f_bavail * found.f_frsize}


def _holds(standing: Standing) -> Rows:
    counts: dict[tuple[str, ...], float] = {(source,): 0 for source in (*HoldSource, OTHER)}
    for hold in standing.holds:
        counts[(hold.cause,) if (hold.cause,) in counts else (OTHER,)] += 1
    return counts


def _one_hot(names: Iterable[str], current: str | None) -> Rows:
    return {(name,): name == current for name in names}
