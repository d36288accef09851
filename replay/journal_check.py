"""A daemon's journal played again, segment by segment, each from its opening.

Three things must agree: what was recorded, what the same code makes of the recorded inputs, and
the ledger that follows from the recorded outputs by arithmetic alone. Where they do not, the
first turn is named, and which of the three is the odd one out.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from daemon import ENGINE_VERSION
from daemon.core.account import Account
from daemon.core.fold import Fold
from daemon.core.portfolio import Portfolio
from daemon.core.trading_state import HoldSource
from daemon.core.values import AccountValues, values_of
from daemon.errors import Exit, PapertapeError, one_line
from daemon.fees import FeeTables, load_fee_tables
from daemon.journal.codec import Digest
from daemon.journal.integrity import UNREADABLE
from daemon.journal.reader import ClosingRow, JournalReader, SegmentRow, TurnRow
from daemon.live.opening import turn_of
from daemon.live.recovery import MismatchError, rerun
from daemon.live.segments import Setup, changed_keys, opening_values, setup_of
from daemon.strategies.loader import strategy_source_sha256
from daemon.tasks import TaskFailedError

_CONTRADICTS = (
    "the journal contradicts itself there: what is stored was changed after it was written"
)
_GONE = "config or code: what it traded with is not there any more"
_UNEXPLAINED = (
    "strategy, engine, fee tables and config are those of the record: either the strategy or a "
    "module it imports depends on more than its inputs (a clock, a file, chance) or has changed, "
    "or what is stored was changed"
)


@dataclass(slots=True)
class SegmentCheck:
    """What came of one segment. `turns` are those that came out as recorded.

    `differs` is the first that did not, `cause` why; `changed` names what decides and is not what
    it was, `accepted` says that an operator has accepted a mismatch that a start has found.
    `is_over`: another segment has followed, so the code may rightly have gone on.
    """

    segment: SegmentRow
    turns: int = 0
    digest: str = ""
    differs: str | None = None
    cause: str | None = None
    changed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    accepted: bool = False
    is_over: bool = False

    @property
    def is_beyond_proof(self) -> bool:
        """Whether only code (or a config) that has gone on since could prove it.

        Its storage and the ledger that follows from its outputs are checked all the same.
        """
        differs = self.differs is not None and self.is_over
        return differs and self.cause in (_GONE, _said(self.changed)) and self.cause != _UNEXPLAINED

    @property
    def findings(self) -> Iterator[str]:
        """What is not as it was recorded, one line each."""
        name = f"segment {self.segment.segment}"
        if self.differs is not None and not (self.accepted or self.is_beyond_proof):
            yield f"{name}: {self.differs}; cause: {self.cause}"
        yield from (f"{name}: {text}" for text in self.others)

    @property
    def notes(self) -> Iterator[str]:
        """What is worth knowing and is no difference."""
        name = f"segment {self.segment.segment}"
        if self.accepted:
            yield f"{name}: {self.differs}: noticed at a start, and accepted by an operator since"
        elif self.is_beyond_proof:
            yield f"{name}: over, and beyond proof by today's code: {self.differs}; {self.cause}"
        elif self.differs is None and self.changed:
            yield f"{name}: equal, though {' and '.join(self.changed)}"


@dataclass(slots=True)
class Columns:
    """A journal's turns counted, its slices' ends and equity in order, its digest."""

    turns: int = 0
    ends: array[int] = field(default_factory=lambda: array("q"))
    equity: array[int] = field(default_factory=lambda: array("q"))
    digest: str = ""


def check_segments(reader: JournalReader, state: Path) -> list[SegmentCheck]:
    """Play every segment again; the reader should have a snapshot."""
    tables, segments, closings = load_fee_tables(), reader.segments(), reader.closings()
    checks = []
    before: _Played | None = None
    for segment in segments:
        played = _Played(reader, segment, closings)
        check = played.check(tables, state)
        check.is_over = segment is not segments[-1]
        if before is not None:
            check.others += _continuity(segment, before)
        before = played
        checks.append(check)
    for check in checks:
        check.accepted = check.differs is not None and _was_accepted(reader, check, segments)
    return checks


class _Played:
    """One segment, from its opening to its last turn."""

    def __init__(
        self, reader: JournalReader, segment: SegmentRow, closings: Sequence[ClosingRow]
    ) -> None:
        self.ended: AccountValues | None = None
        self.folded: AccountValues | None = None
        self._reader = reader
        self._segment = segment
        self._closings = {row.seq: row for row in closings if row.segment == segment.segment}
        self._check = SegmentCheck(segment)

    def check(self, tables: FeeTables, state: Path) -> SegmentCheck:
        """Play it again, fold it, and compare."""
        check, setup = self._check, None
        try:
            setup = setup_of(self._segment.manifest, tables, state, self._reader.path)
            check.changed = list(changed_code(self._segment.manifest, setup, tables))
            again = rerun(self._reader, self._segment, setup, after=self._after)
            self.ended = values_of(again.account)
            check.digest = again.digest_now
        except MismatchError as error:
            check.differs = str(error)
            check.cause = self._cause(error.seq)
        except TaskFailedError as error:
            check.differs, check.cause = f"played again it failed: {error}", _said(check.changed)
        except PapertapeError as error:
            if error.code == Exit.INTERNAL or setup is not None:
                check.differs, check.cause = " ".join(error.lines), _said(check.changed)
            else:
                check.differs = f"it cannot be played again: {' '.join(error.lines)}"
                check.cause = _GONE
        except UNREADABLE as error:
            check.differs = f"what is stored cannot be played again: {one_line(error)}"
            check.cause = "storage"
        self._compare_with_fold()
        return check

    def _after(self, row: TurnRow, account: Account) -> None:
        self._check.turns += 1
        closing = self._closings.get(row.seq)
        if closing is not None:
            stored = msgspec.json.decode(closing.account, type=AccountValues)
            difference = first_change(stored, values_of(account))
            if difference is not None:
                text = f"the account stored at the stop after turn {row.seq}: {difference}"
                self._check.others.append(text)

    def _cause(self, seq: int) -> str:
        """Which class of cause the first turn that differs belongs to."""
        return _CONTRADICTS if self._contradicts(seq) else _said(self._check.changed)

    def _contradicts(self, seq: int) -> bool:
        """Whether recorded outputs up to a turn give another equity than was recorded after it."""
        fold = self._opening()
        try:
            for row in self._reader.turns(self._segment.segment):
                fold.add(turn_of(row))
                if row.seq >= seq and row.equity is not None:
                    return equity_of(fold.values()) != row.equity
        except UNREADABLE:
            return True
        return False

    def _compare_with_fold(self) -> None:
        """The ledger that follows from the outputs alone must be the one played again."""
        fold, others = self._opening(), self._check.others
        try:
            for row in self._reader.turns(self._segment.segment):
                fold.add(turn_of(row))
            self.folded = fold.values()
        except UNREADABLE as error:
            others.append(f"what is recorded does not add up to an account: {one_line(error)}")
            return
        if self.ended is not None:
            difference = first_change(self.folded.portfolio, self.ended.portfolio)
            if difference is not None:
                others.append(f"what is recorded adds up to another ledger: {difference}")

    def _opening(self) -> Fold:
        return Fold(opening_values(self._segment.manifest, self._segment.opening))


def changed_code(manifest: Mapping[str, Any], setup: Setup, tables: FeeTables) -> Iterator[str]:
    """Everything that decides and is no longer what a segment was traded with."""
    if manifest["strategy"]["sha256"] != strategy_source_sha256(setup.config.strategy_class):
        kind = manifest["strategy"]["kind"]
        yield f"code: the source of strategy {kind} has changed since"
    if manifest["engine_version"] != ENGINE_VERSION:
        made_by = manifest["engine_version"]
        yield f"engine: it was traded by version {made_by}, this is {ENGINE_VERSION}"
    if manifest["fee_tables_sha256"] != tables.sha256:
        yield "fee tables: they have changed since"


def first_change(was: msgspec.Struct, now: msgspec.Struct) -> str | None:
    """The first value in which two accounts (or parts of one) differ; None where they are equal."""
    if was == now:
        return None
    old, new = msgspec.to_builtins(was), msgspec.to_builtins(now)
    for key, before, after in changed_keys(old, new):
        return f"{key} is {before!r}, played again {after!r}"
    return None


def equity_of(values: AccountValues) -> int:
    """The equity of an account by value, in micro-dollars."""
    portfolio = values.portfolio
    symbols = tuple(position.symbol for position in portfolio.positions)
    ledger = Portfolio(symbols, portfolio.cash_micros, [])
    ledger.restore(portfolio)
    return ledger.equity_now()


def recorded_columns(reader: JournalReader) -> Columns:
    """What a whole journal says of itself, its segments one after the other."""
    digest, found = Digest(), Columns()
    for row in reader.turns():
        found.turns += 1
        if row.outputs != "[]" or row.kind == "command":
            digest.add(row.outputs)
        if row.equity is not None:
            found.ends.append(row.instant)
            found.equity.append(row.equity)
    found.digest = digest.hexdigest(found.ends, found.equity)
    return found


def _continuity(segment: SegmentRow, before: _Played) -> Iterator[str]:
    """A segment must open with the account that the one before ended with.

    One that was opened for a mismatch opens with what the recorded outputs add up to, and a hold.
    """
    opening = msgspec.convert(segment.opening["values"], AccountValues)
    was: msgspec.Struct | None = before.ended
    now: msgspec.Struct = opening
    if segment.reason.startswith("mismatch"):
        holds = opening.holds[:-1] if opening.holds else ()
        was, now = before.folded, replace(opening, holds=holds)
    elif was is None and before.folded is not None:
        was, now = before.folded.portfolio, opening.portfolio
    difference = None if was is None else first_change(now, was)
    if difference is not None:
        yield f"it does not open with the account that the one before ended with: {difference}"


def _was_accepted(
    reader: JournalReader, check: SegmentCheck, segments: Sequence[SegmentRow]
) -> bool:
    """Whether a start has noticed that the segment differs, and an operator has accepted it."""
    after = [one for one in segments if one.segment > check.segment.segment]
    if not after or not after[0].reason.startswith("mismatch"):
        return False
    for row in reader.turns(after=after[0].first_seq - 1):
        if row.kind != "command" or row.input is None or '"Reset"' not in row.input:
            continue
        if HoldSource.MISMATCH in (msgspec.json.decode(row.input)["accept"] or ""):
            return "CommandRefused" not in row.outputs
    return False


def _said(changed: Sequence[str]) -> str:
    return " and ".join(changed) if changed else _UNEXPLAINED
