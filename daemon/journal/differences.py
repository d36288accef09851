"""What differs between two lists of outputs, in words: as recorded, and as played again."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec.structs import asdict

from daemon.core.outputs import Output
from daemon.core.units import E4_PER_USD, MICROS_PER_USD
from daemon.feeds.times import iso_z

_INSTANTS = frozenset(
    {"instant", "decided", "eligible_from", "effective", "known", "entry", "exit"}
)
_NAMES = ("fill_id", "trade_id", "order_id", "symbol", "limit", "command", "source")
"""The fields that say which one it is, the most telling first."""


def output_difference(recorded: Sequence[Output], again: Sequence[Output]) -> str:
    """The first output in which two turns differ; where both tell of one thing, its fields."""
    for was, now in zip(recorded, again, strict=False):
        if was != now:
            if _name(was) == _name(now):
                return f"{_name(was)}: {_changes(was, now)}"
            return f"recorded {told(was)}; played again {told(now)}"
    left, more = recorded[len(again) :], again[len(recorded) :]
    return f"recorded {_first(left)}; played again {_first(more)}"


def told(output: Output) -> str:
    """One output: what it is, and those of its fields that say something."""
    fields = asdict(output).items()
    said = (_told(key, value) for key, value in fields if value not in (None, "", False))
    return f"{type(output).__name__} ({', '.join(said)})"


def _first(outputs: Sequence[Output]) -> str:
    return told(outputs[0]) if outputs else "nothing"


def _name(output: Output) -> str:
    named = next((key for key in _NAMES if hasattr(output, key)), None)
    which = "" if named is None else f" ({_told(named, getattr(output, named))})"
    return type(output).__name__ + which


def _changes(was: Output, now: Output) -> str:
    old, new = asdict(was), asdict(now)
    return ", ".join(
        f"{_told(key, old[key])}, played again {_value(key, new[key])}"
        for key in old
        if old[key] != new[key]
    )


def _told(key: str, value: object) -> str:
    word = key.removesuffix("_id").removesuffix("_e4").removesuffix("_micros")
    return f"{word.replace('_', ' ')} {_value(key, value)}"


def _value(key: str, value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, int | float) and key.endswith("_e4"):
        return f"{value / E4_PER_USD:.4f}"
    if isinstance(value, int) and key.endswith("_micros"):
        return f"{value / MICROS_PER_USD:.6f}"
    if isinstance(value, int) and key in _INSTANTS:
        return iso_z(value)
    return "none" if value is None else str(value)
