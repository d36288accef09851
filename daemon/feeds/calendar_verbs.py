"""`papertape calendar [add]`: the exchange's hours as they are known, and closures told late."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from daemon.core.units import SECOND_NS
from daemon.errors import Exit, RefusedError, UsageError
from daemon.feeds.calendar import Calendar, Hours, known_facts, load_calendar
from daemon.feeds.calendar_edit import with_entry
from daemon.feeds.calendar_overlay import Overlay, parse_overlay, read_overlay
from daemon.feeds.times import (
    DAY_NS,
    date_text,
    iso_z,
    number_date,
    parse_date,
    parse_iso,
    wall_instant,
    wall_ns,
    zone_text,
)
from daemon.text_table import counted, table
from daemon.writing import replace_file

PACKAGE = "exchange_calendars"
SESSIONS_SHOWN = 10
_USUAL_OF = 60  # sessions from whose hours the usual ones are told


def calendar_show(
    state: Path,
    *,
    name: str = "XNYS",
    sessions: int = SESSIONS_SHOWN,
    as_json: bool = False,
    now: int | None = None,
) -> int:
    """The next sessions, whether it is open now, and how far and from what all that is known."""
    if sessions < 1:
        raise UsageError(f"--sessions must be at least 1, got {sessions}")
    now = time.time_ns() if now is None else now
    calendar = load_calendar(state, name)
    document = _document(state, calendar, now, sessions)
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_text(document, calendar)))
    return Exit.OK


def calendar_add(
    state: Path, day: str, *, early_close: str | None = None, reason: str = "", name: str = "XNYS"
) -> int:
    """Note a closure, or an early close, that was announced after the package was released.

    What is known already is not noted again. RefusedError where it contradicts what is.
    """
    date = _date(day)
    reason = " ".join(reason.split())
    if not reason.isprintable():
        raise UsageError("--reason holds characters that no file should")
    file = state / "calendar.yaml"
    calendar = load_calendar(state, name)
    overlay = read_overlay(file) if file.exists() else Overlay({}, {})
    known = _known(calendar, overlay, date, early_close)
    if known is not None:
        print(f"state     {state}\n{known}: nothing to add")
        return Exit.OK
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    added = with_entry(text, file, date_text(date), early_close, reason)
    parse_overlay(added, file).applied_to(known_facts(state, name))
    _write(file, added)
    print(f"state     {state}")
    what = "closed" if early_close is None else f"closes at {early_close}"
    print(
        f"added to {file.name}: {_weekday(date)} {what}; a running daemon sees it when it restarts"
    )
    return Exit.OK


# --- what is known --------------------------------------------------------------------------------


def _document(state: Path, calendar: Calendar, now: int, count: int) -> dict[str, Any]:
    file = state / "calendar.yaml"
    overlay = read_overlay(file) if file.exists() else Overlay({}, {})
    built = (state / "calendar" / f"{calendar.name}.json").stat().st_mtime_ns
    here = calendar.session_of(now)
    ahead = _ahead(calendar, now, count)
    usual = _usual_length(calendar, now)
    return {
        "state_directory": str(state),
        "calendar": calendar.name,
        "zone": calendar.zone,
        "sha256": calendar.hash,
        "package": {"name": PACKAGE, "version": calendar.package_version},
        "built": iso_z(built // SECOND_NS * SECOND_NS),
        "built_days_ago": max(0, now - built) // DAY_NS,
        "known_from": date_text(calendar.first_date),
        "known_to": date_text(calendar.last_date),
        "now": iso_z(now // SECOND_NS * SECOND_NS),
        "is_open": here is not None,
        "changes_at": None if not ahead else iso_z(ahead[0].closes if here else ahead[0].opens),
        "added": {
            "file": str(file),
            "closures": [date_text(date) for date in sorted(overlay.closures)],
            "early_closes": {
                date_text(date): clock for date, (clock, _) in sorted(overlay.early_closes.items())
            },
        },
        "sessions": [
            {
                "date": date_text(hours.date),
                "opens": iso_z(hours.opens),
                "closes": iso_z(hours.closes),
                "is_short": hours.closes - hours.opens < usual,
            }
            for hours in ahead
        ],
    }


def _ahead(calendar: Calendar, now: int, count: int) -> list[Hours]:
    """The session that is open and the ones after it, as far as they are known."""
    first = calendar.exchange_date(now)
    found = [hours for hours in calendar.sessions(first, calendar.last_date) if hours.closes > now]
    return found[:count]


def _usual_length(calendar: Calendar, now: int) -> int:
    """How long most sessions last (ns)."""
    lengths = [hours.closes - hours.opens for hours in _ahead(calendar, now, _USUAL_OF)]
    return Counter(lengths).most_common(1)[0][0] if lengths else 0


def _text(document: dict[str, Any], calendar: Calendar) -> list[str]:
    package, added = document["package"], document["added"]
    days = document["built_days_ago"]
    built = "today" if not days else f"{counted(days, 'day')} ago"
    closures, early = added["closures"], added["early_closes"]
    notes = [*closures, *(f"{day} closes {clock}" for day, clock in early.items())]
    lines = [
        f"state     {document['state_directory']}",
        f"calendar  {document['calendar']}, {package['name']} {package['version']}, built {built}",
        f"known     {document['known_from']} to {document['known_to']}",
        f"added     {', '.join(notes) if notes else 'nothing (papertape calendar add DATE)'}",
        f"now       {_now(document, calendar)}",
        "",
    ]
    rows = [
        [
            _weekday(parse_date(session["date"])),
            _clock(session["opens"], calendar),
            _clock(session["closes"], calendar),
            "closes early" if session["is_short"] else "",
        ]
        for session in document["sessions"]
    ]
    return [*lines, *table(["session", "opens", "closes", "note"], rows)]


def _now(document: dict[str, Any], calendar: Calendar) -> str:
    now = zone_text(parse_iso(document["now"]), calendar.zone)[:16]
    if document["changes_at"] is None:
        return f"{now} {calendar.zone}, closed"
    changes = zone_text(parse_iso(document["changes_at"]), calendar.zone)[:16]
    if document["is_open"]:
        return f"{now} {calendar.zone}, open until {changes[11:]}"
    weekday = _weekday(parse_date(changes[:10]))
    return f"{now} {calendar.zone}, closed until {weekday} {changes[11:]}"


def _weekday(date: int) -> str:
    return number_date(date).strftime("%a %Y-%m-%d")


def _clock(stamp: str, calendar: Calendar) -> str:
    return zone_text(parse_iso(stamp), calendar.zone)[11:16]


# --- what is added --------------------------------------------------------------------------------


def _date(text: str) -> int:
    try:
        return parse_date(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _known(calendar: Calendar, overlay: Overlay, date: int, early_close: str | None) -> str | None:
    """What makes the entry needless, if anything does; RefusedError where it cannot be right."""
    hours, day = calendar.session(date), _weekday(date)
    if early_close is None:
        if date in overlay.early_closes:
            clock, where = overlay.early_closes[date]
            raise RefusedError(f"{where}: closes at {clock} that day: remove that, then add it")
        return f"{calendar.name} is closed on {day} already" if hours is None else None
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", early_close) is None:
        raise UsageError(f"--early-close {early_close!r} is not a time of day (13:00)")
    if hours is None:
        raise RefusedError(f"{calendar.name} has no session on {day}, so it cannot close early")
    instant = wall_instant(wall_ns(date, early_close), calendar.zone)
    if instant == hours.closes:
        return f"{calendar.name} closes at {early_close} on {day} already"
    if date in overlay.early_closes:
        clock, where = overlay.early_closes[date]
        raise RefusedError(f"{where}: closes at {clock} that day: change it there")
    if not hours.opens < instant < hours.closes:
        opens, closes = (zone_text(at, calendar.zone)[11:16] for at in (hours.opens, hours.closes))
        raise RefusedError(f"{early_close} on {day} is not between {opens} and {closes}")
    return None


def _write(file: Path, text: str) -> None:
    """The whole new file or the old one: a calendar that is half written would stop a daemon."""
    try:
        replace_file(file, text.encode())
    except PermissionError as error:
        raise RefusedError(f"{file}: cannot be written: {error.strerror}") from error
