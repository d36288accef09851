"""What the gateway knows better: splits, and hours that the calendar does not have."""

from __future__ import annotations

import asyncio
from typing import Any

from daemon.core.events import Action, Pause, Release, Split
from tests.fake_gateway import Market, Step
from tests.fake_gateway.faults import AnnounceHours, Drop, Restart, ReviseBar, SplitShares
from tests.ib.feeding import NEW_YORK, TUESDAY, Fed, at, clock_of, feed, market_of

WEDNESDAY = "2026-11-25"


def split_overnight(ratio: float) -> Step:
    """The past is restated before Wednesday's open."""
    split = SplitShares(symbol="NVDA", at=f"{WEDNESDAY}T04:00 {NEW_YORK}", ratio=ratio)
    return Step(at=f"{TUESDAY}T17:00 {NEW_YORK}", fault=split)


def pauses(fed: Fed) -> list[Pause]:
    return [one for one in fed.of(Pause) if one.source == "data"]


def test_restated_bars_pause_trading_and_name_the_command() -> None:
    fed = feed(until=f"{WEDNESDAY}T12:00", steps=[split_overnight(10.0)])
    (pause,) = pauses(fed)
    assert clock_of(pause.instant) == "09:30:05"
    assert pause.reason == (
        "NVDA: past bars have been restated as after a split of 10:1: look it up, then "
        "`papertape data action add NVDA split 10:1 --effective 2026-11-25`"
    )


def test_bars_in_new_shares_are_set_aside_until_the_split_is_recorded() -> None:
    async def record(fed: Fed, loop: Any) -> None:
        await asyncio.sleep(26.75 * 3600)  # 11:45 on Wednesday
        assert fed.source is not None
        split = Split("NVDA", 20261125, 10, 1)
        fed.source.tell(lambda now: Action(now, "operator", "it split", split))

    fed = feed(until=f"{WEDNESDAY}T14:00", steps=[split_overnight(10.0)], script=record)
    told = fed.slices[7:]
    assert [(clock_of(one.end), one.missing) for one in told] == [
        ("10:30", ("NVDA",)),
        ("11:30", ("NVDA",)),
        ("12:30", ()),
        ("13:30", ()),
    ]
    # the split rides on the first slice that comes after it was told
    assert [one.actions for one in told] == [(), (), (Split("NVDA", 20261125, 10, 1),), ()]
    assert [row[2] for row in fed.gaps()] == ["quarantined", "quarantined"]
    reasons = {one["reason"] for one in fed.standing["quarantined"]}
    assert reasons == {"a split is suspected that nobody has recorded"}


def test_a_split_that_is_on_record_is_no_surprise() -> None:
    fed = feed(
        until=f"{WEDNESDAY}T12:31",
        steps=[split_overnight(10.0)],
        actions="NVDA,split,2026-11-25,10:1,,,",
    )
    assert pauses(fed) == []
    assert [(clock_of(one.end), one.missing, one.actions) for one in fed.slices[7:]] == [
        ("10:30", (), (Split("NVDA", 20261125, 10, 1),)),
        ("11:30", (), ()),
        ("12:30", (), ()),
    ]
    assert fed.gaps() == []


def test_what_is_missed_before_a_split_and_comes_in_new_shares_meets_no_old_ones() -> None:
    away = Step(at=f"{TUESDAY}T15:20 {NEW_YORK}", fault=Restart(down_s=16 * 3_600))
    fed = feed(
        until=f"{WEDNESDAY}T11:31",
        steps=[split_overnight(10.0), away],
        actions="NVDA,split,2026-11-25,10:1,,,",
    )
    told = [(clock_of(one.end), one.missing, len(one.actions)) for one in fed.slices[5:]]
    assert told == [
        ("15:30", ("NVDA",), 0),
        ("16:00", ("NVDA",), 0),
        ("10:30", (), 1),
        ("11:30", (), 0),
    ]
    rows = [row for row in fed.rows if row.kind == "gap"]
    assert {(row.outcome, row.detail) for row in rows} == {
        ("quarantined", "it has come only after a split, in the shares of after it")
    }
    assert len(rows) == 2
    assert pauses(fed) == []
    assert fed.broken() == []


def test_a_split_of_another_day_explains_nothing() -> None:
    fed = feed(
        until=f"{WEDNESDAY}T10:31",
        steps=[split_overnight(10.0)],
        actions="NVDA,split,2026-11-20,10:1,,,\nAMD,split,2026-11-25,10:1,,,",
    )
    assert len(pauses(fed)) == 1


