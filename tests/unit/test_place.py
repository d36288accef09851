"""Where a feed stands: its last slice or tick, and what was carried and told until then."""

from __future__ import annotations

from daemon.core.events import Bar, CorporateAction, Dividend, MarketSlice, Split, Tick, TickKind
from daemon.live.recovery import Place, place_after
from tests.harness import sessions

DAYS = sessions(3, 3)
SPLIT = Split("NVDA", 20240103, 10, 1)
CASH = Dividend("NVDA", 20240103, 20240110, 10_000)


def market(day: int, index: int, *actions: CorporateAction, symbols: str = "A") -> MarketSlice:
    session = DAYS[day]
    start, end = session.starts[index], session.ends[index]
    bars = tuple(Bar(symbol, start, end, 1.0, 1.0, 1.0, 1.0, 1) for symbol in symbols)
    return MarketSlice(start, end, bars, (), session.session, index, actions=actions)


def tick(day: int, kind: TickKind = TickKind.OPENS) -> Tick:
    session = DAYS[day].session
    return Tick(session.opens if kind is TickKind.OPENS else session.closes, kind, session)


def test_a_slice_and_a_tick() -> None:
    first = place_after(None, tick(0))
    assert first == Place(DAYS[0].session.opens, 1, (), 0)
    second = place_after(first, market(0, 0, symbols="AB"))
    seen = (("A", 20240102), ("B", 20240102))
    assert second == Place(DAYS[0].ends[0], 0, ("A", "B"), 20240102, seen=seen)
    assert place_after(second, tick(0, TickKind.CLOSES)).session == 20240102


def test_what_a_sessions_slices_have_carried_adds_up_until_the_next_session() -> None:
    place = place_after(None, market(1, 0, SPLIT))
    place = place_after(place, market(1, 1, CASH))
    assert place.actions == (SPLIT, CASH)
    late = place_after(place, market(0, 2))  # of the day before, released
    assert (late.session, late.actions) == (20240103, (SPLIT, CASH))
    opened = place_after(late, tick(2))
    assert (opened.session, opened.actions) == (20240103, (SPLIT, CASH))
    assert place_after(opened, market(2, 0)).actions == ()


def test_the_session_of_each_symbols_last_bar_or_split() -> None:
    place = place_after(place_after(None, market(0, 0, symbols="AB")), market(1, 0, symbols="B"))
    assert place.seen == (("A", 20240102), ("B", 20240103))
    place = place_after(place, market(0, 1, symbols="B"))  # late
    assert place.seen == (("A", 20240102), ("B", 20240103))
    place = place_after(place, market(1, 1, SPLIT, symbols=""))
    assert dict(place.seen) == {"A": 20240102, "B": 20240103, "NVDA": 20240103}


def test_what_was_told_comes_until_a_slice_carries_it() -> None:
    """A tape of adjusted prices carries another amount of the same dividend."""
    place = place_after(None, market(0, 0)).told(SPLIT).told(CASH)
    assert place_after(place, tick(1)).coming == (SPLIT, CASH)
    place = place_after(place, market(1, 0, SPLIT))
    assert place.coming == (CASH,)
    half = Dividend("NVDA", 20240103, 20240110, 5_000)
    assert place_after(place, market(1, 1, half)).coming == ()
