"""What a drill runs on: a copy of the journal, its config, and quiet bars behind the last one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.config import Config, load_resolved
from daemon.control.down import rerun_last
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.expected import BAR_SIZES_NS, each_expected_session
from daemon.feeds.times import DAY_NS, iso_z
from daemon.journal.backup import backup, restore
from daemon.journal.reader import JournalReader
from daemon.live.recovery import Rerun

SESSIONS = 60
DAY_S = 0.5
"""So long a day of the drill's tape takes, in seconds."""
VOLUME = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Copied:
    """Where the copy is."""

    state: Path
    config: Path


def copy_state(state: Path, folder: Path) -> Copied:
    """Copy journal, config and calendar into `folder` and write the tape.

    RefusedError where there is nothing to copy or the journal does not come out as recorded.
    """
    copy = folder / "state"
    copy.mkdir()
    backup(state, folder / "backup.db")
    restore(folder / "backup.db", copy)
    for name in ("calendar", "calendar.yaml", "data/corporate_actions.csv"):
        if (state / name).exists():
            (copy / name).parent.mkdir(exist_ok=True)
            (copy / name).symlink_to((state / name).absolute())
    reader = JournalReader(copy / "journal.db")
    try:
        again = rerun_last(reader, copy)
    finally:
        reader.close()
    calendar = load_calendar(copy, again.setup.config.bars.calendar)
    _write_tapes(again, calendar, folder)
    return Copied(copy, _write_config(again, state, folder))


def _write_tapes(again: Rerun, calendar: Calendar, folder: Path) -> None:
    """Each symbol at its last close, from the session after the last one that was seen."""
    config = again.setup.config
    last = again.account.venue.book.last
    if last is None:
        raise RefusedError("the account has not seen a bar yet: nothing to drill on")
    first = calendar.next_session(last.session.date).date
    until = calendar.last_date
    sessions = each_expected_session(
        calendar, first, until, BAR_SIZES_NS[config.bars.size], config.bars.grid
    )
    starts = [start for _, session in zip(range(SESSIONS), sessions, strict=False)
              for start in session.starts]  # fmt: skip
    for symbol in config.symbols:
        close = again.account.portfolio.positions[symbol].close or 100.0
        rows = _rows(starts, close)
        (folder / f"drill_{symbol}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _rows(starts: list[int], close: float) -> Iterator[str]:
    yield "timestamp,open,high,low,close,volume"
    for start in starts:
        yield f"{iso_z(start)},{close},{close},{close},{close},{VOLUME}"


def _write_config(again: Rerun, state: Path, folder: Path) -> Path:
    """The account's config, on the drill's tape; its own strategies are found beside it."""
    config = again.setup.config
    resolved = config.resolved()
    adjustment = again.setup.adjustment
    resolved["tape"] = {"path": "drill_{symbol}.csv", "adjustment": adjustment}
    resolved["feed"] = {"kind": "tape", "pace": DAY_NS / 1e9 / DAY_S}
    resolved["observability"] = {"metrics": None, "log": "json"}
    resolved["notify"] = {}
    resolved["paths"] = {
        "data": str(config.data_dir(state)), "models": str(config.models_dir(state))
    }  # fmt: skip
    if config.model is not None and config.model.kind == "recorded":
        resolved["model"]["path"] = str(config.predictions_path(state))
    strategies = config.base / "strategies"
    if strategies.is_dir():
        (folder / "strategies").symlink_to(strategies)
    path = folder / "drill.yaml"
    path.write_text(_yaml(resolved, folder), encoding="utf-8")
    return path


def _yaml(resolved: dict[str, object], folder: Path) -> str:
    checked: Config = load_resolved(resolved, folder / "drill.yaml", folder)
    return checked.to_yaml()
