"""The digest and the CSVs of a run directory must say what its journal says."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from daemon.core.outputs import Denial, Fill, Output, StateChanged, TradeClosed
from daemon.core.turn import Turn
from daemon.feeds.times import iso_z
from daemon.journal.codec import Digest, encode_outputs
from replay.run_files import denial_row, fill_row, state_row, trade_row, usd
from replay.runs.reader import RunDirectory


def digest_of(turns: Sequence[Turn], ends: array[Any], equity: array[Any]) -> str:
    """The digest of turns that had outputs or were commands, and of the columns."""
    digest = Digest()
    for turn in turns:
        digest.add(encode_outputs(turn.outputs))
    return digest.hexdigest(ends, equity)


def differing_files(
    run: RunDirectory,
    turns: Sequence[Turn],
    ends: array[Any],
    equity: array[Any],
    digest: str,
) -> Iterator[str]:
    """The first difference of each file to these turns; `ends`, `equity` are equity.csv's rows."""
    if digest != run.digest:
        yield f"digest: manifest.json says {run.digest[:12]}, played again {digest[:12]}"
    outputs: list[Output] = [output for turn in turns for output in turn.outputs]
    fills = [fill_row(one) for one in outputs if isinstance(one, Fill)]
    yield from _csv(run.path / "fills.csv", fills)
    trades = [trade_row(one, is_open=False) for one in outputs if isinstance(one, TradeClosed)]
    yield from _csv(run.path / "trades.csv", trades, kept=lambda row: row[-1] != "true")
    denials = [denial_row(one) for one in outputs if isinstance(one, Denial)]
    yield from _csv(run.path / "denials.csv", denials)
    states = [state_row(one) for one in outputs if isinstance(one, StateChanged)]
    yield from _csv(run.path / "state_changes.csv", states)
    marks = [(iso_z(end), usd(value)) for end, value in zip(ends, equity, strict=True)]
    yield from _csv(run.path / "equity.csv", marks, columns=2)


def _csv(
    path: Path,
    rows: Sequence[Iterable[object]],
    *,
    kept: Callable[[list[str]], bool] = bool,
    columns: int | None = None,
) -> Iterator[str]:
    """The first line of a file, of its rows that are `kept`, that is not as it should be."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows_found = list(csv.reader(file))[1:]
    except OSError as error:
        yield f"{path.name}: cannot be read ({error.strerror})"
        return
    found = [(line, row) for line, row in enumerate(rows_found, start=2) if kept(row)]
    for (line, whole), now in zip(found, rows, strict=False):
        was, ours = whole[:columns], [str(value) for value in now]
        if was != ours:
            yield f"{path.name} line {line}: says {','.join(was)}, the journal {','.join(ours)}"
            return
    if len(found) != len(rows):
        yield f"{path.name}: has {len(found)} rows, the journal {len(rows)}"
