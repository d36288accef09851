"""ReplayFeed: recorded columns as slices, ticks and commands, session by session."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.events import (
    Command,
    CorporateAction,
    Dividend,
    Halt,
    Input,
    MarketSlice,
    Note,
    Outcome,
    Split,
    Tick,
)
from daemon.core.units import HOUR_NS
from daemon.feeds.expected import ExpectedSession
from replay.feed import ReplayFeed, Window
from replay.slices import Part
from tests.harness import opens_ns, sessions

PER_SESSION = 3
DAYS = sessions(3, PER_SESSION)
STARTS = [start for day in DAYS for start in day.starts]
ENDS = [end for day in DAYS for end in day.ends]
WHOLE = Window(STARTS[0], STARTS[0], ENDS[-1])


def columns(present: Sequence[int]) -> Part:
    """Bars at these slots; the close is the slot's number."""
    price = memoryview(array("d", [float(slot) for slot in present]))
    return Part(
        start=memoryview(array("q", [STARTS[slot] for slot in present])),
        end=memoryview(array("q", [ENDS[slot] for slot in present])),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=memoryview(array("q", [100 + slot for slot in present])),
    )


def feed_of(
    present: Mapping[str, Sequence[int]], window: Window = WHOLE, **options: Any
) -> ReplayFeed:
    return ReplayFeed(
        tuple(present), {s: columns(slots) for s, slots in present.items()}, DAYS, window, **options
    )


def drain(feed: ReplayFeed) -> list[list[Input]]:
    async def collect() -> list[list[Input]]:
        return [list(chunk) async for chunk in feed.chunks()]

    return asyncio.run(collect())


def inputs(feed: ReplayFeed) -> list[Input]:
    return [item for chunk in drain(feed) for item in chunk]


def told(items: Sequence[Input]) -> list[str]:
    """Ticks as `opens`/`closes`, slices as slot: bars/missing, commands by name."""
    words = []
    for item in items:
        if isinstance(item, Tick):
            words.append(item.kind.value)
        elif isinstance(item, MarketSlice):
            bars = ",".join(bar.symbol for bar in item.bars)
            missing = "-" + ",".join(item.missing) if item.missing else ""
            words.append(f"{STARTS.index(item.start)}:{bars}{missing}")
        else:
            words.append(type(item).__name__)
    return words


ALL = range(9)


def test_whole_sessions_open_trade_and_close() -> None:
    items = inputs(feed_of({"A": ALL, "B": ALL}))
    assert told(items) == [
        "opens", "0:A,B", "1:A,B", "2:A,B", "closes",
        "opens", "3:A,B", "4:A,B", "5:A,B", "closes",
        "opens", "6:A,B", "7:A,B", "8:A,B", "closes",
    ]  # fmt: skip
    slices = [item for item in items if isinstance(item, MarketSlice)]
    assert [item.index for item in slices] == [0, 1, 2] * 3
    assert [item.remaining for item in slices] == [2, 1, 0] * 3
    assert slices[0].next_start == STARTS[1]
    assert slices[2].next_start == opens_ns(1)
    assert [bar.close for item in slices for bar in item.bars] == [x for s in ALL for x in (s, s)]
    assert [item.bars[0].volume for item in slices] == [100 + slot for slot in ALL]


