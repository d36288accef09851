"""Which bars must exist: edges by hand for whole, half and odd days on both grids."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, Facts, load_calendar
from daemon.feeds.expected import (
    BAR_SIZES_NS,
    GRIDS,
    bar_edges,
    each_expected_session,
    expected_sessions,
)
from daemon.feeds.times import parse_iso, wall_instant, wall_ns, zone_text

NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def xnys(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return load_calendar(tmp_path_factory.mktemp("state"))


def edges(date: int, opens: str, closes: str, size: str, grid: str) -> list[str]:
    """Each bar as `start-end` in New York."""
    starts, ends = bar_edges(
        wall_instant(wall_ns(date, opens), NEW_YORK),
        wall_instant(wall_ns(date, closes), NEW_YORK),
        BAR_SIZES_NS[size],
        grid,
    )
    pairs = zip(starts, ends, strict=True)
    return [f"{zone_text(s, NEW_YORK)[11:]}-{zone_text(e, NEW_YORK)[11:]}" for s, e in pairs]


def text_offset(instant: int, zone: ZoneInfo) -> float:
    offset = datetime.fromtimestamp(instant // SECOND_NS, UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 3600


SESSION_DAY = [
    "09:30-10:30",
    "10:30-11:30",
    "11:30-12:30",
    "12:30-13:30",
    "13:30-14:30",
    "14:30-15:30",
    "15:30-16:00",
]
CLOCK_DAY = [
    "09:30-10:00",
    "10:00-11:00",
    "11:00-12:00",
    "12:00-13:00",
    "13:00-14:00",
    "14:00-15:00",
    "15:00-16:00",
]


@pytest.mark.parametrize(
    ("date", "opens", "closes", "size", "grid", "expected"),
    [
        (20240102, "09:30", "16:00", "1h", "session", SESSION_DAY),
        (20240102, "09:30", "16:00", "1h", "clock", CLOCK_DAY),
        (20240702, "09:30", "16:00", "1h", "session", SESSION_DAY),
        (20240702, "09:30", "16:00", "1h", "clock", CLOCK_DAY),
        (20241129, "09:30", "13:00", "1h", "session", [*SESSION_DAY[:3], "12:30-13:00"]),
        (20241129, "09:30", "13:00", "1h", "clock", CLOCK_DAY[:4]),
        (19991231, "09:30", "13:00", "1h", "session", [*SESSION_DAY[:3], "12:30-13:00"]),
        (20050601, "09:30", "15:56", "1h", "session", [*SESSION_DAY[:6], "15:30-15:56"]),
        (20050601, "09:30", "15:56", "1h", "clock", [*CLOCK_DAY[:6], "15:00-15:56"]),
        (20020911, "12:00", "16:00", "1h", "clock", CLOCK_DAY[3:]),
        (
            20020911,
            "12:00",
            "16:00",
            "1h",
            "session",
            ["12:00-13:00", "13:00-14:00", "14:00-15:00", "15:00-16:00"],
        ),
        (20241129, "09:30", "10:30", "30m", "session", ["09:30-10:00", "10:00-10:30"]),
        (20010917, "09:33", "10:10", "15m", "clock", ["09:33-09:45", "09:45-10:00", "10:00-10:10"]),
        (
            20010917,
            "09:33",
            "10:10",
            "15m",
            "session",
            ["09:33-09:48", "09:48-10:03", "10:03-10:10"],
        ),
    ],
)
def test_edges(
    date: int, opens: str, closes: str, size: str, grid: str, expected: list[str]
) -> None:
    assert edges(date, opens, closes, size, grid) == expected


@pytest.mark.parametrize(
    ("size", "whole", "half"),
    [("1h", 7, 4), ("30m", 13, 7), ("15m", 26, 14), ("5m", 78, 42), ("1m", 390, 210)],
)
@pytest.mark.parametrize("grid", GRIDS)
def test_how_many_bars_a_day_has(size: str, whole: int, half: int, grid: str) -> None:
    assert len(edges(20240102, "09:30", "16:00", size, grid)) == whole
    assert len(edges(20241129, "09:30", "13:00", size, grid)) == half


def test_an_unknown_grid_is_a_bug_that_says_so() -> None:
    with pytest.raises(ValueError, match="grid 'daily' is neither session nor clock"):
        bar_edges(0, 10, 5, "daily")


@given(
    opens=st.integers(0, 86_400 * 365 * 60),
    length=st.integers(1, 86_400 // 3),
    size=st.sampled_from(sorted(BAR_SIZES_NS)),
    grid=st.sampled_from(GRIDS),
)
def test_bars_cover_the_session_once_and_none_is_longer_than_its_size(
    opens: int, length: int, size: str, grid: str
) -> None:
    opens, closes = opens * SECOND_NS, (opens + length) * SECOND_NS
    size_ns = BAR_SIZES_NS[size]
    starts, ends = bar_edges(opens, closes, size_ns, grid)
    assert starts[0] == opens
    assert ends[-1] == closes
    assert starts[1:] == ends[:-1]
    assert all(0 < end - start <= size_ns for start, end in zip(starts, ends, strict=True))
    if grid == "clock":
        assert all(start % size_ns == 0 for start in starts[1:])
    else:
        assert all((start - opens) % size_ns == 0 for start in starts)


def test_a_session_carries_the_facts_that_decisions_use(xnys: Calendar) -> None:
    wednesday, friday = expected_sessions(xnys, 20240703, 20240706, BAR_SIZES_NS["1h"], "session")
    session = wednesday.session
    assert session.date == 20240703
    assert session.opens == parse_iso("2024-07-03T13:30:00Z")
    assert session.closes == parse_iso("2024-07-03T17:00:00Z")
    assert session.bars == 4
    assert session.last_start == parse_iso("2024-07-03T16:30:00Z")
    assert session.next_opens == parse_iso("2024-07-05T13:30:00Z")
    assert friday.session.date == 20240705
    assert friday.session.next_opens == parse_iso("2024-07-08T13:30:00Z"), "beyond the last date"


def test_the_calendar_s_last_session_has_no_next() -> None:
    day = 1_704_205_800  # 2024-01-02 14:30 UTC
    calendar = Calendar(
        Facts("TEST", NEW_YORK, "1", 20240101, 20240103, [20240102], [day], [day + 23_400])
    )
    only = expected_sessions(calendar, 20240101, 20240103, BAR_SIZES_NS["30m"], "clock")
    assert [each.session.next_opens for each in only] == [0]
    assert expected_sessions(calendar, 20240103, 20240103, BAR_SIZES_NS["30m"], "clock") == []
    with pytest.raises(RefusedError, match="2024-01-04 is outside"):
        expected_sessions(calendar, 20240101, 20240104, BAR_SIZES_NS["30m"], "clock")


@pytest.mark.parametrize("size", sorted(BAR_SIZES_NS))
def test_clock_edges_are_clock_edges_in_new_york_on_both_sides_of_each_clock_change(
    xnys: Calendar, size: str
) -> None:
    # Cutting in UTC is right only while New York is whole hours away: shown in wall time for the
    # sessions around every change of two decades, and that none of them spans a change.
    zone, minutes = ZoneInfo(NEW_YORK), BAR_SIZES_NS[size] // (60 * SECOND_NS)
    seen = set()
    for year in range(2005, 2025):
        for first, last in ((301, 410), (1020, 1110)):
            dates = year * 10_000 + first, year * 10_000 + last
            for each in each_expected_session(xnys, *dates, BAR_SIZES_NS[size], "clock"):
                clock = zone_text(each.starts[0], NEW_YORK)[11:]
                assert clock == "09:30"
                local = [zone_text(start, NEW_YORK) for start in each.starts[1:]]
                assert all(
                    (int(text[11:13]) * 60 + int(text[14:])) % minutes == 0 for text in local
                )
                offsets = {
                    text_offset(instant, zone) for instant in (each.starts[0], each.ends[-1])
                }
                assert len(offsets) == 1
                seen |= offsets
    assert seen == {-5.0, -4.0}


def test_eleven_recorded_years_have_19311_hourly_bars(xnys: Calendar) -> None:
    # 2010 to 2020: 2,769 sessions, 24 of them half days (4 bars, the others 7)
    sessions = expected_sessions(xnys, 20100101, 20201231, BAR_SIZES_NS["1h"], "clock")
    half_days = [each for each in sessions if each.session.bars == 4]
    assert sum(each.session.bars for each in sessions) == 19_311
    assert (len(sessions), len(half_days)) == (2769, 24)
    assert 2769 * 7 - 24 * 3 == 19_311
    following = [each.session.opens for each in sessions[1:]]
    assert [each.session.next_opens for each in sessions[:-1]] == following
    assert all(a.ends[-1] < b.starts[0] for a, b in pairwise(sessions))


def test_recorded_bars_of_spy_stand_on_the_clock_grid(xnys: Calendar) -> None:
    tape = Path(__file__).parents[3] / "shared/data/spy_1h_lean_raw_1998_2021.zip"
    if not tape.exists():
        pytest.skip(f"no recorded bars at {tape}")
    with zipfile.ZipFile(tape) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    stamps = [line.partition(",")[0] for line in text.splitlines()]
    recorded = {stamp for stamp in stamps if "2010" <= stamp[:4] <= "2020"}
    expected = set()
    for each in expected_sessions(xnys, 20100101, 20201231, BAR_SIZES_NS["1h"], "clock"):
        for start in each.starts:
            date, clock = zone_text(start, NEW_YORK).split(" ")
            expected.add(f"{date.replace('-', '')} {clock[:2]}:00")
    assert recorded == expected
