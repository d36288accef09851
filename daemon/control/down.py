"""The standing of a daemon that is down: its journal, played again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from daemon.control.latch import Latch
from daemon.control.status import down_document
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.fees import load_fee_tables
from daemon.journal.integrity import open_journal, told_if_damaged
from daemon.journal.reader import JournalReader
from daemon.live.opening import as_recorded, from_outputs_alone
from daemon.live.recovery import MismatchError, Rerun, rerun
from daemon.live.segments import setup_of
from daemon.tasks import TaskFailedError


def down_standing(state: Path) -> dict[str, Any]:
    """The account as its last committed turn left it.

    Where its turns do not come out as recorded (then it is HALTED, as the next start will be), or
    its strategy is not there any more, it is what their outputs add up to, working orders aside;
    `not_played_again` says why.
    """
    try:
        reader = open_journal(state)
    except RefusedError as error:
        if not Latch(state).is_set():
            raise
        raise RefusedError(*error.lines, "HALT is there: it will start HALTED") from error
    try:
        with told_if_damaged(state):
            again, differs = _last(reader, state)
            gaps = _gaps(reader)
        document = down_document(again, Latch(state), _calendar(again, state), gaps)
        if differs is not None:
            document["digest"] = None  # that of another segment, which the next start opens
        return {**document, "not_played_again": differs}
    finally:
        reader.close()


def _last(reader: JournalReader, state: Path) -> tuple[Rerun, str | None]:
    """The account, and why it was not played again if it was not."""
    try:
        opened = as_recorded(reader, state)
    except RefusedError as error:
        if not reader.segments():
            raise
        try:
            return from_outputs_alone(reader, state), " ".join(error.lines)
        except RefusedError:  # it was not for the strategy
            raise error from None
    if opened.new_segment is not None:
        opened.rerun.segment = reader.segments()[-1]
        return opened.rerun, opened.notes[0]
    return opened.rerun, None


def _calendar(again: Rerun, state: Path) -> Calendar | None:
    """None where a user that may only read finds one that would have to be built."""
    try:
        return load_calendar(state, again.setup.config.bars.calendar)
    except RefusedError:
        return None


def _gaps(reader: JournalReader) -> dict[str, int]:
    """How many bars ended in each way but as received; the last row of a bar is how it ended."""
    ends = {
        (entry.symbol, entry.start): entry.outcome
        for entry in reader.ledger()
        if entry.kind == "gap"
    }
    return dict(Counter(ends.values()))


def rerun_last(reader: JournalReader, state: Path, until: int | None = None) -> Rerun:
    """The last segment played again; RefusedError where it does not come out as recorded."""
    segments = reader.segments()
    if not segments:
        raise RefusedError(f"{reader.path}: nothing has been committed yet")
    segment = segments[-1]
    if until is not None:
        segment = next(one for one in reversed(segments) if one.first_seq <= until)
    setup = setup_of(segment.manifest, load_fee_tables(), state, reader.path)
    try:
        return rerun(reader, segment, setup, until=until)
    except (MismatchError, TaskFailedError) as error:
        raise RefusedError(
            f"{reader.path}: recorded turns do not come out as recorded: {error}: `papertape "
            f"verify --state {state}` says more"
        ) from None
