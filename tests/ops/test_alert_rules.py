"""Every alert fires when it should, not when it should not, and clears: days made by hand.

The session lasts from 09:30 to 16:00, bars end at 10:30, 11:30 … 15:30 and 16:00. A condition that
begins at 10:00 and must last two minutes fires at 10:02.
"""

from __future__ import annotations

import pytest

from daemon.observability.checks import HABITS
from tests.ops.stories import DAY, SYMBOL, WEEK, Story, at, during, hours

DOWN, DOWN_TICKET = "PapertapeDown page", "PapertapeDown ticket"
HALTED, HALTED_TICKET = "Halted page", "Halted ticket"
NO_BAR, NOT_READY, PAUSED = "NoBar page", "FeedNotReady page", "PausedInSession page"
HALF_DAY = (hours("09:30", "13:00"), *WEEK[1:])
NO_MONDAY = WEEK[1:]


def test_in_a_quiet_week_nothing_fires() -> None:
    story = Story("00:00", step=10)
    for day in range(8):
        for clock in ("00:00", "03:00", "09:10", "09:30", "09:40", "12:00", "16:00", "20:00"):
            story.expect(f"day {day} {clock}")
    story.check()


# --- PapertapeDown --------------------------------------------------------------------------------


def test_a_process_that_is_gone_pages_in_the_session_and_clears() -> None:
    story = Story("09:30")
    story.gone(during("10:00", "10:10"))
    story.expect("10:01")
    story.expect("10:02", DOWN)
    story.expect("10:09", DOWN)
    story.expect("10:10")
    story.check()


def test_a_restart_is_no_alarm() -> None:
    story = Story("09:55")
    story.gone(during("10:00", "10:02"))
    for clock in ("10:00", "10:01", "10:02", "10:03"):
        story.expect(clock)
    story.check()


def test_a_night_without_the_process_is_a_ticket_until_an_hour_before_the_open() -> None:
    story = Story("19:50", step=2)
    story.gone(during("20:00", "day 1 08:50"))
    story.expect("20:00")
    story.expect("20:02", DOWN_TICKET)
    story.expect("day 1 08:28", DOWN_TICKET)
    story.expect("day 1 08:32", DOWN)
    story.expect("day 1 08:50")
    story.check()


def test_a_holiday_without_the_process_is_a_ticket() -> None:
    story = Story("day -3 15:00", sessions=NO_MONDAY, step=5)
    story.gone(during("day -3 17:00", "day 1 09:40"))
    for clock in ("day -3 17:05", "day -1 12:00", "day 0 08:40", "day 0 12:00", "day 1 08:25"):
        story.expect(clock, DOWN_TICKET)
    story.expect("day 1 08:35", DOWN)
    story.expect("day 1 09:35", DOWN)
    story.expect("day 1 09:40")
    story.check()


def test_one_that_died_in_the_session_pages_until_that_closes() -> None:
    story = Story("12:00", sessions=HALF_DAY)
    story.gone(during("12:30", "14:00"))
    story.expect("12:32", DOWN)
    story.expect("12:59", DOWN)
    story.expect("13:05", DOWN_TICKET)
    story.expect("14:00")
    story.check()


def test_a_process_that_hangs_is_down() -> None:
    """Its page is served by another thread; only the lag of the loop tells."""
    story = Story("09:55")
    story.set("papertape_loop_lag_seconds", lambda t: 61 if t in during("10:00", "10:05") else 0)
    story.expect("10:01")
    story.expect("10:02", DOWN)
    story.expect("10:05")
    story.check()


def test_a_process_that_starts_again_and_again_is_down() -> None:
    """Three starts within fifteen minutes; it answers in between."""
    starts = {at("10:00"): 2, at("10:04"): 3, at("10:08"): 4}
    story = Story("09:55")
    story.set(
        "process_start_time_seconds",
        lambda t: max((value for minute, value in starts.items() if t >= minute), default=1),
    )
    story.gone(during("10:07", "10:08"))
    story.expect("10:08")
    story.expect("10:09", DOWN)
    story.expect("10:14", DOWN)
    story.expect("10:16")
    story.check()


def test_two_restarts_by_hand_are_no_alarm() -> None:
    story = Story("09:55")
    story.set("process_start_time_seconds", lambda t: 1 + (t >= at("10:00")) + (t >= at("10:04")))
    story.expect("10:06")
    story.expect("10:10")
    story.check()


