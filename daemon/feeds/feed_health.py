r"""Whether the feed can be believed: a table of states.

    state \ trigger   LOSE     RESTORE   FALL_SILENT   SHOW_LIFE
    UP                DOWN     UP        SILENT        UP
    SILENT            DOWN     SILENT    SILENT        UP
    DOWN              DOWN     UP        DOWN          DOWN

Two laws. A feed that says it is back is up; one that merely stayed connected is up again only when
it brings something, since a mute socket looks healthy too. And stability counts from the moment
the feed came up last, so any new trouble starts it again.
"""

from __future__ import annotations

from enum import StrEnum


class FeedState(StrEnum):
    """UP: bars can be expected; SILENT: connected, and brings nothing; DOWN: lost."""

    UP = "up"
    SILENT = "silent"
    DOWN = "down"


class FeedTrigger(StrEnum):
    """What is learned about the feed."""

    LOSE = "lose"
    RESTORE = "restore"
    FALL_SILENT = "fall_silent"
    SHOW_LIFE = "show_life"


_UP, _SILENT, _DOWN = FeedState.UP, FeedState.SILENT, FeedState.DOWN

TRANSITIONS: dict[tuple[FeedState, FeedTrigger], FeedState] = {
    (_UP, FeedTrigger.LOSE): _DOWN,
    (_UP, FeedTrigger.RESTORE): _UP,
    (_UP, FeedTrigger.FALL_SILENT): _SILENT,
    (_UP, FeedTrigger.SHOW_LIFE): _UP,
    (_SILENT, FeedTrigger.LOSE): _DOWN,
    (_SILENT, FeedTrigger.RESTORE): _SILENT,  # it was never away: only a bar proves it
    (_SILENT, FeedTrigger.FALL_SILENT): _SILENT,
    (_SILENT, FeedTrigger.SHOW_LIFE): _UP,
    (_DOWN, FeedTrigger.LOSE): _DOWN,
    (_DOWN, FeedTrigger.RESTORE): _UP,
    (_DOWN, FeedTrigger.FALL_SILENT): _DOWN,
    (_DOWN, FeedTrigger.SHOW_LIFE): _DOWN,  # what was on its way when the feed was lost
}


class FeedHealth:
    """The state of the feed, `since` when it is in it (ns) and the reason; it begins UP.

    `heard` is when it last brought anything, or came back.
    """

    __slots__ = ("heard", "reason", "since", "state")

    def __init__(self) -> None:
        self.state = FeedState.UP
        self.reason = ""
        self.begin(0)

    def begin(self, now: int) -> None:
        """Nothing is known of the time before `now`."""
        self.since = self.heard = now

    @property
    def is_up(self) -> bool:
        """Whether a bar that does not come has a meaning."""
        return self.state is FeedState.UP

    def move(self, trigger: FeedTrigger, now: int, reason: str = "") -> bool:
        """Follow the table; whether the state is another one now."""
        following = TRANSITIONS[self.state, trigger]
        if trigger in (FeedTrigger.SHOW_LIFE, FeedTrigger.RESTORE):
            self.heard = now
        if following is self.state:
            return False
        self.state, self.since, self.reason = following, now, reason
        return True
