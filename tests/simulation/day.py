"""Some seeded days of three symbols, a strategy that does everything, and ways to disturb them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any

from daemon.core.costs import CommissionPlan
from daemon.core.events import (
    Bracket,
    CancelRequest,
    Flatten,
    Intent,
    MarketSlice,
    Note,
    OrderRequest,
    OrderType,
    Pause,
    Prediction,
    Reset,
    Resume,
    Side,
    TargetPosition,
    TimeInForce,
)
from daemon.core.limits import Action, Limit, Limits
from daemon.core.turn import Turn
from daemon.core.units import HOUR_NS, MICROS_PER_USD, MINUTE_NS
from daemon.journal.codec import Digest, encode_outputs
from daemon.pipeline import Pipeline
from tests.harness import Quote, Result, always, opens_ns, play, rules

SYMBOLS = ("NVDA", "AMD", "SPY")
SLICES = 12 * 7
LIMITS = Limits(
    max_position_shares=Limit(120),
    max_orders_per_hour=Limit(6, Action.PAUSE),
    max_daily_loss_usd=Limit(900 * MICROS_PER_USD, Action.HALT_AND_FLATTEN),
    allow_short=True,
)
RULES = rules(
    slippage_ppm=100,
    commission=always(CommissionPlan(Fraction(5000), MICROS_PER_USD, 10_000)),
    participation_ppm=25_000,
    leverage_ppm=2_000_000,
)


def bars(seed: int = 7) -> dict[str, list[Quote | None]]:
    """Walks with wicks, thin volume and gaps; the last bar is always there."""
    random = Random(seed)
    found: dict[str, list[Quote | None]] = {}
    for symbol in SYMBOLS:
        price, rows = 100.0, list[Quote | None]()
        for place in range(SLICES):
            opens = round(price * (1 + random.gauss(0, 0.004)), 2)
            closes = round(opens * (1 + random.gauss(0, 0.012)), 2)
            high = round(max(opens, closes) * (1 + abs(random.gauss(0, 0.004))), 2)
            low = round(min(opens, closes) * (1 - abs(random.gauss(0, 0.004))), 2)
            volume = random.choice([400, 2_000, 1_000_000, 1_000_000, 0])
            missing = random.random() < 0.06 and place < SLICES - 1
            rows.append(None if missing else (opens, high, low, closes, volume))
            price = closes
        found[symbol] = rows
    return found


def commands() -> list[Pause | Resume | Flatten | Note | Reset]:
    """Each kind of command once, inside bars and at their edges."""
    middle = HOUR_NS // 2
    return [
        Pause(opens_ns(2) + middle, "operator", "look"),
        Resume(opens_ns(2) + 2 * HOUR_NS, "operator", "seen"),
        Flatten(opens_ns(5) + 3 * HOUR_NS + middle, "operator", "out"),
        Note(opens_ns(5) + 4 * HOUR_NS, "operator", "flat?"),
        Reset(opens_ns(6) + MINUTE_NS, "operator", "again", "loss"),
        Reset(opens_ns(9) + MINUTE_NS, "operator", "again", "loss"),
    ]


def decide(
    market: MarketSlice, predictions: Mapping[str, float], portfolio: Any
) -> Sequence[Intent]:
    """Targets with brackets, explicit orders in groups and cancels, all from what is seen."""
    wanted: list[Intent] = []
    for bar in market.bars:
        value = predictions.get(bar.symbol)
        held = portfolio.position(bar.symbol)
        if value is not None and abs(value) > 0.012:
            bracket = Bracket(stop_loss_pct=1.0, take_profit_pct=1.5, trailing_stop_pct=2.0)
            quantity = 90 if value > 0 else -60
            wanted.append(TargetPosition(bar.symbol, quantity, bracket, f"{value:.4f}"))
        elif value is not None and abs(value) < 0.001 and held:
            wanted.append(TargetPosition(bar.symbol, 0, reason="quiet"))
        elif market.index == 3:
            for side, price in ((Side.BUY, bar.close * 0.99), (Side.SELL, bar.close * 1.01)):
                wanted.append(
                    OrderRequest(
                        bar.symbol, side, 20, OrderType.LIMIT, limit_price=round(price, 2),
                        time_in_force=TimeInForce.GTC, group=f"{bar.symbol}{market.session.date}",
                    )
                )  # fmt: skip
        own = [x for x in portfolio.working(bar.symbol) if x.origin == "explicit"]
        wanted.extend(CancelRequest(order.order_id) for order in own[3:])
    return wanted


class Model:
    """The last bar's return as the prediction; `late` may turn an answer into an awaitable."""

    warmup_bars = 0
    sha256 = "0" * 64

    def __init__(self, late: Callable[[Sequence[Prediction]], Any] | None = None) -> None:
        self._late = late

    def warm(self, market: MarketSlice) -> None:
        """Nothing is remembered."""

    def predict(self, market: MarketSlice) -> Any:
        found = [Prediction(b.symbol, (b.close - b.open) / b.open) for b in market.bars]
        return found if self._late is None else self._late(found)


