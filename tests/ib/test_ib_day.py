"""A day without trouble: which bars come when, made of what, and what the gateway is asked."""

from __future__ import annotations

import asyncio

import pytest

from daemon.core.events import Bar, Tick
from tests.fake_gateway import Kind, Market, Settings, VirtualTimeLoop, bars_from, violations
from tests.ib.feeding import NEW_YORK, TUESDAY, Fed, at, clock_of, feed, market_of
from tests.ib.invariants import true_bars
from tests.ib.library import IS_INSYNC

# Two hours in 30-minute bars: every sum can be done in the head.
MORNING = f"{TUESDAY}T{{}} {NEW_YORK}".format
ROWS = (
    (MORNING("09:30"), 100.0, 101.0, 99.0, 100.5, 1_000),
    (MORNING("10:00"), 100.5, 103.0, 100.0, 102.0, 2_000),
    (MORNING("10:30"), 102.0, 102.5, 98.0, 99.0, 3_000),
    (MORNING("11:00"), 99.0, 104.0, 98.5, 103.0, 4_000),
)


def by_hand() -> Market:
    market = Market()
    market.add("NVDA").add(bars_from(ROWS, "30 mins"))
    return market


def test_each_bar_decides_five_seconds_after_its_end() -> None:
    fed = feed(until="16:30")
    assert fed.told() == [
        ("10:30", "received", "10:30:05"),
        ("11:30", "received", "11:30:05"),
        ("12:30", "received", "12:30:05"),
        ("13:30", "received", "13:30:05"),
        ("14:30", "received", "14:30:05"),
        ("15:30", "received", "15:30:05"),
        ("16:00", "received", "16:00:05"),
    ]
    ticks = [(clock_of(tick.instant), tick.kind) for tick in fed.of(Tick)]
    assert ticks == [("09:30", "opens"), ("16:00", "closes")]
    assert fed.gaps() == []
    assert fed.broken() == []


def test_an_hour_of_the_session_is_two_half_hours_of_the_clock() -> None:
    fed = feed(until="11:31", market=by_hand(), warmup=0)
    assert fed.bars() == [
        Bar("NVDA", at("09:30"), at("10:30"), 100.0, 103.0, 99.0, 102.0, 3_000),
        Bar("NVDA", at("10:30"), at("11:30"), 102.0, 104.0, 98.0, 103.0, 7_000),
    ]


def test_an_hour_of_the_clock_grid_begins_with_a_stub() -> None:
    fed = feed(until="11:31", market=by_hand(), grid="clock", warmup=0)
    assert fed.bars() == [
        Bar("NVDA", at("09:30"), at("10:00"), 100.0, 101.0, 99.0, 100.5, 1_000),
        Bar("NVDA", at("10:00"), at("11:00"), 100.5, 103.0, 98.0, 99.0, 5_000),
    ]


@pytest.mark.parametrize(("size", "bars"), [("30m", 13), ("15m", 26), ("5m", 78), ("1m", 390)])
def test_smaller_bars_come_as_they_are(size: str, bars: int) -> None:
    fed = feed(until="16:20", size=size)
    assert [one.outcome for one in fed.slices] == ["received"] * bars
    true = true_bars(fed.gateway.market["NVDA"], size)
    assert fed.bars() == [bar for start, bar in true.items() if at("09:30") <= start < at("16:00")]
    assert fed.broken() == []
    # one request a bar, one for the bars of yesterday, one for the warm-up
    assert len(fed.gateway.log.of(Kind.HISTORY)) == bars + 2


def test_the_warm_up_comes_first_and_is_no_gap() -> None:
    fed = feed(until="10:31", warmup=10)
    ends = [(one.session.date, clock_of(one.end)) for one in fed.warmup]
    assert ends == [
        (20261120, "14:30"),
        (20261120, "15:30"),
        (20261120, "16:00"),
        *((20261123, f"{hour}:30") for hour in range(10, 16)),
        (20261123, "16:00"),
    ]
    assert [when for when, _ in fed.taken[:10]] == [at("09:00")] * 10
    assert fed.standing["gaps"] == {}
    assert fed.broken() == []


def test_a_start_within_a_session_trades_from_the_bar_that_runs() -> None:
    fed = feed(until="12:31", start=f"{TUESDAY}T10:44", warmup=2)
    assert [clock_of(one.end) for one in fed.warmup] == ["16:00", "10:30"]
    assert fed.told() == [("11:30", "received", "11:30:05"), ("12:30", "received", "12:30:05")]


