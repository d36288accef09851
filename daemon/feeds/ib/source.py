"""The daemon's source of live bars: what its config needs, and what it starts and stops.

One-shot requests for history, made after each bar's end, are the truth and the backfill at once.
What comes of them goes to the expected-bar clock, and what that makes of it to the pipeline.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from daemon.config import Config, IbFeedConfig
from daemon.core.events import (
    Action,
    Bar,
    CorporateAction,
    ForTheFeed,
    MarketSlice,
    Tick,
)
from daemon.core.turn import Turn
from daemon.core.units import SECOND_NS
from daemon.corporate_actions import read_actions
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import BarClock, Emitted
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.clock_rules import clock_rules
from daemon.feeds.closed_bars import Slot
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.feeds.ib.history import BarMaker, BarsWanted
from daemon.feeds.ib.pacing import REQUESTS_MAX, requests_needed
from daemon.feeds.ib.situation import Situation
from daemon.feeds.ib.split import REMEMBERED, SplitWatch
from daemon.feeds.ib.state import IbState
from daemon.feeds.ib.tasks import end_all
from daemon.feeds.schedule import SLICE, TICK, Key, calendar_schedule, key_of
from daemon.feeds.times import iso_z
from daemon.fees import load_fee_tables
from daemon.journal.codec import decode_input
from daemon.journal.reader import JournalReader
from daemon.live.recovery import Place, Told
from daemon.live.run import MakeSource
from daemon.live.segments import Setup
from daemon.models.build import build_predictor
from daemon.ports import CarriedOut, Outside
from daemon.state_directory import JOURNAL
from daemon.strategies.loader import build_strategy

START_WITHIN_S = 30.0
"""So long the daemon waits for the gateway and the warm-up before it says that it is ready."""
WAKE_AT_LEAST_S = 30.0
"""The wall clock may be set, and a machine may sleep: time is looked at so often."""

_SETTLED = (IbState.LIVE, IbState.DEGRADED, IbState.UPSTREAM_DOWN, IbState.BACKOFF)


class IbSource:
    """See `Source`. `now` is the wall clock (UTC ns), `random` what makes pauses uneven."""

    def __init__(
        self,
        feed: IbFeedConfig,
        wanted: BarsWanted,
        clock: BarClock,
        calendar: Calendar,
        splits: SplitWatch,
        read_actions: Callable[[], Sequence[CorporateAction]],
        now: Callable[[], int],
        random: Random,
    ) -> None:
        # The library is imported by nobody who does not use it.
        from daemon.feeds.ib.answers import Answers
        from daemon.feeds.ib.link import Link
        from daemon.feeds.ib.poller import Poller

        self._now = now
        self._clock = clock
        self._splits = splits
        self._situation = Situation(clock, now, calendar.zone)
        self._stirred = asyncio.Event()
        self._situation.on_input.append(self._stirred.set)
        maker = BarMaker(calendar, wanted.size, wanted.grid)
        answers = Answers(self._situation, calendar, maker, wanted, splits, read_actions, random)
        self._poller = Poller(self._situation, calendar, answers, splits, wanted, random)
        self._link = Link(feed, self._situation, self._poller, random)
        self._linking: asyncio.Task[Any] | None = None

    def now(self) -> int:
        """The time of the world."""
        return self._now()

    async def start(self) -> None:
        """Connect and fetch what is missing; returns without, if that fails or takes too long."""
        self._linking = asyncio.create_task(self._link.run(), name="gateway")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(START_WITHIN_S):
                    while not (self._linking.done() or self._situation.state in _SETTLED):
                        await self._until_stirred()
        except asyncio.CancelledError:
            await end_all([self._linking])
            raise

    async def run(self, offer: Callable[[Emitted], Awaitable[Turn]]) -> None:
        """Offer inputs as they come out; never ends by itself."""
        assert self._linking is not None, "not started"
        try:
            while not self._linking.done():
                self._clock.advance(self.now())
                for emitted in self._situation.take():
                    await offer(emitted)
                await self._rest()
            await self._linking
        finally:
            await end_all([self._linking])

    def tell(self, make: Callable[[int], ForTheFeed]) -> CarriedOut:
        """A command for the feed: see `Source`."""
        command = make(self.now())
        try:
            ends = self._clock.carry_out(command)
        except LookupError as error:
            raise RefusedError(str(error.args[0])) from error
        if isinstance(command, Action):
            self._splits.clear(command.action.symbol, (command.action,))
        self._situation.stir()
        return CarriedOut(command, ends, self._clock.emitted[-1].input)

    async def _rest(self) -> None:
        """Until the clock's next instant, or something has come."""
        due = self._clock.due()
        rest_s = WAKE_AT_LEAST_S
        if due is not None:
            rest_s = min(rest_s, (due - self.now()) / SECOND_NS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, rest_s)):
                await self._until_stirred()

    async def _until_stirred(self) -> None:
        assert self._linking is not None, "not started"
        stirred = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait([self._linking, stirred], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stirred.cancel()
            self._stirred.clear()

    # --- for status -------------------------------------------------------------------------------

    def next_bar(self) -> int | None:
        """The end of the next expected bar."""
        return self._clock.next_bar()

    def health(self) -> tuple[str, int]:
        """Whether bars can be expected, and how often it has been connected."""
        return self._clock.feed.state.value, self._situation.generation

    def outside(self) -> Outside:
        """The gateway's clock and hours, and how much it may still be asked."""
        budget, situation = self._poller.budget, self._situation
        return Outside(
            situation.ahead_s,
            situation.hours_differ,
            (budget.left(asyncio.get_running_loop().time()), budget.limit),
        )

    def standing(self) -> dict[str, Any]:
        """The connection in words, the next expected bar, the gaps so far."""
        following = self.next_bar()
        return {
            **self._situation.standing(),
            "quarantined": self._clock.put_aside.plain(),
            "next_bar": None if following is None else iso_z(following),
        }


# --- from a config ------------------------------------------------------------------------------


def prepare_ib(config: Config, state: Path) -> tuple[Setup, MakeSource]:
    """Load what a config with `feed: {kind: ib}` needs; RefusedError where it cannot be."""
    return prepare_at(config, state, time.time_ns, Random())  # noqa: S311 - pauses need no secret


def prepare_at(
    config: Config, state: Path, now: Callable[[], int], random: Random
) -> tuple[Setup, MakeSource]:
    """As `prepare_ib`, by another clock and with other chance."""
    feed = config.feed
    assert isinstance(feed, IbFeedConfig), "a feed of another kind"
    _refuse_too_many(config)
    calendar = load_calendar(state, config.bars.calendar)
    predictor = build_predictor(config.model, config.symbols, config.predictions_path(state))
    strategy = build_strategy(config.strategy_class, config.strategy_params, config.symbols)
    declared = max(strategy.warmup_bars, predictor.warmup_bars if predictor is not None else 0)
    setup = Setup(
        config=config,
        tables=load_fee_tables(),
        strategy=strategy,
        predictor=predictor,
        volume_known=True,
        adjustment="raw",  # what trades now is in today's shares
        splits=(),
        calendar={
            "name": calendar.name,
            "hash": calendar.hash,
            "package_version": calendar.package_version,
        },
        warmup_bars=declared,
    )
    actions_file = config.data_dir(state) / "corporate_actions.csv"
    read_actions(actions_file)  # what is wrong with it is said before anything begins

    def make(
        place: Place | None,
        *,
        held: bool,
        same_tape: bool,  # noqa: ARG001 - the world goes on whatever the config says
        told: Sequence[Told] = (),  # noqa: ARG001 - what it asked for is in the journal
    ) -> IbSource:
        after, splits = (now(), TICK), SplitWatch()
        if place is not None:
            after = _reached(state, splits)
        listed = [one for one in read_actions(actions_file) if one.symbol in config.symbols]
        warmup = declared if config.warmup_bars in (None, "auto") else int(config.warmup_bars)
        schedule = _schedule(
            lambda: load_calendar(state, config.bars.calendar),
            config,
            after,
            warmup if place is None else 0,
            listed,
        )
        clock = BarClock(schedule, clock_rules(feed), tuple(config.symbols), held=held)
        if place is not None:
            clock.actions.go_on(place.session, place.actions, place.coming, listed, place.seen)
        bars = config.bars
        wanted = BarsWanted(tuple(config.symbols), bars.size, bars.grid, feed.grace_s)
        return IbSource(
            feed, wanted, clock, calendar, splits, lambda: read_actions(actions_file), now, random
        )

    return setup, make


def _refuse_too_many(config: Config) -> None:
    needed = requests_needed(len(config.symbols), BAR_SIZES_NS[config.bars.size])
    if needed > REQUESTS_MAX:
        fit = int(REQUESTS_MAX / requests_needed(1, BAR_SIZES_NS[config.bars.size]))
        raise RefusedError(
            f"{config.path}: symbols: {len(config.symbols)} symbols of {config.bars.size} bars "
            f"need {needed:.0f} requests in ten minutes and Interactive Brokers allows about "
            f"{REQUESTS_MAX}: trade at most {fit} symbols, or larger bars"
        )


def _schedule(
    load: Callable[[], Calendar],
    config: Config,
    after: Key,
    warmup: int,
    actions: Sequence[CorporateAction],
) -> Iterator[Slot | Tick]:
    """What must come; where the calendar ends, it is made longer."""
    size_ns, grid = BAR_SIZES_NS[config.bars.size], config.bars.grid
    calendar = load()
    while True:
        try:
            for item in calendar_schedule(
                calendar, tuple(config.symbols), size_ns, grid, after, warmup=warmup,
                actions=actions,
            ):  # fmt: skip
                after, warmup = max(after, key_of(item)), 0
                yield item
        except RefusedError:
            ended, calendar = calendar.last_date, load()
            if calendar.last_date == ended:
                raise


def _reached(state: Path, splits: SplitWatch) -> Key:
    """How far the journal's inputs reach; its last bars are remembered."""
    reader = JournalReader(state / JOURNAL)
    try:
        reached = reader.reached()
        assert reached is not None, "a place without an input"
        for bar in _last_bars(reader):
            splits.remember(bar)
        return reached[0], TICK if reached[1] == "tick" else SLICE
    finally:
        reader.close()


def _last_bars(reader: JournalReader) -> Iterable[Bar]:
    for row in reader.last_slices(REMEMBERED):
        assert row.input is not None, "a live journal stores every input"
        item = decode_input(row.kind, row.input)
        assert isinstance(item, MarketSlice), row.kind
        yield from item.bars
