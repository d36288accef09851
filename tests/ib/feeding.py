"""The live feed against the fake gateway, on virtual time: only whoever takes its inputs is ours.

    fed = feed(until="2026-11-24T16:01", steps=[Step(at=..., fault=Drop())])
    assert fed.ends("NVDA") == [...]

Times are New York's unless they carry a zone. The market is made up, in 30-minute bars (or in bars
of the size that is asked for) from 12 sessions before the start on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast

from daemon.config import Config, load_config
from daemon.core.events import Bar, MarketSlice, Outcome, Pause, Resume
from daemon.core.turn import Turn
from daemon.corporate_actions import COLUMNS
from daemon.feeds.bar_clock import Emitted
from daemon.feeds.ib.history import BarsWanted
from daemon.feeds.ib.source import IbSource, prepare_at
from daemon.feeds.times import zone_text
from daemon.journal.ledger import LedgerRow
from tests.fake_gateway import (
    FakeGateway,
    Market,
    Settings,
    Step,
    VirtualTimeLoop,
    instant_ns,
    run_virtually,
    session_starts,
    walk,
)
from tests.ib.invariants import broken, broken_rules
from tests.replay.workshop import _built_state

NEW_YORK = "America/New_York"
TUESDAY = "2026-11-24"
PARTS = {"1h": "30 mins", "30m": "30 mins", "15m": "15 mins", "5m": "5 mins", "1m": "1 min"}
DAYS_BEFORE = 18


def at(text: str) -> int:
    """An instant of New York's clock; of Tuesday, where no date stands before it."""
    return instant_ns(f"{text if 'T' in text else f'{TUESDAY}T{text}'} {NEW_YORK}")


def clock_of(instant: int) -> str:
    """An instant as New York's clock shows it, without the date."""
    return zone_text(instant, NEW_YORK)[11:]


def market_of(
    symbols: Sequence[str] = ("NVDA",), size: str = "1h", start: str = TUESDAY, days: int = 10
) -> Market:
    """Made-up prices; the same every time."""
    market = Market()
    first = date.fromisoformat(start[:10]) - timedelta(days=DAYS_BEFORE)
    for number, symbol in enumerate(symbols):
        instrument = market.add(symbol)
        starts = session_starts(
            instrument.hours, first.isoformat(), DAYS_BEFORE + days, PARTS[size]
        )
        instrument.add(walk(starts, PARTS[size], number + 1))
    return market


@dataclass
class Fed:
    """What came of a run. `at` of an input is when it was offered."""

    gateway: FakeGateway
    bars_wanted: BarsWanted
    until: int
    keeps: bool = True
    count: int = 0
    taken: list[tuple[int, Emitted]] = field(default_factory=list)
    source: IbSource | None = None
    config: Config | None = None
    standing: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: type) -> list[Any]:
        """The inputs of a type."""
        return [emitted.input for _, emitted in self.taken if isinstance(emitted.input, kind)]

    @property
    def slices(self) -> list[MarketSlice]:
        """The slices that are not warm-up."""
        return [one for one in self.of(MarketSlice) if one.outcome is not Outcome.WARMUP]

    @property
    def warmup(self) -> list[MarketSlice]:
        """Those that are."""
        return [one for one in self.of(MarketSlice) if one.outcome is Outcome.WARMUP]

    def told(self) -> list[tuple[str, str, str]]:
        """Each slice: its end, its outcome, when it came, in New York's time."""
        return [
            (clock_of(emitted.input.end), emitted.input.outcome.value, clock_of(when))
            for when, emitted in self.taken
            if isinstance(emitted.input, MarketSlice)
            and emitted.input.outcome is not Outcome.WARMUP
        ]

    def bars(self, symbol: str = "NVDA") -> list[Bar]:
        """The symbol's bars in the order in which they came."""
        return [bar for one in self.slices for bar in one.bars if bar.symbol == symbol]

    @property
    def rows(self) -> list[LedgerRow]:
        """The ledger."""
        return [row for _, emitted in self.taken for row in emitted.facts]

    def feed_rows(self) -> list[tuple[str, str, str]]:
        """What happened to the feed: when, what, and in which words."""
        return [
            (clock_of(row.instant), row.outcome, row.detail)
            for row in self.rows
            if row.kind == "feed"
        ]

    def gaps(self) -> list[tuple[str, str, str]]:
        """Symbol, start and outcome of each row of a bar."""
        return [
            (row.symbol, clock_of(row.start or 0), row.outcome)
            for row in self.rows
            if row.kind == "gap"
        ]

    def broken(self) -> list[str]:
        """Every invariant that the run broke."""
        inputs = [(when, emitted.input) for when, emitted in self.taken]
        return [
            *broken(inputs, self.rows, self.gateway.market, self.bars_wanted, self.until),
            *broken_rules(self.gateway),
        ]

    def holds(self) -> list[tuple[str, str]]:
        """Each pause and resume: when, and by whom."""
        return [
            (clock_of(when), f"{type(emitted.input).__name__.lower()} {emitted.input.source}")
            for when, emitted in self.taken
            if isinstance(emitted.input, Pause | Resume)
        ]


