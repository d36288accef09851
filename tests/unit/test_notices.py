"""What people are told of turns whose fills, states and gaps are written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from daemon.config.notify import NOTICE_EVENTS, NoticeEvent
from daemon.core.events import TargetPosition
from daemon.core.trading_state import Hold, TradingState
from daemon.core.units import HOUR_NS
from daemon.journal.ledger import LedgerRow
from daemon.observability.checks import CheckResult
from daemon.observability.notice_rules import Notice
from daemon.observability.notices import Notices
from daemon.observability.standing import Standing, standing_of
from tests.harness import Result, opens_ns, play
from tests.unit.metric_pages import lived

OPEN = opens_ns(0)
FLAT = (100, 100, 100, 100)
RISING = {"NVDA": [FLAT, (102, 103, 101, 102), (104, 105, 103, 104)]}


class Taken:
    """Takes notices."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.cleared: list[tuple[str, str]] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)

    def clear(self, event: NoticeEvent, key: str) -> None:
        self.cleared.append((event, key))

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.told]


@pytest.fixture
def taken() -> Taken:
    return Taken()


def notices(taken: Taken, events: Sequence[NoticeEvent] = NOTICE_EVENTS) -> Notices:
    return Notices("made", events, taken)


def standing(result: Result, **changes: Any) -> Standing:
    return replace(standing_of(result.account, latched=False), **changes)


def held(level: TradingState, source: str, reason: str) -> dict[str, Any]:
    return {"state": level, "holds": (Hold(source, level, OPEN, reason),)}


def why() -> str:
    return "the kill latch is set by hand"


def test_a_halt_says_why_and_what_is_left(taken: Taken) -> None:
    result = play(RISING, at={0: [TargetPosition("NVDA", 10)]})
    said = notices(taken)
    said.stand(
        standing(result, **held(TradingState.HALTED, "limit:max_daily_loss_usd", "lost")), why
    )
    (notice,) = taken.told
    assert (notice.event, notice.title) == ("halt", "made: HALTED")
    assert notice.body.splitlines() == [
        "HALTED by limit:max_daily_loss_usd since 2024-01-02 09:30 New York: lost",
        "position +10 NVDA",
        "equity 1,000,020.00 USD, today +20.00",
    ]


def test_a_latch_that_is_no_turn_yet_is_a_halt(taken: Taken) -> None:
    said = notices(taken)
    result = play(RISING)
    said.stand(standing(result, latched=True), why)
    said.stand(standing(result, latched=True), why)
    assert taken.titles == ["made: HALTED"]
    assert taken.told[0].body.startswith("the kill latch is set by hand\nposition flat")


def test_each_change_of_state_is_told_once_and_its_end(taken: Taken) -> None:
    said = notices(taken)
    result = play(RISING)
    for changes in (
        {},
        held(TradingState.PAUSED, "feed", "silent"),
        held(TradingState.PAUSED, "feed", "silent"),
        {},
        held(TradingState.HALTED, "operator", "enough"),
        held(TradingState.REDUCING, "operator", "calm"),
        {},
    ):
        said.stand(standing(result, **changes), why)
    assert [(each.event, each.title) for each in taken.told] == [
        ("pause", "made: PAUSED"),
        ("pause", "made: ACTIVE again"),
        ("halt", "made: HALTED"),
        ("pause", "made: REDUCING"),
        ("pause", "made: ACTIVE again"),
    ]
    assert ("pause", "over") in taken.cleared
    assert ("pause", "stopped") in taken.cleared