def sometimes_late(seed: int) -> Callable[[Sequence[Prediction]], Any]:
    """Answers at once, after some rounds of the loop, or by a future that another task resolves."""
    random = Random(seed)

    async def slow(found: Sequence[Prediction], rounds: int) -> Sequence[Prediction]:
        for _ in range(rounds):
            await asyncio.sleep(0)
        return found

    def answer(found: Sequence[Prediction]) -> Sequence[Prediction] | Awaitable[Any]:
        kind = random.randrange(3)
        if kind == 0:
            return found
        rounds = random.randrange(6)
        if kind == 1:
            return slow(found, rounds)
        return asyncio.get_running_loop().create_task(slow(found, rounds))

    return answer


async def make_busy(pipeline: Pipeline, seed: int) -> None:
    """Ask random tasks, again and again, for something that takes some rounds of the loop."""
    random = Random(seed)

    async def dawdle() -> None:
        for _ in range(random.randrange(5)):
            await asyncio.sleep(0)

    while True:
        name = random.choice(["execution", "risk", "strategy"])
        await pipeline.tasks[name].ask(dawdle)
        for _ in range(random.randrange(4)):
            await asyncio.sleep(0)


@dataclass
class Day:
    """What was played: the turns kept, and the digest over them and the columns."""

    pipeline: Pipeline
    turns: list[Turn]
    result: Result

    @property
    def digest(self) -> str:
        digest = Digest()
        for turn in self.turns:
            digest.add(encode_outputs(turn.outputs))
        return digest.hexdigest(self.pipeline.ends, self.pipeline.equity)


@dataclass
class Kept:
    """A sink in memory, which outlives a run that fails."""

    turns: list[Turn] = field(default_factory=list)
    pipeline: Pipeline | None = None
    every_turn: bool = False

    def keep(self, turn: Turn) -> None:
        self.turns.append(turn)

    def flush(self) -> None:
        """Nothing is buffered."""


Companion = Callable[[Pipeline], Coroutine[Any, Any, None]]


def play_day(
    *,
    model: Any = None,
    companion: Companion | None = None,
    chunk_bars: int = 512,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    before: Callable[[Pipeline], None] | None = None,
    kept: Kept | None = None,
    **changes: Any,
) -> Day:
    """Play the days; a companion runs beside the tasks, `before` sees the pipeline first."""
    sink = kept or Kept()
    beside: list[asyncio.Task[None]] = []  # a loop holds its tasks weakly

    def during(pipeline: Pipeline) -> None:
        pipeline._sink = sink
        sink.pipeline = pipeline
        if before is not None:
            before(pipeline)

    def loop_factory() -> asyncio.AbstractEventLoop:
        loop = new_loop()
        assert sink.pipeline is not None
        if companion is not None:
            beside.append(loop.create_task(companion(sink.pipeline), name="companion"))
        return loop

    options: dict[str, Any] = {"decide": decide, "limits": LIMITS, "pricing": RULES}
    options |= {"commands": commands(), "cash_usd": 25_000}
    result = play(
        bars(),
        predictor=model or Model(),
        chunk_bars=chunk_bars,
        during=during,
        loop_factory=loop_factory,
        **(options | changes),
    )
    return Day(result.pipeline, sink.turns, result)
