"""Times as people write them.

Instants are computed by hand from New York being five hours behind UTC in winter and four in
summer; clocks went forward on 2024-03-10 and back on 2024-11-03, both at 02:00.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import UsageError
from daemon.feeds.times import (
    date_text,
    in_zone,
    iso_z,
    number_date,
    parse_date,
    parse_iso,
    parse_when,
    wall_instant,
    wall_ns,
    zone_date,
    zone_text,
)

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_704_209_400_000_000_000, "2024-01-02T15:30:00Z"),
        (1_704_209_400_500_000_000, "2024-01-02T15:30:00.500Z"),
        (1_704_209_400_000_250_000, "2024-01-02T15:30:00.000250Z"),
        (1_704_209_400_000_000_001, "2024-01-02T15:30:00.000000001Z"),
    ],
)
def test_iso(instant: int, text: str) -> None:
    assert iso_z(instant) == text
    assert parse_iso(text) == instant


@given(st.integers(-(2**62), 2**62))
def test_iso_goes_and_comes_back_exactly(instant: int) -> None:
    assert parse_iso(iso_z(instant)) == instant


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-01-02T10:30:00-05:00", "2024-01-02T15:30:00Z"),
        ("2024-01-02 10:30-0500", "2024-01-02T15:30:00Z"),
        ("2024-01-02 10:30:00 -05", "2024-01-02T15:30:00Z"),
        ("20240102T153000", None),
        ("2024-01-02T21:00:00+05:30", "2024-01-02T15:30:00Z"),
        ("2024-01-02T15:30:00.5z", "2024-01-02T15:30:00.500Z"),
        ("2024-01-02T15:30:00", None),
        ("2024-02-30T15:30:00Z", None),
        ("2024-01-02T24:00:00Z", None),
        ("2024-01-02T15:60:00Z", None),
        ("2024-01-02T15:30:60Z", None),
        ("2024-01-02T+5:30:00Z", None),
        ("2024-01-02T15:30:00+24:00", None),
        ("2024-01-02", None),
        ("٢٠٢٤-01-02T15:30:00Z", None),
    ],
)
def test_iso_with_an_offset(text: str, same: str | None) -> None:
    if same is None:
        with pytest.raises(ValueError, match="is not a"):
            parse_iso(text)
    else:
        assert iso_z(parse_iso(text)) == same


@pytest.mark.parametrize(
    ("text", "end_of_day", "expected"),
    [
        ("2024-01-02", False, "2024-01-02T05:00:00Z"),
        ("2024-01-02", True, "2024-01-03T05:00:00Z"),
        ("20240102", True, "2024-01-03T05:00:00Z"),
        ("2024-12-31", True, "2025-01-01T05:00:00Z"),
        ("2024-07-02", False, "2024-07-02T04:00:00Z"),
        # clocks go forward on 2024-03-10: its day has 23 hours; back on 2024-11-03: 25
        ("2024-03-10", False, "2024-03-10T05:00:00Z"),
        ("2024-03-10", True, "2024-03-11T04:00:00Z"),
        ("2024-11-03", True, "2024-11-04T05:00:00Z"),
        ("2024-01-02T10:30", False, "2024-01-02T15:30:00Z"),
        ("2024-01-02 10:30:15", True, "2024-01-02T15:30:15Z"),
        (" 2024-01-02T10:30:15.25 ", False, "2024-01-02T15:30:15.250Z"),
        ("2024-01-02T15:30Z", False, "2024-01-02T15:30:00Z"),
        ("2024-01-02T10:30-05:00", False, "2024-01-02T15:30:00Z"),
        ("2024-01-02 16:30 Europe/Berlin", False, "2024-01-02T15:30:00Z"),
        ("2024-01-02 UTC", True, "2024-01-03T00:00:00Z"),
        ("2024-01-02Z", False, "2024-01-02T00:00:00Z"),
        ("2024-01-02-05:00", False, "2024-01-02T05:00:00Z"),
        ("2024-11-03T01:30-04:00", False, "2024-11-03T05:30:00Z"),
        ("2024-11-03T01:30-05:00", False, "2024-11-03T06:30:00Z"),
        ("2024-11-03T00:59", False, "2024-11-03T04:59:00Z"),
        ("2024-11-03T02:00", False, "2024-11-03T07:00:00Z"),
        ("2024-03-10T01:59", False, "2024-03-10T06:59:00Z"),
        ("2024-03-10T03:00", False, "2024-03-10T07:00:00Z"),
        # now is 22:30 on 2024-01-02 in New York, past midnight elsewhere
        ("10:30", False, "2024-01-02T15:30:00Z"),
        ("10:30Z", False, "2024-01-03T10:30:00Z"),
        ("10:30 UTC", False, "2024-01-03T10:30:00Z"),
        ("10:30+09:00", False, "2024-01-03T01:30:00Z"),
    ],
)
def test_when(text: str, end_of_day: bool, expected: str) -> None:
    now = parse_iso("2024-01-03T03:30:00Z")
    assert iso_z(parse_when(text, NEW_YORK, end_of_day=end_of_day, now=now)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2024-11-03T01:30", "happens twice in America/New_York .* -04:00 or -05:00"),
        ("2024-11-03T01:00", "2024-11-03 01:00 happens twice"),
        ("2024-11-03 01:59:59.9", "happens twice"),
        ("2024-03-10T02:30", "2024-03-10 02:30 does not exist in America/New_York"),
        ("2024-03-10T02:00", "does not exist"),
        ("2024-02-30", "'2024-02-30' is not a day of the calendar"),
        ("2024-01-02T25:00", "'25:00' is not a time of day"),
        ("24:00", "is not a time of day"),
        ("10:30 Mars/Olympus", "unknown time zone 'Mars/Olympus'"),
        ("yesterday", "'yesterday' is not a time: write 2024-01-02"),
        ("2024-01-0210:30", "is not a time"),
        ("2024-0102", "is not a time"),
        ("2024-01-02T", "is not a time"),
        ("T10:30", "is not a time"),
        ("Z", "is not a time"),
        ("", "is not a time"),
    ],
)
def test_when_refuses_what_names_no_instant(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_when(text, NEW_YORK)
    assert len(caught.value.lines) == 1


def test_today_comes_from_the_clock_when_nobody_says() -> None:
    assert parse_when("00:00", "UTC") % (86_400 * 10**9) == 0


@given(st.integers(parse_iso("1990-01-01T00:00:00Z"), parse_iso("2037-01-01T00:00:00Z")))
def test_a_wall_time_that_names_an_instant_names_that_one(instant: int) -> None:
    second = instant // 10**9 * 10**9
    date, clock = zone_text(second, NEW_YORK).split(" ")
    wall = wall_ns(parse_date(date), clock)
    try:
        found = wall_instant(wall, NEW_YORK)
    except ValueError:
        assert iso_z(second)[5:7] == "11" or iso_z(second)[5:7] == "10"  # clocks go back
    else:
        assert found == second


def test_wall_times() -> None:
    assert wall_ns(20240102, "10:30") == parse_iso("2024-01-02T10:30:00Z")
    assert wall_ns(20240102) == parse_iso("2024-01-02T00:00:00Z")
    assert (
        wall_instant(wall_ns(20240102, "10:30") + 1, NEW_YORK) == parse_iso("2024-01-02T15:30Z") + 1
    )


def test_dates() -> None:
    assert parse_date("2024-02-29") == parse_date("20240229") == 20240229
    assert date_text(20240229) == "2024-02-29"
    assert number_date(20240229).isoformat() == "2024-02-29"
    assert zone_date(parse_iso("2024-01-01T04:00:00Z"), NEW_YORK) == 20231231
    assert zone_text(parse_iso("2024-01-02T15:30:05Z"), NEW_YORK) == "2024-01-02 10:30:05"
    for wrong in ("2024-02-30", "2024-2-3", "240203", "2024-0203"):
        with pytest.raises(ValueError, match="is not a"):
            parse_date(wrong)


def test_instants_in_a_text_are_told_in_a_zone_and_what_is_none_stays() -> None:
    text = "up since 2024-01-02T15:30:00Z, until 2024-07-02T15:30:00.5Z"
    assert in_zone(text, NEW_YORK) == "up since 2024-01-02 10:30, until 2024-07-02 11:30"
    assert in_zone("2024-13-45T99:99:99Z!", NEW_YORK) == "2024-13-45T99:99:99Z!"