def test_a_fill_and_the_days_summary(taken: Taken) -> None:
    result = lived(
        {"NVDA": [*RISING["NVDA"][:2], None, RISING["NVDA"][2]]},
        at={0: [TargetPosition("NVDA", 10, reason="up")], 1: [TargetPosition("NVDA", 0)]},
        per_session=4,
    )
    said = notices(taken)
    for turn in result.turns:
        said.turn(turn, standing(result), ())
    # Ten bought at 102 and sold at 104: 20 dollars.
    assert taken.titles == [
        "made: bought 10 NVDA at 102.00",
        "made: sold 10 NVDA at 104.00",
        "made: 2024-01-02 +20.00 USD",
    ]
    assert taken.told[0].body.splitlines()[0] == "up"
    assert taken.told[2].body.splitlines() == [
        "ACTIVE; position flat",
        "equity 1,000,020.00 USD, today +20.00",
        "2 fills, costs 0.00 USD; 1 trades closed, +20.00 USD; 0 denials; 3 bars, 1 missing",
    ]


def test_a_summary_goes_on_from_what_was_recorded(taken: Taken) -> None:
    result = lived(RISING, at={0: [TargetPosition("NVDA", 10)]}, per_session=3)
    said = notices(taken)
    said.recovered(result.turns[:-1], {})
    said.turn(result.turns[-1], standing(result), ())
    assert "1 fills" in taken.told[-1].body
    assert "3 bars, 0 missing" in taken.told[-1].body


def test_gaps_and_the_feed_come_from_the_ledger(taken: Taken) -> None:
    turn = play(RISING, at={0: [TargetPosition("NVDA", 10)]}).turns[0]
    end = OPEN + HOUR_NS
    facts = (
        LedgerRow("feed", OPEN, outcome="lost", detail="reset by peer"),
        LedgerRow("gap", end, "NVDA", OPEN, end, "missing", "not there in time"),
        LedgerRow("gap", end, "NVDA", OPEN, end, "unexpected", "nobody asked"),
    )
    said = notices(taken)
    said.turn(turn, standing(play(RISING)), facts)
    assert [(each.event, each.key, each.title, each.body) for each in taken.told[:2]] == [
        ("feed", "lost", "made: feed lost", "2024-01-02 09:30 New York: reset by peer"),
        (
            "gap",
            "NVDA",
            "made: gap in NVDA",
            "The bar of 2024-01-02 09:30 New York is missing: not there in time",
        ),
    ]
    assert len(taken.told) == 2


def test_a_check_that_fails_is_told_once_for_each_run_and_when_it_passes_again(
    taken: Taken,
) -> None:
    never, bad = CheckResult(success=False, ended=0), CheckResult(success=False, ended=OPEN)
    again = CheckResult(success=False, ended=OPEN + 1)
    good = CheckResult(success=True, ended=OPEN + 2)
    said = notices(taken)
    for results in (
        {"parity": never, "drill": never},
        {"parity": bad, "drill": never},
        {"parity": bad, "drill": bad},
        {"parity": again, "drill": bad},
        {"parity": good, "drill": bad},
        {"parity": good, "drill": good},
    ):
        said.check(results)
    assert [(each.event, each.title) for each in taken.told] == [
        ("parity", "made: check parity FAILED"),
        ("check", "made: check drill FAILED"),
        ("parity", "made: check parity FAILED"),
        ("parity", "made: check parity passes again"),
        ("check", "made: check drill passes again"),
    ]
    assert len({each.key for each in taken.told}) == 5


def test_only_what_is_wanted_is_told(taken: Taken) -> None:
    result = lived(RISING, at={0: [TargetPosition("NVDA", 10)]}, per_session=3)
    said = notices(taken, ["halt"])
    for turn in result.turns:
        said.turn(turn, standing(result), (LedgerRow("feed", OPEN, outcome="lost"),))
    said.started(standing(result))
    said.stopped(standing(result))
    said.stand(standing(result, **held(TradingState.PAUSED, "feed", "silent")), why)
    said.stand(standing(result, **held(TradingState.HALTED, "operator", "enough")), why)
    assert taken.titles == ["made: HALTED"]


def test_the_beginning_and_the_end(taken: Taken) -> None:
    result = play(RISING)
    said = notices(taken)
    said.started(standing(result))
    said.stopped(standing(result))
    assert taken.titles == ["made: started", "made: stopped"]
    assert taken.told[0].body.startswith("ACTIVE\nposition flat\nequity 1,000,000.00 USD")
