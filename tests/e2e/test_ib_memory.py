"""The whole daemon's memory, as the system counts it, over weeks of live minute bars."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.bench.daemon import memory_mb
from tests.ib.feeding import market_of
from tests.ib.leading import Led

MONDAY = date(2026, 11, 2)
WEEKS = 6
GROWTH_MAX_MB = 5.0
"""A kilobyte a bar would be 9 MB. What is bounded has reached its bound after the first week."""


@pytest.mark.soak
def test_memory_stays_flat_over_ten_thousand_bars(tmp_path: Path) -> None:
    market = market_of(("NVDA",), "1m", MONDAY.isoformat(), 7 * WEEKS + 3)
    weekends: list[float] = []
    with Led(tmp_path, market, f"{MONDAY}T09:00", size="1m") as led:
        for week in range(1, WEEKS + 1):
            led.run_until(f"{MONDAY + timedelta(days=7 * week - 2)}T12:00")
            weekends.append(memory_mb(led.pid))
        assert led.stop() == 0
        assert led.broken() == []
        assert len(led.slices) > 10_000
    assert max(weekends) - weekends[0] < GROWTH_MAX_MB, weekends