def test_a_bar_that_was_set_aside_can_be_released() -> None:
    async def release(fed: Fed, loop: Any) -> None:
        await asyncio.sleep(26 * 3600)  # 11:00 on Wednesday
        assert fed.source is not None
        start = at(f"{WEDNESDAY}T09:30")
        carried = fed.source.tell(lambda now: Release(now, "operator", "fine", "NVDA", start))
        assert carried.ends == "backfilled"

    fed = feed(until=f"{WEDNESDAY}T11:10", steps=[split_overnight(10.0)], script=release)
    assert [one.outcome for one in fed.slices[7:]] == ["received", "backfilled"]
    assert fed.slices[-1].bars[0].start == at(f"{WEDNESDAY}T09:30")


def test_a_reverse_split_is_told_as_one() -> None:
    fed = feed(until=f"{WEDNESDAY}T09:40", steps=[split_overnight(1 / 8)])
    assert "split NVDA" not in pauses(fed)[0].reason
    assert "NVDA split 1:8 --effective" in pauses(fed)[0].reason


def test_a_split_is_seen_after_a_restart_of_the_connection_too() -> None:
    steps = [split_overnight(3.0), Step(at=f"{WEDNESDAY}T09:25 {NEW_YORK}", fault=Drop())]
    fed = feed(until=f"{WEDNESDAY}T10:31", steps=steps)
    assert len(pauses(fed)) == 1
    assert "3:1" in pauses(fed)[0].reason


def test_single_revisions_are_no_split() -> None:
    revise = ReviseBar(
        symbol="NVDA",
        start=f"{TUESDAY}T15:00 {NEW_YORK}",
        at=f"{TUESDAY}T18:00 {NEW_YORK}",
        values={"close": 50.0, "low": 40.0},
    )
    fed = feed(
        until=f"{WEDNESDAY}T10:31",
        steps=[Step(at=f"{TUESDAY}T09:00 {NEW_YORK}", fault=revise)],
    )
    assert pauses(fed) == []
    assert fed.gaps() == [("NVDA", "14:30", "revised")]
    assert fed.broken() == []


def test_only_the_symbol_that_split_is_set_aside() -> None:
    fed = feed(until=f"{WEDNESDAY}T11:31", symbols=("NVDA", "AMD"), steps=[split_overnight(4.0)])
    assert [one.missing for one in fed.slices[7:]] == [("NVDA",), ("NVDA",)]


# --- hours --------------------------------------------------------------------------------------


def announce(day: str, hours: str, clock: str = "09:00") -> Step:
    fault = AnnounceHours(symbol="NVDA", day=day, text=hours)
    return Step(at=f"{TUESDAY}T{clock} {NEW_YORK}", fault=fault)


def hours_of(*steps: Step, until: str = "10:00", market: Market | None = None) -> Fed:
    return feed(until=until, start=f"{TUESDAY}T08:30", steps=steps, market=market)


def test_a_closure_that_the_calendar_does_not_know_pauses_and_names_the_command() -> None:
    fed = hours_of(announce(TUESDAY, "20261124:CLOSED"))
    (pause,) = pauses(fed)
    assert clock_of(pause.instant) == "09:15"  # looked at again before the open
    assert pause.reason == (
        "Interactive Brokers says that the exchange is closed on 2026-11-24: if so, "
        "`papertape calendar add 2026-11-24`, then restart"
    )


def test_an_early_close_that_the_calendar_does_not_know() -> None:
    fed = hours_of(announce(TUESDAY, "20261124:0930-20261124:1300"))
    assert pauses(fed)[0].reason.endswith(
        "closes at 13:00 on 2026-11-24: if so, `papertape calendar add 2026-11-24 --early-close "
        "13:00`, then restart"
    )


def test_what_differs_next_week_is_told_and_pauses_nothing_yet() -> None:
    fed = hours_of(announce("2026-11-27", "20261127:CLOSED"), until="16:30")
    assert pauses(fed) == []
    (row,) = [row for row in fed.feed_rows() if row[1] == "hours_differ"]
    assert "closed on 2026-11-27" in row[2]


def test_a_session_that_the_calendar_does_not_know_is_told() -> None:
    fed = hours_of(announce("2026-11-26", "20261126:0930-20261126:1600"), until="16:30")
    assert pauses(fed) == []
    assert "calendar XNYS has no session" in str(fed.feed_rows())


def test_hours_in_a_zone_that_nobody_knows_are_the_exchange_s() -> None:
    market = market_of(start=TUESDAY)
    market["NVDA"].hours.zone_id = "Mars/Olympus"
    fed = hours_of(market=market)
    assert pauses(fed) == []
    assert [one.end for one in fed.warmup] != []
