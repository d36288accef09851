"""What each task does at its step; the order of the steps is the pipeline's.

A step is a plain function of the input. What one step leaves for a later one of the same turn
(intents, approved orders) stands here between the two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from daemon.core.account import Account
from daemon.core.events import (
    Command,
    Intent,
    MarketSlice,
    Outcome,
    Prediction,
    Reload,
    Reset,
    Split,
    Tick,
    TickKind,
)
from daemon.core.outputs import Denial, Origin, Reason
from daemon.core.review import Approved, CancelOrder, MoveExits
from daemon.core.trading_state import HoldSource, TradingState
from daemon.core.turn import instant_of
from daemon.core.working_order import OrderSpec, sign_of
from daemon.errors import one_line
from daemon.ports import Gate
from daemon.strategies.seen import Seen, takes_splits
from daemon.tasks import StageTask
from daemon.view import PortfolioView

if TYPE_CHECKING:
    from daemon.models.protocol import Predictor
    from daemon.strategies.protocol import Strategy

Ask = Callable[[MarketSlice, Mapping[str, float], PortfolioView], Sequence[Intent] | None]

UNSETTLED = object()
"""Stands for "there may be something to review"."""


class Steps:
    """The steps of one account's turns.

    `settled` are the intents whose review found nothing to do: the same again need none until
    something moves. `seq` is the number of the last closed turn, counted by the pipeline.
    `gate` is None where no kill switch can be (a replay); `gate_seen` is where in the turn it was
    first seen closed. `remake` makes the strategy anew, to be shown what the old one has seen: once
    a reset has lifted its failure, since one that has raised half-way remembers nobody knows what,
    and after a split that it does not know how to take (see `Strategy`).
    """

    def __init__(
        self,
        account: Account,
        strategy: Strategy,
        predictor: Predictor | None,
        task: StageTask,
        recorded_failures: Mapping[int, str],
        gate: Gate | None = None,
        seq: int = 0,
        remake: Callable[[], Strategy] | None = None,
    ) -> None:
        self.predictions: list[tuple[int, Prediction]] = []
        self.intents: Sequence[Intent] | None = None
        self.approved: list[Approved] = []
        self.settled: object = UNSETTLED
        self.seq = seq
        self.gate = gate
        self.gate_seen: int | None = None
        self.values: dict[str, float] = {}
        self.view = PortfolioView(account)
        self._account = account
        self._strategy = strategy
        self._predictor = predictor
        self._task = task
        self._recorded_failures = recorded_failures
        self._remake = remake
        self._seen = Seen(strategy.warmup_bars if remake else 0)
        self._failed = any(hold.cause == HoldSource.STRATEGY for hold in account.control.holds)

    @property
    def only_asks(self) -> bool:
        """Whether deciding is nothing but calling the strategy."""
        knows_all = not (self._failed or self._recorded_failures or self._seen.keeps)
        return self._predictor is None and knows_all

    @property
    def ask(self) -> Ask:
        """The strategy's `decide`, for who asks it without `decide` of ours."""
        return self._strategy.decide

    def forget_recorded(self) -> None:
        """What was recorded has been played: predictions and failures are new ones from now on."""
        self.predictions.clear()
        self._recorded_failures = {}

    # --- the steps of a slice -----------------------------------------------------------------

    def match(self, market: MarketSlice) -> None:
        """Working orders meet the bars, positions are marked; then the session's DAY orders end."""
        self.settled = UNSETTLED
        self._account.meet(market)

    def assess(self, market: MarketSlice) -> None:
        """The account's limits, before anything is decided."""
        self.settled = UNSETTLED
        self._account.risk.assess(market)

    def decide(self, market: MarketSlice) -> Awaitable[None] | None:
        """Predictions, then the strategy; an awaitable where a prediction must be waited for."""
        if self._predictor is None:
            self._ask(market)
            return None
        if not market.bars or self._failed:
            if market.bars or market.actions:
                self._predictor.warm(market)
            self._ask(market)
            return None
        try:
            predictions = self._predictor.predict(market)
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            predictions = [Prediction(bar.symbol, None, one_line(error)) for bar in market.bars]
        if isinstance(predictions, Awaitable):
            return self._decide_later(market, predictions)
        self._decide_with(market, predictions)
        return None

    async def _decide_later(
        self, market: MarketSlice, predictions: Awaitable[Sequence[Prediction]]
    ) -> None:
        try:
            found = await predictions
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            found = [Prediction(bar.symbol, None, one_line(error)) for bar in market.bars]
        self._decide_with(market, found)

    def _decide_with(self, market: MarketSlice, predictions: Sequence[Prediction]) -> None:
        values: dict[str, float] = {}
        for prediction in predictions:
            self.predictions.append((market.end, prediction))
            if market.outcome is not Outcome.WARMUP:
                self._account.control.count_model(prediction.failure, market.end)
            if prediction.value is not None:
                values[prediction.symbol] = prediction.value
        self.values = values
        self._account.remember(market, values)
        self._ask(market)

    def _ask(self, market: MarketSlice) -> None:
        """The strategy's intents; one that has failed, or sees neither bar nor split, has none."""
        self.intents = None
        splits = self._splits(market) if market.actions else ()
        if not self._failed and (market.bars or splits):
            if self.seq + 1 in self._recorded_failures:
                self._fail_strategy(self._recorded_failures[self.seq + 1], market)
                return  # its code is not called again for a turn in which it failed
            try:
                self._tell(splits)
                if market.bars:
                    self.intents = self._strategy.decide(market, self.values, self.view)
            except Exception as error:  # noqa: BLE001 - a user's strategy may raise anything
                self.strategy_raised(error, market)
                return
        if market.bars:
            self._seen.keep(market)

    def _splits(self, market: MarketSlice) -> Sequence[Split]:
        """The slice's splits; what was seen before them is in other shares now."""
        traded = self._account.portfolio.positions
        splits = [
            action
            for action in market.actions
            if isinstance(action, Split) and action.symbol in traded
        ]
        for split in splits:
            self._seen.split(split)
        return splits

    def _tell(self, splits: Sequence[Split]) -> None:
        """Let the strategy take splits, or make it anew where it does not know how."""
        strategy: Any = self._strategy
        if takes_splits(strategy):
            for split in splits:
                strategy.split(split)
        elif splits and strategy.warmup_bars:
            self._begin_anew()

    def warm(self, market: MarketSlice) -> None:
        """Show the strategy a slice that was traded before, for its indicators alone.

        What it raises is the caller's.
        """
        self._tell(self._splits(market))
        if market.bars:
            self._strategy.decide(market, {}, self.view)
            self._seen.keep(market)

    def _begin_anew(self) -> None:
        """Another instance, shown the bars it needs to be warm.

        Where the last one raised, the bar it raised at is not among them: it would be the same
        again at once.
        """
        if self._remake is not None:
            self._strategy = self._remake()
            self._seen.show(self._strategy, self.view)

    def strategy_raised(self, error: Exception, market: MarketSlice) -> None:
        """A user's code raised: an output, not a fault of ours."""
        self._task.fail(error)
        self._fail_strategy(one_line(error), market)

    def _fail_strategy(self, reason: str, market: MarketSlice) -> None:
        self.intents = None
        self._failed = True
        self._account.control.fail_strategy(reason, market.end)

    def review(self, market: MarketSlice) -> None:
        """What of the intents, and of the exits that limits demand, may go on."""
        account, outputs = self._account, self._account.outputs
        before = len(outputs)
        self.approved = account.risk.review(market, self.intents)
        if account.control.flattening and market.outcome is Outcome.RECEIVED:
            self.approved = [*self.approved, *account.risk.flatten(market.end)]
        moves = account.control.flattening or account.venue.book.working
        was_asked = market.outcome is not Outcome.WARMUP  # which needs nothing, whatever is wanted
        quiet = was_asked and not (self.approved or moves) and len(outputs) == before
        lasting = self.intents is None or type(self.intents) is tuple
        if quiet and lasting and not account.risk.limits.flat_before_close:
            self.settled = self.intents  # the same again, nothing having moved, needs no review

    def submit(self, item: MarketSlice | Command) -> None:
        """Each approved item through the gate."""
        instant, self.gate_seen = instant_of(item), None
        for place, approved in enumerate(self.approved):
            self._gate(approved, place, instant)

    def _gate(self, approved: Approved, place: int, instant: int) -> None:
        """The last thing between a decision and the venue, and the venue's only caller."""
        venue, control = self._account.venue, self._account.control
        if isinstance(approved, CancelOrder):
            order = venue.book.working.get(approved.order_id)
            if order is not None:
                venue.book.withdraw(order, approved.reason, instant)
            return
        latched = self.gate is not None and self._latched(place)
        if isinstance(approved, MoveExits):
            if not latched and control.state is not TradingState.HALTED:  # a halt lets none rest
                venue.protection.replace(approved.symbol, approved.bracket, instant)
        elif (not latched or approved.origin is Origin.FLATTEN) and control.lets_through(
            approved, self._account.portfolio
        ):
            venue.accept(approved, instant, instant)
            self._account.risk.count(approved, instant)
        else:
            self._refuse(approved, instant)

    def _latched(self, place: int) -> bool:
        """Whether the kill switch was thrown; once seen, it is for the rest of the turn."""
        if self.gate_seen is None:
            assert self.gate is not None, "asked without a kill switch"
            if self.gate.closed(place):
                self.gate_seen = place
        return self.gate_seen is not None

    def _refuse(self, spec: OrderSpec, instant: int) -> None:
        """A limit has changed the state since the review: the order comes too late."""
        reason = self._account.control.holds.permissions.denial or Reason.HALTED
        quantity = sign_of(spec.side) * spec.quantity
        self._account.outputs.append(Denial(instant, spec.symbol, reason, quantity, spec.origin))

    # --- the steps of ticks and commands ------------------------------------------------------

    def expire(self, tick: Tick) -> None:
        """At the close: DAY orders whose session showed no last slice."""
        if tick.kind is TickKind.CLOSES:
            self._account.venue.book.expire_day(tick.session, tick.instant)

    def open_session(self, tick: Tick) -> None:
        """At the open: limits count anew."""
        if tick.kind is TickKind.OPENS:
            self._account.risk.open_session()

    def carry_out(self, command: Command) -> None:
        """A command, and the orders that flatten."""
        account = self._account
        done = account.control.carry_out(command, account.risk.standing_halts())
        if done and isinstance(command, Reset):
            account.risk.accept(command.accepted)
            if self._failed:
                self._failed = False
                self._begin_anew()
        elif isinstance(command, Reload):
            account.obey(command.limits)
        flattens = account.control.flattening
        self.approved = account.risk.flatten(command.instant) if flattens else []