def test_one_that_never_answered_pages_at_any_hour() -> None:
    story = Story("20:00")
    story.gone(during("20:00", "day 1 20:00"))
    story.expect("20:01")
    story.expect("20:02", DOWN)
    story.check()


def test_something_else_on_the_port_is_no_daemon() -> None:
    story = Story("12:00")
    story.gone(during("12:00", "day 1 12:00"))
    story.expect("12:02", DOWN)
    story.check(up=lambda _: 1)


def test_prometheus_without_a_daemon_to_watch_pages() -> None:
    story = Story("12:00")
    story.gone(during("12:00", "day 1 12:00"))
    story.expect("12:02", DOWN)
    story.check(up=lambda _: None)


def test_a_daemon_that_is_not_watched_any_more_is_forgotten() -> None:
    story = Story("10:00")
    story.gone(during("10:10", "day 1 10:00"))
    story.other('up{job="papertape", instance="other"}', 1)
    story.other('papertape_ready{job="papertape", instance="other", name="e"}', 1)
    for clock in ("10:12", "10:20", "11:40", "15:00"):
        story.expect(clock)
    story.check(up=lambda t: 1 if t < at("10:10") else None)


# --- Halted ---------------------------------------------------------------------------------------


def test_a_halt_pages_at_once_and_clears_after_the_reset() -> None:
    story = Story("09:55")
    story.state("HALTED", during("10:00", "10:20"))
    story.expect("09:59")
    story.expect("10:00", HALTED)
    story.expect("10:19", HALTED)
    story.expect("10:23")
    story.check()


def test_the_latch_alone_is_a_halt() -> None:
    story = Story("09:55")
    story.set("papertape_kill_latch", lambda t: t in during("10:00", "10:05"))
    story.expect("10:00", HALTED)
    story.expect("10:08")
    story.check()


def test_a_halt_is_a_ticket_at_night_and_a_page_in_the_morning() -> None:
    story = Story("15:50")
    story.state("HALTED", during("15:55", "day 1 09:00"))
    story.expect("15:59", HALTED)
    story.expect("16:03", HALTED_TICKET)
    story.expect("day 1 03:00", HALTED_TICKET)
    story.expect("day 1 08:33", HALTED)
    story.expect("day 1 09:03")
    story.check()


def test_a_halt_on_a_holiday_is_a_ticket() -> None:
    story = Story("08:00", sessions=NO_MONDAY)
    story.state("HALTED", during("08:00", "day 1 00:00"))
    story.expect("12:00", HALTED_TICKET)
    story.check()


def test_a_restart_does_not_clear_a_halt() -> None:
    story = Story("09:55")
    story.state("HALTED", during("10:00", "10:20"))
    story.gone(during("10:05", "10:07"))
    for clock in ("10:04", "10:05", "10:06", "10:07", "10:10"):
        story.expect(clock, HALTED)
    story.check()


# --- PausedInSession ------------------------------------------------------------------------------


def test_a_pause_of_fifteen_minutes_pages_and_clears() -> None:
    story = Story("09:55")
    story.state("PAUSED", during("10:00", "10:30"))
    story.expect("10:14")
    story.expect("10:15", PAUSED)
    story.expect("10:29", PAUSED)
    story.expect("10:33")
    story.check()


def test_a_restart_does_not_begin_the_pause_anew() -> None:
    story = Story("09:55")
    story.state("PAUSED", during("10:00", "10:30"))
    story.gone(during("10:07", "10:09"))
    story.expect("10:15", PAUSED)
    story.check()


@pytest.mark.parametrize(
    ("state", "begins", "ends", "looked"),
    [
        ("PAUSED", "10:00", "10:12", ("10:15", "10:20")),  # short
        ("PAUSED", "15:46", "18:00", ("16:01", "16:02", "16:10", "17:00")),  # the exchange closes
        ("PAUSED", "08:00", "09:29", ("08:30", "09:15")),  # before the open
        ("REDUCING", "10:00", "12:00", ("10:30", "11:59")),  # exits run on
    ],
)
def test_no_alarm_for(state: str, begins: str, ends: str, looked: tuple[str, ...]) -> None:
    story = Story(begins)
    story.state(state, during(begins, ends))
    for clock in looked:
        story.expect(clock)
    story.check()


