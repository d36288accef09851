"""An account from recorded turns, for when playing them again gives something else.

Strategy, risk and venue are not run: what the outputs say was done, was done. Working orders
cannot be had this way (what becomes of them is the venue's business), so all of them are dropped,
brackets too: the account that comes out is meant to begin HALTED.
"""

from __future__ import annotations

from msgspec.structs import replace

from daemon.core.events import (
    Command,
    Flatten,
    MarketSlice,
    Outcome,
    Prediction,
    Reload,
    Reset,
    Resume,
    Split,
    Tick,
    TickKind,
)
from daemon.core.folded_ledger import FoldedLedger
from daemon.core.orders import ENDED
from daemon.core.outputs import (
    ActionApplied,
    CommandRefused,
    DividendPaid,
    Fill,
    OrderAccepted,
    OrderUpdated,
    Origin,
    Output,
    StateChanged,
)
from daemon.core.trading_state import Hold, HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS
from daemon.core.values import AccountValues, RiskValues

_COUNTED = frozenset({Origin.TARGET, Origin.EXPLICIT})


class Fold:
    """The account of a segment: its opening values, then one turn after the other.

    Account limits that have been reached are found again at the next slice. `flattening` is what
    commands and flatten orders tell; where a limit flattens, its first order tells.
    """

    def __init__(self, opening: AccountValues) -> None:
        self._ledger = FoldedLedger(opening.portfolio)
        self._book = opening.book
        self._holds = {(hold.source, hold.level): hold for hold in opening.holds}
        self._flattening = opening.flattening
        self._model_failures = opening.model_failures
        self._risk = opening.risk
        self._accepted = list(opening.risk.accepted)
        self._left = {
            order.order_id: order.quantity - order.filled
            for order in opening.book.orders
            if order.order_id in opening.book.working
        }
        self._filled = {order.order_id: order.filled for order in opening.book.orders}

    @property
    def dropped(self) -> tuple[int, ...]:
        """The orders that were working after the last turn, by number."""
        return tuple(sorted(self._left))

    def values(self) -> AccountValues:
        """The account after the last turn."""
        book, last = self._book, self._book.last
        since = -1 if last is None else last.end - HOUR_NS
        accepted = tuple(instant for instant in self._accepted if instant > since)
        return AccountValues(
            portfolio=self._ledger.values(),
            book=replace(book, orders=(), working=(), withdrawn=()),
            protection=(),
            holds=tuple(self._holds.values()),
            flattening=self._flattening,
            model_failures=self._model_failures,
            risk=replace(self._risk, accepted=accepted, breached=()),
        )

    def add(self, turn: Turn) -> None:
        """Take the next turn; every one of the segment is needed, quiet ones too."""
        asked = (HoldSource.STRATEGY, TradingState.HALTED) not in self._holds
        for output in turn.outputs:
            self._follow(output)
        item = turn.input
        if isinstance(item, MarketSlice):
            self._close_slice(item, turn.predictions, asked=asked)
        elif isinstance(item, Tick):
            if item.kind is TickKind.OPENS:
                self._count_from(baseline=self._ledger.equity_micros, today=0)
        else:
            self._carry_out(item, turn.outputs)
        on_time = not isinstance(item, MarketSlice) or item.outcome is Outcome.RECEIVED
        if on_time and not isinstance(item, Tick) and self._ledger.is_flat and not self._left:
            self._flattening = False

    # --- outputs ------------------------------------------------------------------------------

    def _follow(self, output: Output) -> None:
        if isinstance(output, Fill):
            self._ledger.fill(output)
            self._fill(output)
        elif isinstance(output, ActionApplied):
            self._ledger.act(output)
            if isinstance(output.action, Split):
                self._rescale(output.action)
        elif isinstance(output, DividendPaid):
            self._ledger.pay(output)
        elif isinstance(output, OrderAccepted):
            self._accept(output)
        elif isinstance(output, OrderUpdated):
            self._update(output)
        elif isinstance(output, StateChanged):
            self._change(output)

    def _accept(self, accepted: OrderAccepted) -> None:
        number, group = accepted.order_id, accepted.group or 0
        self._left[number], self._filled[number] = accepted.quantity, 0
        self._book = replace(
            self._book,
            next_order_id=max(self._book.next_order_id, number + 1),
            next_group=max(self._book.next_group, group + 1),
        )
        if accepted.origin in _COUNTED:
            self._accepted.append(accepted.decided)
            self._count_from(today=self._risk.accepted_today + 1)
        elif accepted.origin is Origin.FLATTEN:
            self._flattening = True

    def _fill(self, fill: Fill) -> None:
        number = fill.order_id
        self._filled[number] += fill.quantity
        self._left[number] -= fill.quantity
        if not self._left[number]:
            self._forget(number)

    def _update(self, updated: OrderUpdated) -> None:
        number = updated.order_id
        if updated.status in ENDED:
            self._forget(number)
        else:
            self._left[number] = updated.quantity - self._filled[number]

    def _forget(self, number: int) -> None:
        del self._left[number], self._filled[number]

    def _change(self, changed: StateChanged) -> None:
        level = TradingState[changed.level]
        if changed.lifted:
            del self._holds[changed.source, level]
        else:
            hold = Hold(changed.source, level, changed.instant, changed.reason)
            self._holds[changed.source, level] = hold

    # --- inputs -------------------------------------------------------------------------------

    def _close_slice(
        self, market: MarketSlice, predictions: tuple[Prediction, ...], *, asked: bool
    ) -> None:
        last = self._book.last
        is_latest = last is None or market.end > last.end
        if is_latest:
            self._book = replace(self._book, last=market)
        elif market.outcome is Outcome.WARMUP:
            return  # the account had lived through it before
        self._ledger.mark(market.bars)
        if market.outcome is not Outcome.WARMUP:
            equity = self._ledger.equity_micros
            self._risk = replace(self._risk, peak_micros=max(self._risk.peak_micros, equity))
            for prediction in predictions:
                failures = self._model_failures + 1
                self._model_failures = 0 if prediction.failure is None else failures
        if market.bars and asked:
            known = {one.symbol: one.value for one in predictions if one.value is not None}
            self._ledger.predictions = known if is_latest else self._ledger.predictions | known

    def _carry_out(self, command: Command, outputs: tuple[Output, ...]) -> None:
        if any(isinstance(output, CommandRefused) for output in outputs):
            return
        if isinstance(command, Flatten):
            self._flattening = True
        elif isinstance(command, Resume):
            if command.source != HoldSource.FEED:
                self._model_failures = 0
        elif isinstance(command, Reload):
            shares = command.limits.max_position_shares
            limit = None if shares is None else shares.value
            if limit != self._risk.shares_limit:
                self._risk = replace(self._risk, shares_limit=limit, rescaled=())
        elif isinstance(command, Reset):
            self._flattening = False
            equity = self._ledger.equity_micros
            if "loss" in command.accepted:
                self._count_from(baseline=equity)
            if "drawdown" in command.accepted:
                self._risk = replace(self._risk, peak_micros=equity)

    def _rescale(self, split: Split) -> None:
        """A limit of shares is one of new shares from now on."""
        limit, rescaled = self._risk.shares_limit, dict(self._risk.rescaled)
        if limit is not None:
            shares = rescaled.get(split.symbol, limit) * split.numerator // split.denominator
            rescaled[split.symbol] = shares or 1
            self._risk = replace(self._risk, rescaled=tuple(rescaled.items()))

    def _count_from(self, *, baseline: int | None = None, today: int | None = None) -> None:
        risk: RiskValues = self._risk
        if baseline is not None:
            risk = replace(risk, baseline_micros=baseline)
        if today is not None:
            risk = replace(risk, accepted_today=today)
        self._risk = risk
