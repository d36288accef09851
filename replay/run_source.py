"""What a run's record is made from, be it a replay that was just played or a daemon's journal."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from daemon.core.events import Prediction, Session
from daemon.core.outputs import (
    ActionApplied,
    Denial,
    DividendPaid,
    Fill,
    OrderAccepted,
    OrderUpdated,
    Output,
    Reason,
    StateChanged,
    TradeClosed,
)
from daemon.core.portfolio import Position
from replay.record import BarColumns, GapRow
from replay.run import Played, applied_actions
from replay.slices import cut


class Facts(Protocol):
    """All outputs of a run by kind, each kind in order."""

    @property
    def fills(self) -> list[Fill]: ...
    @property
    def trades(self) -> list[TradeClosed]: ...
    @property
    def denials(self) -> list[Denial]: ...
    @property
    def states(self) -> list[StateChanged]: ...
    @property
    def orders(self) -> list[OrderAccepted]: ...
    @property
    def updates(self) -> list[OrderUpdated]: ...
    def of(self, kind: type[Output]) -> list[Any]:
        """Those of one kind."""


Moved = Fill | ActionApplied | DividendPaid
"""What moves cash or shares."""


class Waiting(NamedTuple):
    """An order that works at the end of a run: from when it may fill, and why it has not."""

    eligible_from: int
    unfilled: Reason


@dataclass(slots=True)
class RunSource:
    """A run before it is written down.

    `ends`, `equity` and `session_dates` have a row for each instant at which a slice ended, in
    order; `moves` say what moved cash or shares up to a row, each with an instant that is not
    after the row's end and after the end of the row before. `waiting` is None where it is not
    known which orders still work.
    """

    config: Mapping[str, Any]
    symbols: tuple[str, ...]
    starting_cash_micros: int
    first_start: int
    last_end: int
    ends: array[int]
    equity: array[int]
    session_dates: array[int]
    facts: Facts
    moves: Sequence[tuple[int, Moved]]
    positions: Sequence[Position]
    waiting: Mapping[int, Waiting] | None
    predictions: Sequence[tuple[int, Prediction]]
    gaps: list[GapRow]
    bars: Mapping[str, BarColumns]
    expected: Mapping[str, int]
    received: Mapping[str, int]
    notes: dict[str, Any]


def source_of(played: Played) -> RunSource:
    """A replay whose turns are closed."""
    inputs, pipeline, feed = played.inputs, played.pipeline, played.feed.played
    account, window = played.account, inputs.window
    return RunSource(
        config=inputs.config.resolved(),
        symbols=tuple(inputs.config.symbols),
        starting_cash_micros=account.risk.starting_cash_micros,
        first_start=feed.first_start,
        last_end=feed.last_end,
        ends=pipeline.ends,
        equity=pipeline.equity,
        session_dates=_session_dates(pipeline.ends, inputs.sessions),
        facts=played.recorder,
        moves=moves_of(played.recorder),
        positions=list(account.portfolio.positions.values()),
        waiting={
            number: Waiting(order.eligible_from, order.unfilled)
            for number, order in account.venue.book.working.items()
        },
        predictions=pipeline.predictions,
        gaps=feed.gaps,
        bars={
            symbol: cut(columns, window.start, window.end)
            for symbol, columns in inputs.tape.columns.items()
        },
        expected=feed.expected,
        received=feed.received,
        notes=_notes(played),
    )


def moves_of(facts: Facts) -> list[tuple[int, Moved]]:
    """What moves cash or shares: fills at their bar's end, actions at their session's begin."""
    moves: list[tuple[int, Moved]] = [(fill.known, fill) for fill in facts.fills]
    for kind in (ActionApplied, DividendPaid):
        moves += [(output.instant, output) for output in facts.of(kind)]
    return sorted(moves, key=itemgetter(0))


def _session_dates(ends: array[int], sessions: Sequence[Session]) -> array[int]:
    dates = array("q")
    at = 0
    for session in sessions:
        until = bisect_right(ends, session.closes)
        dates.extend([session.date] * (until - at))
        at = until
    return dates


def _notes(played: Played) -> dict[str, Any]:
    tape = played.inputs.tape
    path = played.inputs.config.tape.path if played.inputs.config.tape else None
    adjusted_blindly = tape.adjustment != "raw" and not any(
        action.symbol in played.inputs.config.symbols for action in played.inputs.actions
    )
    return {
        "costs_distorted": tape.costs_distorted and adjusted_blindly,
        "suspected_factor": tape.suspected_factor,
        "actions": applied_actions(played.inputs),
        "unexpected_bars": tape.unexpected.count,
        "synthetic": is_synthetic(path),
    }


def is_synthetic(path: str | None) -> bool:
    """Whether the name of a tape says that a program made it."""
    return "synthetic" in str(path or "").lower()
