"""What a daemon's journal has recorded, as the source of a run's record.

The rows are taken as they are stored, so a report of years can be made though the strategy has
changed since; only what no output tells (why an order still waits) is asked of the last segment,
played again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from daemon.core.events import Bar, CorporateAction, MarketSlice, Outcome, Prediction
from daemon.core.portfolio import Portfolio, Position
from daemon.core.turn import Turn
from daemon.core.values import AccountValues, values_of
from daemon.errors import PapertapeError, RefusedError
from daemon.feeds.times import iso_z, number_date, parse_iso
from daemon.fees import load_fee_tables
from daemon.journal.codec import Digest
from daemon.journal.reader import JournalReader, SegmentRow
from daemon.live.opening import folded, last_reload, turn_of
from daemon.live.recovery import MismatchError, rerun
from daemon.live.segments import setup_of
from daemon.tasks import TaskFailedError
from replay.record import GapRow
from replay.recorder import Recorder
from replay.run_source import Moved, RunSource, Waiting, is_synthetic
from replay.slices import Part
from replay.tapes.series import CENTS_FROM, adjusted_factor


@dataclass(slots=True)
class LiveSegment:
    """A segment of the journal, how many turns it has, and their digest."""

    row: SegmentRow
    turns: int
    digest: str


@dataclass(slots=True)
class LiveRun:
    """A whole journal; `raw_ends` and `raw_equity` have a row for every slice, as they came.

    `turns` are those with outputs, and the commands; `first_wall` is when the first was stored.
    `warning` says why the account at the end is the one that the outputs add up to, and not one
    that was played again.
    """

    segments: list[LiveSegment]
    source: RunSource
    turns: list[Turn]
    first_wall: int | None
    raw_ends: array[int]
    raw_equity: array[int]
    digest: str
    state: str
    warning: str | None


def read_live_run(reader: JournalReader, state: Path) -> LiveRun:
    """Everything a journal tells; RefusedError where nothing has been committed yet.

    The reader should have a snapshot, or a file that nobody writes to.
    """
    segments = reader.segments()
    first = next(reader.turns(), None)
    if not segments or first is None:
        raise RefusedError(f"{reader.path}: nothing has been committed yet")
    told = _Told()
    found = [told.segment(reader, row) for row in segments]
    last = segments[-1]
    values, warning = _account_at_end(reader, last, state)
    manifest = last.manifest
    source = RunSource(
        config=config_in_force(reader, last),
        symbols=_symbols(segments),
        starting_cash_micros=_starting_cash(segments[0]),
        first_start=told.first_start,
        last_end=told.ends[-1] if told.ends else 0,
        ends=told.ends,
        equity=told.equity,
        session_dates=told.session_dates,
        facts=told.facts,
        moves=told.moves,
        positions=_positions(values),
        waiting=None if warning else _waiting(values),
        predictions=told.predictions,
        gaps=_gaps(reader),
        bars={symbol: told.bars[symbol].part() for symbol in told.bars},
        expected=told.expected,
        received=told.received,
        notes=_notes(manifest, told),
    )
    digest = told.facts.digest.hexdigest(told.raw_ends, told.raw_equity)
    states = told.facts.states
    return LiveRun(
        segments=found,
        source=source,
        turns=told.turns,
        first_wall=first.wall,
        raw_ends=told.raw_ends,
        raw_equity=told.raw_equity,
        digest=digest,
        state=states[-1].state if states else "ACTIVE",
        warning=warning,
    )


class _Bars:
    """The bars of a symbol, one by one."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns: dict[str, array[Any]] = {
            name: array("d" if name in _PRICES else "q") for name in Part.__slots__
        }

    def add(self, bar: Bar) -> None:
        for name, column in self.columns.items():
            column.append(getattr(bar, name))

    def part(self) -> Part:
        return Part(**self.columns)


_PRICES = frozenset({"open", "high", "low", "close"})


