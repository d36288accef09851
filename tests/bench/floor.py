"""The floor: what a bare `for` loop costs on the same bars, with no engine around it.

Two of them. `strategy_floor` calls our reference strategy on slices that are ready: nobody who
wants that strategy can be quicker. `plain_floor` is the loop a person would write by hand for
this one strategy: fills, cash and equity in a few lines of floats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import process_time
from typing import Any

from daemon.core.account import Account
from daemon.core.events import Bar, MarketSlice, Session
from daemon.core.limits import Limits
from daemon.strategies.sma_cross import SmaCross
from daemon.view import PortfolioView
from replay.record import BarColumns
from tests.harness import rules

SESSION = Session(20240102, 0, 0, 7, 0, 0)


def ready_slices(columns: BarColumns, count: int) -> list[MarketSlice]:
    """The first `count` bars as slices, made before the clock starts."""
    names = ("start", "end", "open", "high", "low", "close", "volume")
    rows = zip(*(getattr(columns, name)[:count] for name in names), strict=True)
    return [MarketSlice(row[0], row[1], (Bar("AAA", *row),), (), SESSION, 0) for row in rows]


def strategy_floor(slices: Sequence[MarketSlice]) -> float:
    """CPU seconds of the reference strategy called in a loop."""
    strategy = SmaCross(SmaCross.Params(10, 50, 100), ["AAA"])
    view = PortfolioView(Account(("AAA",), 0, rules(), Limits()))
    decide, predictions = strategy.decide, dict[str, float]()
    started = process_time()
    for market in slices:
        decide(market, predictions, view)
    return process_time() - started


def plain_floor(opens: Sequence[float], closes: Sequence[float]) -> tuple[float, int]:
    """CPU seconds of the strategy and its trading written as one loop, and how often it filled."""
    started = process_time()
    fills, _ = _hand_written(opens, closes, 10, 50)
    return process_time() - started, fills


def _hand_written(
    opens: Sequence[float], closes: Sequence[float], fast: int, slow: int
) -> tuple[int, list[float]]:
    last_fast: deque[float] = deque()
    last_slow: deque[float] = deque()
    fast_sum = slow_sum = 0.0
    shares = ordered = fills = 0
    cash = 1_000_000.0
    equity: list[Any] = []
    for opened, close in zip(opens, closes, strict=True):
        if ordered:
            cash -= ordered * opened + abs(ordered) * 0.005
            shares += ordered
            ordered = 0
            fills += 1
        last_fast.append(close)
        last_slow.append(close)
        fast_sum += close
        slow_sum += close
        if len(last_fast) > fast:
            fast_sum -= last_fast.popleft()
        if len(last_slow) > slow:
            slow_sum -= last_slow.popleft()
        if len(last_slow) == slow:
            lead = fast_sum / fast - slow_sum / slow
            if lead > 0 and not shares:
                ordered = 100
            elif lead < 0 and shares > 0:
                ordered = -shares
        equity.append(cash + shares * close)
    return fills, equity
