"""Time stamps: each written form is the instant computed by hand, or an error that says why."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from replay.tapes.stamps import (
    FatalStampError,
    StampError,
    TextStamps,
    epoch_parser,
    find_zone,
    milliseconds_parser,
)

# 2024-01-02 14:30 UTC = 09:30 in New York (five hours behind in winter).
OPEN = 1_704_205_800 * SECOND_NS


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02T14:30:00Z",
        "2024-01-02T14:30:00.000Z",
        "2024-01-02 14:30:00+00:00",
        "2024-01-02 14:30:00+0000",
        "2024-01-02 14:30:00 UTC",
        "2024-01-02T14:30Z",
        "2024-01-02 09:30:00-05:00",
        "2024-01-02 09:30:00-05",
        "2024-01-02 20:00:00+05:30",
        "20240102 09:30:00 US/Eastern",
        "20240102 09:30:00 America/New_York",
        "20240102-14:30:00",
        "2024/01/02 14:30:00Z",
        " 2024-01-02T14:30:00Z ",
    ],
)
def test_stamps_that_say_where_they_are(text: str) -> None:
    stamps = TextStamps(None)
    assert stamps(text) == OPEN
    assert stamps(text) == OPEN, "a remembered stamp is the same"


@pytest.mark.parametrize(
    "text", ["2024-01-02 09:30:00", "2024-01-02T09:30", "20240102 09:30", "20240102  09:30:00"]
)
def test_naive_stamps_are_in_the_configured_zone(text: str) -> None:
    stamps = TextStamps(find_zone("America/New_York"))
    assert stamps(text) == OPEN
    assert stamps("2024-07-02 09:30:00") - stamps("2024-07-01 09:30:00") == 86_400 * SECOND_NS
    # Four hours behind in summer: 2024-07-01 13:30 UTC.
    assert stamps("2024-07-01 09:30:00") == 1_719_840_600 * SECOND_NS


def test_an_offset_in_the_stamp_wins_over_the_configured_zone() -> None:
    stamps = TextStamps(find_zone("Asia/Tokyo"))
    assert stamps("2024-01-02 09:30:00-05:00") == OPEN
    assert stamps.zones_seen == {"-05:00"}


def test_a_naive_stamp_without_a_zone_ends_the_load() -> None:
    with pytest.raises(FatalStampError, match=r"carries no time zone; set tape\.timezone"):
        TextStamps(None)("2024-01-02 09:30:00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2024-11-03 01:30:00", "happens twice in America/New_York"),
        ("2024-03-10 02:30:00", "does not exist in America/New_York"),
    ],
)
def test_the_hour_that_clocks_repeat_or_skip(text: str, says: str) -> None:
    stamps = TextStamps(find_zone("America/New_York"))
    with pytest.raises(FatalStampError, match=says):
        stamps(text)


def test_the_other_hours_of_such_a_day_are_right() -> None:
    stamps = TextStamps(find_zone("America/New_York"))
    # 2024-03-10: 01:30 is still winter (06:30 UTC), 03:30 summer (07:30 UTC).
    assert stamps("2024-03-10 03:30:00") - stamps("2024-03-10 01:30:00") == 3_600 * SECOND_NS
    assert stamps("2024-11-03 10:00:00") == 1_730_646_000 * SECOND_NS


@pytest.mark.parametrize("text", ["2024-01-02", "20240102"])
def test_daily_bars_are_refused(text: str) -> None:
    with pytest.raises(FatalStampError, match="daily bars are not a size papertape trades"):
        TextStamps(find_zone("UTC"))(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-13-02T14:30:00Z",
        "2024-01-02T25:30:00Z",
        "2024-01-02Tmoon",
        "1.5",
        "9999-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "²⁰²⁴-01-02T14:30:00Z",
    ],
)
def test_what_is_no_stamp(text: str) -> None:
    with pytest.raises(StampError, match="is not a time"):
        TextStamps(None)(text)


@pytest.mark.parametrize(
    ("sample", "unit"),
    [
        ("1704205800", "seconds"),
        ("1704205800000", "milliseconds"),
        ("1704205800000000", "microseconds"),
        ("1704205800000000000", "nanoseconds"),
    ],
)
def test_epoch_numbers_tell_their_unit(sample: str, unit: str) -> None:
    parse, name = epoch_parser(sample)
    assert (parse(sample), name) == (OPEN, unit)
    for other in ("9" * 25, "-5", "soon"):
        with pytest.raises(StampError, match="is not an epoch number"):
            parse(other)


def test_milliseconds_since_midnight_are_exchange_time() -> None:
    parse = milliseconds_parser(date(2024, 1, 2), find_zone("America/New_York"))
    assert parse("34200000") == OPEN  # 9.5 h
    with pytest.raises(StampError, match="is not a number of milliseconds"):
        parse("9:30")
    with pytest.raises(StampError, match="is not a time of day in milliseconds"):
        parse("86400000")


def test_an_unknown_zone_is_one_clear_line() -> None:
    with pytest.raises(RefusedError, match=r"tape\.timezone: unknown time zone 'New York'"):
        find_zone("New York")


@given(
    st.datetimes(
        min_value=datetime(1995, 1, 1),  # noqa: DTZ001 - hypothesis wants it naive
        max_value=datetime(2035, 1, 1),  # noqa: DTZ001 - as above
        timezones=st.sampled_from([UTC, find_zone("America/New_York"), find_zone("Asia/Kolkata")]),
    )
)
def test_any_stamp_with_an_offset_is_its_instant(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    stamps = TextStamps(None)
    expected = int(whole.timestamp()) * SECOND_NS
    assert stamps(whole.isoformat(" ")) == expected
    assert stamps(whole.isoformat("T")) == expected
