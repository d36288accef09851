"""What differs between a turn as it was recorded and as it was played again, in words."""

from __future__ import annotations

from msgspec.structs import replace

from daemon.core.events import OrderType, Side, Split, TimeInForce
from daemon.core.outputs import ActionApplied, Fill, OrderAccepted, Origin, StateChanged
from daemon.journal.differences import output_difference, told

NOON = 1_704_214_800_000_000_000  # 2024-01-02T17:00:00Z
ORDER = OrderAccepted(
    7, "NVDA", Side.BUY, 100, OrderType.LIMIT, TimeInForce.DAY, Origin.TARGET, NOON, NOON, 491_250
)
FILL = Fill(
    3, 7, "NVDA", Side.BUY, 100, 491_300, 491_250, NOON, NOON, Origin.TARGET,
    commission_micros=1_000_000,
)  # fmt: skip


def test_one_thing_told_twice_differs_field_by_field() -> None:
    again = replace(ORDER, quantity=50, limit_e4=None)
    assert output_difference([ORDER], [again]) == (
        "OrderAccepted (order 7): quantity 100, played again 50, limit 49.1250, played again none"
    )
    dearer = replace(FILL, commission_micros=1_250_000, effective=NOON + 1_000_000_000)
    assert output_difference([ORDER, FILL], [ORDER, dearer]) == (
        "Fill (fill 3): effective 2024-01-02T17:00:00Z, played again 2024-01-02T17:00:01Z, "
        "commission 1.000000, played again 1.250000"
    )


def test_two_things_are_told_each_in_full_without_what_says_nothing() -> None:
    held = StateChanged(NOON, "HALTED", "ACTIVE", "operator", "HALTED", lifted=False, reason="")
    assert output_difference([FILL], [held]) == (
        "recorded Fill (fill 3, order 7, symbol NVDA, side buy, quantity 100, price 49.1300, "
        "reference 49.1250, effective 2024-01-02T17:00:00Z, known 2024-01-02T17:00:00Z, "
        "origin target, commission 1.000000); "
        "played again StateChanged (instant 2024-01-02T17:00:00Z, state HALTED, previous ACTIVE, "
        "source operator, level HALTED)"
    )


def test_what_one_side_lacks_is_nothing_there() -> None:
    assert output_difference([ORDER], [ORDER, FILL]) == (
        f"recorded nothing; played again {told(FILL)}"
    )
    assert output_difference([ORDER, FILL], [ORDER]) == (
        f"recorded {told(FILL)}; played again nothing"
    )


def test_an_output_without_a_name_of_its_own_differs_as_well() -> None:
    split = ActionApplied(NOON, Split("NVDA", 20240610, 10, 1), 1000, 0)
    assert output_difference([split], [replace(split, quantity=900)]) == (
        "ActionApplied: quantity 1000, played again 900"
    )
