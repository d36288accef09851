"""What a tape's options may be, and which files they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import RefusedError
from daemon.feeds.expected import BAR_SIZES_NS, GRIDS
from replay.tapes.model import TapeSpec

SIZE_WORDS = {"1h": "hourly", "30m": "30min", "15m": "15min", "5m": "5min", "1m": "minute"}
ADJUSTMENTS = ("raw", "splits", "splits_dividends")


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and the symbols that are to come from it."""

    path: Path
    symbols: tuple[str, ...]


def find_sources(
    spec: TapeSpec, symbols: Sequence[str], size: str, data: Path
) -> tuple[Source, ...]:
    """The files of a tape: `spec.path`, one a symbol where it holds `{symbol}`.

    Without a path: papertape's own files, `data/processed/SYMBOL_hourly.csv` in lower case.
    """
    template = str(spec.path or data / "processed" / ("{symbol}_" + SIZE_WORDS[size] + ".csv"))
    if "{symbol}" not in template:
        return (Source(Path(template), tuple(symbols)),)
    sources = []
    for symbol in symbols:
        exact = Path(template.replace("{symbol}", symbol))
        lower = Path(template.replace("{symbol}", symbol.lower()))
        sources.append(Source(exact if exact.exists() else lower, (symbol,)))
    return tuple(sources)


def check_options(spec: TapeSpec, symbols: Sequence[str], size: str, grid: str) -> None:
    """`RefusedError` for an option that names nothing."""
    choices = (
        ("bars.size", size, tuple(BAR_SIZES_NS)),
        ("bars.grid", grid, GRIDS),
        ("tape.stamps", spec.stamps, ("start", "end")),
        ("tape.adjustment", spec.adjustment, ADJUSTMENTS),
        ("tape.on_bad_bar", spec.on_bad_bar, ("quarantine", "refuse")),
    )
    for key, value, allowed in choices:
        if value not in allowed:
            raise RefusedError(f"{key}: {value!r} is none of {', '.join(allowed)}")
    if not symbols or len(set(symbols)) != len(symbols):
        raise RefusedError(f"symbols: {list(symbols)} must be at least one, each once")
