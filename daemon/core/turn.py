"""A turn: one input and all that came of it; the unit that is journaled and compared."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from daemon.core.events import Input, MarketSlice, Prediction
from daemon.core.outputs import Output


class Turn(Struct, frozen=True, gc=False):
    """Turn number `seq` at event time `instant`; `outputs` in the order they came about.

    `predictions` and `gate` are inputs as well: `gate` is the order of the turn, counted from 0,
    before which the kill switch's latch was first seen (None: it was not). `equity` is in
    micro-dollars, after a slice that is not warm-up.
    """

    seq: int
    instant: int
    input: Input
    outputs: tuple[Output, ...]
    predictions: tuple[Prediction, ...] = ()
    gate: int | None = None
    equity: int | None = None


def instant_of(item: Any) -> int:
    """The event time of an input: a slice happens at its end."""
    return item.end if isinstance(item, MarketSlice) else int(item.instant)
