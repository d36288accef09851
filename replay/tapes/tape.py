"""Recorded bars, ready to be played: CSV, zipped CSV or Parquet → columns on the calendar's slots.

The first opening reads, checks and caches; every later one maps the cached columns. Both give the
same tape, findings included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from daemon.feeds.calendar import Calendar
from replay.tapes import cache
from replay.tapes.model import Columns, Facts, GapColumns, Tape, TapeSpec
from replay.tapes.neighbours import Corrections, check_about, find_corrections
from replay.tapes.options import Source, check_options, find_sources


def open_tape(
    tape: TapeSpec,
    symbols: Sequence[str],
    size: str,
    grid: str,
    calendar: Calendar,
    state: Path,
    *,
    use_cache: bool = True,
    since: int | None = None,
) -> Tape:
    """The bars of `symbols`, of `size` (1h …) on `grid` (session or clock).

    A relative `tape.path` is relative to the current folder; without one, papertape's own files
    under `state/data/processed` are meant. `RefusedError`, one line with file and line number,
    for a source that cannot be read or is not what the options say; what is wrong with single
    bars is in the tape's `faults` (with `on_bad_bar: refuse` the first structural one is an error).
    With `since` (ns) older bars are left out and looked at by no check; nothing is cached then.
    """
    check_options(tape, symbols, size, grid)
    sources = find_sources(tape, symbols, size, state / "data")
    check_about(sources, tape, grid)
    corrections = find_corrections(sources, size)
    hashes = [cache.file_sha256(source.path, state) for source in sources]
    if corrections:
        hashes.append(cache.entry_key(_plain(corrections)))
    sha256 = hashes[0] if len(hashes) == 1 else _hash_of(hashes)
    key = cache.entry_key(_what_decides(tape, sources, hashes, size, grid, calendar))
    use_cache = use_cache and since is None
    found = cache.fetch(state, key) if use_cache else None
    from_cache = found is not None
    if found is None:
        from replay.tapes.load import load  # a warm start needs none of what reads a source

        loaded = load(sources, tape, size, grid, calendar, sha256, corrections, since)
        if use_cache and cache.store(state, key, loaded):
            found = cache.fetch(state, key)
        found = found or cache.in_memory(loaded)
    return _tape(*found, from_cache=from_cache)


def _what_decides(
    tape: TapeSpec,
    sources: Sequence[Source],
    hashes: Sequence[str],
    size: str,
    grid: str,
    calendar: Calendar,
) -> list[object]:
    """Everything the loaded tape depends on; names of files too, since messages hold them."""
    files: list[object] = [[source.path.name, source.symbols] for source in sources]
    columns = sorted((tape.columns or {}).items())
    options = [tape.dialect, tape.timezone, tape.stamps, tape.adjustment, tape.on_bad_bar]
    return [files, list(hashes), columns, options, size, grid, calendar.name, calendar.hash]


def _plain(corrections: Corrections) -> list[object]:
    return [[symbol, [list(one) for one in rows.values()]] for symbol, rows in corrections.items()]


def _hash_of(hashes: Sequence[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _tape(facts: Facts, views: cache.Views, *, from_cache: bool) -> Tape:
    return Tape(
        columns={
            symbol: Columns(
                symbol,
                named["start"],
                named["end"],
                named["open"],
                named["high"],
                named["low"],
                named["close"],
                named["volume"],
            )
            for symbol, named in views.items()
        },
        gap_columns={
            symbol: GapColumns(
                named["gap_start"], named["gap_end"], named["gap_session"], named["gap_kind"]
            )
            for symbol, named in views.items()
        },
        has_volume=facts.has_volume,
        adjustment=facts.adjustment,
        sha256=facts.sha256,
        understood=facts.understood,
        faults=facts.faults,
        fault_counts=facts.fault_counts,
        coverage=facts.coverage,
        unexpected=facts.unexpected,
        costs_distorted=facts.costs_distorted,
        suspected_factor=facts.suspected_factor,
        from_cache=from_cache,
    )
