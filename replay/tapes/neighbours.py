"""What the state's own files have beside them: corrections, and what is known about the bars.

Only files in a folder `processed` have such neighbours; a tape from anywhere else is read as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.core.events import Split
from daemon.data.corrections import Correction, adjusted, read_corrections
from daemon.data.files import About, read_about
from daemon.data.folder import BarFile
from daemon.errors import RefusedError
from replay.tapes.model import TapeSpec
from replay.tapes.options import Source

PROCESSED = "processed"
Corrections = Mapping[str, Mapping[int, Correction]]


def about(path: Path, symbol: str = "", size: str = "") -> About | None:
    """What is known about one of the state's own files; None for any other."""
    if path.absolute().parent.name != PROCESSED:
        return None
    return read_about(BarFile(symbol, size, path))


def check_about(sources: Sequence[Source], spec: TapeSpec, grid: str) -> None:
    """RefusedError where the tape is declared to be something else than the file is known to be."""
    for source in sources:
        known = about(source.path)
        if known is None:
            continue
        for key, declared, true in (
            ("tape.adjustment", spec.adjustment, known.adjustment),
            ("bars.grid", grid, known.grid),
        ):
            if declared != true:
                raise RefusedError(
                    f"{source.path}: was imported with {key}: {true}, the config says {declared}"
                )


def find_corrections(sources: Sequence[Source], size: str) -> Corrections:
    """The corrections of each symbol that has any."""
    found: dict[str, Mapping[int, Correction]] = {}
    for source in sources:
        folder = source.path.absolute().parent
        if folder.name != PROCESSED:
            continue
        table = read_corrections(folder.parent / "corrections.csv")
        known = about(source.path)
        for symbol in source.symbols:
            splits = [Split(symbol, *split) for split in known.splits] if known else []
            rows = table.get((symbol.upper(), size), {})
            if rows:
                found[symbol] = {start: adjusted(one, splits) for start, one in rows.items()}
    return found
