"""A clock that is set is told of once, and one that is only kept right never."""

from __future__ import annotations

import pytest

from daemon.observability.clock_watch import ClockWatch


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 1.5, -1.0])
def test_a_clock_that_is_set_is_told_of_once(step_s: float) -> None:
    watch = ClockWatch(1_700_000_000.0, 50.0)
    assert watch.step_s(1_700_000_001.0, 51.0) is None
    assert watch.step_s(1_700_000_002.0 + step_s, 52.0) == pytest.approx(step_s)
    assert watch.step_s(1_700_000_003.0 + step_s, 53.0) is None


def test_a_loop_that_was_blocked_is_no_clock_that_was_set() -> None:
    watch = ClockWatch(1_700_000_000.0, 50.0)
    assert watch.step_s(1_700_003_600.0, 3650.0) is None


def test_a_clock_that_is_slewed_never_jumps() -> None:
    """Half a millisecond a second, which is as much as NTP does."""
    watch = ClockWatch(1_700_000_000.0, 50.0)
    for second in range(1, 10_000):
        assert watch.step_s(1_700_000_000.0 + second * 1.0005, 50.0 + second) is None
