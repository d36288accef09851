"""`papertape checklist`: what a person looks at each morning, in one table.

A row is `ok`, `fail`, or `n/a` where there is nothing to look at: no model, no gateway, a part that
does not exist yet. One row that fails makes the exit code 1. Written down as
`checks/checklist.json`; the journal is only read.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from daemon.config import Config, IbFeedConfig, load_config
from daemon.config.loader import load_resolved
from daemon.control.verbs import standing
from daemon.core.units import SECOND_NS
from daemon.data.folder import DataFolder
from daemon.data.history import Wanted
from daemon.errors import Exit, PapertapeError
from daemon.feeds.calendar import DAYS_AHEAD, load_calendar
from daemon.feeds.calendar_verbs import PACKAGE
from daemon.feeds.times import DAY_NS, date_text, number_date, zone_text
from daemon.journal.integrity import told_if_damaged
from daemon.journal.reader import JournalReader
from daemon.models.build import build_predictor
from daemon.observability.checks import Checks, due, write_check
from daemon.state_directory import JOURNAL
from daemon.text_table import EXCHANGE_ZONE, bytes_text, counted, is_plain, marked, table
from replay.data_health import health, reason_of

CHECK = "checklist"
OK, FAIL, NOT_THERE = "ok", "fail", "n/a"
MARKS = {OK: "green", FAIL: "red", NOT_THERE: "dim"}

FREE_BYTES_MIN = 1_000_000_000
FREE_FILES_MIN = 10_000
PACKAGE_DAYS_MAX = 200
GATEWAY_WITHIN_S = 3.0
CLOCK_WITHIN_S = 5.0


class Row(NamedTuple):
    """One thing that was looked at."""

    name: str
    verdict: str
    text: str


class Looked(NamedTuple):
    """What the rows look at; `config` is None where no daemon has run and none was given."""

    state: Path
    config: Config | None
    now: int


def checklist(
    state: Path, config: Path | None, *, as_json: bool = False, now: int | None = None
) -> int:
    """Look at everything and print it; 1 if a row fails."""
    now = time.time_ns() if now is None else now
    looked = Looked(state, _config(state, config), now)
    state.mkdir(mode=0o750, parents=True, exist_ok=True)
    rows = [_row(name, look, looked) for name, look in ROWS.items()]
    failed = [row.name for row in rows if row.verdict == FAIL]
    plain = [row._asdict() for row in rows]
    if as_json:
        document = {"state_directory": str(state), "failed": failed, "rows": plain}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print("\n".join([f"state   {state}", *_lines(rows, failed)]))
    write_check(
        state, CHECK, now // SECOND_NS * SECOND_NS, success=not failed, failed=failed, rows=plain
    )
    return Exit.CHECK_FAILED if failed else Exit.OK


def _lines(rows: list[Row], failed: list[str]) -> list[str]:
    plain = is_plain()
    marks = [MARKS[row.verdict] for row in rows]
    lines = table(["what", "", "found"], rows, marks=marks, plain=plain)
    if failed:
        verdict = f"{len(failed)} of {len(rows)} fail: {', '.join(failed)}"
        return [*lines, marked(verdict, "red", plain=plain)]
    return [*lines, marked("nothing fails", "green", plain=plain)]


def _row(name: str, look: Callable[[Looked], tuple[str, str]], looked: Looked) -> Row:
    try:
        verdict, text = look(looked)
    except PapertapeError as error:
        verdict, text = FAIL, error.lines[0]
    except OSError as error:  # of a disk that is going, say: the other rows are told all the same
        verdict, text = FAIL, f"{error.filename or 'it'} cannot be looked at ({error.strerror})"
    return Row(name, verdict, text)


def _config(state: Path, path: Path | None) -> Config | None:
    """The config given, else the one that the journal's last segment was traded with."""
    if path is not None:
        return load_config(path, (), state=state)
    if not (state / JOURNAL).exists():
        return None
    with told_if_damaged(state), closing(JournalReader(state / JOURNAL)) as reader:
        segments = reader.segments()
        if not segments:
            return None
        manifest = segments[-1].manifest
        base = Path(manifest["config_base"])
        return load_resolved(manifest["config"], reader.path, base, state=state)


# --- the rows -------------------------------------------------------------------------------------


def _daemon(looked: Looked) -> tuple[str, str]:
    if not (looked.state / JOURNAL).exists():
        return NOT_THERE, "no daemon has run here"
    found = standing(looked.state)
    if not found["daemon"]["running"]:
        return FAIL, "it does not run: `papertape run`, or systemctl start"
    if found["daemon"].get("blocked"):
        return FAIL, f"blocked: {found['daemon']['blocked']}"
    held = "; ".join(hold["reason"] or hold["source"] for hold in found["holds"])
    text = f"{found['state']}, turn {found['last_turn']}{f': {held}' if held else ''}"
    return (OK if found["state"] == "ACTIVE" else FAIL), text


def _data(looked: Looked) -> tuple[str, str]:
    state, config, now = looked
    folder = DataFolder(state / "data" if config is None else config.data_dir(state))
    wanted = None
    if config is not None:
        elsewhere = config.tape is not None and config.tape.path is not None
        if elsewhere and not isinstance(config.feed, IbFeedConfig):
            return NOT_THERE, "the bars of this config are not kept in the data folder"
        wanted = Wanted.by(config)
    calendar = load_calendar(state)
    found = health(folder, wanted, calendar, state, now=now)
    if not found:
        return NOT_THERE, "no bars are kept"
    reason = reason_of(found, folder)
    if reason is not None:
        return FAIL, reason
    last = min(one.last for one in found if one.last)
    until = zone_text(last, calendar.zone)
    return OK, f"{counted(len(found), 'file')}, up to the bar of {until} exchange time"


