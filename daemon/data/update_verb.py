"""`papertape data update` as a whole: every symbol, what came of each, and the exit code."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from daemon.core.events import Split
from daemon.core.units import SECOND_NS
from daemon.corporate_actions import read_actions
from daemon.data.folder import DataFolder
from daemon.data.history import History, Wanted
from daemon.data.progress import Progress
from daemon.data.update import Updated, Updater
from daemon.errors import Exit, PapertapeError, StoppedError
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import zone_text
from daemon.observability.checks import write_check
from daemon.text_table import counted

CHECK = "data-update"


def data_update(
    state: Path,
    folder: DataFolder,
    wanted: Wanted,
    make_history: Callable[[Progress], History],
    calendar: Calendar,
    *,
    since: int | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> int:
    """Bring the symbols up to date, one after the other; one that fails stops no other.

    The exit code is that of the first that failed. Written down as `checks/data-update.json`.
    """
    print(f"state   {state}", flush=True)
    with folder.held():
        table = [one for one in read_actions(folder.actions) if isinstance(one, Split)]
        try:
            results = asyncio.run(
                _update_all(folder, wanted, make_history, calendar, table, clock(), since)
            )
        except KeyboardInterrupt:
            raise StoppedError(
                "interrupted: what came so far is kept, the next update goes on from there"
            ) from None
    failed = [result for result in results if isinstance(result, PapertapeError)]
    for error in failed:
        for line in error.lines:
            print(f"papertape: {line}", file=sys.stderr)
    write_check(
        state, CHECK, clock() // SECOND_NS * SECOND_NS, success=not failed,
        symbols=list(wanted.symbols), size=wanted.size,
        problems=[line for error in failed for line in error.lines],
    )  # fmt: skip
    return failed[0].code if failed else Exit.OK


async def _update_all(
    folder: DataFolder,
    wanted: Wanted,
    make_history: Callable[[Progress], History],
    calendar: Calendar,
    table: Sequence[Split],
    now: int,
    since: int | None,
) -> list[Updated | PapertapeError]:
    progress, results = Progress(), list[Any]()
    history = make_history(progress)
    updater = Updater(folder, wanted, history, calendar, table, progress)
    try:
        for symbol in wanted.symbols:
            try:
                updated = await updater.update(symbol, now, since)
            except PapertapeError as error:
                results.append(error)
                continue
            finally:
                progress.clear()
            results.append(updated)
            print(_line(updated, wanted, calendar), flush=True)
    finally:
        await history.close()
    return results


def _line(updated: Updated, wanted: Wanted, calendar: Calendar) -> str:
    symbol, merged, strange, last, missing = updated
    what = counted(merged.added, "new bar")
    if merged.differing:
        what += f", {merged.differing:,} revised (`papertape data diff {symbol}`)"
    if strange:
        what += f", {strange:,} left out: no bar is expected there, or it cannot be true"
    if missing:
        what += f", {missing:,} still missing (--since DATE asks for them again)"
    until = "; still none"
    if last:
        until = f"; the last begins {zone_text(last, calendar.zone)} exchange time"
    return f"{symbol} {wanted.size}: {what}{until}"
