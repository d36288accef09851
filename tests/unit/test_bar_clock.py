"""The expected-bar clock: when slices and ticks come out, and what the ledger learns.

New York times of 2024-05-28 unless a date is given. The rules: a slice decides until 60 s after its
end; 120 s without a bar pause; 120 s of a feed that is up resume.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from daemon.core.events import Bar, Outcome
from daemon.feeds.awaited import SLOTS_WAITING_MAX
from daemon.feeds.bar_clock import BarClock
from daemon.feeds.closed_bars import SLICES_REMEMBERED, Slot
from daemon.feeds.gaps import FACTS_WAITING_MAX
from daemon.feeds.schedule import TICK, calendar_schedule
from tests.unit.clock_day import FULL, HALF, RULES, Day, calendar_of

TWO = ("NVDA", "AMD")


# --- in time, late, absent ------------------------------------------------------------------------


def test_a_session_as_it_should_be() -> None:
    day = Day()
    assert day.until("09:30") == ["09:30 opens 09:30"]
    ends = ["10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    for end in ends:
        assert day.bar(end, f"{end}:07") == [f"slice {end} NVDA"]
    assert day.until("16:00:30") == []
    assert day.bar("16:00", "16:00:31") == ["slice 16:00 NVDA", "closes 16:00"]
    assert day.until("23:59") == []
    assert [item.index for item in day.slices] == [0, 1, 2, 3, 4, 5, 6]
    assert day.slices[-1].bars[0].start == day.at("15:30")
    assert (day.facts, day.events) == ([], [])
    assert day.clock.gaps.ends[Outcome.RECEIVED] == 7
    assert day.due() == "2099-01-05 09:30"[5:]


@pytest.mark.parametrize(
    ("came", "word"),
    [
        ("10:30:00", "slice"),
        ("10:31:00", "slice"),  # by end + 60 s, inclusive
        ("10:31:01", "late slice"),
        ("10:31:59", "late slice"),
    ],
)
def test_the_limit_of_deciding(came: str, word: str) -> None:
    day = Day(start="09:30")
    assert day.bar("10:30", came) == [f"{word} 10:30 NVDA"]
    assert day.facts == ([] if word == "slice" else ["NVDA 10:30 backfilled"])
    assert day.until("11:29:59") == []  # late is not lost: no pause


def test_all_that_comes_at_the_very_deadline_comes_in_time() -> None:
    day = Day(symbols=(*TWO, "MU"), start="09:30")
    assert day.bar("10:30", "10:31") == []
    assert day.due() == "10:31"  # the instant is not over
    assert day.bar("10:30", "10:31", "AMD") == []
    assert day.until("10:31") == ["10:31 slice 10:30 NVDA,AMD-MU"]
    assert day.due() == "11:32"  # if nothing of the next one comes until then
    assert day.bar("10:30", "10:31", "MU") == ["late slice 10:30 MU"]


def test_an_absent_bar_is_missing_and_its_slice_closes() -> None:
    day = Day(start="09:30")
    assert day.absent("10:30", "10:30:52") == ["slice 10:30 -NVDA"]
    assert day.facts == ["NVDA 10:30 missing"]
    assert day.until("11:29:59") == []


def test_a_quarantined_bar_counts_as_missing_with_its_reason() -> None:
    day = Day(start="09:30")
    day.clock.quarantine("NVDA", day.at("09:30"), day.at("10:30:05"), "high below low")
    ((item, facts),) = day.clock.take()
    assert item.missing == ("NVDA",)  # type: ignore[union-attr]  # it is a slice
    assert [(fact.outcome, fact.detail) for fact in facts] == [("quarantined", "high below low")]
    assert facts[0].instant == day.at("10:30:05")
    assert (facts[0].start, facts[0].end) == (day.at("09:30"), day.at("10:30"))


def test_what_is_declared_before_its_end_closes_at_its_end() -> None:
    day = Day(start="09:30")
    assert day.absent("10:30", "10:00") == []
    assert day.due() == "10:30"
    assert day.until("11:00") == ["10:30 slice 10:30 -NVDA"]


def test_what_is_declared_of_the_far_future_reads_no_schedule() -> None:
    day = Day(start="09:30")
    items = calendar_schedule(
        calendar_of({"2024-05-28": FULL}), ("NVDA",), day.size, "session", (day.at("09:30"), TICK)
    )
    clock = BarClock(items, RULES, ("NVDA",), held=False)
    clock.absent("NVDA", day.at("09:30", "2098-01-06"), day.at("10:00"), "none")
    following = next(items)
    assert isinstance(following, Slot)
    assert following.end == day.at("11:30")  # that of 10:30 is waited for


def test_a_bar_that_was_given_up_but_comes_before_its_slice_closes_is_taken() -> None:
    day = Day(symbols=TWO, start="09:30")
    assert day.absent("10:30", "10:30:20") == []
    assert day.bar("10:30", "10:30:30") == []
    assert day.bar("10:30", "10:30:31", "AMD") == ["slice 10:30 NVDA,AMD"]
    assert day.facts == []


# --- after its slice ------------------------------------------------------------------------------


def test_a_bar_before_its_symbols_next_one_is_a_slice_of_its_own() -> None:
    day = Day(start="09:30")
    day.absent("10:30", "10:30:52")
    assert day.bar("10:30", "10:40") == ["late slice 10:30 NVDA"]
    assert day.slices[1].index == day.slices[0].index == 0
    assert day.slices[1].missing == ()
    assert day.facts == ["NVDA 10:30 missing", "NVDA 10:30 backfilled"]
    assert day.bar("11:30", "11:30:05") == ["slice 11:30 NVDA"]
    ends = day.clock.gaps.ends
    assert (ends[Outcome.MISSING], ends[Outcome.BACKFILLED], ends[Outcome.RECEIVED]) == (0, 1, 1)


def test_later_still_it_is_late_and_changes_nothing() -> None:
    day = Day(start="09:30")
    day.absent("10:30", "10:30:52")
    day.bar("11:30", "11:30:05")
    assert day.bar("10:30", "11:40") == []
    assert day.facts == ["NVDA 10:30 missing"]  # the late bar's row waits for the next input
    assert day.bar("12:30", "12:30:05") == ["slice 12:30 NVDA"]
    assert day.facts == ["NVDA 10:30 missing", "NVDA 10:30 late"]
    assert day.bar("10:30", "12:40") == []  # the same again
    assert day.clock.gaps.duplicates == 1


def test_a_quarantined_bar_that_comes_right_after_all_is_backfilled() -> None:
    day = Day(start="09:30")
    day.quarantine("10:30", "10:30:05")
    assert day.bar("10:30", "10:30:20") == ["late slice 10:30 NVDA"]
    assert day.facts == ["NVDA 10:30 quarantined", "NVDA 10:30 backfilled"]


def test_duplicates_are_counted_and_other_numbers_are_ledgered_once() -> None:
    day = Day(start="09:30")
    day.bar("10:30", "10:30:05")
    assert day.bar("10:30", "10:30:06") == []
    assert day.clock.gaps.duplicates == 1
    assert day.bar("10:30", "10:50", price=101.0) == []
    assert day.bar("10:30", "10:51", price=101.0) == []
    assert day.clock.gaps.duplicates == 2
    assert day.bar("11:30", "11:30:05") == ["slice 11:30 NVDA"]
    assert day.facts == ["NVDA 10:30 revised"]
    assert [item.bars[0].close for item in day.slices] == [100.0, 100.0]
    assert day.clock.gaps.ends[Outcome.REVISED] == 1
    assert day.clock.gaps.ends[Outcome.RECEIVED] == 1


def test_other_numbers_before_the_slice_closes_change_nothing_either() -> None:
    day = Day(symbols=TWO, start="09:30")
    day.bar("10:30", "10:30:05", price=100.0)
    day.bar("10:30", "10:30:06", price=101.0)
    day.bar("10:30", "10:30:06", price=101.0)
    assert (day.clock.gaps.revisions, day.clock.gaps.duplicates) == (1, 1)
    assert day.bar("10:30", "10:30:07", "AMD") == ["slice 10:30 NVDA,AMD"]
    assert day.slices[0].bars[0].close == 100.0
    assert day.facts == ["NVDA 10:30 revised"]


def test_what_is_known_of_old_bars_is_bounded() -> None:
    days = {f"2024-{month:02d}-{day:02d}": FULL for month in range(1, 8) for day in range(1, 29)}
    day = Day(days, start="09:30")
    first = day.made("10:30")
    while (due := day.clock.due()) is not None and due < at_end(day):
        ends = [slot.end for _, slot in day.clock.wanted(due + 10**18, 1)]
        day.clock.absent("NVDA", day.clock.wanted(due + 10**18, 1)[0][1].start, ends[0], "none")
        day.out()
        if len(day.slices) > SLICES_REMEMBERED:
            break
    now = day.slices[-1].end
    day.clock.bar(first, now)  # it was missing, and may not even be called late
    assert day.clock.gaps.old == 1
    assert day.clock.gaps.ends[Outcome.MISSING] == SLICES_REMEMBERED + 1


def at_end(day: Day) -> int:
    return day.at("12-31 16:00")


# --- what nobody expects --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "start", "end", "now"),
    [
        ("NVDA", "09:30", "10:30", "10:29:59"),  # it has not ended
        ("NVDA", "09:30", "10:00", "10:00:05"),  # another size
        ("NVDA", "16:00", "17:00", "17:00:05"),  # after hours
        ("NVDA", "10:00", "11:00", "11:00:05"),  # another grid
        ("SPY", "09:30", "10:30", "10:30:05"),
    ],
)
def test_an_unexpected_bar_is_counted_once_ledgered_and_never_traded(
    symbol: str, start: str, end: str, now: str
) -> None:
    day = Day(start="09:30")
    bar = Bar(symbol, day.at(start), day.at(end), 1.0, 1.0, 1.0, 1.0, 1)
    day.clock.bar(bar, day.at(now))
    day.clock.bar(bar, day.at(now))
    assert [word for word in day.out() if "slice" in word] == []
    assert day.clock.gaps.ends[Outcome.UNEXPECTED] == 2
    if now < "16:00":
        assert day.bar("10:30", "11:10") != []  # the true one is still welcome
        assert day.facts[0] == f"{symbol} {end} unexpected"
        assert len(day.facts) == 2  # and its own backfill


def test_a_bar_from_before_the_schedule_is_old() -> None:
    day = Day({"2024-05-28": FULL, "2024-05-29": FULL}, start="05-29 09:00")
    day.bar("10:30", "05-29 09:15")
    day.bar("10:30", "05-29 09:40")
    assert day.clock.gaps.old == 2
    assert day.clock.gaps.ends[Outcome.UNEXPECTED] == 0
    assert day.facts == []


def test_an_absence_of_a_bar_that_is_there_or_that_nobody_expects_means_nothing() -> None:
    day = Day(symbols=TWO, start="09:30")
    day.bar("10:30", "10:30:05")
    assert day.absent("10:30", "10:30:06") == []
    assert day.absent("10:30", "10:30:07", "SPY") == []
    day.clock.absent("NVDA", day.at("10:00"), day.at("10:30:08"), "none")
    assert day.bar("10:30", "10:30:09", "AMD") == ["slice 10:30 NVDA,AMD"]
    assert day.absent("10:30", "10:30:10") == []
    assert day.facts == []


# --- two symbols ----------------------------------------------------------------------------------


def test_at_the_deadline_what_is_in_hand_goes() -> None:
    day = Day(symbols=TWO, start="09:30")
    assert day.bar("10:30", "10:30:05", "AMD") == []
    assert day.due() == "10:31"
    assert day.until("11:00") == ["10:31 slice 10:30 AMD-NVDA"]
    assert day.facts == ["NVDA 10:30 missing"]
    assert day.bar("10:30", "10:33") == ["late slice 10:30 NVDA"]
    assert day.bar("11:30", "11:30:05") == []
    assert day.bar("11:30", "11:30:06", "AMD") == ["slice 11:30 NVDA,AMD"]


def test_a_bar_that_comes_at_the_deadline_comes_in_time() -> None:
    day = Day(symbols=TWO, start="09:30")
    day.bar("10:30", "10:30:05", "AMD")
    assert day.bar("10:30", "10:31:00") == ["slice 10:30 NVDA,AMD"]


def test_one_in_hand_and_one_absent_need_no_deadline() -> None:
    day = Day(symbols=TWO, start="09:30")
    day.bar("10:30", "10:30:05")
    assert day.absent("10:30", "10:30:40", "AMD") == ["slice 10:30 NVDA-AMD"]


def test_nothing_in_hand_waits_beyond_the_deadline_for_all_of_them() -> None:
    day = Day(symbols=TWO, start="09:30")
    assert day.absent("10:30", "10:30:52", "AMD") == []
    assert day.until("10:31:59") == []
    assert day.bar("10:30", "10:31:59") == ["late slice 10:30 NVDA-AMD"]
    assert day.facts == ["NVDA 10:30 backfilled", "AMD 10:30 missing"]


def test_the_first_late_bar_gives_the_others_as_long_again() -> None:
    day = Day(symbols=TWO, start="09:30")
    assert day.bar("10:30", "10:31:30") == []
    assert day.due() == "10:32:30"
    assert day.bar("10:30", "10:32:10", "AMD") == ["late slice 10:30 NVDA,AMD"]
    day = Day(symbols=TWO, start="09:30")
    day.bar("10:30", "10:31:30")
    assert day.until("11:00") == ["10:32:30 late slice 10:30 NVDA-AMD"]


def test_symbols_may_get_apart_and_each_still_goes_forward() -> None:
    """NVDA is silent for two bars while AMD trades on; both come then, before NVDA's third."""
    day = Day(symbols=TWO, start="09:30")
    for end in ("10:30", "11:30"):
        day.bar(end, f"{end}:05", "AMD")
        day.until(f"{end[:2]}:59")
    assert day.bar("10:30", "12:00") == ["late slice 10:30 NVDA"]
    assert day.bar("11:30", "12:00") == ["late slice 11:30 NVDA"]
    assert day.facts == [
        "NVDA 10:30 missing", "NVDA 11:30 missing",
        "NVDA 10:30 backfilled", "NVDA 11:30 backfilled",
    ]  # fmt: skip