def test_symbols_come_in_one_slice_in_the_order_of_the_config() -> None:
    symbols = ("NVDA", "AMD", "MU", "TSM", "AVGO")
    fed = feed(until="16:20", symbols=symbols)
    assert [tuple(bar.symbol for bar in one.bars) for one in fed.slices] == [symbols] * 7
    assert all(one.outcome == "received" for one in fed.slices)
    assert fed.broken() == []
    # the requests of one bar are spread over a second
    asked = [one.at_ns for one in fed.gateway.log.of(Kind.HISTORY)]
    at_half_past = sorted(one for one in asked if at("10:30") <= one < at("10:31"))
    assert len(at_half_past) == 5
    assert len(set(at_half_past)) == 5
    assert at("10:30:05") < at_half_past[0]
    assert at_half_past[-1] <= at("10:30:06")


def test_an_early_close_and_a_holiday_are_known() -> None:
    fed = feed(until="2026-11-27T16:00", start="2026-11-25T15:00", warmup=0)
    told = [(one.session.date, clock_of(one.end)) for one in fed.slices]
    assert told == [
        (20261125, "15:30"),
        (20261125, "16:00"),
        (20261127, "10:30"),
        (20261127, "11:30"),
        (20261127, "12:30"),
        (20261127, "13:00"),
    ]
    assert fed.broken() == []


def test_nothing_that_trades_is_ever_sent() -> None:
    fed = feed(until="16:30")
    assert fed.gateway.log.orders == []
    kinds = {entry.kind for entry in fed.gateway.log.entries}
    assert Kind.OPEN_ORDERS not in kinds  # not even read
    if not IS_INSYNC:  # which reads the account at its start, whatever it is told
        asked = {Kind.START, Kind.POSITIONS, Kind.CURRENT_TIME, Kind.CONTRACT, Kind.HISTORY}
        assert kinds == {Kind.ACCEPT, Kind.GREET, *asked}
    assert fed.standing["read_only"] is True
    assert "no order can reach Interactive Brokers" in fed.standing["state"]


def test_a_bar_is_asked_for_once_and_yesterday_once_a_day() -> None:
    fed = feed(until="2026-11-25T10:31")
    asked = [
        (clock_of(one.at_ns), query.end, query.duration) for one, query in fed.gateway.log.history()
    ]
    assert asked[:4] == [
        ("09:00", "", "2 D"),  # the warm-up: the last two bars of Monday
        ("09:30:05", "20261123 21:00:00 UTC", "1 D"),
        ("10:30:05", "", "7505 S"),  # from 09:30, and 65 minutes more
        ("11:30:05", "", "7505 S"),
    ]
    assert len(asked) == 2 + 7 + 1 + 1
    assert violations(fed.gateway.log) == []


def test_a_slow_history_service_is_asked_again() -> None:
    market = market_of()
    market["NVDA"].lag_s = 0.0
    market["NVDA"].delay(at("10:00"), 20.0)
    fed = feed(until="11:00", market=market)
    assert fed.told() == [("10:30", "received", "10:30:22")]
    asked = [clock_of(one.at_ns) for one, _ in fed.gateway.log.history()][2:]
    assert asked == ["10:30:05", "10:30:07", "10:30:12", "10:30:22"]


def test_the_status_says_where_the_feed_stands() -> None:
    words: list[str] = []

    async def look(fed: Fed, loop: VirtualTimeLoop) -> None:
        await asyncio.sleep(35 * 60)
        assert fed.source is not None
        words.append(str(fed.source.standing()["state"]))
        assert fed.source.health() == ("up", 1)
        assert fed.source.next_bar() == at("10:30")
        outside = fed.source.outside()
        assert outside.hours_differ is False
        assert outside.pacing == (49, 50)  # the warm-up is longer ago than ten minutes

    feed(until="10:15", script=look)
    assert words == ["live; read-only: no order can reach Interactive Brokers"]


@pytest.mark.parametrize("version", [157, 163, 166, 176])
def test_older_gateways_do_as_well(version: int) -> None:
    fed = feed(until="11:31", settings=Settings(server_version=version))
    assert [one[1] for one in fed.told()] == ["received", "received"]
    assert fed.broken() == []
