"""A whole daemon in this process, on virtual time: things are done to it at instants of its tape.

    lived = live(shop, {at("10:45"): kill}, acts={0: [TargetPosition("NVDA", 10)]})
    assert lived.fills == [...]

Everything is real (journal, latch, control socket, recovery, supervisor) but the clock: the tape
feed's sleep jumps to the next bar, and on its way does what the test has put there. The strategy
returns what `acts` says at the n-th slice that it is asked at. Times are New York's, on the
workshop's first day, 2024-01-02.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config import Config, load_config
from daemon.control.client import ask
from daemon.control.killswitch import KillSwitch
from daemon.control.latch import Latch
from daemon.core.events import Intent, MarketSlice
from daemon.core.outputs import Fill, OrderAccepted, Output
from daemon.core.turn import Turn
from daemon.feeds.times import wall_instant, wall_ns
from daemon.journal.reader import JournalReader
from daemon.live.opening import turn_of
from daemon.live.recovery import Place
from daemon.live.run import MakeSource, run
from daemon.live.segments import Setup
from daemon.observability.events import Telling
from replay.live_feed import TapeSource, prepare
from tests.replay.workshop import Workshop

PACE = 1.0


@dataclass
class Doing:
    """What an action may use."""

    state: Path
    switch: KillSwitch

    async def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Ask over the control socket, as an operator does."""
        return await asyncio.to_thread(ask, self.state, verb, **fields)


Action = Callable[[Doing], Awaitable[None]]


def at(clock: str, day: int = 20240102) -> int:
    """An instant of the first day."""
    return wall_instant(wall_ns(day, clock), "America/New_York")


async def kill(doing: Doing) -> None:
    """As `papertape kill` does it: the latch by another hand, then the signal's handler."""
    Latch(doing.state).throw("operator", "test")
    doing.switch.throw("signal", "SIGUSR1")
    assert doing.switch.wake is not None
    doing.switch.wake()
    await _halted(doing)


async def kill_flat(doing: Doing) -> None:
    """As `papertape kill --flatten`."""
    Latch(doing.state).throw("operator", "test", flatten=True)
    doing.switch.throw("signal", "SIGUSR2", flatten=True)
    assert doing.switch.wake is not None
    doing.switch.wake()
    await _halted(doing)


async def _halted(doing: Doing) -> None:
    """Until the halt is a turn."""
    for _ in range(1_000):
        if (await doing.ask("status"))["status"]["state"] == "HALTED":
            return
    raise AssertionError("it was never halted")


async def pause(doing: Doing) -> None:
    """As `papertape pause`."""
    assert (await doing.ask("pause", reason="test"))["code"] == 0


class VirtualTime:
    """The tape feed's clock: it stands still but in a sleep, which jumps."""

    def __init__(self, actions: Mapping[int, Action], doing: Doing) -> None:
        self.source: TapeSource | None = None
        self._actions = dict(sorted(actions.items()))
        self._doing = doing
        self._now_s = 0.0

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Jump, and do what lies on the way at its instant."""
        assert self.source is not None
        until_s, began = self._now_s + seconds, self._now_s
        start = self.source.now()
        while self._actions and (first := min(self._actions)) < start + int(seconds * 1e9):
            self._now_s = began + max(0, first - start) / 1e9
            await self._actions.pop(first)(self._doing)
        self._now_s = until_s
        await asyncio.sleep(0)


@dataclass
class Lived:
    """What was committed."""

    turns: list[Turn]
    log: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: type[Output]) -> list[Any]:
        """All outputs of a type."""
        return [one for turn in self.turns for one in turn.outputs if isinstance(one, kind)]

    @property
    def fills(self) -> list[Fill]:
        """All fills."""
        return self.of(Fill)

    @property
    def orders(self) -> list[OrderAccepted]:
        """All orders."""
        return self.of(OrderAccepted)


class Acting:
    """The strategy of a test."""

    warmup_bars = 0

    def __init__(self, acts: Mapping[int, Any]) -> None:
        self._acts = acts
        self._asked = -1

    def decide(
        self, market: MarketSlice, predictions: Mapping[str, float], portfolio: Any
    ) -> Sequence[Intent] | None:
        """What the test says; a function is called."""
        self._asked += 1
        act = self._acts.get(self._asked)
        found: Sequence[Intent] | None = act() if callable(act) else act
        return found


class Silent:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.turn: int | None = None
        self.dropped = 0
        self.lines: list[dict[str, Any]] = []

    def say(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Keep a line."""
        self.lines.append({"level": level, "event": event, **fields})

    def says(self, level: str) -> bool:
        """All of them."""
        return True

    def tell(self, lines: Iterable[Telling], size: int) -> None:
        """Keep these lines."""
        for line in lines:
            self.say(*line)

    def without_secrets(self, text: str) -> str:
        """There are none here."""
        return text

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **fields: self.say(level, event, fields)


def live(
    shop: Workshop,
    actions: Mapping[int, Action],
    acts: Mapping[int, Any] | None,
    settings: Sequence[tuple[str, str]] = (),
) -> Lived:
    """Run a daemon until its tape ends, and read what it committed.

    Without `acts` the config's own strategy trades.
    """
    log, switch = Silent(), KillSwitch()
    switch.installed = True  # no signals in the process of the tests
    time = VirtualTime(actions, Doing(shop.state, switch))

    def prepared(config: Config, state: Path) -> tuple[Setup, MakeSource]:
        setup, make_source = prepare(config, state)
        if acts is not None:
            setup.strategy = Acting(acts)

        def make(place: Place | None, **rest: Any) -> TapeSource:
            made = make_source(place, **rest)
            assert isinstance(made, TapeSource)
            made._sleep, made._monotonic = time.sleep, time.monotonic
            time.source = made
            return made

        return setup, make

    overrides = [
        ("feed", f"{{kind: tape, pace: {PACE}}}"),
        ("observability.metrics", "null"),
        *settings,
    ]
    config = load_config(shop.config, overrides, state=shop.state)
    code = run(config, shop.state, prepared, log, overrides, switch)
    assert code == 0, json.dumps(log.lines[-3:], default=str)
    return Lived(committed(shop.state), log.lines)


def committed(state: Path) -> list[Turn]:
    """Every turn of a journal."""
    with closing(JournalReader(state / "journal.db")) as reader:
        return [turn_of(row) for row in reader.turns()]