def test_out_of_order_the_later_one_goes_first_and_the_earlier_is_late() -> None:
    day = Day(symbols=TWO, start="09:30")
    for end in ("10:30", "11:30"):
        day.bar(end, f"{end}:05", "AMD")
        day.until(f"{end[:2]}:59")
    assert day.bar("11:30", "12:00") == ["late slice 11:30 NVDA"]
    assert day.bar("10:30", "12:00") == []
    day.bar("12:30", "12:30:05")
    assert day.bar("12:30", "12:30:06", "AMD") == ["slice 12:30 NVDA,AMD"]
    assert day.facts[-1] == "NVDA 10:30 late"


# --- a later bar before an earlier one ------------------------------------------------------------


def test_later_bars_wait_for_an_earlier_one_until_their_own_deadline() -> None:
    day = Day(size="1m", start="09:30")
    assert day.bar("09:32", "09:32:03") == []
    assert day.due() == "09:33"
    assert day.bar("09:31", "09:32:20") == ["late slice 09:31 NVDA", "slice 09:32 NVDA"]
    assert day.facts == ["NVDA 09:31 backfilled"]


def test_then_the_earlier_one_is_given_up_and_the_later_still_decides() -> None:
    day = Day(size="1m", start="09:30")
    day.bar("09:32", "09:32:03")
    assert day.until("09:33:30") == ["09:33 late slice 09:31 -NVDA", "09:33 slice 09:32 NVDA"]
    assert day.facts == ["NVDA 09:31 missing"]
    assert day.bar("09:31", "09:33:40") == []
    day.bar("09:33", "09:33:50")
    assert day.facts == ["NVDA 09:31 missing", "NVDA 09:31 late"]


