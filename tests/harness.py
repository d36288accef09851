"""Plays a handful of bars written in a test through the real tasks.

    result = play(
        {"NVDA": [(100, 101, 99, 100), (102, 103, 101, 102), None, (104, 105, 103, 104)]},
        at={0: [TargetPosition("NVDA", 10)]},      # decided at the close of the first bar
    )
    assert [(f.quantity, f.price_e4) for f in result.fills] == [(10, 102_0000)]

Bars are hourly, (open, high, low, close[, volume]) in dollars, None for a missing one. They fill
sessions of `per_session` bars from 2024-01-02 on, one a weekday, 14:30 to 14:30 + per_session h
UTC. Slice i is the i-th bar over all sessions. By default nothing costs anything, no limit is
set, shorts are allowed, the tick is a cent and a bar's volume is a million shares.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from daemon.core.account import Account
from daemon.core.costs import FREE, CommissionPlan, DatedTable
from daemon.core.events import (
    Commands,
    CorporateAction,
    Intent,
    MarketSlice,
    Prediction,
)
from daemon.core.limits import Limits
from daemon.core.outputs import Denial, Fill, OrderAccepted, OrderUpdated, StateChanged, TradeClosed
from daemon.core.pricing import Pricing
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, MICROS_PER_USD, SECOND_NS
from daemon.feeds.calendar import Hours
from daemon.feeds.expected import ExpectedSession, expected_session
from daemon.pipeline import Pipeline
from daemon.supervisor import supervise
from replay.feed import ReplayFeed, Window
from replay.slices import Part

FIRST_DAY = date(2024, 1, 2)
VOLUME = 1_000_000
Quote = tuple[float, ...]
Decide = Callable[[MarketSlice, Mapping[str, float], Any], Sequence[Intent] | None]


def opens_ns(day: int) -> int:
    """The open (14:30 UTC) of the day-th session."""
    when = FIRST_DAY
    for _ in range(day):
        when += timedelta(days=3 if when.weekday() == 4 else 1)
    opens = datetime(when.year, when.month, when.day, 14, 30, tzinfo=UTC)
    return int(opens.timestamp()) * SECOND_NS


def sessions(days: int, per_session: int) -> list[ExpectedSession]:
    """So many sessions of `per_session` hourly bars."""
    found = []
    for day in range(days):
        opens = opens_ns(day)
        when = datetime.fromtimestamp(opens // SECOND_NS, UTC)
        hours = Hours(int(f"{when:%Y%m%d}"), opens, opens + per_session * HOUR_NS)
        found.append(expected_session(hours, opens_ns(day + 1), HOUR_NS, "session"))
    return found


class Scripted:
    """A strategy that does what the test says: `at` by slice number, or a function."""

    warmup_bars = 0

    def __init__(self, at: Mapping[int, Sequence[Intent]], decide: Decide | None) -> None:
        self._at = at
        self._decide = decide
        self.day_of: dict[int, int] = {}
        self.seen: list[MarketSlice] = []

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Any
    ) -> Sequence[Intent] | None:
        """One call a slice that has a bar."""
        self.seen.append(market)
        if self._decide is not None:
            return self._decide(market, predictions, portfolio)
        day = market.session
        number = self.day_of[day.date] * day.bars + market.index
        return self._at.get(number)


class GivenPredictions:
    """Predictions by (symbol, slice number)."""

    warmup_bars = 0
    sha256 = "0" * 64

    def __init__(self, rows: Mapping[tuple[str, int], float | None]) -> None:
        self._rows = rows
        self._slice = -1

    def warm(self, market: MarketSlice) -> None:
        """Nothing is remembered."""

    def predict(self, market: MarketSlice) -> list[Prediction]:
        """A row with None is a failure; no row is no prediction."""
        self._slice += 1
        found = []
        for bar in market.bars:
            key = (bar.symbol, self._slice)
            if key in self._rows:
                value = self._rows[key]
                found.append(Prediction(bar.symbol, value, "failed" if value is None else None))
        return found


@dataclass
class Result:
    """What came of it; `slice_ends[i]` is the end of slice i, `slice_starts[i]` its start (ns)."""

    account: Account
    pipeline: Pipeline
    strategy: Scripted
    feed: ReplayFeed
    turns: list[Turn] = field(default_factory=list)
    slice_starts: list[int] = field(default_factory=list)
    slice_ends: list[int] = field(default_factory=list)
    every_turn: bool = False

    def of(self, kind: type) -> list[Any]:
        """All outputs of one type, in order."""
        outputs = (output for turn in self.turns for output in turn.outputs)
        return [output for output in outputs if isinstance(output, kind)]

    @property
    def fills(self) -> list[Fill]:
        return self.of(Fill)

    @property
    def orders(self) -> list[OrderAccepted]:
        return self.of(OrderAccepted)

    @property
    def updates(self) -> list[OrderUpdated]:
        return self.of(OrderUpdated)

    @property
    def denials(self) -> list[Denial]:
        return self.of(Denial)

    @property
    def states(self) -> list[StateChanged]:
        return self.of(StateChanged)

    @property
    def trades(self) -> list[TradeClosed]:
        return self.of(TradeClosed)

    @property
    def equity(self) -> list[int]:
        """Micro-dollars at each slice's end."""
        return list(self.pipeline.equity)

    def position(self, symbol: str = "NVDA") -> int:
        return self.account.portfolio.positions[symbol].quantity

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """Nothing to do: the turns are kept in memory."""


