"""From closed turns and heartbeats to the notices that people are sent.

Nothing is sent from here: a notice goes to whoever was given (`notifier.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from daemon.config.notify import NoticeEvent
from daemon.core.events import MarketSlice, Outcome, Tick, TickKind
from daemon.core.outputs import Denial, Fill, TradeClosed
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_USD
from daemon.feeds.times import date_text, zone_text
from daemon.journal.ledger import LedgerRow
from daemon.observability.checks import CheckResult
from daemon.observability.notice_rules import Notice
from daemon.observability.standing import Standing

ZONE = "America/New_York"
STOPPED, OVER = "stopped", "over"
"""The keys of what is told of the trading state."""
_NOT_IN_TIME = frozenset({
    Outcome.MISSING, Outcome.QUARANTINED, Outcome.BACKFILLED, Outcome.LATE
})  # fmt: skip


class Teller(Protocol):
    """Who takes notices."""

    def tell(self, notice: Notice) -> None:
        """Send it, now or later."""

    def clear(self, event: NoticeEvent, key: str) -> None:
        """What it was about is over."""


class Notices:
    """What is worth a message of the account `name`; `events` are those that are wanted."""

    def __init__(self, name: str, events: Collection[NoticeEvent], teller: Teller) -> None:
        self._name = name
        self._events = frozenset(events)
        self._teller = teller
        self._state = TradingState.ACTIVE
        self._day = _Day()
        self._checks: dict[str, CheckResult] = {}

    # --- what happens -------------------------------------------------------------------------

    def recovered(self, turns: Iterable[Turn], checks: Mapping[str, CheckResult]) -> None:
        """Go on from recorded turns, and from checks that have been told about."""
        for turn in turns:
            self._day.see(turn)
        self._checks = {name: each for name, each in checks.items() if each.success}

    def turn(self, turn: Turn, standing: Standing, facts: Iterable[LedgerRow]) -> None:
        """A turn was closed; `standing` is the account as it stands by now."""
        self._day.see(turn)
        for fact in facts:
            self._fact(fact)
        if "fill" in self._events:
            for output in turn.outputs:
                if isinstance(output, Fill):
                    self._fill(output, standing)
        if isinstance(turn.input, Tick) and self.ends_day(turn):
            self._summary(turn.input.session.date, standing)

    def is_news(self, state: TradingState, *, latched: bool) -> bool:
        """Whether trading is allowed otherwise than when somebody was told last."""
        return (TradingState.HALTED if latched else state) != self._state

    def ends_day(self, turn: Turn) -> bool:
        """Whether a session ends with this turn, and somebody wants to know how it was."""
        item = turn.input
        return (
            isinstance(item, Tick)
            and item.kind is TickKind.CLOSES
            and "daily_summary" in self._events
        )

    def stand(self, standing: Standing, stopped_by: Callable[[], str]) -> None:
        """The account stands like this now; `stopped_by` says more where no hold says why."""
        if not self.is_news(standing.state, latched=standing.latched):
            return
        now = TradingState.HALTED if standing.latched else standing.state
        before, self._state = self._state, now
        event: NoticeEvent = "halt" if now is TradingState.HALTED else "pause"
        if now is TradingState.ACTIVE:
            self._teller.clear("pause", STOPPED)
            event = "halt" if before is TradingState.HALTED else "pause"
            self._tell(event, OVER, "ACTIVE again", f"Trading was {before.name}.")
            return
        why = [
            f"{hold.level.name} by {hold.source} since {_when(hold.since)}: "
            f"{hold.reason or 'no reason given'}"
            for hold in standing.holds
            if hold.level == now
        ]
        text = "\n".join([*(why or [stopped_by()]), _held(standing), _equity(standing)])
        self._teller.clear("pause", OVER)
        self._tell(event, STOPPED, now.name, text)

    def check(self, results: Mapping[str, CheckResult]) -> None:
        """The last results of the one-shot jobs."""
        for name, result in results.items():
            known = self._checks.get(name)
            if result.ended == 0 or (known is not None and known == result):
                continue
            self._checks[name] = result
            event: NoticeEvent = "parity" if name == "parity" else "check"
            if not result.success:
                text = f"It ended {_when(result.ended)}; checks/{name}.json says more."
                self._tell(event, f"{name} {result.ended}", f"check {name} FAILED", text)
            elif known is not None and not known.success:
                self._tell(event, f"{name} {result.ended}", f"check {name} passes again", "")

    def started(self, standing: Standing) -> None:
        """The daemon is ready."""
        text = f"{standing.state.name}\n{_held(standing)}\n{_equity(standing)}"
        self._tell("start", "start", "started", text)

    def stopped(self, standing: Standing) -> None:
        """The daemon ends."""
        text = f"{standing.state.name}\n{_held(standing)}\n{_equity(standing)}"
        self._tell("stop", "stop", "stopped", text)

    # --- one of them ----------------------------------------------------------------------------

    def _fact(self, fact: LedgerRow) -> None:
        detail = f": {fact.detail}" if fact.detail else ""
        if fact.kind == "feed":
            self._tell(
                "feed", fact.outcome, f"feed {fact.outcome}", f"{_when(fact.instant)}{detail}"
            )
        elif fact.outcome in _NOT_IN_TIME:
            of = "" if fact.start is None else f" of {_when(fact.start)}"
            text = f"The bar{of} is {fact.outcome}{detail}"
            self._tell("gap", fact.symbol, f"gap in {fact.symbol}", text)

    def _fill(self, fill: Fill, standing: Standing) -> None:
        word = "bought" if fill.side == "buy" else "sold"
        price = fill.price_e4 / E4_PER_USD
        title = f"{word} {fill.quantity} {fill.symbol} at {price:,.2f}"
        text = f"{fill.reason or fill.origin.value}\n{_held(standing)}\n{_equity(standing)}"
        self._tell("fill", str(fill.fill_id), title, text)

    def _summary(self, day: int, standing: Standing) -> None:
        gained = (standing.equity_micros - standing.day_start_micros) / MICROS_PER_USD
        date = date_text(day)
        lines = [
            f"{standing.state.name}; {_held(standing)}",
            _equity(standing),
            self._day.text(),
            *(
                f"{each.name}: {each.current:,.10g} of {each.limit:,.10g}"
                for each in standing.limits
                if each.use >= 0.5
            ),
            *(f"check {name} FAILED" for name, each in self._checks.items() if not each.success),
        ]
        self._tell("daily_summary", date, f"{date} {gained:+,.2f} USD", "\n".join(lines))

    def _tell(self, event: NoticeEvent, key: str, title: str, text: str) -> None:
        if event in self._events:
            self._teller.tell(Notice(event, key, f"{self._name}: {title}", text))


class _Day:
    """What happened since the session opened (or the daemon began to look)."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.bars = self.missing = self.fills = self.denials = self.trades = 0
        self.costs_micros = self.closed_micros = 0

    def see(self, turn: Turn) -> None:
        """Count a turn."""
        item = turn.input
        if isinstance(item, Tick) and item.kind is TickKind.OPENS:
            self._begin()
        elif isinstance(item, MarketSlice) and item.outcome is not Outcome.WARMUP:
            self.bars += len(item.bars)
            self.missing += len(item.missing)
        for output in turn.outputs:
            if isinstance(output, Fill):
                self.fills += 1
                self.costs_micros += output.commission_micros + output.regulatory_micros
            elif isinstance(output, Denial):
                self.denials += 1
            elif isinstance(output, TradeClosed):
                self.trades += 1
                self.closed_micros += output.pnl_micros

    def text(self) -> str:
        """One line."""
        closed = self.closed_micros / MICROS_PER_USD
        return (
            f"{self.fills} fills, costs {self.costs_micros / MICROS_PER_USD:,.2f} USD; "
            f"{self.trades} trades closed, {closed:+,.2f} USD; {self.denials} denials; "
            f"{self.bars} bars, {self.missing} missing"
        )


def _held(standing: Standing) -> str:
    held = [f"{each.quantity:+d} {each.symbol}" for each in standing.holdings if each.quantity]
    return f"position {', '.join(held) or 'flat'}"


def _equity(standing: Standing) -> str:
    equity = standing.equity_micros / MICROS_PER_USD
    day = (standing.equity_micros - standing.day_start_micros) / MICROS_PER_USD
    return f"equity {equity:,.2f} USD, today {day:+,.2f}"


def _when(instant: int) -> str:
    return f"{zone_text(instant, ZONE)} New York"