CASES: list[tuple[str, dict[str, Sequence[int]], str]] = [
    ("a hole inside a session", {"A": [0, 2, 3]}, "opens 0:A 1:-A 2:A closes opens 3:A closes"),
    ("a session without a bar", {"A": [0, 1, 2, 6]},
     "opens 0:A 1:A 2:A closes opens 3:-A 4:-A 5:-A closes opens 6:A closes"),
    ("nothing before the first bar", {"A": [2, 3]},
     "opens 2:A closes opens 3:A closes"),
    ("one of two is missing", {"A": [0, 1, 2], "B": [0, 2]}, "opens 0:A,B 1:A-B 2:A,B closes"),
    ("both are missing", {"A": [0, 2], "B": [0, 2]}, "opens 0:A,B 1:-A,B 2:A,B closes"),
    ("one comes later", {"A": [0, 1, 2], "B": [1, 2]}, "opens 0:A 1:A,B 2:A,B closes"),
    ("one ends earlier", {"A": [0, 1, 2], "B": [0]}, "opens 0:A,B 1:A 2:A closes"),
    ("one has no bar at all", {"A": [0], "B": []}, "opens 0:A closes"),
    ("they do not overlap", {"A": [0, 1], "B": [4, 5]},
     "opens 0:A 1:A closes opens 4:B 5:B closes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "present", "expected"), CASES, ids=[case[0] for case in CASES])
def test_gaps_and_ranges(name: str, present: dict[str, Sequence[int]], expected: str) -> None:
    found = told(inputs(feed_of(present)))
    # sessions after the last bar still open and close: nothing trades in them
    while found[-2:] == ["opens", "closes"] and len(found) > len(expected.split()):
        found = found[:-2]
    assert found == expected.split()


def test_gaps_are_ledgered_with_their_reason() -> None:
    feed = feed_of({"A": [0, 1, 4, 5], "B": ALL}, quarantined={"A": {STARTS[3]: "T07 spike"}})
    inputs(feed)
    rows = [(g.symbol, STARTS.index(g.start), g.outcome, g.reason) for g in feed.played.gaps]
    assert rows == [
        ("A", 2, Outcome.MISSING, "not in the tape"),
        ("A", 3, Outcome.QUARANTINED, "T07 spike"),
    ]
    assert feed.played.gaps[0].end == ENDS[2]
    assert feed.played.gaps[1].session == DAYS[1].session.date
    assert feed.played.expected == {"A": 6, "B": 9}
    assert feed.played.received == {"A": 4, "B": 9}
    assert (feed.played.first_start, feed.played.last_end) == (STARTS[0], ENDS[-1])


# --- the window -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("warm", "start", "end", "expected"),
    [
        (0, 0, 8, "opens 0 1 2 closes opens 3 4 5 closes opens 6 7 8 closes"),
        (1, 1, 8, "1 2 closes opens 3 4 5 closes opens 6 7 8 closes"),  # mid-session: no open
        (3, 3, 5, "opens 3 4 5 closes"),
        (3, 3, 4, "opens 3 4"),  # ends mid-session: no close
        (4, 4, 4, "4"),
        (1, 3, 5, "w1 w2 opens 3 4 5 closes"),
        (2, 4, 6, "w2 w3 4 5 closes opens 6"),
        (0, 8, 8, "w0 w1 w2 w3 w4 w5 w6 w7 8 closes"),
    ],
)
def test_the_window_cuts_and_warms_up(warm: int, start: int, end: int, expected: str) -> None:
    feed = feed_of({"A": ALL}, Window(STARTS[warm], STARTS[start], ENDS[end]))
    words = []
    for item in inputs(feed):
        if isinstance(item, MarketSlice):
            assert item.outcome in (Outcome.WARMUP, Outcome.RECEIVED)
            prefix = "w" if item.outcome is Outcome.WARMUP else ""
            words.append(f"{prefix}{STARTS.index(item.start)}")
        elif isinstance(item, Tick):
            words.append(item.kind.value)
    assert _without_empty_sessions(words) == expected.split()
    assert feed.played.received == {"A": end - start + 1}
    assert (feed.played.first_start, feed.played.last_end) == (STARTS[start], ENDS[end])


def _without_empty_sessions(words: list[str]) -> list[str]:
    """A session beyond the window may open; a session's tick without slices says nothing here."""
    found = list(words)
    while found and found[-1] == "opens":
        found.pop()
    return found


def test_a_gap_in_warm_up_is_not_counted() -> None:
    feed = feed_of({"A": [0, 2, 3, 5]}, Window(STARTS[0], STARTS[3], ENDS[5]))
    inputs(feed)
    assert [STARTS.index(gap.start) for gap in feed.played.gaps] == [4]
    assert feed.played.expected == {"A": 3}
    assert feed.played.received == {"A": 2}


# --- corporate actions ----------------------------------------------------------------------------


def actions_by_slot(actions: Sequence[CorporateAction], present: Sequence[int]) -> dict[int, int]:
    items = inputs(feed_of({"A": present}, actions=actions))
    slices = [item for item in items if isinstance(item, MarketSlice)]
    return {STARTS.index(x.start): len(x.actions) for x in slices if x.actions}


def test_actions_come_with_the_first_slice_of_their_session() -> None:
    first, second, third = (day.session.date for day in DAYS)
    split = Split("A", second, 2, 1)
    assert actions_by_slot([split], ALL) == {3: 1}
    assert actions_by_slot([split, Dividend("A", third, third, 5)], ALL) == {3: 1, 6: 1}
    assert actions_by_slot([split, Dividend("A", second, third, 5)], ALL) == {3: 2}
    assert actions_by_slot([Split("A", first - 1, 2, 1)], ALL) == {0: 1}
    assert actions_by_slot([Split("A", third + 1, 2, 1)], ALL) == {}


def test_an_action_on_a_day_without_trading_takes_effect_in_the_next_session() -> None:
    between = DAYS[1].session.date + 1  # after the second session, before or on the third
    assert actions_by_slot([Split("A", between, 2, 1)], ALL) == {6: 1}


def test_an_action_comes_even_where_the_first_bar_is_missing() -> None:
    assert actions_by_slot([Split("A", DAYS[1].session.date, 2, 1)], [0, 1, 2, 4, 5]) == {3: 1}


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (STARTS[0] - 1, "Note opens 0:A 1:A 2:A closes"),
        (STARTS[0], "opens Note 0:A 1:A 2:A closes"),  # after the tick of its instant
        (STARTS[0] + 1, "opens Note 0:A 1:A 2:A closes"),
        (ENDS[0] - 1, "opens Note 0:A 1:A 2:A closes"),
        (ENDS[0], "opens 0:A Note 1:A 2:A closes"),  # after the slice of its instant
        (ENDS[0] + 1, "opens 0:A Note 1:A 2:A closes"),
        (ENDS[2], "opens 0:A 1:A 2:A closes Note"),  # after the slice and the closing tick
        (ENDS[2] + HOUR_NS, "opens 0:A 1:A 2:A closes Note"),
    ],
)
def test_commands_are_placed_by_event_time(instant: int, expected: str) -> None:
    feed = feed_of({"A": [0, 1, 2]}, commands=[Note(instant, "operator", "x")])
    found = told(inputs(feed))
    assert found[: len(expected.split())] == expected.split()
    assert found.count("Note") == 1