def plan(per_share_usd: str = "0", minimum_usd: str = "0", maximum_pct: str | None = None) -> Any:
    """A commission plan that holds on every date."""
    from fractions import Fraction

    from daemon.core.units import percent_ppm, usd_micros

    cap = None if maximum_pct is None else percent_ppm(maximum_pct)
    rate = Fraction(per_share_usd) * MICROS_PER_USD
    return always(CommissionPlan(rate, usd_micros(minimum_usd), cap))


def always(commission: CommissionPlan) -> DatedTable[CommissionPlan]:
    return DatedTable("test", (1,), (commission,), 99991231)


def rules(**changes: Any) -> Pricing:
    """The venue's rules, free of costs unless changed."""
    settings: dict[str, Any] = {"tick_e4": 100, "slippage_ppm": 0, "commission": always(FREE)}
    return Pricing(**(settings | changes))


def play(
    bars: Mapping[str, Sequence[Quote | None]],
    *,
    at: Mapping[int, Sequence[Intent]] | None = None,
    decide: Decide | None = None,
    predictions: Mapping[tuple[str, int], float | None] | None = None,
    per_session: int = 7,
    cash_usd: int = 1_000_000,
    pricing: Pricing | None = None,
    limits: Limits | None = None,
    commands: Sequence[Commands] = (),
    actions: Sequence[CorporateAction] = (),
    chunk_bars: int = 512,
    warmup: int = 0,
    predictor: Any = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    strategy: Any = None,
    remake: Callable[[], Any] | None = None,
    during: Callable[[Pipeline], None] | None = None,
    every_turn: bool = False,
) -> Result:
    """Play the bars; `during(pipeline)` is called before the first input is admitted.

    The result's turns are those with outputs, or `every_turn`.
    """
    symbols = tuple(bars)
    count = max(len(rows) for rows in bars.values())
    days = sessions(-(-count // per_session), per_session)
    starts = [start for day in days for start in day.starts][:count]
    ends = [end for day in days for end in day.ends][:count]
    limits = limits or Limits(allow_short=True)
    pricing = replace(pricing or rules(), shorts_allowed=limits.allow_short)
    account = Account(symbols, cash_usd * MICROS_PER_USD, pricing, limits)
    scripted = Scripted(at or {}, decide)
    scripted.day_of = {day.session.date: number for number, day in enumerate(days)}
    model = predictor or (None if predictions is None else GivenPredictions(predictions))
    window = Window(starts[0], starts[warmup], ends[-1])
    columns = {symbol: _columns(rows, starts, ends) for symbol, rows in bars.items()}
    feed = ReplayFeed(
        symbols, columns, days, window, actions=actions, commands=commands, chunk_bars=chunk_bars
    )
    result = Result(account, None, scripted, feed, every_turn=every_turn)  # type: ignore[arg-type]  # set in the next line
    result.pipeline = Pipeline(account, strategy or scripted, model, result, remake=remake)
    result.slice_starts, result.slice_ends = starts, ends
    if during is not None:
        during(result.pipeline)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(supervise(result.pipeline, feed))
    return result


def _columns(rows: Sequence[Quote | None], starts: list[int], ends: list[int]) -> Part:
    kept = [
        (start, end, *row) if len(row) == 5 else (start, end, *row, VOLUME)
        for row, start, end in zip(rows, starts, ends, strict=False)
        if row is not None
    ]
    columns = [list(column) for column in zip(*kept, strict=True)]
    typed = [
        memoryview(array("d" if 2 <= place <= 5 else "q", column))
        for place, column in enumerate(columns)
    ]
    return Part(*typed)
