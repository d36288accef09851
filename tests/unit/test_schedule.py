"""The calendar as a schedule: which slots and ticks follow an instant, in New York time."""

from __future__ import annotations

from itertools import islice, pairwise, takewhile

import pytest

from daemon.core.events import CorporateAction, Dividend, Split, Tick
from daemon.errors import RefusedError
from daemon.feeds.calendar import Calendar, load_calendar
from daemon.feeds.closed_bars import Slot
from daemon.feeds.expected import BAR_SIZES_NS
from daemon.feeds.schedule import SLICE, TICK, Key, calendar_schedule, key_of
from daemon.feeds.times import zone_text
from tests.unit.clock_day import FULL, NEW_YORK, at, calendar_of

HOUR = BAR_SIZES_NS["1h"]


@pytest.fixture(scope="module")
def xnys(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    return load_calendar(tmp_path_factory.mktemp("state"))


def words(items: list[Slot | Tick]) -> list[str]:
    found = []
    for item in items:
        if isinstance(item, Tick):
            found.append(f"{item.kind.value} {zone_text(item.instant, NEW_YORK)[5:]}")
        else:
            prefix = "warm " if item.warmup else ""
            start, end = (zone_text(edge, NEW_YORK) for edge in (item.start, item.end))
            found.append(f"{prefix}{item.index} {start[5:]}-{end[11:]}")
    return found


def following(
    calendar: Calendar,
    after: Key,
    count: int,
    *,
    size: str = "1h",
    grid: str = "session",
    warmup: int = 0,
) -> list[Slot | Tick]:
    items = calendar_schedule(calendar, ("NVDA",), BAR_SIZES_NS[size], grid, after, warmup=warmup)
    return list(islice(items, count))


def test_a_session_and_the_next(xnys: Calendar) -> None:
    before_the_open = (at("08:00", "2024-11-27"), TICK)
    assert words(following(xnys, before_the_open, 11)) == [
        "opens 11-27 09:30",
        "0 11-27 09:30-10:30", "1 11-27 10:30-11:30", "2 11-27 11:30-12:30", "3 11-27 12:30-13:30",
        "4 11-27 13:30-14:30", "5 11-27 14:30-15:30", "6 11-27 15:30-16:00",
        "closes 11-27 16:00",
        "opens 11-29 09:30",  # Thanksgiving is closed, the Friday after it a half day
        "0 11-29 09:30-10:30",
    ]  # fmt: skip
    last_of_half_day = following(xnys, (at("12:30", "2024-11-29"), SLICE), 3)
    assert words(last_of_half_day) == [
        "3 11-29 12:30-13:00", "closes 11-29 13:00", "opens 12-02 09:30",
    ]  # fmt: skip
    assert isinstance(last_of_half_day[0], Slot)
    assert last_of_half_day[0].session.bars == 4
    assert last_of_half_day[0].session.next_opens == at("09:30", "2024-12-02")


@pytest.mark.parametrize(
    ("clock", "place", "expected"),
    [
        ("09:29:59", TICK, "opens 05-28 09:30"),
        ("09:30:00", SLICE, "opens 05-28 09:30"),
        ("09:30:00", TICK, "0 05-28 09:30-10:30"),
        ("10:00:00", TICK, "0 05-28 09:30-10:30"),  # the bar that is forming
        ("10:29:59", TICK, "0 05-28 09:30-10:30"),
        ("10:30:00", SLICE, "1 05-28 10:30-11:30"),  # the slice that ended then is known
        ("15:59:59", TICK, "6 05-28 15:30-16:00"),
        ("16:00:00", SLICE, "closes 05-28 16:00"),
        ("16:00:00", TICK, "opens 05-29 09:30"),
        ("23:59:59", TICK, "opens 05-29 09:30"),
    ],
)
def test_where_it_goes_on(xnys: Calendar, clock: str, place: int, expected: str) -> None:
    assert words(following(xnys, (at(clock), place), 1)) == [expected]


def test_after_a_weekend_and_over_a_change_of_clocks(xnys: Calendar) -> None:
    for friday, monday in (("2024-03-08", "03-11"), ("2024-11-01", "11-04")):
        after = (at("16:00", friday), TICK)
        saturday = (at("16:00", friday) + 24 * HOUR, TICK)
        for key in (after, saturday):
            assert words(following(xnys, key, 2)) == [
                f"opens {monday} 09:30", f"0 {monday} 09:30-10:30",
            ]  # fmt: skip


def test_on_the_grid_of_the_clock(xnys: Calendar) -> None:
    found = words(following(xnys, (at("09:30"), TICK), 2, grid="clock"))
    assert found == ["0 05-28 09:30-10:00", "1 05-28 10:00-11:00"]


def test_keys_strictly_increase_for_years(xnys: Calendar) -> None:
    items = following(xnys, (at("12:00", "2018-01-02"), TICK), 20_000)
    assert all(key_of(a) < key_of(b) for a, b in pairwise(items))


def test_it_is_read_only_as_far_as_it_is_asked_for(xnys: Calendar) -> None:
    last = (at("16:00", f"{xnys.last_date // 10_000}-12-30"), TICK)
    items = calendar_schedule(xnys, ("NVDA",), HOUR, "session", last)
    assert len(list(islice(items, 9))) == 9
    with pytest.raises(RefusedError, match=f"XNYS ends with {next_year()}: restart"):
        next(items)


def next_year() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC).year + 1}-12-31"


