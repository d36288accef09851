"""The pipeline's edges: where inputs come from, where turns are kept, and the kill switch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from daemon.core.events import ForTheFeed, Input, Outcome
from daemon.core.turn import Turn

if TYPE_CHECKING:
    from daemon.feeds.bar_clock import Emitted


class Sink(Protocol):
    """What keeps the turns: the journal.

    `every_turn` False: turns that had no output and were no command are told by the columns
    alone, and predictions by the pipeline's list.
    """

    @property
    def every_turn(self) -> bool: ...

    def keep(self, turn: Turn) -> None:
        """Take a turn."""

    def flush(self) -> Awaitable[None] | None:
        """A chunk of the feed is done: make what was kept durable where that is promised.

        The next input waits for what is returned.
        """


class Feed(Protocol):
    """Where inputs come from: chunks of them, each chunk in order of event time."""

    def chunks(self) -> AsyncIterator[Iterable[Input]]:
        """The chunks; between two of them the loop gets its turn."""


class Outside(NamedTuple):
    """What a source knows of the world behind it; None: nothing is said of that.

    `clock_ahead_s` is how far its clock is ahead of ours, `hours_differ` whether it states other
    sessions than our calendar, `pacing` how many requests it allows now, and in all.
    """

    clock_ahead_s: float | None = None
    hours_differ: bool | None = None
    pacing: tuple[int, int] | None = None


class CarriedOut(NamedTuple):
    """A command that a source has taken, with its instant, and the last input it brings about.

    That is the command itself where nothing comes of it. `ends`: what a judged bar ends as.
    """

    command: ForTheFeed
    ends: Outcome | None
    last: Input


class Source(Protocol):
    """Where a live feed's inputs come from: a tape at its pace, or a gateway."""

    def now(self) -> int:
        """Event time: the instant of a command that is given now."""

    async def start(self) -> None:
        """Get ready, as far as that can be had now; the daemon says that it is ready after it."""

    async def run(self, offer: Callable[[Emitted], Awaitable[Turn]]) -> None:
        """Offer each input when its time has come; ends when there will be no more."""

    def tell(self, make: Callable[[int], ForTheFeed]) -> CarriedOut:
        """A command for the feed: it comes out as an input, and after it what it brings about.

        RefusedError where it cannot be carried out.
        """

    def next_bar(self) -> int | None:
        """The end of the next expected bar."""

    def health(self) -> tuple[str, int]:
        """The feed's state in a word, and how often it has been connected."""

    def outside(self) -> Outside:
        """What it knows of the world behind it."""

    def standing(self) -> dict[str, Any]:
        """What status tells of it: kind, state, the next expected bar, gaps by outcome."""


class Gate(Protocol):
    """The last look before an order exists; in a turn that is played again, the recorded one."""

    def closed(self, place: int) -> bool:
        """Whether no order may pass any more; `place` counts what the turn submits, from 0."""