def _model(looked: Looked) -> tuple[str, str]:
    config = looked.config
    if config is None or config.model is None:
        return NOT_THERE, "no model"
    if config.model.kind in ("registry", "remote"):
        return NOT_THERE, f"{config.model.kind} models are not available in this version"
    predictor = build_predictor(config.model, config.symbols, config.predictions_path(looked.state))
    assert predictor is not None, "it has a model"
    return OK, f"{config.model.kind} {predictor.sha256[:12]}".rstrip()


def _references(looked: Looked) -> tuple[str, str]:
    from replay.runs.reference import OK as HOLDS
    from replay.runs.reference import find_references, played

    try:
        references = find_references((), state=looked.state)
    except PapertapeError:
        return NOT_THERE, "no reference replays"
    bad = []
    with tempfile.TemporaryDirectory(prefix="papertape-checklist-") as scratch:
        for number, reference in enumerate(references):
            result = played(reference, looked.state, Path(scratch) / str(number))
            if result.verdict != HOLDS:
                bad.append(f"{reference.name} {result.verdict}")
    total = counted(len(references), "replay")
    if bad:
        return FAIL, f"{', '.join(bad)} of {total}: `papertape reference check`"
    return OK, f"{total}, all as accepted"


def _disk(looked: Looked) -> tuple[str, str]:
    free = shutil.disk_usage(looked.state).free
    files = os.statvfs(looked.state)
    text = f"{bytes_text(free)} free"
    few = files.f_files > 0 and files.f_favail < FREE_FILES_MIN
    if few:
        text += f", {files.f_favail:,} files more"
    low = free < FREE_BYTES_MIN or few
    return (FAIL, f"{text}: make room") if low else (OK, text)


def _clock(_: Looked) -> tuple[str, str]:
    command = shutil.which("timedatectl")
    if command is None:
        return NOT_THERE, "timedatectl is not there to be asked"
    try:
        done = subprocess.run(
            [command, "show", "--property=NTPSynchronized", "--value"],
            check=False, capture_output=True, text=True, timeout=CLOCK_WITHIN_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return NOT_THERE, "timedatectl does not answer"
    said = done.stdout.strip()
    if said == "yes":
        return OK, "synchronised by NTP"
    return (
        (FAIL, "not synchronised: enable NTP")
        if said == "no"
        else (NOT_THERE, "timedatectl does not say")
    )


def _calendar(looked: Looked) -> tuple[str, str]:
    calendar = load_calendar(looked.state)
    built = (looked.state / "calendar" / f"{calendar.name}.json").stat().st_mtime_ns
    age = max(0, looked.now - built) // DAY_NS
    text = f"{PACKAGE} {calendar.package_version}"
    installed = _installed_days_ago(looked.now)
    if installed is not None:
        text += f", installed {counted(installed, 'day')} ago"
    text += f"; file of {counted(age, 'day')} ago, to {date_text(calendar.last_date)}"
    today = number_date(calendar.exchange_date(looked.now))
    if (number_date(calendar.last_date) - today).days < DAYS_AHEAD:
        return FAIL, f"{text}: it ends soon"
    if installed is not None and installed > PACKAGE_DAYS_MAX:
        return FAIL, f"{text}: upgrade it, closures may have been announced since"
    return OK, text


def _installed_days_ago(now: int) -> int | None:
    """How old the installed package of calendars is; None where its files do not tell."""
    try:
        files = metadata.files(PACKAGE) or ()
        record = next(file for file in files if file.name in ("RECORD", "INSTALLER"))
        return max(0, now - Path(str(record.locate())).stat().st_mtime_ns) // DAY_NS
    except (metadata.PackageNotFoundError, StopIteration, OSError):
        return None


def _gateway(looked: Looked) -> tuple[str, str]:
    feed = None if looked.config is None else looked.config.feed
    if not isinstance(feed, IbFeedConfig):
        return NOT_THERE, "no gateway in this config"
    place = f"{feed.host}:{feed.port}"
    try:
        with socket.create_connection((feed.host, feed.port), GATEWAY_WITHIN_S):
            return OK, f"something listens at {place}"
    except OSError as error:
        return FAIL, f"{place}: {error.strerror or error}: is it started and logged in?"


def _last(name: str, advice: str) -> Callable[[Looked], tuple[str, str]]:
    """The last result of a one-shot job, which must have passed and not be old."""

    def look(looked: Looked) -> tuple[str, str]:
        result = Checks(looked.state).results()[name]
        if not result.ended:
            missed = name == "drill" and (looked.state / JOURNAL).exists()
            return (FAIL, f"never done: {advice}") if missed else (NOT_THERE, "never run")
        age = max(0, looked.now - result.ended) // DAY_NS
        text = f"{zone_text(result.ended, EXCHANGE_ZONE)[:16]}, {counted(age, 'day')} ago"
        if not result.success:
            return FAIL, f"failed {text}: {advice}"
        again = due(name, result.ended, load_calendar(looked.state))
        late = again is not None and again < looked.now
        return (FAIL, f"{text}: {advice}") if late else (OK, text)

    return look


ROWS: dict[str, Callable[[Looked], tuple[str, str]]] = {
    "daemon": _daemon,
    "data": _data,
    "model": _model,
    "references": _references,
    "disk": _disk,
    "clock": _clock,
    "calendar": _calendar,
    "gateway": _gateway,
    "parity": _last("parity", "`papertape parity` says where they part"),
    "drill": _last("drill", "`papertape drill` tries every brake on a copy"),
}
"""What is looked at, in the order of the table."""
