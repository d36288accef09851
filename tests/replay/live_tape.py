"""A live journal made in this process: a workshop's tape through recovery, pipeline and journal.

    tape = LiveTape(shop)
    tape.run(slices=40)                     # start, 40 slices, orderly stop
    tape.run(slices=20, closes=False)       # start, 20 more, as after a SIGKILL
    tape.run(commands={3: Pause})           # the rest; a command after the third of its inputs

What the daemon does around it (lock, latch, socket, clock) is left out, so a test may hold every
value; `tests/daemons` runs whole daemons.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from daemon.config import Config, load_config
from daemon.core.events import Commands, Input, MarketSlice
from daemon.core.turn import Turn, instant_of
from daemon.core.values import values_of
from daemon.journal.ledger import LedgerRow
from daemon.journal.reader import JournalReader
from daemon.journal.store import LiveJournal
from daemon.live.opening import Opened, open_live
from replay.live_feed import prepare, replay_feed
from replay.run import inputs_for
from tests.replay.workshop import Workshop

Makes = Callable[[int], Commands]
"""A command that lacks its instant."""


class LiveTape:
    """The state directory of a workshop as a daemon on its tape would leave it."""

    def __init__(self, shop: Workshop, settings: Sequence[tuple[str, str]] = ()) -> None:
        self.shop = shop
        self.state: Path = shop.state
        self.settings = [("feed", "{kind: tape, pace: max}"), *settings]

    def run(
        self,
        slices: int | None = None,
        *,
        closes: bool = True,
        commands: Mapping[int, Makes] | None = None,
        edit: Callable[[Iterator[Input]], Iterator[Input]] | None = None,
        facts: Mapping[int, Sequence[LedgerRow]] | None = None,
    ) -> Opened:
        """Start where the journal left off and play so many slices, or all there are.

        `commands` and `facts` are by how many slices of this start came before; `edit` changes
        what the tape gives. Returns how the account was opened, as it stands at the end.
        """
        config = load_config(self.shop.config, self.settings, state=self.state)
        setup, _ = prepare(config, self.state)
        opened = open_live(self.state, setup)
        items: Iterator[Input] = iter(_inputs(config, self.state))
        if edit is not None:
            items = edit(items)
        rest = islice(items, _taken(self.state), None)
        asyncio.run(_play(opened, self.state, rest, slices, commands or {}, facts or {}, closes))
        return opened


def _inputs(config: Config, state: Path) -> list[Input]:
    """All that the tape gives, as a replay gets it."""
    feed = replay_feed(inputs_for(config, state))

    async def collect() -> list[Input]:
        return [item async for chunk in feed.chunks() for item in chunk]

    return asyncio.run(collect())


def _taken(state: Path) -> int:
    """How many of the tape's inputs the journal has."""
    if not (state / "journal.db").exists():
        return 0
    with closing(JournalReader(state / "journal.db")) as reader:
        return sum(row.kind != "command" for row in reader.turns())


async def _play(
    opened: Opened,
    state: Path,
    items: Iterator[Input],
    slices: int | None,
    commands: Mapping[int, Makes],
    facts: Mapping[int, Sequence[LedgerRow]],
    closes: bool,
) -> None:
    again, kept = opened.rerun, _Kept()
    journal = await LiveJournal.open(state / "journal.db")
    new = opened.new_segment
    if new is not None:
        await journal.open_segment(new.first_seq, new.reason, new.manifest, new.opening)
    again.pipeline.go_live(kept, _Open())
    if again.predictor is not None:
        again.predictor.recorded = None
    done, instant = 0, again.last_instant

    async def admit(item: Input, rows: Sequence[LedgerRow] = ()) -> None:
        again.pipeline.play_through([item])
        assert kept.turn is not None, "every turn is kept"
        await journal.commit(kept.turn, rows, time.time_ns())

    for item in items:
        if done == slices:
            break
        if isinstance(item, MarketSlice) and done in commands:
            await admit(commands[done](instant))
        await admit(item, facts.get(done, ()) if isinstance(item, MarketSlice) else ())
        instant = max(instant, instant_of(item))
        done += isinstance(item, MarketSlice)
    if done in commands:
        await admit(commands[done](instant))
    if closes:
        await journal.write_closing(again.pipeline.seq, values_of(again.account))
    await journal.close()


class _Kept:
    """A sink that has the last turn."""

    every_turn = True

    def __init__(self) -> None:
        self.turn: Turn | None = None

    def keep(self, turn: Turn) -> None:
        self.turn = turn

    def flush(self) -> None:
        """It is committed by whoever made it."""


class _Open:
    """A gate that nobody closes."""

    def closed(self, place: int) -> bool:
        return False
