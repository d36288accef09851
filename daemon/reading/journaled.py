"""A daemon's journal, open for reading, and what every answer from it begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError
from daemon.feeds.times import date_text, iso_z, parse_iso, zone_date
from daemon.journal.integrity import open_journal, told_if_damaged
from daemon.journal.reader import JournalReader, SegmentRow
from daemon.text_table import EXCHANGE_ZONE


@dataclass(frozen=True, slots=True)
class Journaled:
    """`now` is the account's event time: the latest instant that is journaled, None before any.

    "Today" is its exchange date, so that it also makes sense for a tape.
    """

    state: Path
    reader: JournalReader
    segments: tuple[SegmentRow, ...]
    now: int | None

    @property
    def name(self) -> str | None:
        """The account's name; None before anything is committed."""
        return self.segments[-1].manifest["config"]["name"] if self.segments else None

    @property
    def today(self) -> int | None:
        """The exchange date YYYYMMDD of the event time."""
        return None if self.now is None else exchange_date(self.now)

    def head(self, date: int | None = None) -> dict[str, Any]:
        """The first fields of an answer; `date` is the only one that it is about."""
        return {
            "state_directory": str(self.state),
            "name": self.name,
            "event_time": None if self.now is None else iso_z(self.now),
            "date": None if date is None else date_text(date),
        }


@contextmanager
def journal_of(state: Path) -> Iterator[Journaled]:
    """The journal of a state directory; RefusedError where it cannot be read or is a replay's."""
    reader = open_journal(state)
    try:
        if not reader.is_live:
            raise RefusedError(f"{reader.path}: a replay's journal: `papertape runs show` reads it")
        with told_if_damaged(state):
            yield Journaled(state, reader, tuple(reader.segments()), reader.last_instant())
    finally:
        reader.close()


def exchange_date(instant: int) -> int:
    """The exchange date YYYYMMDD of an instant."""
    return zone_date(instant, EXCHANGE_ZONE)


def stamp_date(stamp: str) -> int:
    """The exchange date YYYYMMDD of an ISO-8601 stamp."""
    return exchange_date(parse_iso(stamp))