def test_bars_that_wait_are_bounded() -> None:
    """Fifteen days of minutes are missing, then the last comes: all but 4096 slots close."""
    days = {f"2024-01-{day:02d}": FULL for day in range(1, 16)}  # 15 x 390 = 5850 minutes
    day = Day(days, size="1m", start="09:30")
    day.bar("01-15 16:00", "01-15 16:00:05")
    assert len(day.slices) == 5850 - SLOTS_WAITING_MAX
    assert all(item.missing == ("NVDA",) for item in day.slices)
    assert day.clock.gaps.ends[Outcome.MISSING] == 5850 - SLOTS_WAITING_MAX


# --- the ledger's rows ----------------------------------------------------------------------------


def test_rows_that_wait_for_an_input_are_bounded() -> None:
    day = Day(start="08:00")
    for number in range(FACTS_WAITING_MAX):
        day.clock.lost(day.at("08:00:01") + 2 * number, "flapping")
        day.clock.restored(day.at("08:00:01") + 2 * number + 1)
    day.clock.advance(day.at("09:30"))
    ((_, facts),) = day.clock.take()
    assert len(facts) == FACTS_WAITING_MAX + 1
    assert facts[-1].outcome == "dropped"
    assert facts[-1].detail.startswith(f"{FACTS_WAITING_MAX} rows")


