"""Counts closed turns: plain numbers in plain dictionaries, which another thread may read.

Every dictionary has all its keys from the start, so counting never changes its size under whoever
reads it, and no series is missing before its first event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import product

from daemon.config.notify import NOTICE_EVENTS
from daemon.core.events import Bar, MarketSlice, Outcome, Side, Tick, TickKind
from daemon.core.outputs import (
    Denial,
    Fill,
    LimitBreached,
    OrderAccepted,
    Origin,
    Output,
    Reason,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.core.units import MICROS_PER_E4
from daemon.core.working_order import sign_of
from daemon.journal.ledger import LedgerRow
from daemon.observability.limits import UNITS
from daemon.observability.metric_table import METRICS

STEP_BOUNDS_S = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30,
)  # fmt: skip
COMMIT_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

LABEL_VALUES: dict[str, Sequence[str]] = {
    "outcome": tuple(Outcome),
    "side": tuple(Side),
    "origin": tuple(Origin),
    "reason": tuple(Reason),
    "input": ("slice", "tick", "command"),
    "result": ("gain", "loss", "even"),
    "kind": ("commission", "sec", "taf", "cat", "slippage"),
    "event": NOTICE_EVENTS,
    "limit": (*UNITS, "flat_before_close"),
}
"""What the labels of counters can be; symbols and tasks are the daemon's own."""

_FACTS = frozenset({Outcome.LATE, Outcome.REVISED, Outcome.UNEXPECTED})
"""Bars that are in no slice; the others are counted where their slice is."""

Counts = dict[tuple[str, ...], int]


class Buckets:
    """A histogram: how many values were at most each bound, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Tallies:
    """All that is counted, by the metric's name; and where the bars of each symbol stand."""

    def __init__(self, symbols: Sequence[str], tasks: Sequence[str]) -> None:
        values = {**LABEL_VALUES, "symbol": symbols, "task": tasks}
        self.counts: dict[str, Counts] = {
            name: dict.fromkeys(product(*(values[label] for label in metric.labels)), 0)
            for name, metric in METRICS.items()
            if metric.kind == "counter"
        }
        self.steps = {task: Buckets(STEP_BOUNDS_S) for task in tasks}
        self.turns = Buckets(STEP_BOUNDS_S)
        self.commits = Buckets(COMMIT_BOUNDS_S)
        self.last_bar = dict.fromkeys(symbols, 0)
        self.missing: dict[str, frozenset[int]] = dict.fromkeys(symbols, frozenset())
        self._quarantined: set[tuple[str, int]] = set()
        self.market_open = False
        self.peak_micros = 0

    # --- what a turn says ----------------------------------------------------------------------

    def turn(self, turn: Turn, facts: Iterable[LedgerRow]) -> None:
        """Count a closed turn."""
        item = turn.input
        kind = "tick" if isinstance(item, Tick) else "command"
        for fact in facts:
            self._fact(fact)
        if isinstance(item, MarketSlice):
            kind = "slice"
            self._bars(item)
            self._see(item)
            if turn.equity is not None and turn.equity > self.peak_micros:
                self.peak_micros = turn.equity
        elif isinstance(item, Tick):
            self.market_open = item.kind is TickKind.OPENS
        self.counts["papertape_turns_total"][(kind,)] += 1
        for prediction in turn.predictions:
            self._prediction(prediction.symbol, failed=prediction.failure is not None)
        for output in turn.outputs:
            self._output(output)

    def take_over(self, last: MarketSlice | None, instant: int | None) -> None:
        """Go on where a recovered account stands, without counting anything.

        `last` is the slice that the account saw last, `instant` that of the feed's last input.
        """
        if last is None:
            return
        self._see(last)
        if instant is not None:
            session = last.session
            self.market_open = instant < session.closes or instant >= session.next_opens > 0

    def _see(self, market: MarketSlice) -> None:
        for bar in market.bars:
            self._see_bar(bar)
        for symbol in market.missing:
            self.missing[symbol] |= {market.end}

    def _see_bar(self, bar: Bar) -> None:
        if bar.end > self.last_bar[bar.symbol]:
            self.last_bar[bar.symbol] = bar.end
            if missing := self.missing[bar.symbol]:
                self.missing[bar.symbol] = frozenset(end for end in missing if end > bar.end)

    def _bars(self, market: MarketSlice) -> None:
        bars = self.counts["papertape_bars_total"]
        for bar in market.bars:
            bars[bar.symbol, market.outcome] += 1
        for symbol in market.missing:
            quarantined = (symbol, market.end) in self._quarantined
            bars[symbol, Outcome.QUARANTINED if quarantined else Outcome.MISSING] += 1
            if not self.missing[symbol]:
                self.counts["papertape_gaps_total"][(symbol,)] += 1
        if self._quarantined:
            self._quarantined = {each for each in self._quarantined if each[1] > market.end}

    def _fact(self, fact: LedgerRow) -> None:
        if fact.kind != "gap":
            return
        if fact.outcome in _FACTS:
            self.counts["papertape_bars_total"][fact.symbol, fact.outcome] += 1
        elif fact.outcome == Outcome.QUARANTINED and fact.end is not None:
            self._quarantined.add((fact.symbol, fact.end))  # its slice counts it

    def _prediction(self, symbol: str, *, failed: bool) -> None:
        ended = "prediction_failures" if failed else "predictions"
        self.counts[f"papertape_{ended}_total"][(symbol,)] += 1

    def _output(self, output: Output) -> None:
        counts = self.counts
        if isinstance(output, OrderAccepted):
            counts["papertape_orders_total"][output.symbol, output.side, output.origin] += 1
        elif isinstance(output, Fill):
            self._fill(output)
        elif isinstance(output, Denial):
            counts["papertape_denials_total"][(output.reason,)] += 1
        elif isinstance(output, TradeClosed):
            pnl = output.pnl_micros
            result = "gain" if pnl > 0 else "loss" if pnl < 0 else "even"
            counts["papertape_trades_total"][output.symbol, result] += 1
        elif isinstance(output, LimitBreached):
            counts["papertape_limit_breaches_total"][(output.limit,)] += 1

    def _fill(self, fill: Fill) -> None:
        counts, place = self.counts, (fill.symbol, fill.side)
        counts["papertape_fills_total"][place] += 1
        counts["papertape_filled_shares_total"][place] += fill.quantity
        costs = counts["papertape_costs_usd_total"]
        costs["commission",] += fill.commission_micros
        costs["sec",] += fill.sec_micros
        costs["taf",] += fill.taf_micros
        costs["cat",] += fill.cat_micros
        worse_e4 = sign_of(fill.side) * (fill.price_e4 - fill.reference_e4)
        costs["slippage",] += worse_e4 * fill.quantity * MICROS_PER_E4
