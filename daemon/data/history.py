"""Where bars of the past come from: a gateway, or files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from daemon.core.events import Bar
from daemon.errors import BusyError

if TYPE_CHECKING:
    from daemon.config import Config


class HistoryAwayError(BusyError):
    """The source does not answer now; what was asked for may be had later."""


class Fetched(NamedTuple):
    """The bars of an answer, and how many more it held that cannot be true."""

    bars: Sequence[Bar]
    untrue: int = 0


class History(Protocol):
    """A source of completed bars.

    `name` stands beside each bar that is seen there first. `adjustment` is raw, splits (all that
    took effect until today) or splits_dividends.
    """

    @property
    def name(self) -> str: ...

    @property
    def adjustment(self) -> str: ...

    def days_at_once(self, size: str) -> int:
        """How many days are asked for together: as many as come in one answer."""

    async def fetch(self, symbol: str, size: str, start: int, end: int) -> Fetched:
        """The bars that start at `start` or later and end at `end` or before (UTC ns), in order.

        It waits as the source's pace demands. HistoryAwayError where the source does not answer,
        RefusedError where it never will (an unknown symbol, no permission).
        """

    async def close(self) -> None:
        """Let go of the source."""


class Wanted(NamedTuple):
    """What a caller wants kept up to date, and how it is cut and adjusted."""

    symbols: tuple[str, ...]
    size: str
    grid: str
    adjustment: str

    @classmethod
    def by(cls, config: Config) -> Wanted:
        """What a config trades."""
        adjustment = "splits" if config.tape is None else config.tape.adjustment
        return cls(tuple(config.symbols), config.bars.size, config.bars.grid, adjustment)
