"""Halts first, then commands, then the feed; instants never go back; nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from daemon.core.events import (
    Command,
    Commands,
    Halt,
    Note,
    Pause,
    Release,
    Session,
    Tick,
    TickKind,
)
from daemon.core.turn import Turn, instant_of
from daemon.errors import BusyError
from daemon.feeds.bar_clock import Emitted
from daemon.journal.ledger import LedgerRow
from daemon.live.inbox import COMMANDS_MAX, Inbox

SESSION = Session(20240102, 100, 900, 7, 800, 0)


def note(text: str) -> Callable[[int], Commands]:
    return lambda now: Note(now, "operator", text)


class Account:
    """Takes inputs as the pipeline does: one at a time, the next when the turn is closed."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.taken: list[object] = []
        self.facts: list[Sequence[LedgerRow]] = []

    async def run(self) -> None:
        async for chunk in self.inbox.chunks():
            for item in chunk:
                self.taken.append(item)
                self.facts.append(self.inbox.facts)
                await asyncio.sleep(0)
                self.inbox.closed(Turn(len(self.taken), instant_of(item), item, ()))


def make(now: int = 500, last: int = 0) -> tuple[Inbox, Account]:
    inbox = Inbox(lambda: now, last)
    return inbox, Account(inbox)


async def test_the_order_of_what_waits() -> None:
    inbox, account = make()
    feed = asyncio.create_task(inbox.offer(Emitted(Tick(600, TickKind.OPENS, SESSION))))
    await asyncio.sleep(0)
    waiting = [
        inbox.command(note("first")),
        inbox.command(lambda now: Pause(now, "operator", "second")),
        inbox.halt(lambda now: Halt(now, "signal", "third to come")),
    ]
    running = asyncio.create_task(account.run())
    turn = await feed
    inbox.stop()
    await running
    assert [type(item) for item in account.taken] == [Halt, Note, Pause, Tick]
    assert turn.seq == 4
    assert [(await one).seq for one in waiting] == [2, 3, 1]


async def test_a_command_gets_its_instant_when_it_is_admitted_and_never_an_earlier_one() -> None:
    inbox, account = make(now=500, last=700)  # the tape's clock stands behind the last turn
    running = asyncio.create_task(account.run())
    await inbox.command(note("x"))
    inbox.stop()
    await running
    (item,) = account.taken
    assert isinstance(item, Command)
    assert item.instant == 700


async def test_a_halt_may_carry_the_instant_of_the_turn_that_found_it() -> None:
    inbox, account = make(now=900)
    running = asyncio.create_task(account.run())
    await inbox.halt(lambda now: Halt(650, "latch", f"found before {now}"))
    inbox.stop()
    await running
    assert [instant_of(item) for item in account.taken] == [650]


async def test_facts_travel_with_their_input_alone() -> None:
    inbox, account = make()
    fact = LedgerRow("gap", 600, "NVDA")
    running = asyncio.create_task(account.run())
    await inbox.offer(Emitted(Tick(600, TickKind.OPENS, SESSION), (fact,)))
    await inbox.command(note("x"))
    inbox.stop()
    await running
    assert account.facts == [(fact,), ()]


async def test_too_many_commands_are_refused() -> None:
    inbox, _ = make()
    waiting = [inbox.command(note("x")) for _ in range(COMMANDS_MAX)]
    with pytest.raises(BusyError, match="nothing was done"):
        await inbox.command(note("one too many"))
    waiting.append(inbox.halt(lambda now: Halt(now, "signal", "never refused")))
    assert not any(one.done() for one in waiting)


async def test_who_waits_at_the_stop_is_told() -> None:
    inbox, account = make()
    waiting = inbox.command(note("x"))
    inbox.stop()
    await account.run()
    with pytest.raises(BusyError, match="has stopped"):
        await waiting
    with pytest.raises(BusyError, match="stopping"):
        await inbox.command(note("later"))
    assert account.taken == []


async def test_the_turn_of_a_command_that_the_feed_offers() -> None:
    inbox, account = make()
    running = asyncio.create_task(account.run())
    command = Release(600, "operator", "it is true", "NVDA", 100)
    turn = inbox.turn_of(command)
    await inbox.offer(Emitted(Tick(550, TickKind.OPENS, SESSION)))
    assert not turn.done()
    await inbox.offer(Emitted(command))
    assert (await turn).seq == 2
    late = inbox.turn_of(Release(700, "operator", "never offered", "NVDA", 200))
    inbox.stop()
    await running
    with pytest.raises(BusyError, match="has stopped"):
        await late
    with pytest.raises(BusyError, match="stopping"):
        await inbox.turn_of(command)
