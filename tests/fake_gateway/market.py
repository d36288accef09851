"""A scripted market: what the gateway knows of each symbol, and what it shows at an instant.

The table of a symbol holds small bars as they will be when they are over. What a client is shown
follows from virtual time: a bar that runs is shown as far as it has come, a bar that is over is
shown whole once it is published, and bars of a larger size are put together from these.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from tests.fake_gateway.clock import SECOND_NS, instant_ns
from tests.fake_gateway.requests import ContractQuery
from tests.fake_gateway.sessions import SIZES_NS, Hours, edge_before


class MarketBar(Struct, frozen=True):
    """Prices in dollars, volume in shares, from start (included) to end (excluded)."""

    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int = 1


class Revision(Struct, frozen=True):
    """From `at_ns` on a bar is shown with these values."""

    at_ns: int
    bar: MarketBar


class Split(Struct, frozen=True):
    """From `at_ns` on older bars are shown in new shares: prices divided by the ratio."""

    at_ns: int
    ratio: float


@dataclass
class Instrument:
    """A stock: its contract, its hours, and its table of bars in order of start.

    `lag_s` is how long after its end the history service knows a bar whole; until then it shows
    what it knew `lag_s` ago. `grid` is where bars begin (see sessions.edge_before).
    """

    symbol: str
    con_id: int
    hours: Hours = field(default_factory=Hours)
    lag_s: float = 1.0
    grid: str = "clock"
    exchange: str = "SMART"
    primary_exchange: str = "NASDAQ"
    currency: str = "USD"
    sec_type: str = "STK"
    trading_class: str = "NMS"
    name: str = ""
    bars: list[MarketBar] = field(default_factory=list)
    late_ns: dict[int, int] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    revisions: dict[int, list[Revision]] = field(default_factory=dict)
    splits: list[Split] = field(default_factory=list)

    # --- scripting ------------------------------------------------------------------------------

    def add(self, bars: Iterable[MarketBar]) -> None:
        """Add bars to the table; they may come in any order, a start may come once."""
        self.bars = sorted([*self.bars, *bars], key=lambda bar: bar.start_ns)
        pairs = zip(self.bars, self.bars[1:], strict=False)
        assert all(one.end_ns <= two.start_ns for one, two in pairs), "bars of the table overlap"

    def miss(self, start: str | int) -> None:
        """Never show the bar that starts at an instant."""
        self.missing.add(self.bar_at(start).start_ns)

    def delay(self, start: str | int, by_s: float) -> None:
        """Show the bar that starts at an instant only `by_s` after its end, not even in part."""
        bar = self.bar_at(start)
        self.late_ns[bar.start_ns] = bar.end_ns + round(by_s * SECOND_NS)

    def revise(self, start: str | int, at: str | int, **values: float) -> None:
        """Show other values (close=..., volume=...) of a bar from an instant on."""
        bar = self.bar_at(start)
        revision = Revision(instant_ns(at), replace(bar, **values))
        known = self.revisions.setdefault(bar.start_ns, [])
        known.append(revision)
        known.sort(key=lambda one: one.at_ns)

    def split(self, at: str | int, ratio: float) -> None:
        """Show bars from before an instant in new shares once it has come."""
        self.splits.append(Split(instant_ns(at), ratio))

    def has(self, bar_size: str) -> bool:
        """Whether bars of a size can be put together from the table."""
        return all(bar.end_ns - bar.start_ns <= SIZES_NS[bar_size] for bar in self.bars[:1])

    def bar_at(self, start: str | int) -> MarketBar:
        """Return the table's bar that starts at an instant."""
        start_ns = instant_ns(start)
        place = bisect_left(self.bars, start_ns, key=lambda bar: bar.start_ns)
        found = self.bars[place] if place < len(self.bars) else None
        assert found is not None, f"{self.symbol} has no bar that starts at {start}"
        assert found.start_ns == start_ns, f"{self.symbol} has no bar that starts at {start}"
        return found

    # --- what is shown --------------------------------------------------------------------------

    def shown(
        self, bar_size: str, start_ns: int, end_ns: int, now_ns: int, *, regular: bool
    ) -> list[MarketBar]:
        """Return the bars of a size that start in [start, end), as known now, cut at `end`."""
        size_ns = SIZES_NS[bar_size]
        groups: dict[tuple[int, int], MarketBar] = {}
        for piece in self._pieces(start_ns - size_ns, end_ns, now_ns):
            day = self.hours.day_of(piece.start_ns)
            session = self.hours.session(day, regular=regular)
            if session is None or not session[0] <= piece.start_ns < session[1]:
                continue
            edge = edge_before(piece.start_ns, size_ns, session, self.hours.zone, self.grid)
            if edge[0] < start_ns:
                continue
            groups[edge] = _joined(groups.get(edge), piece, edge)
        return list(groups.values())

    def forming(self, bar_size: str, now_ns: int, *, regular: bool) -> MarketBar | None:
        """Return the bar of a size that runs now, without lag, as a live stream sees it."""
        session = self.hours.session(self.hours.day_of(now_ns), regular=regular)
        if session is None or not session[0] < now_ns <= session[1]:
            return None
        size_ns = SIZES_NS[bar_size]
        start_ns, end_ns = edge_before(now_ns - 1, size_ns, session, self.hours.zone, self.grid)
        live_ns = now_ns + round(self.lag_s * SECOND_NS)
        pieces = self.shown(bar_size, start_ns, end_ns, live_ns, regular=regular)
        return pieces[-1] if pieces else None

    def running(self, now_ns: int, *, regular: bool) -> MarketBar | None:
        """Return the table's own bar that runs now, without lag."""
        session = self.hours.session(self.hours.day_of(now_ns), regular=regular)
        if session is None or not session[0] < now_ns <= session[1]:
            return None
        live_ns = now_ns + round(self.lag_s * SECOND_NS)
        pieces = list(self._pieces(now_ns, now_ns, live_ns))
        return pieces[-1] if pieces else None

    def _pieces(self, start_ns: int, end_ns: int, now_ns: int) -> Iterator[MarketBar]:
        lag_ns = round(self.lag_s * SECOND_NS)
        known_ns = min(now_ns - lag_ns, end_ns)
        first = bisect_left(self.bars, start_ns, key=lambda bar: bar.end_ns)
        for bar in self.bars[first:]:
            if bar.start_ns >= known_ns:
                return
            if bar.start_ns in self.missing:
                continue
            if now_ns < self.late_ns.get(bar.start_ns, 0):
                continue
            if bar.end_ns <= known_ns:
                yield self._adjusted(self._revised(bar, now_ns), now_ns)
            else:
                part = partial(bar, (known_ns - bar.start_ns) / (bar.end_ns - bar.start_ns))
                yield self._adjusted(part, now_ns)

    def _revised(self, bar: MarketBar, now_ns: int) -> MarketBar:
        for revision in self.revisions.get(bar.start_ns, ()):
            if revision.at_ns <= now_ns:
                bar = revision.bar
        return bar

    def _adjusted(self, bar: MarketBar, now_ns: int) -> MarketBar:
        for split in self.splits:
            if bar.start_ns < split.at_ns <= now_ns:
                bar = replace(
                    bar,
                    open=round(bar.open / split.ratio, 4),
                    high=round(bar.high / split.ratio, 4),
                    low=round(bar.low / split.ratio, 4),
                    close=round(bar.close / split.ratio, 4),
                    volume=bar.volume * split.ratio,
                )
        return bar


