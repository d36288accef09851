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
    Input,
    Intent,
    MarketSlice,
    Outcome,
    Prediction,
    Tick,
)
from daemon.core.turn import Turn, instant_of
from daemon.ports import Feed, Gate, Sink
from daemon.steps import Steps
from daemon.tasks import Busy, StageTask, TaskFailedError

if TYPE_CHECKING:
    from daemon.models.protocol import Predictor
    from daemon.strategies.protocol import Strategy

TASKS = ("feed", "execution", "risk", "strategy")

STEPS: dict[str, tuple[tuple[str, str], ...]] = {
    "slice": (
        ("execution", "match"),
        ("risk", "assess"),
        ("strategy", "decide"),
        ("risk", "review"),
        ("execution", "submit"),
    ),
    "tick": (("execution", "expire"), ("risk", "open_session")),
    "command": (("risk", "carry_out"), ("execution", "submit")),
}
"""Which task takes which step, for each kind of input."""

Step = Callable[[Any], "Awaitable[Any] | None"]


class Pipeline:
    """One account's turns, one at a time.

    `ends`, `equity` (micro-dollars) are columns with one row per slice that is not warm-up.
    `failed` gives, for a journal that is played again, the turns in which the strategy raised,
    with what was recorded of it. `seq` is the last turn of what went before, `remake` makes the
    strategy anew (see `Steps`).
    """

    def __init__(
        self,
        account: Account,
        strategy: Strategy,
        predictor: Predictor | None,
        sink: Sink,
        failed: Mapping[int, str] | None = None,
        *,
        gate: Gate | None = None,
        seq: int = 0,
        remake: Callable[[], Strategy] | None = None,
    ) -> None:
        self.account = account
        self.ends = array("q")
        self.equity = array("q")
        self.busy = Busy()
        self.tasks = {name: StageTask(name, self.busy) for name in TASKS}
        self._sink = sink
        task = self.tasks["strategy"]
        self._steps = Steps(account, strategy, predictor, task, failed or {}, gate, seq, remake)
        bound = {
            kind: [(self.tasks[task], getattr(self._steps, step)) for task, step in steps]
            for kind, steps in STEPS.items()
        }
        self._owned: dict[str, list[tuple[StageTask, Step]]] = bound
        self._slice_steps: tuple[Step, ...] = tuple(step for _, step in bound["slice"])
        self._tick_steps: tuple[Step, ...] = tuple(step for _, step in bound["tick"])

    @property
    def seq(self) -> int:
        """The number of the last closed turn."""
        return self._steps.seq

    @property
    def predictions(self) -> list[tuple[int, Prediction]]:
        """One (bar end, prediction) for each prediction that a decision was made with."""
        return self._steps.predictions

    def warm(self, market: MarketSlice) -> None:
        """Show the strategy a slice that was traded before, for its indicators alone."""
        self._steps.warm(market)

    @property
    def intents(self) -> Sequence[Intent] | None:
        """What the strategy answered in the last turn that asked it."""
        return self._steps.intents

    def go_live(self, sink: Sink, gate: Gate) -> None:
        """What was recorded has been played; from here on turns are new."""
        self._sink = sink
        self._steps.gate = gate
        self._steps.forget_recorded()

    # --- admission ----------------------------------------------------------------------------

    async def play(self, feed: Feed) -> None:
        """Admit every input of the feed; TaskFailedError where a task raises."""
        async for chunk in feed.chunks():
            for pending in self._run(chunk):
                await pending
            stored = self._sink.flush()
            if stored is not None:
                await stored
            await asyncio.sleep(0)

    def play_through(self, inputs: Iterable[Input]) -> None:
        """Admit inputs of which none has to wait, since their predictions are known."""
        for _ in self._run(inputs):
            raise AssertionError("a recorded turn waits for something")

    def _run(self, chunk: Iterable[Input]) -> Iterator[Awaitable[None]]:
        """Handle a chunk; yields what must be awaited before the next input.

        The first input of a chunk takes the long way and is timed step by step.
        """
        inputs = iter(chunk)
        item = next(inputs, None)
        while item is not None:
            pending = self.admit(item)
            if pending is not None:
                yield pending
            if self._goes_apart(item):
                item = next(inputs, None)
                continue
            item, pending = self._stretch(inputs)
            if pending is not None:
                yield pending

    def _goes_apart(self, item: Input) -> bool:
        """Whether what comes after this input takes the long way as well.

        A task becomes busy only where a turn awaits, so there is no need to ask more often.
        """
        if self.busy.count:
            return True
        return type(item) is MarketSlice and item.outcome is not Outcome.RECEIVED

    def _stretch(  # noqa: C901 - one loop over all steps: a call a bar would cost more than they do
        self, inputs: Iterator[Input]
    ) -> tuple[Input | None, Awaitable[None] | None]:
        """Handle slices and ticks where they stand, for as long as nothing has to wait.

        Returns the input that takes the long way, and what must be awaited before it. The steps
        are those of STEPS, in their order, called directly; a step is left out where one look
        tells that it would do nothing, since most bars fill, deny and change nothing.
        """
        account, outputs = self.account, self.account.outputs
        venue, risk, mark = account.venue, account.risk, account.portfolio.mark
        working, withdrawn, receivables = (
            venue.book.working,
            venue.book.withdrawn,
            account.portfolio.receivables,
        )
        match, assess, decide, review, submit = self._slice_steps
        add_end, add_equity = self.ends.append, self.equity.append
        steps, ask = self._steps, self._steps.ask
        alone, values, view = steps.only_asks, steps.values, steps.view
        always_assess, received = risk.limits.flat_before_close, Outcome.RECEIVED
        for market in inputs:
            if type(market) is not MarketSlice or market.outcome is not received:
                if not self._passes(market):
                    return market, None
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
                if alone and market.bars and not market.actions:
                    try:
                        intents = ask(market, values, view)
                    except Exception as error:  # noqa: BLE001 - a user's strategy may raise anything
                        steps.strategy_raised(error, market)
                        intents, alone = None, False
                else:
                    pending = decide(market)
                    if pending is not None:
                        return next(inputs, None), self._travel(market, "slice", 2, pending)
                    intents = steps.intents
                    alone = alone and steps.only_asks  # a split is told to the strategy, too
                if intents is not steps.settled:
                    steps.intents = intents
                    step = review
                    review(market)
                    if steps.approved:
                        step = submit
                        submit(market)
            except Exception as error:
                raise self._attributed(step, market, error) from error
            steps.seq += 1
            add_end(market.end)
            add_equity(equity)
            if outputs:
                self._keep(market, market.end, equity)
        return None, None

    def _passes(self, item: Input) -> bool:
        """Handle a tick where it stands; False for what takes the long way."""
        if type(item) is not Tick:
            return False
        for step in self._tick_steps:
            try:
                step(item)
            except Exception as error:
                raise self._attributed(step, item, error) from error
        self._close(item, "tick")
        return True

    def admit(self, item: Input) -> Awaitable[None] | None:
        """Ticks, commands, timed slices, and everything while a task is busy.

        Opens, handles and closes one turn; an awaitable where it could not be closed yet.
        """
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
            except Exception as error:  # the task has counted it
                raise TaskFailedError(task.name, instant_of(item), error) from error
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
        steps = self._steps
        steps.seq += 1
        equity: int | None = None
        if kind == "slice":
            assert isinstance(item, MarketSlice), kind
            if item.outcome is not Outcome.WARMUP:
                equity = self.account.portfolio.equity_micros
                self.ends.append(item.end)
                self.equity.append(equity)
        if self.account.outputs or kind == "command" or self._sink.every_turn:
            self._keep(item, instant_of(item), equity)
        steps.gate_seen = None  # a closed gate need not have left an output

    def _keep(self, item: Input, instant: int, equity: int | None) -> None:
        outputs, steps = self.account.outputs, self._steps
        predictions: tuple[Prediction, ...] = ()
        if self._sink.every_turn:  # the list would grow for as long as the daemon runs
            predictions = tuple(prediction for _, prediction in steps.predictions)
            steps.predictions.clear()
        turn = Turn(self.seq, instant, item, tuple(outputs), predictions, steps.gate_seen, equity)
        self._sink.keep(turn)
        outputs.clear()


def _kind(item: Input) -> str:
    if isinstance(item, MarketSlice):
        return "slice"
    return "tick" if isinstance(item, Tick) else "command"


def _same(pending: Awaitable[Any]) -> Awaitable[Any]:
    """What a step has begun and its task shall wait for."""
    return pending