# --- what a source must ask for -------------------------------------------------------------------


def test_wanted_are_the_bars_that_ended_grace_ago_and_are_not_known() -> None:
    day = Day(symbols=TWO, start="09:30")

    def wanted(now: str, limit: int = 9) -> list[str]:
        found = day.clock.wanted(day.at(now), limit)
        return [f"{symbol} {day.text(slot.end)}" for symbol, slot in found]

    assert wanted("10:30:04") == []
    assert wanted("10:30:05") == ["NVDA 10:30", "AMD 10:30"]
    day.bar("10:30", "10:30:06", "AMD")
    assert wanted("10:30:07") == ["NVDA 10:30"]
    assert wanted("12:30:05") == [
        "NVDA 10:30",
        "NVDA 11:30",
        "AMD 11:30",
        "NVDA 12:30",
        "AMD 12:30",
    ]
    assert wanted("12:30:05", 2) == ["NVDA 10:30", "NVDA 11:30"]
    day.absent("10:30", "12:30:06")
    assert wanted("12:30:07", 2) == ["NVDA 11:30", "AMD 11:30"]


# --- warm-up --------------------------------------------------------------------------------------


def test_warm_up_bars_come_first_whatever_the_time() -> None:
    days = {"2024-05-28": FULL, "2024-05-29": FULL}
    day = Day(days, start="05-29 09:00", warmup=2)
    assert day.bar("15:30", "05-29 09:00:01") == ["warm slice 15:30 NVDA"]
    assert day.until("05-29 09:29") == []
    assert day.bar("16:00", "05-29 09:29") == ["warm slice 16:00 NVDA"]
    assert day.until("05-29 09:30") == ["05-29 09:30 opens 05-29 09:30"]
    assert day.facts == []
    assert day.clock.gaps.ends[Outcome.WARMUP] == 2


