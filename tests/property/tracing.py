"""One scenario played through the real tasks, with what stood at the end of every turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.core.events import Intent, MarketSlice
from daemon.core.outputs import Origin, Output
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.journal.codec import Digest, encode_outputs
from daemon.pipeline import Pipeline
from daemon.strategies.protocol import WorkingOrder as SeenOrder
from tests.harness import Result, play
from tests.property.scenarios import Scenario, edges


@dataclass(frozen=True)
class Resting:
    """A working order as it stood at the end of a turn."""

    order_id: int
    symbol: str
    sign: int
    remaining: int
    origin: Origin
    at_market: bool
    eligible_from: int
    stop_e4: int | None
    limit_e4: int | None


@dataclass(frozen=True)
class Snapshot:
    """The account when a turn was closed."""

    turn: Turn
    positions: dict[str, int]
    working: tuple[Resting, ...]
    state: TradingState


@dataclass(frozen=True)
class Seen:
    """What the strategy saw when it was asked."""

    market: MarketSlice
    equity_micros: int
    positions: dict[str, int]
    working: dict[str, Sequence[SeenOrder]]


@dataclass
class Trace:
    """A scenario and all that came of it."""

    scenario: Scenario
    result: Result
    starts: list[int]
    ends: list[int]
    dates: list[int]
    snapshots: list[Snapshot] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def turns(self) -> list[Turn]:
        return [snapshot.turn for snapshot in self.snapshots]

    def outputs(self) -> Iterator[tuple[Turn, Output]]:
        """Every output in order, with its turn."""
        for turn in self.turns:
            for output in turn.outputs:
                yield turn, output

    def slice_turns(self) -> dict[int, Turn]:
        """The turns of slices by their end; a slice without outputs has none."""
        return {turn.instant: turn for turn in self.turns if isinstance(turn.input, MarketSlice)}

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Number, end and equity of every slice that was dispatched."""
        numbers = {end: number for number, end in enumerate(self.ends)}
        pipeline = self.result.pipeline
        for end, equity in zip(pipeline.ends, pipeline.equity, strict=True):
            yield numbers[end], end, equity

    def bar(self, symbol: str, number: int) -> tuple[int, int, int, int, int] | None:
        """Open, high, low, close in 1/10,000 dollar and the volume of one bar."""
        row = self.scenario.bars[symbol][number]
        if row is None:
            return None
        opened, high, low, close = (round(price * 10_000) for price in row[:4])
        return opened, high, low, close, int(row[4])

    def digest(self) -> str:
        digest = Digest()
        for turn in self.turns:
            digest.add(encode_outputs(turn.outputs))
        pipeline = self.result.pipeline
        return digest.hexdigest(pipeline.ends, pipeline.equity)


class _Observer:
    """The pipeline's sink: keeps each turn with the account as it stands then."""

    every_turn = False

    def __init__(self, pipeline: Pipeline, into: list[Snapshot]) -> None:
        self._account = pipeline.account
        self._into = into

    def keep(self, turn: Turn) -> None:
        account = self._account
        positions = {s: p.quantity for s, p in account.portfolio.positions.items()}
        working = tuple(
            Resting(
                order.order_id, order.symbol, order.sign, order.remaining, order.spec.origin,
                order.at_market, order.eligible_from, order.stop_e4, order.limit_e4,
            )
            for order in account.venue.book.working.values()
        )  # fmt: skip
        self._into.append(Snapshot(turn, positions, working, account.control.state))

    def flush(self) -> None:
        """Nothing is buffered."""


def run(scenario: Scenario, **options: Any) -> Trace:
    """Play a scenario; `options` go to `tests.harness.play`."""
    starts, ends, dates = edges(scenario.per_session, scenario.slices)
    number_of = {end: number for number, end in enumerate(ends)}
    snapshots: list[Snapshot] = []
    seen: list[Seen] = []

    def decide(market: MarketSlice, _: Mapping[str, float], view: Any) -> Sequence[Intent] | None:
        positions = {symbol: view.position(symbol) for symbol in scenario.symbols}
        working = {symbol: view.working(symbol) for symbol in scenario.symbols}
        seen.append(Seen(market, view.equity_micros, positions, working))
        return scenario.at.get(number_of[market.end])

    def observe(pipeline: Pipeline) -> None:
        pipeline._sink = _Observer(pipeline, snapshots)

    result = play(
        scenario.bars,
        decide=decide,
        per_session=scenario.per_session,
        cash_usd=scenario.cash_usd,
        pricing=scenario.pricing,
        limits=scenario.limits,
        commands=scenario.commands,
        actions=scenario.actions,
        during=observe,
        **options,
    )
    result.turns = [snapshot.turn for snapshot in snapshots]
    return Trace(scenario, result, starts, ends, dates, snapshots, seen)
