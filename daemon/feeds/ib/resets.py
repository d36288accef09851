"""When Interactive Brokers resets itself: a connection that is lost then is nothing to wake up for.

Exchange time, from the vendor's system status page and its guide to auto restart; the nightly
window holds the earlier published one (23:45 to 00:45) as well, which gateways restart in.
"""

from __future__ import annotations

from datetime import datetime, time

from daemon.core.units import SECOND_NS
from daemon.feeds.times import zone_info

NIGHTLY = (time(23, 45), time(1, 45))
FRIDAY, SATURDAY, SUNDAY = 4, 5, 6


def planned_reset(instant: int, zone: str) -> str | None:
    """Which reset is going on at an instant (UTC ns), in words; None for none."""
    local = datetime.fromtimestamp(instant // SECOND_NS, zone_info(zone))
    day, clock = local.weekday(), local.time()
    weekend_begins = day == FRIDAY and clock >= time(23)
    weekend_goes_on = day == SATURDAY and clock < time(3)
    if weekend_begins or weekend_goes_on:
        return "Interactive Brokers' weekend maintenance, Friday 23:00 to Saturday 03:00"
    if day == SUNDAY and clock >= time(1):
        return "the weekly login: log in at the gateway before Monday's open"
    if clock >= NIGHTLY[0] or clock < NIGHTLY[1]:
        return "Interactive Brokers' nightly reset, 23:45 to 01:45"
    return None
