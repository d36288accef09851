"""What must hold of a live feed whatever the gateway does; each breach is told in words."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import timedelta

from daemon.core.events import Bar, Input, MarketSlice, Outcome, Tick
from daemon.feeds.expected import BAR_SIZES_NS, bar_edges
from daemon.feeds.ib.history import BarsWanted
from daemon.feeds.times import DAY_NS, iso_z
from daemon.journal.ledger import LedgerRow
from tests.fake_gateway import (
    FakeGateway,
    Instrument,
    Kind,
    Market,
    MarketBar,
    crowded,
    violations,
)

SETTLED_NS = 900 * 10**9
"""A bar that ended so short a time before the end of a run may still be waited for."""
CONNECTIONS_MAX = 6
"""In a minute: pauses of 1, 2, 4, 8, 16 and 32 s, give or take a fifth."""
LOOK_UPS_MAX = 8
"""Of a symbol in a minute: one a connection, and one each time the servers are back."""
HEARTBEATS_MAX = 14
"""In a minute: two a connection's half minute, one at its beginning, one where an answer lacks."""

Inputs = Sequence[tuple[int, Input]]
"""When each input was offered, and the input."""


def broken(
    inputs: Inputs, rows: Sequence[LedgerRow], market: Market, wanted: BarsWanted, until: int
) -> list[str]:
    """Every breach by inputs and ledger of a run that ended at `until`."""
    items = [item for _, item in inputs]
    return [*broken_inputs(items, rows, market, wanted, until), *_broken_times(inputs)]


def broken_inputs(
    items: Sequence[Input],
    rows: Sequence[LedgerRow],
    market: Market,
    wanted: BarsWanted,
    until: int,
) -> list[str]:
    """As `broken`, where nobody knows when the inputs came."""
    slices = [item for item in items if isinstance(item, MarketSlice)]
    return [
        *_broken_order(items),
        *_broken_bars(slices, market, wanted),
        *_broken_ledger(slices, rows),
        *_broken_calendar(slices, market, wanted, until),
    ]


def broken_rules(gateway: FakeGateway) -> list[str]:
    """Every breach of the gateway's rules; that the library cancels at its time-out is its way."""
    complaints = [one for one in gateway.complaints if "cancelled history request" not in one]
    log = gateway.log
    return [
        *complaints,
        *violations(log),
        *crowded(log, Kind.ACCEPT, within_s=60, at_most=CONNECTIONS_MAX),
        *crowded(log, Kind.CURRENT_TIME, within_s=60, at_most=HEARTBEATS_MAX),
        *(
            line
            for instrument in gateway.market.instruments
            for line in crowded(log, Kind.CONTRACT, 60, LOOK_UPS_MAX, instrument.symbol)
        ),
        *(f"an order was sent: {one}" for one in log.orders),
    ]


def true_bars(
    instrument: Instrument, size: str, grid: str = "session", *, revised: bool = False
) -> dict[int, Bar]:
    """What the market's table comes to at the config's edges, by start."""
    table = instrument.bars
    if revised:
        last = {start: known[-1].bar for start, known in instrument.revisions.items()}
        table = [last.get(bar.start_ns, bar) for bar in table]
    slots: dict[tuple[int, int], list[MarketBar]] = {}
    for bar in table:
        session = instrument.hours.session(instrument.hours.day_of(bar.start_ns), regular=True)
        assert session is not None, "a bar outside the sessions"
        starts, ends = bar_edges(*session, BAR_SIZES_NS[size], grid)
        place = bisect_right(starts, bar.start_ns) - 1
        slots.setdefault((starts[place], ends[place]), []).append(bar)
    return {
        start: Bar(
            instrument.symbol, start, end, parts[0].open, max(one.high for one in parts),
            min(one.low for one in parts), parts[-1].close, int(sum(one.volume for one in parts)),
        )
        for (start, end), parts in slots.items()
    }  # fmt: skip