def test_a_pause_before_the_open_pages_fifteen_minutes_into_it() -> None:
    story = Story("08:00")
    story.state("PAUSED", during("08:00", "12:00"))
    story.expect("09:44")
    story.expect("09:45", PAUSED)
    story.check()


# --- NoBar ----------------------------------------------------------------------------------------


def _next_bar_stuck_at(story: Story, clock: str, ends: str) -> None:
    """The bar that ends then does not come, and so none does, until `ends`."""
    stuck = during(clock, ends)
    story.instant(
        "papertape_next_bar_timestamp_seconds",
        lambda t: at(clock) if t in stuck else story.next_bar(t),
        symbol=SYMBOL,
    )


def test_two_missing_bars_page_and_the_next_bar_clears() -> None:
    story = Story("09:30")
    missing = {at("10:30"): 1, at("11:30"): 2, at("12:30"): 0}
    story.set(
        "papertape_gap_bars",
        lambda t: max(
            (minute, count) for minute, count in {0: 0, **missing}.items() if t >= minute
        )[1],
        symbol=SYMBOL,
    )
    story.expect("11:29")
    story.expect("11:34")
    story.expect("11:35", NO_BAR)
    story.expect("12:29", NO_BAR)
    story.expect("12:30")
    story.check()


def test_a_second_overdue_bar_pages() -> None:
    """The bar of 10:30 does not come; when that of 11:30 has not either, two are overdue."""
    story = Story("09:30")
    _next_bar_stuck_at(story, "10:30", "12:00")
    story.expect("11:35")
    story.expect("11:36", NO_BAR)
    story.expect("11:59", NO_BAR)
    story.expect("12:00")
    story.check()


def test_no_bar_pages_though_the_process_is_gone() -> None:
    story = Story("10:00")
    story.gone(during("10:10", "12:00"))
    story.expect("10:12", DOWN)
    story.expect("11:35", DOWN)
    story.expect("11:36", DOWN, NO_BAR)
    story.expect("12:00")
    story.check()


def test_no_bar_pages_in_the_session_after_the_one_in_which_the_process_went() -> None:
    """Since 15:00 of Monday nothing has come: not 15:30, not 16:00, and nothing on Tuesday."""
    story = Story("14:50", step=2)
    story.gone(during("15:00", "day 2 12:00"))
    story.expect("15:58", DOWN)
    story.expect("20:00", DOWN_TICKET)
    story.expect("day 1 09:28", DOWN)
    story.expect("day 1 09:36", DOWN, NO_BAR)
    story.expect("day 1 15:58", DOWN, NO_BAR)
    story.expect("day 1 16:02", DOWN)  # nobody knows whether it is open, and Down says enough
    story.check()


def test_silence_outside_the_session_is_no_alarm() -> None:
    """The last bar of Monday has not come by Tuesday's open, five minutes after which it pages."""
    story = Story("15:00", step=5)
    _next_bar_stuck_at(story, "16:00", "day 1 10:30")
    for clock in ("16:30", "20:00", "day 1 03:00", "day 1 09:30"):
        story.expect(clock)
    story.expect("day 1 09:35", NO_BAR)
    story.check()


def test_a_half_day_and_a_holiday_end_what_a_whole_day_would_be_alarmed_by() -> None:
    """On Monday it closes at 13:00, on Tuesday it does not open at all."""
    story = Story("12:00", sessions=(hours("09:30", "13:00"), *WEEK[2:]), step=5)
    for clock in ("13:05", "14:30", "16:00", "day 1 09:05", "day 1 10:00", "day 1 12:00"):
        story.expect(clock)
    story.check()


def test_a_tape_has_its_own_time_and_its_own_gaps() -> None:
    """Its bars are of long ago; two that are missing are a gap all the same."""
    story = Story("09:30")
    story.set("papertape_feed_live", 0)
    story.set("papertape_next_bar_timestamp_seconds", 1, symbol=SYMBOL)
    for name in ("next_open", "next_close", "previous_close"):
        story.set(f"papertape_{name}_timestamp_seconds", -86_400 * 365 - (name == "next_close"))
    for check in ("parity", "drill"):
        story.check_runs(check, lambda _: at("day -9 00:00"))
    story.set("papertape_gap_bars", lambda t: 2 * (t in during("11:00", "11:10")), symbol=SYMBOL)
    story.expect("10:50")
    story.expect("11:05", NO_BAR)
    story.expect("11:10")
    story.check()


