"""How a live account begins: anew, where the journal left off, or in a new segment.

| the journal | what decides | then |
|---|---|---|
| none yet | | a new account, segment 1 |
| its turns come out as recorded | is the same | the segment goes on |
| its turns come out as recorded | has changed | a new segment from the account as it is |
| was closed in order | has changed | a new segment from the values it was closed with |
| its turns come out otherwise | | a new segment, `HALTED`, from the recorded outputs alone |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon.config import load_resolved
from daemon.core.account import Account
from daemon.core.events import Action, MarketSlice, Tick
from daemon.core.fold import Fold
from daemon.core.trading_state import Hold, HoldSource, TradingState
from daemon.core.turn import Turn
from daemon.core.values import AccountValues, restore, values_of
from daemon.errors import PapertapeError, RefusedError
from daemon.fees import load_fee_tables
from daemon.journal.codec import (
    Digest,
    decode_input,
    decode_outputs,
    decode_predictions,
)
from daemon.journal.integrity import check_state
from daemon.journal.migrations import migrate
from daemon.journal.reader import JournalReader, SegmentRow, TurnRow
from daemon.live.recovery import (
    MismatchError,
    Place,
    RecordedFirst,
    Rerun,
    place_after,
    rerun,
    warm_up,
)
from daemon.live.segments import Setup, opening_values, setup_of, what_changed
from daemon.pipeline import Pipeline
from daemon.state_directory import JOURNAL, MARK
from daemon.tasks import TaskFailedError


@dataclass(slots=True)
class NewSegment:
    """A segment that is to be opened before the first turn."""

    first_seq: int
    reason: str
    manifest: Mapping[str, Any]
    opening: Mapping[str, Any]


@dataclass(slots=True)
class Opened:
    """A live account before its first new turn.

    `notes` are what an operator should know about the start, one text each.
    """

    rerun: Rerun
    new_segment: NewSegment | None
    notes: list[str]
    mark_note: str | None = None


def open_live(state: Path, setup: Setup) -> Opened:
    """Recover the journal of a state directory, or begin one; RefusedError leaves it untouched."""
    if not (state / JOURNAL).exists() and not (state / MARK).exists():
        account = setup.open_account()
        return _in_new_segment(setup, values_of(account), 1, "start", None, None, [])
    ends = check_state(state)
    version = migrate(state / JOURNAL)
    if version is not None:
        ends = check_state(state)
    reader = JournalReader(state / JOURNAL)
    try:
        segments = reader.segments()
        if not segments:  # it was created and nothing was ever committed
            account = setup.open_account()
            return _in_new_segment(setup, values_of(account), 1, "start", None, None, [])
        opened = _recovered(state, reader, segments[-1], setup, ends.last_seq)
        opened.mark_note = ends.mark_note
        if version is not None:
            opened.notes.append(
                f"the journal was of version {version}: kept as {JOURNAL}.v{version}"
            )
        return opened
    finally:
        reader.close()


def open_as_recorded(state: Path) -> Opened:
    """Recover with what the last segment traded with, for a command to a daemon that is down.

    Its model is not asked: a slice must not be admitted.
    """
    check_state(state)
    reader = JournalReader(state / JOURNAL)
    try:
        return as_recorded(reader, state)
    finally:
        reader.close()


def as_recorded(reader: JournalReader, state: Path) -> Opened:
    """The last segment played again with what it traded with.

    Where it does not come out as recorded: what the next start would begin with.
    """
    segments, last = reader.segments(), reader.last_turn()
    if not segments:
        raise RefusedError(f"{reader.path}: nothing has been committed yet")
    segment = segments[-1]
    setup = setup_of(segment.manifest, load_fee_tables(), state, reader.path)
    try:
        return Opened(rerun(reader, segment, setup), None, [])
    except (MismatchError, TaskFailedError) as error:
        last_seq = 0 if last is None else last.seq
        opened = _from_outputs(reader, segment, setup, last_seq, str(error))
        assert opened.new_segment is not None, "it cannot go on"
        opened.new_segment.manifest = segment.manifest  # the model's hash among the rest
        return opened


def from_outputs_alone(reader: JournalReader, state: Path) -> Rerun:
    """The account that the last segment's recorded outputs add up to, to be looked at.

    For a segment whose strategy is not there any more; another, which is not asked, stands in.
    """
    segment, last = reader.segments()[-1], reader.last_turn()
    stands_in = {"kind": "buy_and_hold", "params": {}}
    manifest = {**segment.manifest, "config": {**segment.manifest["config"], "strategy": stands_in}}
    setup = setup_of(manifest, load_fee_tables(), state, reader.path)
    values, _ = folded(reader, segment)
    last_seq = 0 if last is None else last.seq
    place = last_place(reader, segment)
    again = _in_new_segment(setup, values, last_seq + 1, "", None, place, []).rerun
    again.segment = segment
    return again


def _recovered(
    state: Path, reader: JournalReader, segment: SegmentRow, setup: Setup, last_seq: int
) -> Opened:
    reloaded = last_reload(reader, segment)
    changes = what_changed(segment.manifest, setup.manifest(), reloaded)
    if not changes:
        begun_with = setup if reloaded is None else _before_reloads(setup, segment, reader.path)
        try:
            return Opened(rerun(reader, segment, begun_with), None, [])
        except (MismatchError, TaskFailedError) as error:
            return _from_outputs(reader, segment, setup, last_seq, str(error))
    reason = "; ".join(changes)
    place = last_place(reader, segment)
    closing = reader.closing(last_seq)
    if closing is not None:
        values = msgspec.convert(closing, AccountValues)
        return _in_new_segment(setup, values, last_seq + 1, reason, reader, place, changes)
    try:
        old = setup_of(segment.manifest, load_fee_tables(), state, reader.path)
        values = values_of(rerun(reader, segment, old).account)
    except (MismatchError, TaskFailedError, PapertapeError) as error:
        text = f"{error} (changed since: {reason})"
        return _from_outputs(reader, segment, setup, last_seq, text)
    return _in_new_segment(setup, values, last_seq + 1, reason, reader, place, changes)


def _before_reloads(setup: Setup, segment: SegmentRow, journal: Path) -> Setup:
    """The setup with the limits that the segment began with; its reloads bring today's."""
    base = Path(segment.manifest["config_base"])
    config = load_resolved(segment.manifest["config"], journal, base, state=journal.parent)
    return dataclasses.replace(setup, config=config)


