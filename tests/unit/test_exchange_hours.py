"""The hours around an instant: an ordinary session, a half day, a holiday, the calendar's ends."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.core.units import SECOND_NS
from daemon.observability.hours import ExchangeHours, Hours
from tests.replay.workshop import calendar

NEW_YORK = ZoneInfo("America/New_York")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND_NS


@pytest.fixture(scope="module")
def hours() -> ExchangeHours:
    """Return the hours of the real calendar."""
    return ExchangeHours(calendar())


@pytest.mark.parametrize(
    ("now", "previous_close", "next_close", "next_open"),
    [
        ("2024-01-02 09:29:59", "2023-12-29 16:00", "2024-01-02 16:00", "2024-01-02 09:30"),
        ("2024-01-02 09:30:00", "2023-12-29 16:00", "2024-01-02 16:00", "2024-01-03 09:30"),
        ("2024-01-02 15:59:59", "2023-12-29 16:00", "2024-01-02 16:00", "2024-01-03 09:30"),
        ("2024-01-02 16:00:00", "2024-01-02 16:00", "2024-01-03 16:00", "2024-01-03 09:30"),
        # the day after Thanksgiving closes at 13:00, then comes the weekend
        ("2024-11-29 12:00:00", "2024-11-27 16:00", "2024-11-29 13:00", "2024-12-02 09:30"),
        ("2024-11-29 13:00:00", "2024-11-29 13:00", "2024-12-02 16:00", "2024-12-02 09:30"),
        # Good Friday, then clocks that have moved since winter
        ("2024-03-29 12:00:00", "2024-03-28 16:00", "2024-04-01 16:00", "2024-04-01 09:30"),
    ],
)
def test_hours_around_an_instant(
    hours: ExchangeHours, now: str, previous_close: str, next_close: str, next_open: str
) -> None:
    assert hours.at(_at(now)) == Hours(_at(previous_close), _at(next_close), _at(next_open))


def test_whoever_asks_again_and_again_is_told_the_same(hours: ExchangeHours) -> None:
    """Every twenty minutes of a week, to and fro: hours that are remembered must not be old."""
    begins = _at("2024-11-25 00:00:00")
    asked = [begins + step * 1_200 * SECOND_NS for step in range(7 * 72)]
    for instant in (*asked, *reversed(asked)):
        assert hours.at(instant) == ExchangeHours._look_up(hours, instant)


def test_beyond_the_calendar_nothing_is_known(hours: ExchangeHours) -> None:
    known = calendar()
    first, *_, last = known.sessions(known.first_date, known.last_date)
    assert hours.at(first.opens - 1) == Hours(0, first.closes, first.opens)
    assert hours.at(last.closes) == Hours(last.closes, 0, 0)
