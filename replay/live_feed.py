"""The daemon's tape feed: recorded bars that arrive when their time has come, at a pace.

The clock is tape time. It never passes the end of a bar before that bar's turn is closed, so
neither the pace nor a slow machine makes a bar late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from daemon.config import Config, TapeFeedConfig
from daemon.core.events import ForTheFeed, Split
from daemon.core.turn import Turn
from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.clock_rules import clock_rules
from daemon.feeds.expected import BAR_SIZES_NS, with_bars
from daemon.feeds.times import iso_z
from daemon.live.recovery import Place, Told
from daemon.live.run import MakeSource
from daemon.live.segments import Setup
from daemon.ports import CarriedOut, Outside
from replay.feed import ReplayFeed
from replay.run import Inputs, Period, applied_actions, as_applied, inputs_for
from replay.tape_source import TapeDriver, check_faults, fault_plan

Sleep = Callable[[float], Awaitable[None]]


def prepare(config: Config, state: Path) -> tuple[Setup, MakeSource]:
    """Load the tape of a config with `feed: {kind: tape}`; RefusedError where it cannot be."""
    feed = config.feed
    if feed is None:
        raise RefusedError(f"{config.path}: feed: required by run: say where bars come from")
    if not isinstance(feed, TapeFeedConfig):
        raise RefusedError(
            f"{config.path}: feed.kind: {feed.kind} is not available in this version: use "
            f"{{kind: tape, pace: 3600}}"
        )
    # A tape that begins where the feed does has nothing to warm up from.
    warm_up = "auto" if feed.start is not None else 0
    inputs = inputs_for(config, state, Period(feed.start, feed.end), warm_up=warm_up)
    check_faults(config, feed, inputs.calendar)
    setup = Setup(
        config=config,
        tables=inputs.tables,
        strategy=inputs.strategy,
        predictor=inputs.predictor,
        volume_known=inputs.tape.has_volume,
        adjustment=inputs.tape.adjustment,
        splits=tuple(action for action in inputs.actions if isinstance(action, Split)),
        calendar={
            "name": inputs.calendar.name,
            "hash": inputs.calendar.hash,
            "package_version": inputs.calendar.package_version,
        },
        warmup_bars=max(
            inputs.strategy.warmup_bars,
            inputs.predictor.warmup_bars if inputs.predictor is not None else 0,
        ),
    )

    def make(
        place: Place | None, *, held: bool, same_tape: bool, told: Sequence[Told] = ()
    ) -> TapeSource:
        def new_driver() -> TapeDriver:
            driver = TapeDriver(
                replay_feed(inputs),
                clock_rules(feed),
                tuple(config.symbols),
                fault_plan(feed),
                held=held,
            )
            driver.clock.actions.as_applied = partial(as_applied, inputs)
            return driver

        driver = new_driver()
        if place is not None:
            position = (place.instant, place.rank)
            try:
                driver.skip_to(position, None if place.rank else place.symbols, told)
            except RefusedError:
                if same_tape:
                    raise
                driver = new_driver()
                driver.pass_by(place.instant)
            ours = [action for action in inputs.actions if action.symbol in config.symbols]
            driver.clock.actions.go_on(place.session, place.actions, place.coming, ours, place.seen)
        pace = None if feed.pace == "max" else float(feed.pace)
        return TapeSource(driver, pace, None if place is None else place.instant)

    return setup, make


def replay_feed(inputs: Inputs) -> ReplayFeed:
    """The feed of a replay of the same inputs."""
    config = inputs.config
    return ReplayFeed(
        config.symbols,
        inputs.tape.columns,
        (
            with_bars(session, BAR_SIZES_NS[config.bars.size], config.bars.grid)
            for session in inputs.sessions
        ),
        inputs.window,
        actions=applied_actions(inputs),
        quarantined={symbol: inputs.tape.quarantined(symbol) for symbol in config.symbols},
    )


class TapeSource:
    """See `Source`. `pace` is tape seconds a second, None as fast as turns are taken.

    `since` is the instant of the last input that the journal has: no time has passed since.
    """

    def __init__(
        self,
        driver: TapeDriver,
        pace: float | None,
        since: int | None,
        sleep: Sleep = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._driver = driver
        self._pace = pace
        self._sleep = sleep
        self._monotonic = monotonic
        self._told = asyncio.Event()
        first = driver.next_at()
        self._at = since if since is not None else (0 if first is None else first)
        self._ceiling = self._at
        self._counted_from = monotonic()

    def now(self) -> int:
        """Tape time; stands still while an input is being handled, and with pace max."""
        if self._pace is None or self._ceiling <= self._at:
            return self._at
        passed = (self._monotonic() - self._counted_from) * self._pace * SECOND_NS
        return min(self._at + int(passed), self._ceiling)

    async def start(self) -> None:
        """The tape is there."""

    async def run(self, offer: Callable[[Emitted], Awaitable[Turn]]) -> None:
        """Offer what the tape holds; ends with it."""
        while (due := self._driver.next_at()) is not None:
            if not await self._has_waited_until(due):
                continue
            self._at = self._ceiling = max(self._at, due)
            for emitted in self._driver.step():
                await offer(emitted)

    async def _has_waited_until(self, due: int) -> bool:
        """False where a command has come in between."""
        self._told.clear()
        self._counted_from = self._monotonic()
        self._ceiling = due - 1
        if self._pace is None or due <= self._at:
            return True
        seconds = (due - self._at) / SECOND_NS / self._pace
        waits = [asyncio.ensure_future(one) for one in (self._sleep(seconds), self._told.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return not self._told.is_set()

    def tell(self, make: Callable[[int], ForTheFeed]) -> CarriedOut:
        """A command for the feed: see `Source`."""
        command = make(self.now())
        try:
            ends = self._driver.tell(command)
        except LookupError as error:
            raise RefusedError(str(error.args[0])) from error
        self._at = max(self._at, command.instant)
        self._told.set()
        return CarriedOut(command, ends, self._driver.clock.emitted[-1].input)

    def next_bar(self) -> int | None:
        """The end of the next expected bar."""
        return self._driver.next_bar()

    def health(self) -> tuple[str, int]:
        """The feed's state, and how often it came up."""
        return self._driver.feed_state, self._driver.generation

    def outside(self) -> Outside:
        """Nothing: behind a tape there is no world."""
        return Outside()

    def standing(self) -> dict[str, Any]:
        """Kind, state and pace, the next expected bar, the gaps so far."""
        following = self.next_bar()
        pace = "as fast as turns are taken" if self._pace is None else f"{self._pace:,.10g} x"
        return {
            "kind": "tape",
            "state": f"{self._driver.feed_state}, {pace}",
            "next_bar": None if following is None else iso_z(following),
            "gaps": self._driver.gap_counts(),
            "quarantined": self._driver.clock.put_aside.plain(),
        }