def _broken_order(items: Sequence[Input]) -> list[str]:
    """Event time goes on, but for slices that are said to be late; a symbol never goes back."""
    found = []
    reached, newest = 0, dict[str, int]()
    for item in items:
        if isinstance(item, Tick):
            if item.instant < reached:
                found.append(f"a tick of {iso_z(item.instant)} after {iso_z(reached)}")
            reached = item.instant
        elif isinstance(item, MarketSlice):
            if item.end <= reached and item.outcome is not Outcome.BACKFILLED:
                found.append(f"a slice of {iso_z(item.end)} after {iso_z(reached)}")
            reached = max(reached, item.end)
            for bar in item.bars:
                if bar.start <= newest.get(bar.symbol, -1):
                    found.append(f"{bar.symbol} went back to {iso_z(bar.start)}")
                newest[bar.symbol] = bar.start
    return found


def _broken_times(inputs: Inputs) -> list[str]:
    """No bar is offered before its end, none that decides later than a minute after it."""
    found = []
    for when, item in inputs:
        if isinstance(item, MarketSlice):
            late_s = (when - item.end) / 1e9
            if late_s < 0 or (item.outcome is Outcome.RECEIVED and late_s > 62):
                found.append(f"{item.outcome} of {iso_z(item.end)} came at {iso_z(when)}")
    return found


def _broken_bars(slices: Sequence[MarketSlice], market: Market, wanted: BarsWanted) -> list[str]:
    """Each bar is the whole of what was traded, or of what it was revised to."""
    found = []
    for instrument in market.instruments:
        true = true_bars(instrument, wanted.size, wanted.grid)
        revised = true_bars(instrument, wanted.size, wanted.grid, revised=True)
        for bar in [bar for one in slices for bar in one.bars]:
            if bar.symbol == instrument.symbol:
                allowed = (true.get(bar.start), revised.get(bar.start))
                if bar not in allowed:
                    found.append(f"{bar} is not what was traded: {allowed}")
    return found


def _broken_ledger(slices: Sequence[MarketSlice], rows: Sequence[LedgerRow]) -> list[str]:
    """Whatever is missing is in the ledger."""
    ledgered = {(row.symbol, row.start) for row in rows if row.kind == "gap"}
    return [
        f"{symbol} at {iso_z(one.start)} is missing and nobody knows why"
        for one in slices
        if one.outcome is not Outcome.WARMUP
        for symbol in one.missing
        if (symbol, one.start) not in ledgered
    ]


def _broken_calendar(
    slices: Sequence[MarketSlice], market: Market, wanted: BarsWanted, until: int
) -> list[str]:
    """From the first slice on each expected one came out, once, with every symbol accounted for."""
    came: dict[int, set[str]] = {}
    found = []
    for one in slices:
        symbols = {*(bar.symbol for bar in one.bars), *one.missing}
        if one.start in came and len(one.bars) != 1:
            found.append(f"a second slice of {iso_z(one.end)}")
        came.setdefault(one.start, set()).update(symbols)
    expected = expected_starts(market.instruments[0], wanted, min(came, default=0), until)
    found += [
        f"{iso_z(start)} did not come out for {', '.join(sorted(lacking))}"
        for start in expected
        if (lacking := {*wanted.symbols} - came.get(start, set()))
    ]
    known = {*expected_starts(market.instruments[0], wanted, min(came, default=0), until + DAY_NS)}
    found += [f"{iso_z(start)} is no bar" for start in came if start not in known]
    return found


def expected_starts(
    instrument: Instrument, wanted: BarsWanted, first: int, until: int
) -> list[int]:
    """The starts of the bars from `first` on that must have come by `until`."""
    found: list[int] = []
    day, last = instrument.hours.day_of(first), instrument.hours.day_of(until)
    while day <= last:
        session = instrument.hours.session(day, regular=True)
        if session is not None:
            starts, ends = bar_edges(*session, BAR_SIZES_NS[wanted.size], wanted.grid)
            found += [
                start
                for start, end in zip(starts, ends, strict=True)
                if start >= first and end <= until - SETTLED_NS
            ]
        day += timedelta(days=1)
    return found
