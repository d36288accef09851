"""THE PICTURE: one input at a time goes through the steps below, in this order.

    feed -> execution.match -> risk.assess -> strategy.decide -> risk.review -> execution.submit
         -> journal

A step is a plain function. While no task is busy the steps are called where the turn stands;
a step that must wait (a prediction that is awaited), or one that finds its task busy, goes
through the tasks' mailboxes. The next input is admitted when the turn is closed, in both cases,
so results do not depend on scheduling.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from daemon.core.account import Account
from daemon.core.events import (
    Command,
    Commands,
    Halt,
    Input,
    Intent,
    MarketSlice,
    Outcome,
    Prediction,
    Reset,
    Tick,
    TickKind,
)
from daemon.core.outputs import Denial, Reason
from daemon.core.review import Approved, CancelOrder, MoveExits
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn, instant_of
from daemon.core.working_order import OrderSpec, sign_of
from daemon.errors import one_line
from daemon.ports import Feed, Sink
from daemon.tasks import Busy, StageTask, TaskFailedError
from daemon.view import PortfolioView

if TYPE_CHECKING:
    from daemon.models.protocol import Predictor
    from daemon.strategies.protocol import Strategy

TASKS = ("feed", "execution", "risk", "strategy")

STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "slice": (
        ("execution", "_match"),
        ("risk", "_assess"),
        ("strategy", "_decide"),
        ("risk", "_review"),
        ("execution", "_submit"),
    ),
    "tick": (("execution", "_expire"), ("risk", "_open_session")),
    "command": (("risk", "_carry_out"), ("execution", "_submit")),
}
"""Which task takes which step, for each kind of input."""

_UNSETTLED = object()
"""Stands for "there may be something to review"."""

Step = Callable[[Any], "Awaitable[Any] | None"]


class Pipeline:
    """One account's turns, one at a time.

    `ends`, `equity` (micro-dollars) are columns with one row per slice that is not warm-up;
    `predictions` one (bar end, prediction) per prediction used. `failed` gives, for a journal that
    is played again, the turns in which the strategy raised, with what was recorded of it.
    """

    def __init__(
        self,
        account: Account,
        strategy: Strategy,
        predictor: Predictor | None,
        sink: Sink,
        failed: Mapping[int, str] | None = None,
    ) -> None:
        self.account = account
        self.seq = 0
        self.ends = array("q")
        self.equity = array("q")
        self.predictions: list[tuple[int, Prediction]] = []
        self.busy = Busy()
        self.tasks = {name: StageTask(name, self.busy) for name in TASKS}
        self._strategy = strategy
        self._predictor = predictor
        self._view = PortfolioView(account)
        self._sink = sink
        self._recorded_failures = failed or {}
        self._strategy_failed = False
        self._values: dict[str, float] = {}
        self._intents: Sequence[Intent] | None = None
        self._approved: list[Approved] = []
        self._settled: object = _UNSETTLED
        self._waiting: deque[Commands] = deque()
        if predictor is None:
            self._decide = self._ask_strategy  # type: ignore[method-assign]  # spares a call a bar
        bound = {
            kind: [(self.tasks[task], getattr(self, step)) for task, step in steps]
            for kind, steps in STEPS.items()
        }
        self._owned: dict[str, list[tuple[StageTask, Step]]] = bound
        self._slice_steps: tuple[Step, ...] = tuple(step for _, step in bound["slice"])

    # --- admission ----------------------------------------------------------------------------

    async def play(self, feed: Feed) -> None:
        """Admit every input of the feed; TaskFailedError where a task raises."""
        async for chunk in feed.chunks():
            for pending in self._run(chunk):
                await pending
            self._sink.flush()
            await asyncio.sleep(0)

    def _run(self, chunk: Iterable[Input]) -> Iterator[Awaitable[None]]:
        """Handle a chunk where it stands; yields what must be awaited before the next input.

        The steps are those of STEPS, in their order, called directly; a step is left out where
        one look tells that it would do nothing, since most bars fill, deny and change nothing.
        The first input of a chunk takes the long way and is timed step by step.
        """
        account, busy, waiting = self.account, self.busy, self._waiting
        venue, risk, mark = account.venue, account.risk, account.portfolio.mark
        working, withdrawn, receivables = (
            venue.book.working,
            venue.book.withdrawn,
            account.portfolio.receivables,
        )
        match, assess, decide, review, submit = self._slice_steps
        add_end, add_equity = self.ends.append, self.equity.append
        always_assess = risk.limits.flat_before_close
        apart = True
        for market in chunk:
            if apart or type(market) is not MarketSlice or busy.count or waiting:
                pending = self.admit(market)
                if pending is not None:
                    yield pending
                apart = type(market) is MarketSlice and market.outcome is not Outcome.RECEIVED
                continue
            step = match
            try:
                if working or withdrawn or receivables or market.actions:
                    match(market)
                    equity = account.portfolio.equity_micros
                else:
                    venue.book.last = market
                    equity = mark(market.bars)
                step = assess
                if always_assess or not risk.floor_micros < equity <= risk.ceiling_micros:
                    assess(market)
                step = decide
                pending = decide(market)
                if pending is not None:
                    yield self._travel(market, "slice", 2, pending)
                    continue
                if self._intents is not self._settled:
                    step = review
                    review(market)
                    if self._approved:
                        step = submit
                        submit(market)
            except Exception as error:
                raise self._attributed(step, market, error) from error
            self.seq += 1
            add_end(market.end)
            add_equity(equity)
            if account.outputs:
                self._keep(market, market.end)

    def post(self, command: Commands) -> None:
        """Let a command wait for the open turn to close; halts go before everything else (C1)."""
        if isinstance(command, Halt):
            self._waiting.appendleft(command)
        else:
            self._waiting.append(command)

    def admit(self, item: Input) -> Awaitable[None] | None:
        """Open, handle and close one turn; an awaitable where it could not be closed yet."""
        if self._waiting:
            return self._admit_waiting(item)
        return self._admit_apart(item)

    async def _admit_waiting(self, item: Input) -> None:
        while self._waiting:
            pending = self._admit_apart(self._waiting.popleft())
            if pending is not None:
                await pending
        pending = self.admit(item)
        if pending is not None:
            await pending

    def _admit_apart(self, item: Input) -> Awaitable[None] | None:
        """Ticks, commands, timed slices, and everything while a task is busy."""
        kind = _kind(item)
        if self.busy.count:
            return self._travel(item, kind, 0, None)
        for place, (task, step) in enumerate(self._owned[kind]):
            started = perf_counter_ns()
            try:
                pending = step(item)
            except Exception as error:
                raise self._attributed(step, item, error) from error
            task.took(perf_counter_ns() - started)
            if pending is not None:
                return self._travel(item, kind, place, pending)
        self._close(item, kind)
        return None

    async def _travel(
        self, item: Input, kind: str, place: int, pending: Awaitable[Any] | None
    ) -> None:
        """Take the turn through the mailboxes from step `place` on; `pending` is what it awaits."""
        for task, step in self._owned[kind][place:]:
            try:
                if pending is None:
                    await task.ask(partial(step, item))
                else:
                    await task.ask(partial(_same, pending))
            except Exception as error:
                raise self._attributed(step, item, error) from error
            pending = None
        self._close(item, kind)

    def _attributed(self, step: Step, item: Input, error: Exception) -> TaskFailedError:
        for owned in self._owned.values():
            for task, candidate in owned:
                if candidate == step:
                    task.fail(error)
                    return TaskFailedError(task.name, instant_of(item), error)
        raise AssertionError(f"a step without a task: {step}")

    def _close(self, item: Input, kind: str) -> None:
        if kind == "slice":
            assert isinstance(item, MarketSlice), kind
            self._close_slice(item)
        else:
            self.seq += 1
            if self.account.outputs or kind == "command":
                self._keep(item, instant_of(item))

    def _close_slice(self, market: MarketSlice) -> None:
        self.seq += 1
        if market.outcome is not Outcome.WARMUP:
            self.ends.append(market.end)
            self.equity.append(self.account.portfolio.equity_micros)
        if self.account.outputs:
            self._keep(market, market.end)

    def _keep(self, item: Input, instant: int) -> None:
        outputs = self.account.outputs
        self._sink.keep(Turn(self.seq, instant, item, tuple(outputs)))
        outputs.clear()

    # --- the steps of a slice -----------------------------------------------------------------

    def _match(self, market: MarketSlice) -> None:
        account = self.account
        self._settled = _UNSETTLED
        account.venue.match(market)
        account.portfolio.mark(market.bars)
        if market.end == market.session.closes:
            account.venue.book.expire_day(market.session, market.end)

    def _assess(self, market: MarketSlice) -> None:
        self._settled = _UNSETTLED
        self.account.risk.assess(market)

    def _decide(self, market: MarketSlice) -> Awaitable[None] | None:
        assert self._predictor is not None, "no model to ask"
        if not market.bars or self._strategy_failed:
            self._intents = None
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
                self.account.control.count_model(prediction.failure, market.end)
            if prediction.value is not None:
                values[prediction.symbol] = prediction.value
        self._values = self.account.portfolio.predictions = values
        self._ask_strategy(market)

    def _ask_strategy(self, market: MarketSlice) -> None:
        if not market.bars or self._strategy_failed:
            self._intents = None
            return
        if self.seq + 1 in self._recorded_failures:
            self._fail_strategy(self._recorded_failures[self.seq + 1], market)
            return  # its code is not called again for a turn in which it failed
        try:
            self._intents = self._strategy.decide(market, self._values, self._view)
        except Exception as error:  # noqa: BLE001 - a user's strategy may raise anything
            self.tasks["strategy"].fail(error)
            self._fail_strategy(one_line(error), market)

    def _fail_strategy(self, reason: str, market: MarketSlice) -> None:
        self._intents = None
        self._strategy_failed = True
        self.account.control.fail_strategy(reason, market.end)

    def _review(self, market: MarketSlice) -> None:
        account = self.account
        self._approved = account.risk.review(market, self._intents)
        if account.control.flattening and market.outcome is Outcome.RECEIVED:
            self._approved = [*self._approved, *account.risk.flatten(market.end)]
        quiet = not (self._approved or account.outputs or account.venue.book.working)
        lasting = self._intents is None or type(self._intents) is tuple
        if quiet and lasting and not account.risk.limits.flat_before_close:
            self._settled = self._intents  # the same again, nothing having moved, needs no review

    def _submit(self, item: MarketSlice | Command) -> None:
        for approved in self._approved:
            self._gate(approved, instant_of(item))

    def _gate(self, approved: Approved, instant: int) -> None:
        """The last thing between a decision and the venue, and the venue's only caller."""
        venue, control = self.account.venue, self.account.control
        if isinstance(approved, CancelOrder):
            order = venue.book.working.get(approved.order_id)
            if order is not None:
                venue.book.withdraw(order, approved.reason, instant)
        elif isinstance(approved, MoveExits):
            if control.state is not TradingState.HALTED:  # a halt lets no exit rest
                venue.protection.replace(approved.symbol, approved.bracket, instant)
        elif control.lets_through(approved, self.account.portfolio):
            venue.accept(approved, instant, instant)
            self.account.risk.count(approved, instant)
        else:
            self._refuse(approved, instant)

    def _refuse(self, spec: OrderSpec, instant: int) -> None:
        """A limit has changed the state since the review: the order comes too late."""
        reason = self.account.control.holds.permissions.denial or Reason.HALTED
        quantity = sign_of(spec.side) * spec.quantity
        self.account.outputs.append(Denial(instant, spec.symbol, reason, quantity, spec.origin))

    # --- the steps of ticks and commands ------------------------------------------------------

    def _expire(self, tick: Tick) -> None:
        if tick.kind is TickKind.CLOSES:
            self.account.venue.book.expire_day(tick.session, tick.instant)

    def _open_session(self, tick: Tick) -> None:
        if tick.kind is TickKind.OPENS:
            self.account.risk.open_session()

    def _carry_out(self, command: Command) -> None:
        account = self.account
        done = account.control.carry_out(command, account.risk.standing_halts())
        if done and isinstance(command, Reset):
            account.risk.accept(command.accept)
            self._strategy_failed = False
        flattens = account.control.flattening
        self._approved = account.risk.flatten(command.instant) if flattens else []


def _kind(item: Input) -> str:
    if isinstance(item, MarketSlice):
        return "slice"
    return "tick" if isinstance(item, Tick) else "command"


def _same(pending: Awaitable[Any]) -> Awaitable[Any]:
    """What a step has begun and its task shall wait for."""
    return pending
