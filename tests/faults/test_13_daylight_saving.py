"""The clocks of New York change, in spring and in autumn -> sessions open at 09:30 there, an hour
earlier or later in UTC; no bar is doubled or missing, in whatever zone the machine stands.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.faults.conftest import Daemons
from tests.faults.trouble import busy_settings, check_verified, shop_of, with_environment
from tests.replay.workshop import calendar

NEW_YORK = ZoneInfo("America/New_York")
HOUR_NS = 3_600 * 10**9

CHANGES = [
    # Friday, Monday; opens and closes in UTC, by hand: New York is UTC-5 in winter, UTC-4 in summer
    (20240308, 20240311, [("14:30", "21:00"), ("13:30", "20:00")]),
    (20241101, 20241104, [("13:30", "20:00"), ("14:30", "21:00")]),
]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("friday", "monday", "hours"), CHANGES)
def test_a_weekend_on_which_the_clocks_change(
    tmp_path: Path,
    daemons: Daemons,
    friday: int,
    monday: int,
    hours: list[tuple[str, str]],
    zone: str,
) -> None:
    daemon = daemons(shop_of(tmp_path / "shop", (friday, monday)), settings=busy_settings())
    daemon.start(prefix=with_environment({"TZ": zone}), wait=False)
    assert daemon.wait() == 0
    days = [datetime.strptime(str(day), "%Y%m%d").date() for day in (friday, monday)]  # noqa: DTZ007 - a date alone
    ticks = [f"{day}T{clock}:00Z" for day, both in zip(days, hours, strict=True) for clock in both]
    query = "strftime('%Y-%m-%dT%H:%M:%SZ', instant / 1000000000, 'unixepoch')"
    found = daemon.query(f"SELECT {query} FROM turns WHERE kind = 'tick' ORDER BY seq")  # noqa: S608 - ours
    assert [tick for (tick,) in found] == ticks
    bars = daemon.query("SELECT start, end FROM bars ORDER BY seq")
    for number, (opens, closes) in enumerate(zip(ticks[::2], ticks[1::2], strict=True)):
        session = bars[7 * number : 7 * number + 7]
        assert (session[0][0], session[-1][1]) == (opens, closes)
        lengths = [_minutes(end) - _minutes(start) for start, end in session]
        assert lengths == [60, 60, 60, 60, 60, 60, 30]
    assert len(bars) == 14
    assert daemon.query("SELECT * FROM gaps") == []
    check_verified(daemon)


def _minutes(instant: str) -> int:
    return int(instant[11:13]) * 60 + int(instant[14:16])


def test_every_session_of_two_years() -> None:
    """Opens at 09:30 and closes at 16:00 (13:00 on a half day) by the clocks of New York."""
    sessions = calendar().sessions(20230101, 20241231)
    assert len(sessions) == 250 + 252
    utc_opens = set()
    for session in sessions:
        opens = datetime.fromtimestamp(session.opens / 10**9, NEW_YORK)
        closes = datetime.fromtimestamp(session.closes / 10**9, NEW_YORK)
        assert int(opens.strftime("%Y%m%d")) == session.date
        assert (opens.hour, opens.minute) == (9, 30)
        assert (closes.hour, closes.minute) in {(16, 0), (13, 0)}
        half = closes.hour == 13
        assert session.closes - session.opens == (7 if half else 13) * HOUR_NS // 2
        offset = opens.utcoffset()
        assert offset is not None
        utc_opens.add(((opens - offset).strftime("%H:%M"), offset))
    assert utc_opens == {("14:30", timedelta(hours=-5)), ("13:30", timedelta(hours=-4))}