@dataclass(slots=True)
class _Told:
    """What the turns tell, as they are read.

    A slice that comes after one that ended as late or later (a bar that was backfilled) has no
    row of its own: the last row's equity is what it left.
    """

    facts: Recorder = field(default_factory=lambda: Recorder(None))
    turns: list[Turn] = field(default_factory=list)
    raw_ends: array[int] = field(default_factory=lambda: array("q"))
    raw_equity: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    equity: array[int] = field(default_factory=lambda: array("q"))
    session_dates: array[int] = field(default_factory=lambda: array("q"))
    first_start: int = 0
    moves: list[tuple[int, Moved]] = field(default_factory=list)
    predictions: list[tuple[int, Prediction]] = field(default_factory=list)
    actions: list[CorporateAction] = field(default_factory=list)
    bars: dict[str, _Bars] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)

    def segment(self, reader: JournalReader, row: SegmentRow) -> LiveSegment:
        """Read the turns of one segment."""
        digest, first, turns = Digest(), len(self.raw_ends), 0
        for symbol in row.manifest["config"]["symbols"]:
            for counts in (self.expected, self.received):
                counts.setdefault(symbol, 0)
            self.bars.setdefault(symbol, _Bars())
        for stored in reader.turns(row.segment):
            turns += 1
            turn = turn_of(stored)
            if turn.outputs or stored.kind == "command":
                digest.add(stored.outputs)
                self.facts.keep(turn)
                self.turns.append(turn)
            if isinstance(turn.input, MarketSlice):
                self._slice(turn, turn.input)
        columns = self.raw_ends[first:], self.raw_equity[first:]
        return LiveSegment(row, turns, digest.hexdigest(*columns))

    def _slice(self, turn: Turn, market: MarketSlice) -> None:
        self.predictions += [(market.end, one) for one in turn.predictions]
        self.actions += market.actions
        if market.outcome is Outcome.WARMUP:
            return
        assert turn.equity is not None, "a slice without equity"
        self.raw_ends.append(market.end)
        self.raw_equity.append(turn.equity)
        self.first_start = self.first_start or market.start
        if self.ends and market.end <= self.ends[-1]:
            self.equity[-1] = turn.equity
        else:
            self._row(market, turn.equity)
        for bar in market.bars:
            self.bars[bar.symbol].add(bar)
            self.received[bar.symbol] += 1
        for output in turn.outputs:
            if isinstance(output, Moved):
                self.moves.append((self.ends[-1], output))

    def _row(self, market: MarketSlice, equity: int) -> None:
        self.ends.append(market.end)
        self.equity.append(equity)
        self.session_dates.append(market.session.date)
        for symbol in (*(bar.symbol for bar in market.bars), *market.missing):
            self.expected[symbol] += 1


def config_in_force(reader: JournalReader, segment: SegmentRow) -> dict[str, Any]:
    """The config of a segment with the limits that its last reload has put in force."""
    risk = last_reload(reader, segment)
    config: dict[str, Any] = segment.manifest["config"]
    return config if risk is None else config | {"risk": risk}


def _account_at_end(
    reader: JournalReader, segment: SegmentRow, state: Path
) -> tuple[AccountValues, str | None]:
    """The account after the last turn, played again; else as it was stored at a stop; else folded.

    A text says why it is folded: which orders still work is not known then.
    """
    try:
        setup = setup_of(segment.manifest, load_fee_tables(), state, reader.path)
        return values_of(rerun(reader, segment, setup).account), None
    except (MismatchError, TaskFailedError) as error:
        problem = str(error)
    except PapertapeError as error:
        problem = " ".join(error.lines)
    last = reader.last_turn()
    closing = None if last is None else reader.closing(last.seq)
    if closing is not None:
        return msgspec.convert(closing, AccountValues), None
    return folded(reader, segment)[0], problem


def _symbols(segments: Sequence[SegmentRow]) -> tuple[str, ...]:
    """Those traded now, then those that were traded before."""
    found: dict[str, None] = {}
    for segment in reversed(segments):
        found |= dict.fromkeys(segment.manifest["config"]["symbols"])
    return tuple(found)


def _starting_cash(segment: SegmentRow) -> int:
    cash: int = segment.opening["values"]["risk"]["starting_cash_micros"]
    return cash


def _positions(values: AccountValues) -> list[Position]:
    portfolio = values.portfolio
    symbols = tuple(position.symbol for position in portfolio.positions)
    ledger = Portfolio(symbols, portfolio.cash_micros, [])
    ledger.restore(portfolio)
    return list(ledger.positions.values())


def _waiting(values: AccountValues) -> dict[int, Waiting]:
    working = set(values.book.working)
    return {
        order.order_id: Waiting(order.eligible_from, order.unfilled)
        for order in values.book.orders
        if order.order_id in working
    }


def _gaps(reader: JournalReader) -> list[GapRow]:
    """How each bar that did not come as expected ended: the last that was said of it."""
    found: dict[tuple[object, ...], GapRow] = {}
    for entry in reader.ledger():
        if entry.kind != "gap" or entry.start is None or entry.end is None:
            continue
        outcome = Outcome(entry.outcome)
        session = int(iso_z(entry.start)[:10].replace("-", ""))  # US sessions lie in one UTC day
        row = GapRow(entry.symbol, entry.start, entry.end, session, outcome, entry.detail)
        found[entry.symbol, entry.start, entry.end, outcome is Outcome.UNEXPECTED] = row
    return list(found.values())


def _notes(manifest: Mapping[str, Any], told: _Told) -> dict[str, Any]:
    config = manifest["config"]
    known = {row[0] for row in manifest["splits"]} | {action.symbol for action in told.actions}
    factors = [
        factor for symbol in config["symbols"] if (factor := _factor(told.bars[symbol])) is not None
    ]
    blindly = manifest["adjustment"] != "raw" and known.isdisjoint(config["symbols"])
    return {
        "costs_distorted": bool(factors) and blindly,
        "suspected_factor": float(max(factors)) or None if factors else None,
        "actions": told.actions,
        "unexpected_bars": 0,  # they are rows of the ledger
        "synthetic": is_synthetic((config["tape"] or {}).get("path")),
    }


def _factor(bars: _Bars) -> int | None:
    since = bisect_left(bars.columns["start"], _CENTS_FROM_NS)
    return adjusted_factor(bars.columns["close"][since:])


_CENTS_FROM_NS = parse_iso(f"{number_date(CENTS_FROM)}T00:00:00Z")