def test_commands_of_one_instant_keep_their_order() -> None:
    given_commands: list[Command] = [
        Note(ENDS[1], "operator", "first"),
        Halt(ENDS[0], "operator", "earlier"),
        Note(ENDS[1], "operator", "second"),
    ]
    items = inputs(feed_of({"A": [0, 1, 2]}, commands=given_commands))
    reasons = [item.reason for item in items if isinstance(item, Command)]
    assert reasons == ["earlier", "first", "second"]


# --- chunks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_bars", [1, 2, 3, 7, 64, 512])
def test_chunks_are_the_same_inputs_in_other_portions(chunk_bars: int) -> None:
    def make(size: int) -> ReplayFeed:
        commands = [Note(ENDS[4], "operator", "x")]
        return feed_of({"A": [0, 1, 2, 4, 5, 6, 8], "B": ALL}, commands=commands, chunk_bars=size)

    whole = inputs(make(1_000_000))
    chunks = drain(make(chunk_bars))
    assert [item for chunk in chunks for item in chunk] == whole
    assert all(len(chunk) == chunk_bars for chunk in chunks[:-1])
    assert 0 < len(chunks[-1]) <= chunk_bars


slots = st.sets(st.integers(0, 8), min_size=1).map(sorted)


@given(st.lists(slots, min_size=1, max_size=3), st.integers(1, 20))
def test_every_bar_comes_once_in_order_or_is_missing(drawn: list[list[int]], chunk: int) -> None:
    present = dict(zip("ABC", drawn, strict=False))
    feed = feed_of(present, chunk_bars=chunk)
    items = inputs(feed)
    slices = [item for item in items if isinstance(item, MarketSlice)]
    ends = [item.end for item in slices]
    assert ends == sorted(set(ends))
    instants = [x.end if isinstance(x, MarketSlice) else x.instant for x in items]
    assert instants == sorted(instants)
    for name, expected in present.items():
        came = [STARTS.index(x.start) for x in slices if any(b.symbol == name for b in x.bars)]
        missed = [STARTS.index(x.start) for x in slices if name in x.missing]
        assert came == expected
        assert sorted(came + missed) == list(range(expected[0], expected[-1] + 1))
        assert feed.played.expected[name] == len(came) + len(missed)
        assert feed.played.received[name] == len(came)
    for item in slices:
        names = [bar.symbol for bar in item.bars]
        assert names == sorted(names)
        assert all((bar.start, bar.end) == (item.start, item.end) for bar in item.bars)


def test_sessions_may_be_made_one_at_a_time() -> None:
    """A million edges are never held at once: an iterator of sessions is enough."""

    def one_by_one() -> Any:
        yield from DAYS

    each: Any = one_by_one()
    feed = ReplayFeed(("A",), {"A": columns(ALL)}, each, WHOLE)
    assert told(inputs(feed)) == told(inputs(feed_of({"A": ALL})))
    assert isinstance(DAYS[0], ExpectedSession)
