"""`papertape data check` without FILE: are the state's own bars fit for tomorrow?

Each processed file against the calendar: is the last session there, and in the sessions before it
are there gaps, impossible bars, spikes, jumps by a split's ratio, breaks in the volume. What is
older was looked at when it was new; `data check FILE` looks at all of a file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from daemon.core.events import CorporateAction, Split
from daemon.core.units import MINUTE_NS, SECOND_NS
from daemon.corporate_actions import read_actions
from daemon.data.files import read_about, read_series
from daemon.data.folder import BarFile, DataFolder
from daemon.data.history import Wanted
from daemon.errors import Exit, RefusedError, UsageError
from daemon.feeds.calendar import Calendar, Hours
from daemon.feeds.times import date_text, iso_z, zone_date, zone_text
from daemon.observability.checks import write_check
from daemon.text_table import NOT_AVAILABLE, counted, is_plain, marked, table
from replay.tapes import PlainTapeSpec, Tape, open_tape
from replay.tapes.infer import infer
from replay.tapes.rules import SPIKE, SPLIT_RATIO, UNFINISHED, VOLUME_REGIME
from replay.tapes.series import REGIME_SESSIONS

CHECK = "data"
DUE_AFTER_NS = 30 * MINUTE_NS
"""So long after its close a session must be there."""
SESSIONS_LOOKED_AT = 20
PROBLEMS_SHOWN = 10
_FAILING = {
    rule.id for rule in (SPIKE, SPLIT_RATIO, UNFINISHED, VOLUME_REGIME)
}  # fmt: skip


class Health(Struct, frozen=True):
    """What was found about one file: its last bar, how many of late, and what is wrong.

    `last` is the start of the last bar (UTC ns), `last_session` its session's date (YYYYMMDD);
    `bars` of `expected` are there in the sessions that were looked at.
    """

    symbol: str
    size: str
    path: str
    last: int | None = None
    last_session: int | None = None
    bars: int = 0
    expected: int = 0
    problems: tuple[str, ...] = ()


class Only(NamedTuple):
    """Which files are looked at; None: whatever it is."""

    symbol: str | None = None
    size: str | None = None

    def means(self, one: Health) -> bool:
        """Whether this is one of them."""
        return self.symbol in (None, one.symbol) and self.size in (None, one.size)

    @property
    def text(self) -> str:
        """The same in words."""
        return " ".join(word for word in self if word)


def data_check_all(
    state: Path,
    folder: DataFolder,
    wanted: Wanted | None,
    calendar: Calendar,
    *,
    sessions: int = SESSIONS_LOOKED_AT,
    only: Only = Only(),  # noqa: B008 - it is immutable
    as_json: bool = False,
    now: int | None = None,
) -> int:
    """Print the health of every file, or of those wanted; 1 and the reason where one fails.

    `only` leaves the others out.

    Written down as `checks/data.json` unless some are left out.
    """
    now = time.time_ns() if now is None else now
    found = health(folder, wanted, calendar, state, sessions=sessions, now=now)
    some = [one for one in found if only.means(one)]
    if found and not some:
        known = ", ".join(f"{one.symbol} {one.size}" for one in found)
        raise UsageError(f"no bars of {only.text} are kept: {known} are")
    reason = reason_of(some, folder)
    document = {
        "reason": reason, "sessions": sessions, "files": [_plain(one) for one in some],
    }  # fmt: skip
    if as_json:
        print(json.dumps({"state_directory": str(state), **document}, indent=2))
    else:
        print("\n".join([f"state   {state}", *_lines(some, reason, calendar, sessions)]))
    if len(some) == len(found):
        write_check(state, CHECK, now // SECOND_NS * SECOND_NS, success=reason is None, **document)
    return Exit.OK if reason is None else Exit.CHECK_FAILED


def health(
    folder: DataFolder,
    wanted: Wanted | None,
    calendar: Calendar,
    state: Path,
    *,
    sessions: int = SESSIONS_LOOKED_AT,
    now: int,
) -> list[Health]:
    """What is found about each processed file, or about those that are wanted."""
    files = folder.files()
    if wanted is not None:
        files = [folder.file(symbol, wanted.size) for symbol in wanted.symbols]
    window = _window(calendar, now, sessions)
    listed = read_actions(folder.actions)
    return [_health(file, wanted, calendar, state, window, listed) for file in files]


def reason_of(found: Sequence[Health], folder: DataFolder) -> str | None:
    """Why the check fails, in a line; None where it does not."""
    if not found:
        return f"{folder.processed} holds no bars: `papertape data import FILE` or `data update`"
    bad = [one for one in found if one.problems]
    if not bad:
        return None
    more = sum(len(one.problems) for one in bad) - 1
    first = f"{bad[0].symbol} {bad[0].size}: {bad[0].problems[0]}"
    return f"{first}{f' (and {more:,} more)' if more else ''}"


def _window(calendar: Calendar, now: int, sessions: int) -> list[Hours]:
    """The last sessions that must be there, and before them as many as volumes are told by."""
    today = calendar.exchange_date(now)
    first = max(
        calendar.first_date,
        zone_date(now - (2 * sessions + 90) * 86_400 * SECOND_NS, calendar.zone),
    )
    due = [one for one in calendar.sessions(first, today) if one.closes + DUE_AFTER_NS <= now]
    return due[-(sessions + REGIME_SESSIONS + 1) :]


def _health(
    file: BarFile,
    wanted: Wanted | None,
    calendar: Calendar,
    state: Path,
    window: list[Hours],
    listed: Sequence[CorporateAction],
) -> Health:
    nothing = Health(file.symbol, file.size, str(file.path))
    if not file.path.exists():
        missing = f"there is no {file.path} (`papertape data update` or `data import`)"
        return replace(nothing, problems=(missing,))
    try:
        tape = _tail(file, wanted, calendar, state, window[0].opens)
    except RefusedError as error:
        return _ended_long_ago(nothing, file, calendar, window) or replace(
            nothing, problems=error.lines
        )
    columns = tape.columns[file.symbol]
    last = columns.start[len(columns) - 1]
    looked_at = window[REGIME_SESSIONS + 1 :] or window
    begins = looked_at[0].opens
    ends = looked_at[-1].closes
    gaps = [gap for gap in tape.gaps(file.symbol) if begins <= gap.start < ends]
    received = sum(1 for start in columns.start if begins <= start < ends)
    return Health(
        file.symbol, file.size, str(file.path), last, calendar.exchange_date(last),
        received, received + len(gaps),
        tuple(_problems(tape, file.symbol, calendar, looked_at, listed)),
    )  # fmt: skip


def _ended_long_ago(
    nothing: Health, file: BarFile, calendar: Calendar, window: list[Hours]
) -> Health | None:
    last = read_series(file, "", "").last
    if last is None or last >= window[0].opens:
        return None
    session = calendar.exchange_date(last)
    problem = (
        f"ends with {date_text(session)}: everything since is missing (`papertape data update`)"
    )
    return replace(nothing, last=last, last_session=session, problems=(problem,))


def _tail(
    file: BarFile, wanted: Wanted | None, calendar: Calendar, state: Path, since: int
) -> Tape:
    known = read_about(file)
    grid = known.grid if known else None
    adjustment = known.adjustment if known else "raw"
    if wanted is not None:
        grid, adjustment = wanted.grid, wanted.adjustment
    spec = PlainTapeSpec(file.path, dialect="papertape", adjustment=adjustment)
    if grid is None:
        inferred = infer(file.path, spec, calendar, symbols=[file.symbol], size=file.size)
        grid = inferred.grid
    return open_tape(spec, [file.symbol], file.size, grid, calendar, state, since=since)


def _problems(
    tape: Tape,
    symbol: str,
    calendar: Calendar,
    looked_at: list[Hours],
    listed: Sequence[CorporateAction],
) -> Iterator[str]:
    columns = tape.columns[symbol]
    begins, due = looked_at[0].opens, looked_at[-1].date
    last = calendar.exchange_date(columns.start[len(columns) - 1])
    if last < due:
        absent = [one.date for one in looked_at if one.date > last]
        yield (
            f"ends with {date_text(last)}: {counted(len(absent), 'session')} missing, up to "
            f"{date_text(due)} (`papertape data update`)"
        )
    by_session: dict[tuple[int, str], int] = {}
    for gap in tape.gaps(symbol):
        if gap.start >= begins and gap.session <= due:
            key = (gap.session, str(gap.outcome))
            by_session[key] = by_session.get(key, 0) + 1
    for (session, outcome), count in by_session.items():
        yield f"{date_text(session)}: {counted(count, 'bar')} {outcome}"
    splits = {
        one.effective for one in listed if isinstance(one, Split) and one.symbol == symbol
    }  # fmt: skip
    for fault in tape.faults:
        rule, start = fault.rule.split()[0], fault.start or 0
        known = tape.adjustment == "raw" and calendar.exchange_date(start) in splits
        if rule == SPLIT_RATIO.id and known:
            continue
        if rule in _FAILING and start >= begins:
            yield f"{fault.rule.partition(' ')[2]}: {fault.message}"


# --- telling --------------------------------------------------------------------------------------


def _lines(
    found: Sequence[Health], reason: str | None, calendar: Calendar, sessions: int
) -> list[str]:
    plain, zone = is_plain(), calendar.zone
    rows = [
        [
            one.symbol, one.size, zone_text(one.last, zone) if one.last else NOT_AVAILABLE,
            f"{one.bars:,} of {one.expected:,}" if one.expected else "",
            "ok" if not one.problems else counted(len(one.problems), "problem"),
        ]
        for one in found
    ]  # fmt: skip
    marks = ["red" if one.problems else None for one in found]
    lines = []
    if rows:
        header = ["symbol", "size", f"last bar begins ({zone})", "bars lately", ""]
        lines += table(header, rows, marks=marks, plain=plain)
    for one in found:
        lines += [f"  {one.symbol} {one.size}: {text}" for text in one.problems[:PROBLEMS_SHOWN]]
        if len(one.problems) > PROBLEMS_SHOWN:
            lines.append(f"  … and {len(one.problems) - PROBLEMS_SHOWN:,} more")
    verdict = reason if not found and reason else "not fit" if reason else "fit"
    if found:
        verdict += f": {counted(sessions, 'session')} looked at (--sessions N)"
    return [*lines, marked(verdict, "red" if reason else "green", plain=plain)]


def _plain(one: Health) -> dict[str, Any]:
    return {
        "symbol": one.symbol, "size": one.size, "path": one.path,
        "last": iso_z(one.last) if one.last else None,
        "last_session": date_text(one.last_session) if one.last_session else None,
        "bars": one.bars, "expected": one.expected,
        "problems": list(one.problems),
    }  # fmt: skip