def test_a_gap_in_warm_up_is_neither_counted_nor_filled_later() -> None:
    days = {"2024-05-28": FULL, "2024-05-29": FULL}
    day = Day(days, start="05-29 09:00", warmup=2)
    assert day.absent("15:30", "05-29 09:00:01") == ["warm slice 15:30 -NVDA"]
    assert day.bar("15:30", "05-29 09:00:02") == []
    assert day.bar("16:00", "05-29 09:00:03") == ["warm slice 16:00 NVDA"]
    assert day.facts == []
    assert day.clock.gaps.ends[Outcome.MISSING] == 0
    assert day.clock.gaps.old == 1


# --- ticks, half days, the change of clocks -------------------------------------------------------


def test_a_half_day_expects_four_bars() -> None:
    day = Day({"2024-11-29": HALF, "2024-12-02": FULL})
    assert day.until("09:30") == ["09:30 opens 09:30"]
    for end in ("10:30", "11:30", "12:30"):
        day.bar(end, f"{end}:05")
    assert day.bar("13:00", "13:00:05") == ["slice 13:00 NVDA", "closes 13:00"]
    assert day.until("12-02 09:00") == []
    assert day.until("12-02 09:30") == ["12-02 09:30 opens 12-02 09:30"]


@pytest.mark.parametrize(
    ("friday", "monday", "hours"),
    [
        ("2024-03-08", "2024-03-11", 71),  # 16:00 EST to 16:00 EDT
        ("2024-11-01", "2024-11-04", 73),  # 16:00 EDT to 16:00 EST
    ],
)
def test_over_the_change_of_clocks(friday: str, monday: str, hours: int) -> None:
    day = Day({friday: FULL, monday: FULL})
    for date in (friday, monday):
        day.until(f"{date[5:]} 09:30")
        for end in ("10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00"):
            day.bar(f"{date[5:]} {end}", f"{date[5:]} {end}:05")
        assert day.until(f"{date[5:]} 23:00") == []
    assert len(day.slices) == 14
    assert day.slices[13].end - day.slices[6].end == hours * 3_600 * 10**9
    assert day.facts == []


