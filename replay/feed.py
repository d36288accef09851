"""ReplayFeed: recorded columns as the inputs of turns, session by session.

The same code plays a tape and a journal: both are columns of bars plus the calendar's sessions
(and, for a journal, the commands that came in between).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Any

from daemon.core.events import (
    Bar,
    Commands,
    CorporateAction,
    Input,
    MarketSlice,
    Outcome,
    Session,
    Tick,
    TickKind,
)
from daemon.feeds.expected import ExpectedSession
from replay.record import BarColumns, GapRow

CHUNK_BARS = 512
"""Inputs between two turns of the event loop: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is played: slices that start at `warm` or later and end at `end` or before.

    Those that start before `start` are warm-up. Instants in ns.
    """

    warm: int
    start: int
    end: int


@dataclass(slots=True)
class Played:
    """What the feed has counted so far."""

    expected: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    gaps: list[GapRow] = field(default_factory=list)
    first_start: int = 0
    last_end: int = 0


class ReplayFeed:
    """Slices and ticks of the sessions, with each symbol's bars where the columns have them.

    A symbol's bars are expected from its own first bar in the window to its last. `actions` are
    applied before the first slice of the session they take effect in; `quarantined` says why a
    bar was put aside, by symbol and start.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        columns: Mapping[str, BarColumns],
        sessions: Iterable[ExpectedSession],
        window: Window,
        *,
        actions: Sequence[CorporateAction] = (),
        commands: Sequence[Commands] = (),
        quarantined: Mapping[str, Mapping[int, str]] | None = None,
        chunk_bars: int = CHUNK_BARS,
    ) -> None:
        self.played = Played()
        self._symbols = tuple(symbols)
        self._columns = columns
        self._sessions = sessions
        self._window = window
        self._actions = sorted(actions, key=lambda action: action.effective)
        self._commands = sorted(commands, key=lambda command: command.instant)
        self._quarantined = quarantined or {}
        self._chunk_bars = chunk_bars
        self._next: dict[str, int] = {}
        self._bounds: dict[str, tuple[int, int]] = {}
        for symbol in self._symbols:
            starts, ends = columns[symbol].start, columns[symbol].end
            first = bisect_left(starts, window.warm)
            until = bisect_right(ends, window.end)
            self._next[symbol] = first
            self._bounds[symbol] = (starts[first], starts[until - 1]) if until > first else (1, 0)
            self.played.expected[symbol] = self.played.received[symbol] = 0

    @property
    def window(self) -> Window:
        """What is played."""
        return self._window

    def inputs(self) -> Iterator[Input]:
        """The inputs in order of event time; they can be had once."""
        inputs: Iterator[Input] = chain.from_iterable(map(self._session_inputs, self._sessions))
        return self._with_commands(inputs) if self._commands else inputs

    async def chunks(self) -> AsyncIterator[Iterable[Input]]:
        """The inputs, so many at once."""
        inputs = self.inputs()
        while chunk := list(islice(inputs, self._chunk_bars)):
            yield chunk

    def _with_commands(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """A command goes before the first slice or tick that is later; after one of its instant."""
        waiting = list(reversed(self._commands))
        for item in inputs:
            instant = item.end if isinstance(item, MarketSlice) else item.instant
            while waiting and waiting[-1].instant < instant:
                yield waiting.pop()
            yield item
        while waiting:
            yield waiting.pop()

    # --- one session --------------------------------------------------------------------------

    def _session_inputs(self, expected: ExpectedSession) -> Iterable[Input]:
        session = expected.session
        opens: tuple[Tick, ...] = ()
        closes: tuple[Tick, ...] = ()
        if session.opens >= self._window.start:
            opens = (Tick(session.opens, TickKind.OPENS, session),)
        if session.closes <= self._window.end and session.closes > self._window.start:
            closes = (Tick(session.closes, TickKind.CLOSES, session),)
        if self._is_whole(expected):
            return chain(opens, self._whole(expected), closes)
        return chain(opens, self._slot_by_slot(expected), closes)

    def _is_whole(self, expected: ExpectedSession) -> bool:
        """Whether every symbol has every bar of the session, and nothing else happens in it."""
        starts, count = expected.starts, len(expected.starts)
        if starts[0] < self._window.start or expected.ends[-1] > self._window.end:
            return False
        if self._actions and self._actions[0].effective <= expected.session.date:
            return False
        for symbol in self._symbols:
            at = self._next[symbol]
            if list(self._columns[symbol].start[at : at + count]) != starts:
                return False
            if starts[-1] > self._bounds[symbol][1]:
                return False
        return True

    def _whole(self, expected: ExpectedSession) -> Iterator[MarketSlice]:
        starts, ends, count = expected.starts, expected.ends, len(expected.starts)
        bars = [self._bars(symbol, starts, ends, count) for symbol in self._symbols]
        self._count(expected.starts[0], expected.ends[-1])
        return map(
            MarketSlice,
            starts,
            ends,
            zip(*bars, strict=True),
            repeat(()),
            repeat(expected.session),
            range(count),
        )

    def _bars(self, symbol: str, starts: list[int], ends: list[int], count: int) -> Iterator[Bar]:
        at = self._next[symbol]
        until = self._next[symbol] = at + count
        self.played.expected[symbol] += count
        self.played.received[symbol] += count
        columns: Any = self._columns[symbol]
        return map(
            Bar,
            repeat(symbol),
            starts,
            ends,
            columns.open[at:until].tolist(),
            columns.high[at:until].tolist(),
            columns.low[at:until].tolist(),
            columns.close[at:until].tolist(),
            columns.volume[at:until].tolist(),
        )

    def _slot_by_slot(self, expected: ExpectedSession) -> Iterator[MarketSlice]:
        window, session = self._window, expected.session
        for index, (start, end) in enumerate(zip(expected.starts, expected.ends, strict=True)):
            if start < window.warm or end > window.end:
                continue
            bars: list[Bar] = []
            missing: list[str] = []
            for symbol in self._symbols:
                self._look(symbol, start, end, session, bars, missing)
            if not bars and not missing:
                continue
            outcome = Outcome.WARMUP if start < window.start else Outcome.RECEIVED
            self._count(start, end)
            yield MarketSlice(
                start, end, tuple(bars), tuple(missing), session, index, outcome,
                self._due(session.date),
            )  # fmt: skip

    def _look(
        self,
        symbol: str,
        start: int,
        end: int,
        session: Session,
        bars: list[Bar],
        missing: list[str],
    ) -> None:
        first, last = self._bounds[symbol]
        if not first <= start <= last:
            return
        columns, at = self._columns[symbol], self._next[symbol]
        counts = start >= self._window.start
        self.played.expected[symbol] += counts
        if at < len(columns) and columns.start[at] == start:
            self._next[symbol] = at + 1
            self.played.received[symbol] += counts
            bars.append(
                Bar(
                    symbol, start, end, columns.open[at], columns.high[at], columns.low[at],
                    columns.close[at], columns.volume[at],
                )
            )  # fmt: skip
            return
        missing.append(symbol)
        if counts:
            reason = self._quarantined.get(symbol, {}).get(start)
            outcome = Outcome.MISSING if reason is None else Outcome.QUARANTINED
            text = reason or "not in the tape"
            self.played.gaps.append(GapRow(symbol, start, end, session.date, outcome, text))

    def _due(self, date: int) -> tuple[CorporateAction, ...]:
        due: list[CorporateAction] = []
        while self._actions and self._actions[0].effective <= date:
            due.append(self._actions.pop(0))
        return tuple(due)

    def _count(self, start: int, end: int) -> None:
        if not self.played.first_start and start >= self._window.start:
            self.played.first_start = start
        self.played.last_end = end
