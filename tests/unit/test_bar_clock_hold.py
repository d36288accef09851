"""The feed's hold: what pauses trading, and what lets it go on. Rules and times as in the module
beside it: 120 s without a bar pause, 120 s of a feed that is up resume.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from daemon.core.events import Pause
from daemon.feeds.feed_health import TRANSITIONS, FeedHealth, FeedState, FeedTrigger
from tests.unit.clock_day import FULL, HALF, RULES, Day

NEXT_BAR = replace(RULES, resume_after="next_bar")
TWO_DAYS = {"2024-05-28": FULL, "2024-05-29": FULL}


# --- silence --------------------------------------------------------------------------------------


def test_silence_in_an_open_session_pauses() -> None:
    day = Day(start="09:30")
    assert day.due() == "10:32"
    assert day.until("11:29") == ["10:32 Pause 10:32"]
    assert day.events == ["silent 10:32"]
    assert day.clock.held


def test_silence_outside_the_session_is_normal() -> None:
    day = Day(TWO_DAYS)
    assert day.until("09:30") == ["09:30 opens 09:30"]
    day = Day(TWO_DAYS, start="15:30")
    assert day.bar("16:00", "16:00:05") == ["slice 16:00 NVDA", "closes 16:00"]
    assert day.until("05-29 10:31") == ["05-29 09:30 opens 05-29 09:30"]
    assert not day.clock.held


def test_silence_at_the_sessions_end_pauses_as_well() -> None:
    day = Day(TWO_DAYS, start="15:30")
    assert day.until("23:00") == ["16:02 Pause 16:02"]


def test_silence_at_the_end_of_a_half_day() -> None:
    day = Day({"2024-11-29": HALF, "2024-12-02": FULL}, start="12:30")
    assert day.until("12-02 12:00") == ["13:02 Pause 13:02"]
    day = Day({"2024-11-29": HALF, "2024-12-02": FULL}, start="12:30")
    assert day.bar("13:00", "13:00:05") == ["slice 13:00 NVDA", "closes 13:00"]
    assert day.until("12-02 10:31") == ["12-02 09:30 opens 12-02 09:30"]


@pytest.mark.parametrize(
    ("friday", "monday"), [("2024-03-08", "2024-03-11"), ("2024-11-01", "2024-11-04")]
)
def test_silence_after_the_clocks_have_changed(friday: str, monday: str) -> None:
    """An hour off would pause at 11:32 or at 09:32."""
    day = Day({friday: FULL, monday: FULL}, start="15:30")
    day.bar("16:00", "16:00:05")
    date = monday[5:]
    assert day.until(f"{date} 14:00") == [
        f"{date} 09:30 opens {date} 09:30", f"{date} 10:32 Pause {date} 10:32",
    ]  # fmt: skip


def test_one_symbol_that_trades_is_not_silence() -> None:
    day = Day(symbols=("NVDA", "AMD"), start="09:30")
    day.bar("10:30", "10:30:05", "AMD")
    assert day.until("11:00") == ["10:31 slice 10:30 AMD-NVDA"]


def test_bars_of_later_that_wait_are_not_silence() -> None:
    day = Day(size="1m", start="09:30")
    day.bar("09:32", "09:32:03")
    assert day.until("09:33") == ["09:33 late slice 09:31 -NVDA", "09:33 slice 09:32 NVDA"]


def test_silence_ends_with_a_bar_and_trading_goes_on_when_it_is_stable() -> None:
    day = Day(start="09:30")
    day.until("10:45")
    assert day.bar("10:30", "10:45") == ["late slice 10:30 NVDA"]
    assert day.due() == "10:47"
    assert day.until("11:00") == ["10:47 Resume 10:47"]
    assert day.events == ["silent 10:32", "alive 10:45"]
    assert not day.clock.held


def test_silence_ends_with_a_declared_absence_too() -> None:
    day = Day(start="09:30")
    day.until("10:45")
    assert day.absent("10:30", "10:45") == ["late slice 10:30 -NVDA"]
    assert day.until("11:00") == ["10:47 Resume 10:47"]


def test_a_new_silence_starts_the_stability_again() -> None:
    """10:30 comes at 11:31, 11:30 fails to come for 120 s more: only its coming counts."""
    day = Day(start="09:30")
    day.until("11:31")
    day.bar("10:30", "11:31")
    assert day.until("12:00") == []
    assert day.bar("11:30", "12:00") == ["late slice 11:30 NVDA"]
    assert day.events == ["silent 10:32", "alive 11:31", "silent 11:33", "alive 12:00"]
    assert day.until("12:30") == ["12:02 Resume 12:02"]


def test_news_of_a_return_do_not_end_a_silence() -> None:
    """The feed was never away: it counts as up from 11:30:05, when it brings something."""
    day = Day(rules=NEXT_BAR, start="09:30")
    day.until("10:40")
    day.restored("10:40")
    day.absent("10:30", "11:30:05")
    assert day.bar("11:30", "11:30:06") == ["slice 11:30 NVDA"]
    assert day.bar("12:30", "12:30:05") == ["Resume 12:30:05", "slice 12:30 NVDA"]


def test_without_deadlines_no_silence_pauses() -> None:
    day = Day(rules=replace(RULES, deadlines=False), start="09:30")
    assert day.until("15:00") == []
    day.lost("15:00")
    assert day.until("05-29 15:00") == []


# --- loss -----------------------------------------------------------------------------------------


def test_a_loss_over_a_bars_end_holds_its_slice_and_pauses() -> None:
    day = Day(start="09:30")
    day.lost("10:29")
    assert day.until("11:00") == ["10:31 Pause 10:31"]
    assert day.restored("11:00") == []
    assert day.bar("10:30", "11:00:10") == ["late slice 10:30 NVDA"]
    assert day.until("11:29") == ["11:02 Resume 11:02"]
    assert day.events == ["lost 10:29", "restored 11:00"]
    assert day.facts == ["NVDA 10:30 backfilled"]


def test_the_pause_says_what_happened() -> None:
    day = Day(start="09:30")
    day.lost("10:29")
    day.clock.advance(day.at("10:31"))
    ((item, facts),) = day.clock.take()
    assert isinstance(item, Pause)
    assert item.reason == "the feed is lost since 2024-05-28T14:29:00Z: socket closed"
    assert [fact.detail for fact in facts] == ["socket closed"]


@pytest.mark.parametrize(
    ("lost", "restored", "expected"),
    [
        ("09:40", "09:41:59", []),
        ("09:40", "09:50", ["09:42 Pause 09:42", "09:52 Resume 09:52"]),
        # from the open on, not from the evening before; it opens whatever the feed does
        ("09:00", "09:40", ["09:30 opens 09:30", "09:32 Pause 09:32", "09:42 Resume 09:42"]),
        ("09:00", "09:31:59", ["09:30 opens 09:30"]),
        ("05:00", "09:00", ["09:30 opens 09:30"]),
    ],
)
def test_a_loss_within_a_session_that_costs_no_bar(
    lost: str, restored: str, expected: list[str]
) -> None:
    day = Day(start=min(lost, "09:30"))
    day.lost(lost)
    out = day.until(restored)
    day.restored(restored)
    assert out + day.until("10:29") == expected
    assert day.bar("10:30", "10:30:05") == ["slice 10:30 NVDA"]


def test_a_short_loss_at_a_bars_end_costs_nothing() -> None:
    day = Day(start="09:30")
    day.lost("10:29:55")
    day.restored("10:30:20")
    assert day.bar("10:30", "10:30:26") == ["slice 10:30 NVDA"]


def test_a_short_loss_gives_a_bar_no_more_time() -> None:
    day = Day(start="09:30")
    day.lost("10:29:55")
    day.restored("10:31")
    assert day.until("10:40") == ["10:32 Pause 10:32"]


def test_a_loss_overnight_pauses_nobody() -> None:
    day = Day(TWO_DAYS, start="15:30")
    day.bar("16:00", "16:00:05")
    day.lost("23:45")
    assert day.until("05-29 00:10") == []
    day.restored("05-29 00:10")
    assert day.until("05-29 10:29") == ["05-29 09:30 opens 05-29 09:30"]
    assert day.events == ["lost 23:45", "restored 05-29 00:10"]


def test_a_loss_just_before_the_close_pauses_for_the_last_bar() -> None:
    day = Day(start="15:30")
    day.lost("15:59")
    assert day.until("20:00") == ["16:02 Pause 16:02"]
    day = Day(start="15:30")
    day.lost("15:57")
    assert day.until("20:00") == ["15:59 Pause 15:59"]


def test_later_bars_queue_behind_the_held_slice() -> None:
    day = Day(TWO_DAYS, start="13:30")
    day.lost("14:00")
    assert day.until("05-29 09:29") == ["14:02 Pause 14:02"]
    day.restored("05-29 09:29")
    assert day.bar("15:30", "05-29 09:29:10") == []
    assert day.bar("16:00", "05-29 09:29:11") == []
    assert day.bar("14:30", "05-29 09:29:12") == [
        "late slice 14:30 NVDA", "late slice 15:30 NVDA", "late slice 16:00 NVDA", "closes 16:00",
    ]  # fmt: skip
    assert day.until("05-29 10:00") == [
        "05-29 09:30 opens 05-29 09:30",
        "05-29 09:31 Resume 05-29 09:31",
    ]


def test_a_bar_in_hand_when_the_feed_is_lost_waits_for_the_others_and_is_too_late() -> None:
    day = Day(symbols=("NVDA", "AMD"), start="09:30")
    day.bar("10:30", "10:30:10")
    day.lost("10:30:20")
    assert day.until("10:40") == ["10:32 Pause 10:32"]
    day.restored("10:40")
    assert day.due() == "10:41"
    assert day.bar("10:30", "10:40:30", "AMD") == ["late slice 10:30 NVDA,AMD"]
    assert day.facts == ["NVDA 10:30 backfilled", "AMD 10:30 backfilled"]


def test_after_the_return_the_deadline_runs_again() -> None:
    day = Day(symbols=("NVDA", "AMD"), start="09:30")
    day.bar("10:30", "10:30:10")
    day.lost("10:30:20")
    day.until("10:40")
    day.restored("10:40")
    assert day.until("10:59") == ["10:41 late slice 10:30 NVDA-AMD", "10:42 Resume 10:42"]


def test_a_backfill_of_one_symbol_after_the_other_keeps_slices_whole() -> None:
    day = Day(symbols=("NVDA", "AMD"), start="09:30")
    day.lost("10:00")
    day.until("12:40")
    day.restored("12:40")
    for end in ("10:30", "11:30", "12:30"):
        assert day.bar(end, "12:40:10") == []
    out = [word for end in ("10:30", "11:30", "12:30") for word in day.bar(end, "12:40:20", "AMD")]
    assert out == [f"late slice {end} NVDA,AMD" for end in ("10:30", "11:30", "12:30")]


def test_a_bar_that_was_on_its_way_when_the_feed_was_lost_counts() -> None:
    day = Day(start="09:30")
    day.lost("10:30:01")
    assert day.bar("10:30", "10:30:02") == ["slice 10:30 NVDA"]
    assert day.clock.feed.state is FeedState.DOWN


def test_repeated_news_of_one_loss_are_one() -> None:
    day = Day(start="09:30")
    for now in ("09:40", "09:41"):
        day.lost(now)
    assert day.until("09:50") == ["09:42 Pause 09:42"]
    for now in ("09:50", "09:51"):
        day.restored(now)
    assert day.until("10:00") == ["09:52 Resume 09:52"]
    assert day.events == ["lost 09:40", "restored 09:50"]


# --- what ends the hold ---------------------------------------------------------------------------


def test_backfilled_waits_for_everything_that_has_ended() -> None:
    day = Day(start="09:30")
    day.lost("10:00")
    day.until("11:35")
    day.restored("11:35")
    assert day.bar("10:30", "11:35:10") == ["late slice 10:30 NVDA"]
    assert day.until("11:37:09") == []  # heard of last at 11:35:10
    assert day.absent("11:30", "11:37:09") == ["late slice 11:30 -NVDA", "Resume 11:37:09"]


def test_backfilled_goes_on_before_a_bar_that_is_in_time() -> None:
    """Stable since 10:30:02, when the bar of 10:30 is the only thing that is lacking."""
    day = Day(start="09:30")
    day.lost("10:00")
    day.until("10:28:02")
    day.restored("10:28:02")
    assert day.until("10:30:06") == []
    assert day.bar("10:30", "10:30:07") == ["Resume 10:30:07", "slice 10:30 NVDA"]


def test_stability_starts_again_with_each_loss() -> None:
    day = Day(start="09:30")
    day.lost("09:40")
    day.until("09:45")
    day.restored("09:45")
    day.lost("09:46:59")
    day.restored("09:47")
    assert day.until("10:00") == ["09:49 Resume 09:49"]


def test_next_bar_waits_for_a_bar_in_time() -> None:
    day = Day(rules=NEXT_BAR, start="09:30")
    day.lost("10:00")
    day.until("11:00")
    day.restored("11:00")
    assert day.bar("10:30", "11:00:10") == ["late slice 10:30 NVDA"]
    assert day.until("11:29") == []
    assert day.bar("11:30", "11:30:05") == ["Resume 11:30:05", "slice 11:30 NVDA"]


def test_next_bar_gives_up_what_has_not_come() -> None:
    day = Day(rules=NEXT_BAR, start="09:30")
    day.lost("10:00")
    day.until("12:20")
    day.restored("12:20")
    assert day.bar("12:30", "12:30:05") == [
        "late slice 10:30 -NVDA", "late slice 11:30 -NVDA", "Resume 12:30:05", "slice 12:30 NVDA",
    ]  # fmt: skip
    assert day.bar("10:30", "12:31") == []
    day.bar("13:30", "13:30:05")
    assert day.facts == ["NVDA 10:30 missing", "NVDA 11:30 missing", "NVDA 10:30 late"]


def test_next_bar_must_be_stable_as_well() -> None:
    day = Day(rules=NEXT_BAR, start="09:30")
    day.bar("10:30", "10:30:05")
    day.lost("10:40")
    day.until("11:29")
    day.restored("11:29")
    assert day.bar("11:30", "11:30:05") == ["slice 11:30 NVDA"]  # 65 s: still paused
    assert day.until("12:29") == []
    assert day.bar("12:30", "12:30:05") == ["Resume 12:30:05", "slice 12:30 NVDA"]


def test_next_bar_gives_up_once_the_feed_has_become_stable() -> None:
    """The bar of 11:30 is there at 11:30:05, the feed is stable at 11:30:30."""
    day = Day(rules=NEXT_BAR, start="09:30")
    day.lost("10:00")
    day.until("11:28:30")
    day.restored("11:28:30")
    assert day.bar("11:30", "11:30:05") == []
    assert day.until("12:00") == [
        "11:30:30 late slice 10:30 -NVDA",
        "11:30:30 Resume 11:30:30",
        "11:30:30 slice 11:30 NVDA",
    ]


def test_a_late_bar_is_no_next_bar() -> None:
    day = Day(rules=replace(NEXT_BAR, stable_s=0), start="09:30")
    day.lost("10:00")
    day.until("11:28")
    day.restored("11:28")
    assert day.bar("11:30", "11:31:01") == []
    assert day.bar("10:30", "11:31:30") == ["late slice 10:30 NVDA", "late slice 11:30 NVDA"]
    assert day.bar("12:30", "12:30:05") == ["Resume 12:30:05", "slice 12:30 NVDA"]


def test_an_absent_bar_is_no_next_bar() -> None:
    day = Day(rules=NEXT_BAR, start="09:30")
    day.lost("09:40")
    day.until("10:00")
    day.restored("10:00")
    assert day.absent("10:30", "10:30:50") == ["slice 10:30 -NVDA"]
    assert day.bar("11:30", "11:30:05") == ["Resume 11:30:05", "slice 11:30 NVDA"]


# --- a restart ------------------------------------------------------------------------------------


def test_a_restart_keeps_the_hold_until_the_feed_is_stable() -> None:
    day = Day(start="09:30", held=True)
    assert day.until("10:00") == ["09:32 Resume 09:32"]
    day = Day(start="09:30", held=True)
    day.lost("09:30")  # how a feed begins that has yet to connect
    assert day.until("09:40") == []
    day.restored("09:40")
    assert day.until("10:00") == ["09:42 Resume 09:42"]


def test_a_restart_with_the_hold_at_the_next_bar() -> None:
    day = Day(rules=NEXT_BAR, start="09:30", held=True)
    assert day.until("10:30") == []
    assert day.bar("10:30", "10:30:05") == ["Resume 10:30:05", "slice 10:30 NVDA"]


def test_a_restart_after_hours_away_pauses_at_once_and_catches_up() -> None:
    """The last slice in the journal is that of 10:30; the process is back at 14:00."""
    day = Day(start="10:30")
    assert day.advance("14:00") == ["Pause 14:00"]
    for end in ("11:30", "12:30", "13:30"):
        assert day.bar(end, "14:00:10") == [f"late slice {end} NVDA"]
    assert day.until("14:29") == ["14:02:10 Resume 14:02:10"]


def test_a_restart_without_the_feeds_hold_never_resumes() -> None:
    day = Day(start="09:30")
    assert day.until("10:30") == []
    assert day.bar("10:30", "10:30:05") == ["slice 10:30 NVDA"]


# --- the process slept ----------------------------------------------------------------------------


@pytest.mark.parametrize("woke", ["12:45", "05-29 12:45", "05-30 03:00"])
def test_who_slept_pauses_once_and_catches_up_in_order(woke: str) -> None:
    day = Day({**TWO_DAYS, "2024-05-30": FULL}, start="11:30")
    assert day.advance(woke) == [f"Pause {woke}"]
    assert day.advance(woke) == []
    expected = day.clock.wanted(day.at(woke), 100)
    assert [slot.end for _, slot in expected] == sorted({slot.end for _, slot in expected})
    ends = []
    for symbol, slot in expected:
        day.clock.absent(symbol, slot.start, day.at(woke), "none")
        ends += day.out()
    assert len([word for word in ends if "slice" in word]) == len(expected)
    assert ends[0] == "late slice 12:30 -NVDA"
    assert not [word for word in ends if word.startswith("Resume")]
    resumed = day.until("05-30 10:31")
    assert [word for word in resumed if "Resume" in word] != []
    assert resumed.count("Pause") == 0


# --- the table ------------------------------------------------------------------------------------


def test_the_table_of_the_feeds_states_is_total() -> None:
    assert set(TRANSITIONS) == {(state, trigger) for state in FeedState for trigger in FeedTrigger}


@pytest.mark.parametrize("state", list(FeedState))
@pytest.mark.parametrize("trigger", list(FeedTrigger))
def test_since_changes_with_the_state_alone(state: FeedState, trigger: FeedTrigger) -> None:
    health = FeedHealth()
    health.state, health.since = state, 5
    changed = health.move(trigger, 9, "why")
    assert changed is (health.state is not state)
    assert health.since == (9 if changed else 5)


def test_only_loss_brings_it_down_and_only_news_bring_it_up() -> None:
    into = {
        state: [t for (s, t), to in TRANSITIONS.items() if to is state is not s]
        for state in FeedState
    }
    assert set(into[FeedState.DOWN]) == {FeedTrigger.LOSE}
    assert set(into[FeedState.SILENT]) == {FeedTrigger.FALL_SILENT}
    assert set(into[FeedState.UP]) == {FeedTrigger.RESTORE, FeedTrigger.SHOW_LIFE}