# --- FeedNotReady ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["down", "silent"])
def test_a_feed_that_is_away_before_the_open_pages(state: str) -> None:
    """From less than thirty minutes before the open, 09:01, for five minutes."""
    story = Story("08:00")
    story.feed(state, during("08:10", "09:20"))
    story.expect("09:05")
    story.expect("09:06", NOT_READY)
    story.expect("09:19", NOT_READY)
    story.expect("09:20")
    story.check()


def test_a_feed_that_is_away_in_the_session_pages() -> None:
    story = Story("10:00")
    story.feed("down", during("10:10", "10:20"))
    story.expect("10:14")
    story.expect("10:15", NOT_READY)
    story.expect("10:20")
    story.check()


@pytest.mark.parametrize("metric", ["papertape_ready", "papertape_feed_generation"])
def test_a_feed_that_was_never_taken_or_reached_is_not_ready(metric: str) -> None:
    story = Story("08:00")
    story.set(metric, lambda t: t >= at("09:20"))
    story.expect("09:06", NOT_READY)
    story.expect("09:20")
    story.check()


def test_a_feed_may_be_away_at_night_and_on_holidays() -> None:
    story = Story("16:00", sessions=(*WEEK[:1], *WEEK[2:]), step=5)
    story.feed("down", during("16:00", "day 1 20:00"))
    for clock in ("16:10", "20:00", "day 1 09:10", "day 1 12:00"):
        story.expect(clock)
    story.check()


def test_a_tape_need_not_be_ready_for_the_session() -> None:
    story = Story("09:00")
    story.set("papertape_feed_live", 0)
    story.feed("down", during("09:00", "12:00"))
    story.expect("09:40")
    story.check()


# --- what is wrong with data, hours and clocks ----------------------------------------------------


def test_data_that_failed_its_check_are_a_ticket_until_it_passes() -> None:
    story = Story("09:00")
    failed = during("09:10", "10:00")
    story.check_runs("data_check", lambda _: at("09:05"), lambda t: t not in failed)
    story.expect("09:14")
    story.expect("09:15", "DataStale ticket")
    story.expect("09:45", "DataStale ticket")
    story.expect("10:00")
    story.check()


def test_a_check_of_data_that_never_ran_says_nothing_of_them() -> None:
    story = Story("09:00")
    story.set("papertape_check_success", 0, check="data")
    story.set("papertape_check_last_run_timestamp_seconds", 0, check="data")
    story.expect("09:30")
    story.check()


def test_other_hours_of_the_broker_are_a_ticket() -> None:
    story = Story("09:00")
    story.set("papertape_calendar_mismatch", lambda t: t in during("09:10", "09:40"))
    story.expect("09:19")
    story.expect("09:20", "CalendarMismatch ticket")
    story.expect("09:40")
    story.check()


@pytest.mark.parametrize(("ahead_s", "fires"), [(2.0, False), (2.1, True), (-2.1, True)])
def test_a_clock_that_differs_from_the_brokers(ahead_s: float, *, fires: bool) -> None:
    story = Story("09:00")
    story.set("papertape_clock_skew_seconds", lambda t: ahead_s * (t in during("09:10", "09:40")))
    story.expect("09:14")
    story.expect("09:15", *["ClockSkew ticket"] * fires)
    story.expect("09:40")
    story.check()


@pytest.mark.parametrize(("ahead_s", "fires"), [(4, False), (6, True), (-6, True)])
def test_a_clock_that_differs_from_that_of_prometheus(ahead_s: int, *, fires: bool) -> None:
    story = Story("09:00")
    wrong = during("09:10", "09:40")
    story.instant("papertape_clock_timestamp_seconds", lambda t: t + ahead_s / 60 * (t in wrong))
    story.expect("09:14")
    story.expect("09:15", *["ClockSkew ticket"] * fires)
    story.expect("09:40")
    story.check()


# --- TradeSurge and DailyLoss ---------------------------------------------------------------------


SURGE, LOSS = "TradeSurge page", "DailyLoss page"


def _orders(story: Story, most: int) -> None:
    """So many orders from 10:00 on; the next session counts anew."""
    story.set("papertape_orders_day", lambda t: most if t in during("10:00", "12:00") else 0)


