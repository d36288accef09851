"""A process that commits turns and says so: `python -m tests.committing STATE LAST [OPTION]...`.

It prints one line for each thing that happened: `acked N`, `full N` (the same turn is tried again
once a line comes on its stdin), `broken`. With `--unclosed` it ends without closing the journal,
with `--hanging` the disk then seems to hang, with `--uvloop` it runs on that loop.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from threading import Event

from daemon.journal.store import JournalBrokenError, JournalFullError, LiveJournal
from tests.live_journals import GAP, MANIFEST, OPENING, WALL, turn


def say(text: str) -> None:
    """A line at once."""
    print(text, flush=True)


async def commit_all(state: Path, last: int, *, closes: bool, hangs: bool = False) -> None:
    """Commit what is missing up to turn `last`."""
    journal = await LiveJournal.open(state / "journal.db", busy_timeout_ms=50)
    try:
        if not journal.segment:
            await journal.open_segment(1, "start", MANIFEST, OPENING)
        say("open")
        while journal.last_seq < last:
            seq = journal.last_seq + 1
            try:
                await journal.commit(turn(seq), [GAP], WALL + seq)
            except JournalFullError:
                say(f"full {seq}")
                assert await asyncio.to_thread(sys.stdin.readline)
            else:
                say(f"acked {seq}")
    except JournalBrokenError as error:
        say(f"broken {error}")
    if hangs:
        await journal._connection.create_function("hang", 0, Event().wait)
        hanging = asyncio.create_task(journal._connection.execute_fetchall("SELECT hang()"))
        await asyncio.sleep(0)
        assert not hanging.done()
    if closes:
        await journal.close()
        say("closed")


def main(state: str, last: str, *options: str) -> None:
    """Run the process."""
    closes, hangs = "--unclosed" not in options, "--hanging" in options
    committing = commit_all(Path(state), int(last), closes=closes, hangs=hangs)
    if "--uvloop" in options:
        import uvloop

        uvloop.run(committing)
    else:
        asyncio.run(committing)


if __name__ == "__main__":
    main(*sys.argv[1:])
