"""The trading state: the table of permissions, holds that add up, and who may lift which."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.outputs import Origin, Reason
from daemon.core.trading_state import (
    PERMISSIONS,
    Cancels,
    Hold,
    Holds,
    HoldSource,
    TradingState,
)

S = TradingState
SOURCES = [*HoldSource, "limit:max_daily_loss_usd"]

holds = st.builds(
    Hold,
    st.sampled_from(SOURCES),
    st.sampled_from([S.REDUCING, S.PAUSED, S.HALTED]),
    st.integers(0, 10**18),
    st.just("because"),
)

# DESIGN 4: state, who may grow a position, who may shrink one, what is cancelled, the denial
TABLE: list[tuple[TradingState, str, str, Cancels, Reason | None]] = [
    (S.ACTIVE, "target explicit", "target explicit limit flatten", Cancels.NONE, None),
    (S.REDUCING, "", "target explicit limit flatten", Cancels.GROWERS, Reason.REDUCING),
    (S.PAUSED, "", "limit flatten", Cancels.GROWERS, Reason.PAUSED),
    (S.HALTED, "", "flatten", Cancels.ALL, Reason.HALTED),
]


@pytest.mark.parametrize(("state", "grow", "shrink", "cancels", "denial"), TABLE)
def test_the_table_of_permissions(
    state: TradingState, grow: str, shrink: str, cancels: Cancels, denial: Reason | None
) -> None:
    permissions = PERMISSIONS[state]
    assert permissions.grow == {Origin(name) for name in grow.split()}
    assert permissions.shrink == {Origin(name) for name in shrink.split()}
    assert permissions.cancels is cancels
    assert permissions.denial is denial


def test_every_state_has_a_row_and_strictness_only_takes_away() -> None:
    assert set(PERMISSIONS) == set(TradingState) == {row[0] for row in TABLE}
    ordered = [PERMISSIONS[state] for state in sorted(TradingState)]
    for looser, stricter in pairwise(ordered):
        assert stricter.grow <= looser.grow
        assert stricter.shrink <= looser.shrink
        order = list(Cancels)
        assert order.index(stricter.cancels) >= order.index(looser.cancels)


def _all(found: Holds) -> list[Any]:
    return list(found._holds.values())


@given(st.lists(holds))
def test_the_strictest_hold_is_the_state_and_permissions_are_the_intersection(
    drawn: list[Hold],
) -> None:
    found = Holds()
    for hold in drawn:
        found.set(hold)
    assert found.state == max((hold.level for hold in drawn), default=S.ACTIVE)
    grow, shrink = PERMISSIONS[S.ACTIVE].grow, PERMISSIONS[S.ACTIVE].shrink
    for hold in drawn:
        grow &= PERMISSIONS[hold.level].grow
        shrink &= PERMISSIONS[hold.level].shrink
    assert found.permissions.grow == grow
    assert found.permissions.shrink == shrink


@given(st.lists(holds), st.randoms(use_true_random=False))
def test_the_order_of_holds_does_not_matter_but_the_first_of_a_kind_stays(
    drawn: list[Hold], random: Any
) -> None:
    found, shuffled = Holds(), Holds()
    first: dict[tuple[str, TradingState], Hold] = {}
    for hold in drawn:
        is_new = (hold.source, hold.level) not in first
        assert found.set(hold) is is_new
        first.setdefault((hold.source, hold.level), hold)
    assert _all(found) == list(first.values())
    mixed = list(drawn)
    random.shuffle(mixed)
    for hold in mixed:
        shuffled.set(hold)
    assert shuffled.state is found.state


@given(st.lists(holds))
def test_what_resume_and_reset_lift(drawn: list[Hold]) -> None:
    found = Holds()
    for hold in drawn:
        found.set(hold)
    resumable, halts = found.resumable(), found.halts()
    assert all(hold.level < S.HALTED and hold.source != "feed" for hold in resumable)
    assert all(hold.level is S.HALTED for hold in halts)
    left = [hold for hold in _all(found) if hold not in resumable and hold not in halts]
    assert left == found.of_feed()
    assert all(hold.source == "feed" and hold.level < S.HALTED for hold in left)


@given(st.lists(holds, min_size=1), st.randoms(use_true_random=False))
def test_lifting_one_leaves_the_strictest_of_the_rest(drawn: list[Hold], random: Any) -> None:
    found = Holds()
    for hold in drawn:
        found.set(hold)
    rest = _all(found)
    while rest:
        gone = rest.pop(random.randrange(len(rest)))
        found.lift(gone)
        assert found.state == max((hold.level for hold in rest), default=S.ACTIVE)
        assert _all(found) == rest
    assert found.state is S.ACTIVE
    assert found.permissions is PERMISSIONS[S.ACTIVE]


def test_a_hold_that_is_not_set_cannot_be_lifted() -> None:
    found = Holds()
    found.set(Hold("operator", S.PAUSED, 1, "x"))
    with pytest.raises(KeyError):
        found.lift(Hold("operator", S.HALTED, 1, "x"))
    assert found.state is S.PAUSED


@pytest.mark.parametrize(
    ("source", "cause"),
    [("operator", "operator"), ("limit:max_drawdown_pct", "limit"), ("feed", "feed")],
)
def test_a_limit_carries_its_name_after_a_colon(source: str, cause: str) -> None:
    assert Hold(source, S.HALTED, 0, "").cause == cause


def test_one_source_may_pause_and_halt() -> None:
    found = Holds()
    assert found.set(Hold("operator", S.PAUSED, 1, "a"))
    assert found.set(Hold("operator", S.HALTED, 2, "b"))
    for hold in found.halts():
        found.lift(hold)
    assert found.state is S.PAUSED