@pytest.mark.parametrize(
    ("orders", "limit", "bar_s", "band", "fires"),
    [
        (10, None, 3600, None, False),  # ten without limit and band
        (11, None, 3600, None, True),
        (39, None, 60, None, False),  # one every ten bars of a minute
        (40, None, 60, None, True),
        (15, 20, 3600, None, False),  # three quarters of a limit
        (16, 20, 3600, None, True),
        (4, 4, 3600, None, False),  # a small limit takes care of itself
        (5, 20, 3600, 5, False),  # the band goes before all
        (6, 20, 3600, 5, True),
    ],
)
def test_more_orders_than_likely(
    orders: int, limit: int | None, bar_s: int, band: int | None, *, fires: bool
) -> None:
    story = Story("09:55")
    _orders(story, orders)
    story.set("papertape_bar_duration_seconds", bar_s)
    if limit is not None:
        story.set("papertape_limit_bound", limit, limit="max_orders_per_day")
    if band is not None:
        story.other('name:papertape_orders_day:band{name="d"}', band)
        story.other('name:papertape_orders_day:band{name="another"}', 1)
    story.expect("09:59")
    story.expect("10:00", *[SURGE] * fires)
    story.expect("11:59", *[SURGE] * fires)
    story.expect("12:00")
    story.check()


@pytest.mark.parametrize(
    ("loss", "limit", "band", "fires"),
    [
        (2_000, None, None, False),  # 2 % of the 100,000 that the day began with
        (2_001, None, None, True),
        (750, 1_500, None, False),  # half of a limit
        (751, 1_500, None, True),
        (400, 1_500, 400.5, False),  # the band goes before all
        (401, 1_500, 400.5, True),
    ],
)
def test_a_greater_loss_than_likely(
    loss: int, limit: int | None, band: float | None, *, fires: bool
) -> None:
    story = Story("09:55")
    lost = during("10:00", "12:00")
    story.set("papertape_pnl_day_usd", lambda t: -loss if t in lost else 0)
    story.set("papertape_equity_usd", lambda t: 100_000 - loss * (t in lost))
    if limit is not None:
        story.set("papertape_limit_bound", limit, limit="max_daily_loss_usd")
    if band is not None:
        story.other('name:papertape_loss_day_usd:band{name="d"}', band)
    story.expect("10:00")
    story.expect("10:01", *[LOSS] * fires)
    story.expect("12:00")
    story.check()


# --- PositionOutsideHours -------------------------------------------------------------------------


HELD = "PositionOutsideHours page"


@pytest.mark.parametrize("wanted", ["papertape_flat_before_close", "papertape_flattening"])
@pytest.mark.parametrize(("sessions", "closes"), [(WEEK, "16:00"), (HALF_DAY, "13:00")])
@pytest.mark.parametrize("shares", [100, -100])
def test_a_position_that_should_be_flat_pages_after_the_close(
    wanted: str, sessions: tuple[tuple[int, int], ...], closes: str, shares: int
) -> None:
    hour = closes[:2]
    story = Story(f"{int(hour) - 1}:50", sessions=sessions)
    story.set(wanted, 1)
    story.set("papertape_position_shares", lambda t: shares * (t < at(f"{hour}:30")), symbol=SYMBOL)
    story.expect(closes)
    story.expect(f"{hour}:09")
    story.expect(f"{hour}:10", HELD)
    story.expect(f"{hour}:30")
    story.check()


def test_who_may_hold_overnight_is_left_alone() -> None:
    story = Story("15:50")
    story.expect("16:30")
    story.expect("20:00")
    story.check()


# --- ModelFailing ---------------------------------------------------------------------------------


MODEL = "ModelFailing page"


def test_three_failures_in_a_row_page() -> None:
    story = Story("09:30")
    failures = {at("10:30"): 1, at("11:30"): 2, at("12:30"): 3, at("13:30"): 0}
    story.set(
        "papertape_model_failures",
        lambda t: max((minute, n) for minute, n in {0: 0, **failures}.items() if t >= minute)[1],
    )
    story.expect("12:29")
    story.expect("12:30", MODEL)
    story.expect("13:30")
    story.check()


def test_the_hold_of_the_model_pages() -> None:
    story = Story("09:55")
    story.set("papertape_holds", lambda t: t in during("10:00", "10:10"), source="model")
    story.expect("10:00", MODEL)
    story.expect("10:10")
    story.check()