# --- warm-up --------------------------------------------------------------------------------------


def test_warm_up_are_the_last_slots_up_to_there(xnys: Calendar) -> None:
    found = words(following(xnys, (at("10:45"), TICK), 6, warmup=3))
    assert found == [
        "warm 5 05-24 14:30-15:30",  # 05-27 is Memorial Day
        "warm 6 05-24 15:30-16:00",
        "warm 0 05-28 09:30-10:30",
        "1 05-28 10:30-11:30",
        "2 05-28 11:30-12:30",
        "3 05-28 12:30-13:30",
    ]


def test_warm_up_may_be_long(xnys: Calendar) -> None:
    found = following(xnys, (at("10:45"), TICK), 51, warmup=50)
    warm = [item for item in found if isinstance(item, Slot) and item.warmup]
    assert len(warm) == 50
    assert warm[0].start == at("09:30", "2024-05-16")  # 1 + 7 x 7 = 50: seven sessions back
    assert all(a.end <= b.start for a, b in pairwise(warm))


# --- corporate actions ----------------------------------------------------------------------------

DAYS = {"2024-05-28": FULL, "2024-05-29": FULL, "2024-05-31": FULL}
SPLIT = Split("NVDA", 20240529, 10, 1)
ON_A_CLOSED_DAY = Dividend("NVDA", 20240530, 20240630, 5)


def carried(after: Key) -> dict[str, list[CorporateAction]]:
    actions = (SPLIT, ON_A_CLOSED_DAY)
    endless = calendar_schedule(
        calendar_of(DAYS), ("NVDA",), HOUR, "session", after, actions=actions
    )
    items = takewhile(lambda item: key_of(item)[0] < at("00:00", "2099-01-01"), endless)
    return {
        zone_text(item.start, NEW_YORK)[5:]: list(item.actions)
        for item in items
        if isinstance(item, Slot) and item.actions
    }


def test_actions_go_with_the_first_slot_of_their_session() -> None:
    expected = {"05-29 09:30": [SPLIT], "05-31 09:30": [ON_A_CLOSED_DAY]}
    assert carried((at("08:00"), TICK)) == expected
    assert carried((at("09:30", "2024-05-29"), TICK)) == expected
    assert carried((at("10:29", "2024-05-29"), TICK)) == expected


def test_actions_whose_slot_is_over_have_been_applied() -> None:
    rest = {"05-31 09:30": [ON_A_CLOSED_DAY]}
    assert carried((at("10:30", "2024-05-29"), SLICE)) == rest
    assert carried((at("20:00", "2024-05-29"), TICK)) == rest
    assert carried((at("12:00", "2024-05-30"), TICK)) == rest
    assert carried((at("10:30", "2024-05-31"), SLICE)) == {}
