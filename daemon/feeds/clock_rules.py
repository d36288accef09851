"""When a bar is asked for, too late or missed: the part of a feed's config that the clock knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from daemon.config.feeds import IbFeedConfig, TapeFeedConfig


class ClockRules(Struct, frozen=True):
    """Seconds as in the config's `feed`.

    Without `deadlines` (a tape as fast as it can be played) time decides nothing: a slice waits
    for its bars and is always on time, and no silence pauses.
    """

    grace_s: float
    decide_within_s: float
    pause_after_s: float
    stable_s: float
    resume_after: Literal["backfilled", "next_bar"]
    deadlines: bool = True


def clock_rules(feed: IbFeedConfig | TapeFeedConfig) -> ClockRules:
    """The rules of a config's feed."""
    return ClockRules(
        grace_s=feed.grace_s if feed.kind == "ib" else 0.0,
        decide_within_s=feed.decide_within_s,
        pause_after_s=feed.pause_after_s,
        stable_s=feed.resume.stable_s,
        resume_after=feed.resume.after,
        deadlines=feed.kind == "ib" or feed.pace != "max",
    )
