"""The market behind the fake gateway: hours, edges, partial bars; and the judge of requests."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.feeds.calendar import load_calendar
from tests.fake_gateway import (
    SECOND_NS,
    Hours,
    Kind,
    Market,
    crowded,
    instant_ns,
    session_starts,
    violations,
    walk,
)
from tests.fake_gateway.market import partial
from tests.fake_gateway.pacing import OPEN_MAX
from tests.fake_gateway.request_log import Entry, RequestLog
from tests.fake_gateway.requests import ContractQuery, HistoryQuery, Request, read_request
from tests.fake_gateway.sessions import (
    SIZES_NS,
    end_instant,
    step_refused,
    window,
)
from tests.ib.talking import NEW_YORK, TUESDAY

HALF_HOURS = SIZES_NS["30 mins"]


def test_the_hours_agree_with_the_published_calendar(tmp_path: Path) -> None:
    first, last = date(2024, 1, 1), date(2027, 11, 30)
    published = {
        date.fromisoformat(str(hours.date)): (hours.opens, hours.closes)
        for hours in load_calendar(tmp_path, today=20260101).sessions(20240101, 20271130)
    }
    hours, found = Hours(), {}
    for offset in range((last - first).days + 1):
        session = hours.session(first + timedelta(days=offset), regular=True)
        if session is not None:
            found[first + timedelta(days=offset)] = session
    assert found == published


@given(st.integers(0, 2_000), st.sampled_from(["30 mins", "1 hour", "5 mins", "1 day"]))
def test_sums_of_small_bars_are_the_large_bars(seed: int, size: str) -> None:
    market = Market()
    small = market.add("NVDA", lag_s=0)
    small.add(walk(session_starts(small.hours, TUESDAY, 1, "1 min"), "1 min", seed))
    opens, closes = (
        instant_ns(f"{TUESDAY}T09:30 {NEW_YORK}"),
        instant_ns(f"{TUESDAY}T16:00 {NEW_YORK}"),
    )
    found = small.shown(size, opens, closes, closes, regular=True)
    for bar in found:
        parts = [one for one in small.bars if bar.start_ns <= one.start_ns < bar.end_ns]
        assert bar.open == parts[0].open
        assert bar.close == parts[-1].close
        assert bar.high == max(one.high for one in parts)
        assert bar.low == min(one.low for one in parts)
        assert bar.volume == sum(one.volume for one in parts)
    assert sum(bar.volume for bar in found) == sum(one.volume for one in small.bars)
    assert [bar.start_ns for bar in found[1:]] == [bar.end_ns for bar in found[:-1]]


@given(st.integers(0, 500), st.floats(0.001, 0.999))
def test_a_part_of_a_bar_is_never_the_whole(seed: int, fraction: float) -> None:
    (bar,) = walk([0], "30 mins", seed)
    part = partial(bar, fraction)
    assert part != bar
    assert part.volume < bar.volume
    assert bar.low <= part.low <= min(part.open, part.close)
    assert max(part.open, part.close) <= part.high <= bar.high
    assert partial(bar, 1.0) == bar


def test_a_bar_has_just_begun_with_one_trade_at_its_open() -> None:
    (bar,) = walk([0], "30 mins", 1)
    part = partial(bar, 0.0)
    assert (part.open, part.high, part.low, part.close) == (bar.open,) * 4
    assert part.volume == 1


@pytest.mark.parametrize(
    ("duration", "end", "first"),
    [
        ("1800 S", f"{TUESDAY}T10:30", f"{TUESDAY}T10:00"),
        ("1 D", f"{TUESDAY}T10:30", f"{TUESDAY}T09:30"),
        ("2 D", f"{TUESDAY}T10:30", "2026-11-23T09:30"),
        ("3 D", f"{TUESDAY}T10:30", "2026-11-20T09:30"),  # over a weekend
        ("1 D", f"{TUESDAY}T09:30", "2026-11-23T09:30"),  # the session has not begun
        ("1 D", "2026-11-26T12:00", "2026-11-25T09:30"),  # Thanksgiving
        ("1 W", f"{TUESDAY}T10:30", "2026-11-17T10:30"),
    ],
)
def test_durations_count_back(duration: str, end: str, first: str) -> None:
    end_ns = instant_ns(f"{end} {NEW_YORK}")
    assert window(duration, end_ns, Hours(), regular=True) == (
        instant_ns(f"{first} {NEW_YORK}"), end_ns,
    )  # fmt: skip


def test_days_may_be_counted_on_the_calendar() -> None:
    end_ns = instant_ns(f"2026-11-23T10:30 {NEW_YORK}")
    found = window("2 D", end_ns, Hours(), regular=True, days_are_sessions=False)
    assert found == (instant_ns(f"2026-11-22T00:00 {NEW_YORK}"), end_ns)


@pytest.mark.parametrize(
    ("duration", "size", "legal"),
    [
        ("3600 S", "1 hour", True),
        ("1800 S", "1 hour", False),
        ("28800 S", "30 mins", True),
        ("86400 S", "1 min", True),
        ("86401 S", "1 min", False),
        ("365 D", "1 min", True),
        ("366 D", "1 day", False),
        ("1 W", "3 mins", True),
        ("1 M", "15 mins", False),
        ("1 Y", "1 day", True),
        ("1 D", "1 min ", False),
        ("1D", "1 min", False),
    ],
)
def test_the_vendor_s_table_of_steps(duration: str, size: str, legal: bool) -> None:
    assert (step_refused(duration, size) is None) is legal


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("20261124 15:30:00 UTC", f"{TUESDAY}T10:30 {NEW_YORK}"),
        ("20261124 10:30:00 US/Eastern", f"{TUESDAY}T10:30 {NEW_YORK}"),
        ("20261124-15:30:00", f"{TUESDAY}T10:30 {NEW_YORK}"),
        ("20261124 10:30:00 Mars/Olympus", None),
        ("20261124 10:30:00", None),
        ("yesterday", None),
    ],
)
def test_ends_of_requests_are_read(text: str, instant: str | None) -> None:
    assert end_instant(text, 0) == (None if instant is None else instant_ns(instant))


def log_of(*asked: tuple[float, HistoryQuery], opened: int = 1) -> RequestLog:
    """Return a log of requests at seconds."""
    log = RequestLog()
    for at_s, query in asked:
        request = Request(Kind.HISTORY, (), 1, query)
        log.add(Entry(round(at_s * SECOND_NS), 1, 17, request, opened))
    return log


def query(symbol: str = "NVDA", end: int = 0, what: str = "TRADES") -> HistoryQuery:
    """Return a request for bars; another `end` makes it another request."""
    contract = ContractQuery(symbol=symbol)
    return HistoryQuery(contract, str(end), "1 min", "1 D", True, what, 2, False)


@pytest.mark.parametrize(
    ("asked", "breaches"),
    [
        ([(0, query()), (14.9, query())], 1),
        ([(0, query()), (15, query())], 0),
        ([(0.1 * n, query(end=n)) for n in range(5)], 0),
        ([(0.1 * n, query(end=n)) for n in range(6)], 1),
        ([(0.5 * n, query(end=n)) for n in range(6)], 0),
        ([(0.1 * n, query(f"S{n}")) for n in range(6)], 0),
        ([(10 * n, query(end=n)) for n in range(60)], 0),
        ([(9.9 * n, query(end=n)) for n in range(61)], 1),
        ([(10 * n, query(end=n)) for n in range(61)], 0),
        ([(19 * n, query(end=n, what="BID_ASK")) for n in range(31)], 1),
    ],
)
def test_the_judge_knows_the_vendor_s_limits(
    asked: list[tuple[float, HistoryQuery]], breaches: int
) -> None:
    assert len(violations(log_of(*asked))) == breaches


def test_the_judge_counts_open_requests_and_messages() -> None:
    assert violations(log_of((0, query()), opened=OPEN_MAX)) == []
    assert "51 requests for bars open" in violations(log_of((0, query()), opened=OPEN_MAX + 1))[0]
    log = RequestLog()
    for number in range(51):
        log.add(Entry(number, 1, 17, read_request(["49", "1"])))
    assert len(violations(log)) == 1
    assert crowded(log, Kind.CURRENT_TIME, within_s=1, at_most=51) == []
    assert len(crowded(log, "current_time", within_s=1, at_most=50)) == 1
    assert next(log.lines()) == "1970-01-01T00:00:00Z connection 1 current_time 49,1"


def test_what_cannot_be_read_is_unknown() -> None:
    for fields in (["4711"], [""], ["20", "1", "x"], ["9", "8", "seven"], []):
        assert read_request(fields).kind is Kind.UNKNOWN


def test_a_folder_of_its_own_holds_the_fake_gateway(project_root: Path) -> None:
    """The fake may not lean on what it is to judge."""
    for module in (project_root / "tests" / "fake_gateway").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        assert "from daemon" not in text, module
        assert "from replay" not in text, module