def partial(bar: MarketBar, fraction: float) -> MarketBar:
    """Return a bar as far as it has come: right after its start it is one trade at its open.

    The price walks straight from the open over the low and the high to the close.
    """
    path = (bar.open, bar.low, bar.high, bar.close)
    place = min(max(fraction, 0.0), 1.0) * (len(path) - 1)
    whole = int(place)
    seen = [*path[: whole + 1]]
    if whole < len(path) - 1:
        seen.append(round(path[whole] + (path[whole + 1] - path[whole]) * (place - whole), 2))
    return replace(
        bar,
        high=max(seen),
        low=min(seen),
        close=seen[-1],
        volume=max(1.0, float(int(bar.volume * fraction))),
        count=max(1, int(bar.count * fraction)),
    )


def _joined(sum_: MarketBar | None, piece: MarketBar, edge: tuple[int, int]) -> MarketBar:
    if sum_ is None:
        return replace(piece, start_ns=edge[0], end_ns=edge[1])
    return replace(
        sum_,
        high=max(sum_.high, piece.high),
        low=min(sum_.low, piece.low),
        close=piece.close,
        volume=sum_.volume + piece.volume,
        count=sum_.count + piece.count,
    )


@dataclass
class Market:
    """All symbols of a gateway."""

    instruments: list[Instrument] = field(default_factory=list)

    def add(self, symbol: str, con_id: int | None = None, **more: object) -> Instrument:
        """Make a symbol known; `more` are fields of Instrument."""
        number = con_id if con_id is not None else 4_815_747 + 1_000 * len(self.instruments)
        instrument = Instrument(symbol, number, **more)  # type: ignore[arg-type]  # a builder
        self.instruments.append(instrument)
        return instrument

    def __getitem__(self, symbol: str) -> Instrument:
        return next(one for one in self.instruments if one.symbol == symbol)

    def matching(self, query: ContractQuery) -> list[Instrument]:
        """Return what a contract may mean: none is an error 200, several too."""
        return [one for one in self.instruments if _matches(one, query)]


def _matches(instrument: Instrument, query: ContractQuery) -> bool:
    if query.con_id:
        return query.con_id == instrument.con_id
    exchanges = ("", instrument.exchange, instrument.primary_exchange)
    return (
        query.symbol == instrument.symbol
        and query.sec_type in ("", instrument.sec_type)
        and query.exchange in exchanges
        and query.primary_exchange in ("", instrument.primary_exchange)
        and query.currency in ("", instrument.currency)
    )


def bars_from(
    rows: Iterable[tuple[str | int, float, float, float, float, float]], bar_size: str
) -> list[MarketBar]:
    """Make bars of (start, open, high, low, close, volume); each lasts as long as the size."""
    size_ns = SIZES_NS[bar_size]
    bars = []
    for start, open_, high, low, close, volume in rows:
        start_ns = instant_ns(start)
        bars.append(
            MarketBar(start_ns, start_ns + size_ns, open_, high, low, close, volume, count=10)
        )
    return bars


def session_starts(hours: Hours, first: str, days: int, bar_size: str) -> Iterator[int]:
    """Yield the starts of all bars of `days` calendar days from a date on, regular hours."""
    day = hours.day_of(instant_ns(f"{first}T12:00 {hours.zone}"))
    for offset in range(days):
        session = hours.session(day + timedelta(days=offset), regular=True)
        if session is not None:
            yield from range(session[0], session[1], SIZES_NS[bar_size])
