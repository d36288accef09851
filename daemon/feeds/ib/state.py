"""Where the connection to Interactive Brokers stands: a table of states.

    DOWN ─► CONNECTING ─► SYNC ─► BACKFILL ─► LIVE ◄─► DEGRADED (a farm, another session, pacing)
     ▲  └► BACKOFF ─┘      ▲         ▲          │
     │                     └─────────┴── UPSTREAM_DOWN (the gateway is there, its servers are not)
     └── LOST, from every state with a connection            STOPPING from any

Two laws. Only LIVE can be believed when no bar comes: whoever is elsewhere knows nothing of what
is missing. And nothing goes back to LIVE but through BACKFILL: what was missed is asked for first.
"""

from __future__ import annotations

from enum import StrEnum


class IbState(StrEnum):
    """SYNC: contracts, clock and hours are asked for; BACKFILL: what was missed."""

    DOWN = "down"
    CONNECTING = "connecting"
    SYNC = "sync"
    BACKFILL = "backfill"
    LIVE = "live"
    DEGRADED = "degraded"
    UPSTREAM_DOWN = "upstream_down"
    BACKOFF = "backoff"
    STOPPING = "stopping"


class IbTrigger(StrEnum):
    """What happened to the connection."""

    WAIT = "wait"
    CONNECT = "connect"
    CONNECTED = "connected"
    SYNCED = "synced"
    CAUGHT_UP = "caught_up"
    TROUBLED = "troubled"
    CLEARED = "cleared"
    UPSTREAM_LOST = "upstream_lost"
    UPSTREAM_BACK = "upstream_back"
    LOST = "lost"
    STOP = "stop"


S, T = IbState, IbTrigger
CONNECTED = (S.SYNC, S.BACKFILL, S.LIVE, S.DEGRADED, S.UPSTREAM_DOWN)
"""The states with a connection to the gateway."""

TRANSITIONS: dict[tuple[IbState, IbTrigger], IbState] = {
    (S.DOWN, T.CONNECT): S.CONNECTING,
    (S.DOWN, T.WAIT): S.BACKOFF,
    (S.BACKOFF, T.CONNECT): S.CONNECTING,
    (S.CONNECTING, T.CONNECTED): S.SYNC,
    (S.CONNECTING, T.LOST): S.DOWN,
    (S.SYNC, T.SYNCED): S.BACKFILL,
    (S.SYNC, T.TROUBLED): S.SYNC,  # it shows again when bars are asked for
    (S.SYNC, T.CLEARED): S.SYNC,
    (S.BACKFILL, T.CAUGHT_UP): S.LIVE,
    (S.BACKFILL, T.TROUBLED): S.DEGRADED,
    (S.LIVE, T.TROUBLED): S.DEGRADED,
    (S.DEGRADED, T.TROUBLED): S.DEGRADED,  # a second trouble
    (S.DEGRADED, T.CLEARED): S.BACKFILL,
    (S.UPSTREAM_DOWN, T.TROUBLED): S.UPSTREAM_DOWN,  # its farms go and come with it
    (S.UPSTREAM_DOWN, T.CLEARED): S.UPSTREAM_DOWN,
    # 1101 and 1102 come without a 1100 too; what they promise is looked at anyway.
    **{(state, T.UPSTREAM_BACK): S.SYNC for state in CONNECTED},
    **{(state, T.UPSTREAM_LOST): S.UPSTREAM_DOWN for state in CONNECTED},
    **{(state, T.LOST): S.DOWN for state in CONNECTED},
    **{(state, T.STOP): S.STOPPING for state in S},
}


class IllegalMoveError(Exception):
    """A trigger that the state does not know: a bug."""


class IbMachine:
    """The state, and since when it is in it (ns); begins DOWN."""

    __slots__ = ("since", "state")

    def __init__(self, now: int) -> None:
        self.state = IbState.DOWN
        self.since = now

    @property
    def is_connected(self) -> bool:
        """Whether the gateway is there."""
        return self.state in CONNECTED

    def move(self, trigger: IbTrigger, now: int) -> bool:
        """Follow the table; whether the state is another one now.

        IllegalMoveError changes nothing.
        """
        following = TRANSITIONS.get((self.state, trigger))
        if following is None:
            raise IllegalMoveError(f"{trigger} in state {self.state}")
        if following is self.state:
            return False
        self.state, self.since = following, now
        return True