def test_a_close_waits_for_the_slice_of_its_instant_and_the_next_day_behind_it() -> None:
    day = Day({"2024-05-28": FULL, "2024-05-29": FULL}, start="15:30")
    assert day.until("05-29 11:00") == ["16:02 Pause 16:02"]
    assert day.absent("16:00", "05-29 11:00") == [
        "late slice 16:00 -NVDA", "closes 16:00", "opens 05-29 09:30",
    ]  # fmt: skip


# --- time -----------------------------------------------------------------------------------------


def test_time_never_goes_back() -> None:
    day = Day(start="09:30")
    day.advance("10:31:30")
    assert day.bar("10:30", "10:30:05") == ["late slice 10:30 NVDA"]


def test_a_timer_may_be_a_second_late_but_who_slept_decides_nothing() -> None:
    for woke, word in (("10:31:01", "slice"), ("10:31:02", "late slice"), ("17:00", "late slice")):
        day = Day(symbols=TWO, start="09:30")
        day.bar("10:30", "10:30:05")
        assert day.advance(woke)[0] == f"{word} 10:30 NVDA-AMD"


def test_due_is_always_ahead_and_none_where_the_schedule_ends() -> None:
    day = Day(start="09:30")
    items = calendar_schedule(
        calendar_of({"2024-05-28": FULL}), ("NVDA",), day.size, "session", (day.at("09:30"), TICK)
    )
    clock = BarClock(iter([next(items)]), RULES, ("NVDA",), held=False)
    clock.advance(day.at("09:30"))
    assert clock.due() == day.at("10:32")
    clock.bar(day.made("10:30"), day.at("10:30:05"))
    assert clock.due() is None
    clock.advance(day.at("23:00"))
    assert len(clock.take()) == 1


# --- as fast as possible --------------------------------------------------------------------------


def test_without_deadlines_a_slice_waits_and_is_always_in_time() -> None:
    day = Day(symbols=TWO, rules=replace(RULES, deadlines=False), start="09:30")
    day.bar("10:30", "10:30")
    day.bar("11:30", "11:30")
    assert day.until("13:00") == []
    assert day.bar("10:30", "13:00", "AMD") == ["slice 10:30 NVDA,AMD"]
    assert day.bar("11:30", "14:00", "AMD") == ["slice 11:30 NVDA,AMD"]
    assert day.until("23:00") == []
