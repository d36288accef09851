"""`papertape verify` of the report of a daemon's journal: the copy in it, and its files."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.journal.reader import JournalReader
from daemon.live.segments import changed_keys
from replay.journal_check import check_segments
from replay.live_record import read_live_run
from replay.live_report import live_inputs, segment_rows
from replay.runs.reader import RunDirectory
from replay.verify_files import differing_files


def check_report(run: RunDirectory, reader: JournalReader) -> Iterator[str]:
    """What is not as it was recorded, one line each; the storage has been looked at."""
    for check in check_segments(reader, run.path):
        yield from check.findings
    live = read_live_run(reader, run.path)
    for key, was, now in changed_keys(dict(live.source.config), run.config):
        yield f"config: {key} was {was!r}, config.yaml says {now!r}"
    if run.manifest["inputs"] != live_inputs(live):
        yield "manifest.json: its inputs are not those of the journal"
    if run.manifest.get("segments") != segment_rows(live):
        yield "manifest.json: its segments are not those of the journal"
    yield from differing_files(run, live.turns, live.source.ends, live.source.equity, live.digest)
