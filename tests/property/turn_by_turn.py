"""Every turn of a run, quiet ones too, what stood after each, and how to go on from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from daemon.core.account import Account
from daemon.core.events import Input, MarketSlice, Prediction
from daemon.core.limits import Action, Limit
from daemon.core.turn import Turn
from daemon.core.units import MICROS_PER_USD
from daemon.core.values import AccountValues, values_of
from daemon.pipeline import Pipeline
from daemon.supervisor import supervise
from tests.harness import play
from tests.property.scenarios import Scenario, edges
from tests.simulation import day


@dataclass
class Whole:
    """A run whose journal keeps every turn.

    `after[i]` is the account by value after turn i + 1; `fresh` opens an account like its own.
    """

    fresh: Callable[[], Account]
    strategy: Any
    predictor: Any
    turns: list[Turn] = field(default_factory=list)
    after: list[AccountValues] = field(default_factory=list)
    every_turn: bool = True

    @property
    def inputs(self) -> list[Input]:
        return [turn.input for turn in self.turns]

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """A chunk is over."""


class _Watching(Whole):
    """As above, while it is being played."""

    account: Account

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)
        outputs = self.account.outputs
        kept = list(outputs)
        outputs.clear()  # the pipeline is about to
        self.after.append(values_of(self.account))
        outputs[:] = kept


@dataclass
class Listed:
    """A feed of what is in a list; one input a chunk, so that every turn goes the long way."""

    inputs: Sequence[Input]
    chunk: int = 1

    async def chunks(self) -> AsyncIterator[Iterable[Input]]:
        for first in range(0, len(self.inputs), self.chunk):
            yield self.inputs[first : first + self.chunk]


def play_on(
    whole: Whole, account: Account, inputs: Sequence[Input], seq: int, chunk: int = 1
) -> tuple[list[Turn], Pipeline]:
    """Play inputs on an account; the first of them is turn `seq` + 1."""
    sink = Whole(whole.fresh, whole.strategy, whole.predictor)
    pipeline = Pipeline(account, whole.strategy, whole.predictor, sink, seq=seq)
    asyncio.run(supervise(pipeline, Listed(inputs, chunk)))
    return sink.turns, pipeline


def played_again(whole: Whole, inputs: Sequence[Input]) -> Whole:
    """Other inputs for the same account and strategy, from the beginning."""
    account = whole.fresh()
    sink = _Watching(whole.fresh, whole.strategy, whole.predictor)
    sink.account = account
    pipeline = Pipeline(account, whole.strategy, whole.predictor, sink)
    asyncio.run(supervise(pipeline, Listed(inputs)))
    return sink


class _Faltering(day.Model):
    """Some predictions in a row fail on the second day, and one now and then."""

    def predict(self, market: MarketSlice) -> list[Prediction]:
        found: list[Prediction] = super().predict(market)
        if market.session.date == 20240103 and market.index in {1, 2, 3}:
            return [Prediction(each.symbol, None, "time-out") for each in found]
        if market.index == 5:
            return [*found[:-1], Prediction(found[-1].symbol, None, "not finite")]
        return found


def whole_day(seed: int) -> Whole:
    """Some seeded days of three symbols, in which everything happens."""
    return whole_run(
        day.SYMBOLS,
        _Faltering(),
        {
            "bars": day.bars(seed),
            "decide": day.decide,
            "limits": replace(
                day.LIMITS,
                max_daily_loss_usd=Limit(250 * MICROS_PER_USD, Action.HALT_AND_FLATTEN),
            ),
            "pricing": day.RULES,
            "commands": day.commands(),
            "cash_usd": 25_000,
        },
    )


def whole_scenario(scenario: Scenario) -> Whole:
    """A drawn scenario."""
    _, ends, _ = edges(scenario.per_session, scenario.slices)
    number_of = {end: number for number, end in enumerate(ends)}
    return whole_run(
        scenario.symbols,
        None,
        {
            "bars": scenario.bars,
            "decide": lambda market, _, __: scenario.at.get(number_of[market.end]),
            "per_session": scenario.per_session,
            "limits": scenario.limits,
            "pricing": scenario.pricing,
            "commands": scenario.commands,
            "actions": scenario.actions,
            "cash_usd": scenario.cash_usd,
        },
    )


def whole_run(symbols: Sequence[str], predictor: Any, options: dict[str, Any]) -> Whole:
    """A run of `tests.harness.play` with these options; they must name limits, rules and cash."""
    limits = options["limits"]
    pricing = replace(options["pricing"], shorts_allowed=limits.allow_short)
    cash_micros = options["cash_usd"] * MICROS_PER_USD

    def fresh() -> Account:
        return Account(tuple(symbols), cash_micros, pricing, limits)

    sink = _Watching(fresh, None, predictor)

    def watch(pipeline: Pipeline) -> None:
        pipeline._sink = sink
        sink.account = pipeline.account

    result = play(predictor=predictor, during=watch, chunk_bars=1, **options)
    sink.strategy = result.strategy
    return sink
