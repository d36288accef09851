"""A turn: one input and all that came of it; the unit that is journaled and compared."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from daemon.core.events import Input, MarketSlice
from daemon.core.outputs import Output


class Turn(Struct, frozen=True, gc=False):
    """Turn number `seq` at event time `instant`; `outputs` in the order they came about."""

    seq: int
    instant: int
    input: Input
    outputs: tuple[Output, ...]


def instant_of(item: Any) -> int:
    """The event time of an input: a slice happens at its end."""
    return item.end if isinstance(item, MarketSlice) else int(item.instant)