def _from_outputs(
    reader: JournalReader, segment: SegmentRow, setup: Setup, last_seq: int, text: str
) -> Opened:
    """What was recorded counts: an account folded from it, halted until somebody has looked."""
    values, instant = folded(reader, segment)
    hold = Hold(HoldSource.MISMATCH, TradingState.HALTED, instant, text)
    values = replace(values, holds=(*values.holds, hold))
    notes = [f"recorded turns do not come out as recorded: {text}"]
    place = last_place(reader, segment)
    reason = f"mismatch: {text}"
    return _in_new_segment(setup, values, last_seq + 1, reason, reader, place, notes)


def folded(reader: JournalReader, segment: SegmentRow) -> tuple[AccountValues, int]:
    """A segment's account from its recorded outputs, and the instant of its last turn."""
    fold = Fold(opening_values(segment.manifest, segment.opening))
    instant = 0
    for row in reader.turns(segment.segment):
        fold.add(turn_of(row))
        instant = max(instant, row.instant)
    return fold.values(), instant


def turn_of(row: TurnRow) -> Turn:
    """A turn as it was recorded."""
    return Turn(
        row.seq,
        row.instant,
        decode_input(row.kind, _input_of(row)),
        decode_outputs(row.outputs),
        tuple(decode_predictions(row.predictions)) if row.predictions else (),
        row.gate,
        row.equity,
    )


def last_reload(reader: JournalReader, segment: SegmentRow) -> dict[str, Any] | None:
    """The risk section that the segment's last reload put in force."""
    risk = None
    for row in reader.turns_with('"type":"Reload"', segment.segment):
        risk = msgspec.json.decode(_input_of(row))["risk"]
    return risk


def last_place(reader: JournalReader, segment: SegmentRow) -> Place | None:
    """Where the feed stands after a segment."""
    found = segment.opening["place"]
    place = None if found is None else msgspec.convert(found, Place)
    for row in reader.turns(segment.segment):
        item = decode_input(row.kind, _input_of(row))
        if isinstance(item, MarketSlice | Tick):
            place = place_after(place, item)
        elif isinstance(item, Action) and place is not None:
            place = place.told(item.action)
    return place


def _input_of(row: TurnRow) -> str:
    assert row.input is not None, "a live journal stores every input"
    return row.input


def _in_new_segment(
    setup: Setup,
    values: AccountValues,
    first_seq: int,
    reason: str,
    reader: JournalReader | None,
    place: Place | None,
    notes: list[str],
) -> Opened:
    account = _restored(setup, values)
    manifest = setup.manifest()
    opening = {
        "values": msgspec.to_builtins(values),
        "warm_from": None if reader is None else _warm_from(reader, first_seq, setup.warmup_bars),
        "place": place,
    }
    segment = SegmentRow(0, first_seq, reason, manifest, opening)
    predictor = RecordedFirst(setup.predictor) if setup.config.model is not None else None
    nothing = _Nothing()
    pipeline = Pipeline(
        account,
        setup.strategy,
        predictor,
        nothing,
        seq=first_seq - 1,
        remake=setup.remake_strategy,
    )
    if reader is not None:
        try:
            warm_up(reader, segment, predictor, pipeline)
        except Exception as error:
            raise RefusedError(
                f"{setup.config.path}: strategy {setup.config.strategy.kind} raised on bars that "
                f"were recorded before: {type(error).__name__}: {error}"
            ) from error
    last = 0 if place is None else place.instant
    again = Rerun(segment, setup, account, pipeline, predictor, Digest(), place, last_instant=last)
    return Opened(again, NewSegment(first_seq, reason, manifest, opening), notes)


def _restored(setup: Setup, values: AccountValues) -> Account:
    account = setup.open_account()
    try:
        restore(account, values)
    except ValueError as error:
        raise RefusedError(
            f"{setup.config.path}: symbols: {error}: keep the symbol, or close the position first"
        ) from None
    return account


def _warm_from(reader: JournalReader, first_seq: int, bars: int) -> int | None:
    """The turn from which the recorded bars are enough to warm indicators up; None for none."""
    if bars == 0:
        return None
    return reader.slice_before(first_seq, bars)


class _Nothing:
    """A sink before there is one."""

    every_turn = True

    def keep(self, turn: Turn) -> None:
        raise AssertionError("a turn before the account was live")

    def flush(self) -> None:
        """Nothing waits."""