Script = Callable[[Fed, VirtualTimeLoop], Coroutine[Any, Any, None]]


def feed(
    until: str,
    *,
    start: str = f"{TUESDAY}T09:00",
    market: Market | None = None,
    symbols: Sequence[str] = ("NVDA",),
    size: str = "1h",
    grid: str = "session",
    steps: Sequence[Step] = (),
    settings: Settings | None = None,
    options: Mapping[str, object] | None = None,
    script: Script | None = None,
    warmup: int = 2,
    seed: int = 1,
    listens: bool = True,
    keeps: bool = True,
    actions: str = "",
) -> Fed:
    """Run a feed from a start until an instant; `options` are keys of the config's feed.

    `script` runs beside it. Without `listens` the gateway's port is closed at first; without
    `keeps` the inputs are counted and forgotten. `actions` are rows of corporate_actions.csv.
    """
    made = market or market_of(symbols, size, start)

    async def main(loop: VirtualTimeLoop) -> Fed:
        async with FakeGateway(made, loop.clock, settings, steps=list(steps)) as gateway:
            fed = Fed(gateway, BarsWanted(tuple(symbols), size, grid, 5.0), at(until), keeps)
            if not listens:
                gateway.close_port()
            with TemporaryDirectory() as folder:
                config = _config(Path(folder), gateway.port, symbols, size, grid, options, warmup)
                _list_actions(Path(folder), actions)
                await _run(fed, loop, config, at(until), script, Random(seed))
        return fed

    return run_virtually(main, at(start))


async def _run(
    fed: Fed,
    loop: VirtualTimeLoop,
    config: Config,
    until: int,
    script: Script | None,
    random: Random,
) -> None:
    fed.config = config
    _, make = prepare_at(config, config.path.parent / "state", loop.wall_ns, random)
    source = fed.source = cast("IbSource", make(None, held=False, same_tape=True, told=()))

    async def offer(emitted: Emitted) -> Turn:
        fed.count += 1
        if fed.keeps:
            fed.taken.append((loop.wall_ns(), emitted))
        return cast("Turn", None)

    await source.start()
    running = asyncio.create_task(source.run(offer))
    scripted = None if script is None else asyncio.create_task(script(fed, loop))
    await asyncio.sleep((until - loop.wall_ns()) / 1e9)
    if scripted is not None:
        await scripted
    fed.standing = source.standing()
    assert not running.done(), running
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.1)  # its socket closes


def _list_actions(folder: Path, rows: str) -> None:
    if rows:
        table = folder / "state" / "data" / "corporate_actions.csv"
        table.parent.mkdir()
        table.write_text(f"{','.join(COLUMNS)}\n{rows}\n", encoding="utf-8")


def _config(
    folder: Path,
    port: int,
    symbols: Sequence[str],
    size: str,
    grid: str,
    options: Mapping[str, object] | None,
    warmup: int,
) -> Config:
    state = folder / "state"
    shutil.copytree(_built_state(), state)
    more = "".join(f", {key}: {value}" for key, value in (options or {}).items())
    text = (
        f"name: fed\nsymbols: [{', '.join(symbols)}]\nbars: {{size: {size}, grid: {grid}}}\n"
        f"feed: {{kind: ib, port: {port}{more}}}\nwarmup_bars: {warmup}\n"
        f"strategy: {{kind: buy_and_hold}}\n"
    )
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, (), state=state)
