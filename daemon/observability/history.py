"""The last bars, fills and events of an account, kept in memory for the status page.

Rows are immutable and belong to the event loop, which hands out tuples of them; so the thread
that serves a page never looks at anything that changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from daemon.core.events import Bar, MarketSlice
from daemon.core.outputs import Fill, StateChanged
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_USD, SECOND_NS
from daemon.journal.ledger import LedgerRow
from daemon.observability.happenings import Happening, happenings

SLICES_MAX = 2_000
"""A year of hourly bars, or five days of minute bars."""
HAPPENINGS_MAX = 60
REPEATS_LOOKED_AT = 8
"""So far back is an event looked for that says the same as a new one."""

Prices = tuple[float, float, float, float]


class FillMark(Struct, frozen=True, gc=False):
    """A fill as a mark in a chart; `at` is the start of its bar (seconds since 1970)."""

    symbol: str
    side: str
    quantity: int
    price: float
    at: int
    reason: str


class SliceRow(Struct, frozen=True, gc=False):
    """One instant of the chart, numbered from the first that was kept.

    `end` is in seconds since 1970, `equity` in dollars (None in warm-up); `bars` are open, high,
    low and close by symbol; `state` is the trading state after it.
    """

    number: int
    end: int
    equity: float | None
    state: str
    bars: dict[str, Prices]
    missing: tuple[str, ...] = ()
    fills: tuple[FillMark, ...] = ()


class Kept(Struct, frozen=True, gc=False):
    """The history at one moment; `revision` counts changes of rows that had been told before."""

    rows: tuple[SliceRow, ...] = ()
    happened: tuple[Happening, ...] = ()
    revision: int = 0


class History:
    """See the module; every method is called from the event loop. `clean` conceals secrets."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._rows: deque[SliceRow] = deque(maxlen=SLICES_MAX)
        self._happened: deque[Happening] = deque(maxlen=HAPPENINGS_MAX)
        self._revision = 0
        self._kept: Kept | None = Kept()

    def turn(self, turn: Turn, state: str, facts: Iterable[LedgerRow] = ()) -> None:
        """Remember what a closed turn has to show; `state` is the trading state after it."""
        item = turn.input
        if isinstance(item, MarketSlice):
            self._slice(item, turn, state)
        for happened in happenings(turn, facts):
            self._happen(replace(happened, text=self._clean(happened.text)))
        self._kept = None

    def recover(self, lived: Iterable[tuple[Turn, Sequence[LedgerRow]]], state: str) -> None:
        """Remember recorded turns; `state` is the one after the last of them."""
        turns = list(lived)
        now = next(
            (
                output.previous
                for turn, _ in turns
                for output in turn.outputs
                if isinstance(output, StateChanged)
            ),
            state,
        )
        for turn, facts in turns:
            for output in turn.outputs:
                if isinstance(output, StateChanged):
                    now = output.state
            self.turn(turn, now, facts)

    def kept(self) -> Kept:
        """Everything that is remembered, to hand out."""
        if self._kept is None:
            self._kept = Kept(tuple(self._rows), tuple(self._happened), self._revision)
        return self._kept

    def _slice(self, market: MarketSlice, turn: Turn, state: str) -> None:
        fills = tuple(self._mark(output) for output in turn.outputs if isinstance(output, Fill))
        bars = {bar.symbol: _prices(bar) for bar in market.bars}
        equity = None if turn.equity is None else turn.equity / MICROS_PER_USD
        end = market.end // SECOND_NS
        last = self._rows[-1] if self._rows else None
        if last is None or end > last.end:
            number = 0 if last is None else last.number + 1
            self._rows.append(SliceRow(number, end, equity, state, bars, market.missing, fills))
            return
        # A bar that came after its instant was closed: it joins that row, and what the account is
        # worth by it shows in the last one.
        self._revision += 1
        self._rows[-1] = replace(last, equity=equity, state=state)
        behind = next((n for n, row in enumerate(reversed(self._rows)) if row.end == end), None)
        if behind is None:
            return
        place = len(self._rows) - 1 - behind
        row = self._rows[place]
        self._rows[place] = replace(
            row,
            bars=row.bars | bars,
            missing=tuple(symbol for symbol in row.missing if symbol not in bars),
            fills=row.fills + fills,
        )

    def _happen(self, happened: Happening) -> None:
        """Keep an event; one that says what a late one said takes its place and counts it."""
        for back, known in enumerate(islice(reversed(self._happened), REPEATS_LOOKED_AT)):
            if (known.kind, known.key) == (happened.kind, happened.key) and happened.key:
                del self._happened[len(self._happened) - 1 - back]
                happened = replace(happened, times=known.times + 1)
                break
        self._happened.append(happened)

    def _mark(self, fill: Fill) -> FillMark:
        return FillMark(
            fill.symbol,
            fill.side.value,
            fill.quantity,
            fill.price_e4 / E4_PER_USD,
            fill.effective // SECOND_NS,
            self._clean(fill.reason),
        )


def _prices(bar: Bar) -> Prices:
    return bar.open, bar.high, bar.low, bar.close
