"""Start-up is recovery: recorded turns are played again and must come out as recorded.

The same pipeline that trades plays the rows of a segment, with the predictions and the look at
the gate that were recorded; then it goes on live. `papertape verify` and `status` (of a daemon
that is down) use the same, without going on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from daemon.core.account import Account
from daemon.core.events import (
    Action,
    Command,
    CorporateAction,
    ForTheFeed,
    Input,
    MarketSlice,
    Outcome,
    Prediction,
    Reload,
    Split,
    Tick,
)
from daemon.core.outputs import Output, StateChanged
from daemon.core.trading_state import HoldSource
from daemon.core.turn import Turn
from daemon.core.values import AccountValues, restore
from daemon.feeds.times import iso_z
from daemon.journal.codec import (
    Digest,
    decode_input,
    decode_outputs,
    decode_predictions,
    encode_outputs,
)
from daemon.journal.differences import output_difference
from daemon.journal.reader import JournalReader, SegmentRow, TurnRow
from daemon.live.segments import Setup
from daemon.models.protocol import Predictor
from daemon.pipeline import Pipeline
from daemon.ports import Sink

AfterTurn = Callable[[TurnRow, Account], None]
"""Told of each turn that came out as recorded."""


class Place(NamedTuple):
    """Where a feed stands: at a slice (`rank` 0, with its bars' symbols) or at a tick (1).

    An instant may have several slices, as where one symbol's bar came late. `session` is the date
    of the last slices, `actions` the corporate actions that these have carried, `coming` those
    that the feed was told of and no slice has carried, `seen` the session of each symbol's last
    bar or split.
    """

    instant: int
    rank: int
    symbols: tuple[str, ...] = ()
    session: int = 0
    actions: tuple[CorporateAction, ...] = ()
    coming: tuple[CorporateAction, ...] = ()
    seen: tuple[tuple[str, int], ...] = ()

    def told(self, action: CorporateAction) -> Place:
        """The same place after the feed was told of an action."""
        return self._replace(coming=(*self.coming, action))


def place_after(before: Place | None, item: MarketSlice | Tick) -> Place:
    """The place of an input of the feed, which comes after another."""
    before = before or Place(0, 0)
    if isinstance(item, Tick):
        return before._replace(instant=item.instant, rank=1, symbols=())
    session, carried, coming = before.session, before.actions, before.coming
    if item.session.date > session:  # a late slice may be of an earlier one
        session, carried = item.session.date, ()
    symbols = tuple(bar.symbol for bar in item.bars)
    seen = symbols
    if item.actions:
        carried = (*carried, *item.actions)
        keys = set(map(_key, item.actions))
        coming = tuple(action for action in coming if _key(action) not in keys)
        seen += tuple(action.symbol for action in item.actions if isinstance(action, Split))
    dates = _seen_by(before.seen, seen, item.session.date)
    return Place(item.end, 0, symbols, session, carried, coming, dates)


def _seen_by(
    before: tuple[tuple[str, int], ...], symbols: tuple[str, ...], date: int
) -> tuple[tuple[str, int], ...]:
    known = dict(before)
    if all(known.get(symbol, 0) >= date for symbol in symbols):
        return before  # as for nearly every slice
    known |= {symbol: max(date, known.get(symbol, 0)) for symbol in symbols}
    return tuple(known.items())


def _key(action: CorporateAction) -> tuple[str, type, int]:
    """What tells one action from another; a tape may have made something else of its amount."""
    return action.symbol, type(action), action.effective


class Told(NamedTuple):
    """A command for the feed, and the feed's place when it was told."""

    place: Place | None
    command: ForTheFeed


class MismatchError(Exception):
    """A recorded turn did not come out as it was recorded; the text names it."""

    def __init__(self, seq: int, text: str) -> None:
        super().__init__(text)
        self.seq = seq


class RecordedFirst:
    """The predictions that were recorded while turns are played again, then the model's.

    The model sees the recorded bars as well, so that it is as warm as it was.
    """

    def __init__(self, model: Predictor | None) -> None:
        self.recorded: Sequence[Prediction] | None = ()
        self._model = model
        self.warmup_bars = model.warmup_bars if model else 0
        self.sha256 = model.sha256 if model else ""

    def predict(
        self, market: MarketSlice
    ) -> Sequence[Prediction] | Awaitable[Sequence[Prediction]]:
        """See `Predictor`."""
        if self.recorded is None:
            assert self._model is not None, "live without a model"
            return self._model.predict(market)
        self.warm(market)
        return self.recorded

    def warm(self, market: MarketSlice) -> None:
        """Let the model see a bar."""
        if self._model is not None:
            self._model.warm(market)


@dataclass(slots=True)
class Rerun:
    """A segment after its recorded turns: an account that can go on.

    `place` is that of the feed's last input, None where there was none; `told` are the commands
    that the feed was told since the segment began. `turns` is how many were played.
    """

    segment: SegmentRow
    setup: Setup
    account: Account
    pipeline: Pipeline
    predictor: RecordedFirst | None
    digest: Digest
    place: Place | None = None
    last_instant: int = 0
    turns: int = 0
    reloaded_risk: dict[str, Any] | None = None
    told: list[Told] = field(default_factory=list)

    @property
    def digest_now(self) -> str:
        """The digest of the segment so far."""
        return self.digest.hexdigest(self.pipeline.ends, self.pipeline.equity)


def rerun(
    reader: JournalReader,
    segment: SegmentRow,
    setup: Setup,
    *,
    until: int | None = None,
    tee: Sink | None = None,
    after: AfterTurn | None = None,
) -> Rerun:
    """Play a segment again, up to turn `until`; MismatchError at the first turn that differs.

    `tee` gets the turns that have outputs, `after` each turn's row and the account as it left it.
    What is stored and cannot be read raises msgspec.MsgspecError or ValueError.
    """
    account = setup.open_account()
    restore(account, msgspec.convert(segment.opening["values"], AccountValues))
    predictor = None
    if setup.config.model is not None:
        predictor = RecordedFirst(setup.predictor)
    played = _RecordedTurns(reader, segment, predictor, until, tee, after)
    pipeline = Pipeline(
        account,
        setup.strategy,
        predictor,
        played,
        strategy_failures(reader.turns_with(f'"{HoldSource.STRATEGY}"', segment.segment)),
        gate=played,
        seq=segment.first_seq - 1,
        remake=setup.remake_strategy,
    )
    played.pipeline = pipeline
    place = segment.opening["place"]
    if place is not None:
        place = msgspec.convert(place, Place)
    done = Rerun(segment, setup, account, pipeline, predictor, played.digest, place)
    warm_up(reader, segment, predictor, pipeline)
    inputs = played.inputs(done)
    pipeline.play_through(inputs)
    return done


def warm_up(
    reader: JournalReader,
    segment: SegmentRow,
    predictor: RecordedFirst | None,
    pipeline: Pipeline,
) -> None:
    """Show strategy and model the recorded slices before a segment: indicators are warm then.

    They see nothing of a symbol that the segment does not trade any more.
    """
    first = segment.opening["warm_from"]
    symbols = frozenset(segment.manifest["config"]["symbols"])
    if first is None:
        return
    for row in reader.turns(after=first - 1):
        if row.seq >= segment.first_seq:
            return
        if row.kind != "slice" or row.input is None:
            continue
        market = decode_input(row.kind, row.input)
        assert isinstance(market, MarketSlice), row.kind
        market = _of(symbols, market)
        if market.bars or market.actions:
            if predictor is not None:
                predictor.warm(market)
            pipeline.warm(market)


def _of(symbols: frozenset[str], market: MarketSlice) -> MarketSlice:
    """The part of a slice that is about these symbols."""
    if all(one.symbol in symbols for one in (*market.bars, *market.actions)):
        return market
    return replace(
        market,
        bars=tuple(bar for bar in market.bars if bar.symbol in symbols),
        missing=tuple(symbol for symbol in market.missing if symbol in symbols),
        actions=tuple(action for action in market.actions if action.symbol in symbols),
    )


def strategy_failures(rows: Iterable[TurnRow]) -> dict[int, str]:
    """Those turns in which the strategy raised, with what it said: it is not asked again there."""
    found = {}
    for row in rows:
        for output in decode_outputs(row.outputs):
            if not isinstance(output, StateChanged) or output.lifted:
                continue
            if output.source == HoldSource.STRATEGY:
                found[row.seq] = output.reason
    return found


class _RecordedTurns:
    """The rows of a segment: the feed, the gate and, comparing, the sink of playing them again."""

    every_turn = False

    def __init__(
        self,
        reader: JournalReader,
        segment: SegmentRow,
        predictor: RecordedFirst | None,
        until: int | None,
        tee: Sink | None,
        after: AfterTurn | None,
    ) -> None:
        self.digest = Digest()
        self.pipeline: Pipeline | None = None
        self._rows: Iterable[TurnRow] = reader.turns(segment.segment)
        self._predictor = predictor
        self._until = until
        self._tee = tee
        self._after = after
        self._row: TurnRow | None = None
        self._kept = False

    def inputs(self, done: Rerun) -> Iterator[Input]:
        """The recorded inputs; after each, its turn is compared with what is recorded."""
        for row in self._rows:
            if self._until is not None and row.seq > self._until:
                break
            assert row.input is not None, "a live journal stores every input"
            item = decode_input(row.kind, row.input)
            self._row, self._kept = row, False
            if self._predictor is not None:
                recorded = row.predictions
                self._predictor.recorded = decode_predictions(recorded) if recorded else ()
            yield item
            self._compare_rest(row)
            if self._after is not None:
                self._after(row, done.account)
            done.turns += 1
            done.last_instant = max(done.last_instant, row.instant)
            if isinstance(item, Command):
                if isinstance(item, Reload):
                    done.reloaded_risk = item.risk
                elif isinstance(item, ForTheFeed):
                    done.told.append(Told(done.place, item))
                    if isinstance(item, Action) and done.place is not None:
                        done.place = done.place.told(item.action)
            else:
                done.place = place_after(done.place, item)

    def closed(self, place: int) -> bool:
        """The gate as it was seen in the turn."""
        assert self._row is not None, "no turn is open"
        return self._row.gate is not None and place >= self._row.gate

    def keep(self, turn: Turn) -> None:
        """Compare a turn that came out with something."""
        row = self._row
        assert row is not None, "no turn is open"
        self._kept = True
        outputs = encode_outputs(turn.outputs)
        if (turn.seq, turn.instant) != (row.seq, row.instant):
            text = f"turn {row.seq} at {iso_z(row.instant)}: played again as turn {turn.seq}"
            raise MismatchError(row.seq, text)
        if outputs != row.outputs:
            self._differs(row, turn.outputs)
        self.digest.add(outputs)
        if self._tee is not None:
            self._tee.keep(turn)

    def flush(self) -> None:
        """Nothing waits."""

    def _compare_rest(self, row: TurnRow) -> None:
        """A turn without outputs, and the equity after it."""
        if not self._kept and row.outputs != "[]":
            self._differs(row, ())
        if row.equity is None:
            return
        assert self.pipeline is not None, "played without a pipeline"
        equity = self.pipeline.equity[-1]
        if equity != row.equity:
            text = (
                f"turn {row.seq} at {iso_z(row.instant)}: equity was {row.equity / 1e6:.6f}, "
                f"played again {equity / 1e6:.6f}"
            )
            raise MismatchError(row.seq, text)

    def _differs(self, row: TurnRow, now: Sequence[Output]) -> None:
        difference = output_difference(decode_outputs(row.outputs), now)
        text = f"turn {row.seq} at {iso_z(row.instant)}: {difference}"
        raise MismatchError(row.seq, text)


def is_traded(item: Input) -> bool:
    """Whether an input is a slice that is not warm-up."""
    return isinstance(item, MarketSlice) and item.outcome is not Outcome.WARMUP