def test_one_symbol_whose_model_always_fails_pages() -> None:
    """Others succeed in between, so nothing fails three times in a row."""
    story = Story("09:30")
    hour = at("10:30")
    story.set(
        "papertape_prediction_failures_total", lambda t: min(max(0, (t - hour) // 60 + 1), 5),
        symbol="AMD",
    )  # fmt: skip
    story.set("papertape_predictions_total", 0, symbol="AMD")
    story.expect("12:29")
    story.expect("12:31", MODEL)
    story.expect("15:00", MODEL)
    story.expect("19:00")
    story.check()


def test_a_model_that_fails_now_and_then_is_no_alarm() -> None:
    """Every half hour since 10:00 a prediction fails, in between one succeeds."""
    story = Story("09:30")
    story.set(
        "papertape_prediction_failures_total", lambda t: max(0, t - at("09:30")) // 30,
        symbol=SYMBOL,
    )  # fmt: skip
    story.expect("12:00")
    story.expect("14:00")
    story.check()


# --- JournalFailing, DiskLow ----------------------------------------------------------------------


def test_a_journal_that_cannot_be_written_pages() -> None:
    story = Story("09:55")
    story.set("papertape_journal_blocked", lambda t: t in during("10:00", "10:10"))
    story.expect("10:00")
    story.expect("10:01", "JournalFailing page")
    story.expect("10:10")
    story.check()


LOW = "DiskLow ticket"


@pytest.mark.parametrize(("free", "fires"), [(2.1e9, False), (1.9e9, True)])
def test_a_disk_that_is_nearly_full(free: float, *, fires: bool) -> None:
    story = Story("09:55")
    story.set("papertape_state_free_bytes", lambda t: free if t < at("10:30") else 1e11)
    story.expect("10:04")
    story.expect("10:05", *[LOW] * fires)
    story.expect("10:30")
    story.check()


@pytest.mark.parametrize(
    ("free", "an_hour", "fires"),
    [(18e9, 0.7e9, False), (18e9, 1e9, True), (40e9, 3e9, False)],
)
def test_a_disk_that_will_be_full_tomorrow(free: float, an_hour: float, *, fires: bool) -> None:
    """18 GB shrink by 16.8 or by 24 GB a day; 40 GB are too many to be afraid for."""
    story = Story("03:00")
    story.set("papertape_state_free_bytes", lambda t: free - an_hour * (t - at("03:00")) / 60)
    story.expect("04:00", *[LOW] * fires)
    story.check()


def test_a_log_of_the_journal_that_does_not_shrink() -> None:
    story = Story("09:55")
    grown = during("10:00", "10:30")
    story.set("papertape_journal_size_bytes", lambda t: 6e8 if t in grown else 4e6, file="wal")
    story.expect("10:09")
    story.expect("10:10", LOW)
    story.expect("10:30")
    story.check()


# --- ParityBroken, CheckStale ---------------------------------------------------------------------


STALE = "CheckStale ticket"


def test_broken_parity_is_a_ticket_until_it_holds() -> None:
    story = Story("17:00")
    story.check_runs("parity", lambda _: at("17:30"), lambda t: not at("18:00") <= t < at("19:00"))
    story.expect("17:59")
    story.expect("18:00", "ParityBroken ticket")
    story.expect("18:30", "ParityBroken ticket")
    story.expect("19:00")
    story.check()


def test_a_parity_that_never_ran_is_not_broken() -> None:
    story = Story("09:00")
    story.never("parity")
    story.expect("12:00")
    story.check()


def test_another_check_that_failed_is_a_ticket() -> None:
    story = Story("17:00")
    failed = during("17:05", "17:40")
    story.check_runs("backup", lambda _: at("17:05"), lambda t: t not in failed)
    story.expect("17:14")
    story.expect("17:15", STALE)
    story.expect("17:40")
    story.check()


def test_a_check_that_has_missed_a_session_is_stale_in_the_next() -> None:
    """Run on Tuesday at 18:00 and not on Wednesday: asked on Thursday, while it is open."""
    story = Story("00:00", step=5)
    times = [at(f"day {day} 18:00") for day in (-1, 0, 1, 3)]
    story.check_runs("parity", lambda t: max(one for one in times if one <= t))
    story.expect("day 2 12:00")
    story.expect("day 2 23:00")
    story.expect("day 3 09:35")
    story.expect("day 3 09:40", STALE)
    story.expect("day 3 15:55", STALE)
    story.expect("day 3 16:00")
    story.expect("day 4 12:00")
    story.check()


@pytest.mark.parametrize("check", sorted(set(HABITS) - {"drill"}))
@pytest.mark.parametrize("clock", ["06:00", "12:00", "18:00", "23:00"])
def test_a_daily_check_may_rest_over_the_weekend_and_a_holiday(clock: str, check: str) -> None:
    """No check on Saturday, Sunday and Monday, on which the exchange is closed too."""
    sessions = tuple(each for each in WEEK if each[0] // DAY != 7)
    story = Story("day 3 00:00", sessions=sessions, step=30)
    times = [at(f"day {day} {clock}") for day in (2, 3, 4, 8, 9)]
    story.check_runs(check, lambda t: max(one for one in times if one <= t))
    for day in range(4, 10):
        story.expect(f"day {day} 10:00")
        story.expect(f"day {day} 15:30")
    story.check()


def test_a_check_that_also_missed_the_day_after_the_holiday_is_stale() -> None:
    """Run on Friday at 18:00, not on Tuesday, the next trading day: asked on Wednesday."""
    sessions = tuple(each for each in WEEK if each[0] // DAY != 7)
    story = Story("day 3 00:00", sessions=sessions, step=10)
    times = [at(f"day {day} 18:00") for day in (2, 3, 4)]
    story.check_runs("data", lambda t: max(one for one in times if one <= t))
    for clock in ("day 5 12:00", "day 7 12:00", "day 8 12:00", "day 8 15:50", "day 9 09:20"):
        story.expect(clock)
    story.expect("day 9 09:40", STALE)
    story.check()


@pytest.mark.parametrize(("days", "fires"), [(34, False), (36, True)])
def test_a_drill_may_be_five_weeks_old(days: int, *, fires: bool) -> None:
    story = Story("09:20", step=5)
    story.check_runs("drill", lambda _: at("09:20") - days * DAY)
    story.expect("09:25")
    story.expect("09:40", *[STALE] * fires)
    story.expect("15:55", *[STALE] * fires)
    story.expect("16:00")
    story.check()


def test_a_drill_that_was_never_done_has_thirty_hours_to_be() -> None:
    """Installed on Monday at 00:00; asked on Tuesday from 06:00, so at the open."""
    story = Story("00:00", step=5)
    story.never("drill")
    story.expect("12:00")
    story.expect("day 1 09:35")
    story.expect("day 1 09:40", STALE)
    story.check()


def test_a_parity_that_was_never_asked_for_is_not_missed() -> None:
    story = Story("00:00", step=30)
    story.never("parity")
    story.expect("day 1 12:00")
    story.expect("day 3 12:00")
    story.check()


@pytest.mark.parametrize("check", ["probe", "notify"])
def test_what_is_run_by_hand_does_not_grow_stale(check: str) -> None:
    story = Story("00:00", step=30)
    story.check_runs(check, lambda _: at("01:00"), 0)
    story.expect("12:00")
    story.expect("day 3 12:00")
    story.check()


# --- ClockStep ------------------------------------------------------------------------------------


def test_a_clock_that_was_set_is_a_ticket_for_half_an_hour() -> None:
    story = Story("09:30")
    story.set("papertape_clock_steps_total", lambda t: 1 + (t >= at("10:00")))
    story.expect("09:59")
    story.expect("10:01", "ClockStep ticket")
    story.expect("10:29", "ClockStep ticket")
    story.expect("10:31")
    story.check()


# --- several daemons ------------------------------------------------------------------------------


def test_alerts_are_of_one_daemon() -> None:
    """Another one, on another port, is halted; this one is not."""
    story = Story("09:55")
    story.other('up{job="papertape", instance="other"}', 1)
    labels = 'job="papertape", instance="other", name="e"'
    story.other(f"papertape_ready{{{labels}}}", 1)
    story.other(f"papertape_kill_latch{{{labels}}}", 1)
    story.other(f'papertape_trading_state{{{labels}, state="HALTED"}}', 1)
    story.other(f"papertape_next_open_timestamp_seconds{{{labels}}}", 60)
    story.other(f"papertape_next_close_timestamp_seconds{{{labels}}}", 30)
    story.expect("10:00", HALTED)
    story.check()
