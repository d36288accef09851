"""Everything that can go wrong, each a small record: `gateway.do(Drop())`."""

from tests.fake_gateway.faults.base import Fault
from tests.fake_gateway.faults.lines import (
    Babble,
    ClosePort,
    Drop,
    Frame,
    Garbage,
    Mute,
    Restart,
    Say,
    Skew,
    Slow,
    TakeClientIds,
)
from tests.fake_gateway.faults.replies import (
    Cut,
    CutOff,
    Delay,
    Empty,
    HalfStart,
    Ignore,
    Mangle,
    Refuse,
)
from tests.fake_gateway.faults.services import (
    AnnounceHours,
    CompetingSession,
    DelayBar,
    Farm,
    KillStreams,
    MissBar,
    NightlyReset,
    ReviseBar,
    SplitShares,
    Upstream,
)

# Every fault that a script may name, by the tag of its class.
AnyFault = (
    AnnounceHours
    | Babble
    | ClosePort
    | CompetingSession
    | CutOff
    | Delay
    | DelayBar
    | Drop
    | Empty
    | Farm
    | Frame
    | Garbage
    | HalfStart
    | Ignore
    | KillStreams
    | Mangle
    | MissBar
    | Mute
    | NightlyReset
    | Refuse
    | Restart
    | ReviseBar
    | Say
    | Skew
    | Slow
    | SplitShares
    | TakeClientIds
    | Upstream
)

__all__ = [
    "AnnounceHours",
    "AnyFault",
    "Babble",
    "ClosePort",
    "CompetingSession",
    "Cut",
    "CutOff",
    "Delay",
    "DelayBar",
    "Drop",
    "Empty",
    "Farm",
    "Fault",
    "Frame",
    "Garbage",
    "HalfStart",
    "Ignore",
    "KillStreams",
    "Mangle",
    "MissBar",
    "Mute",
    "NightlyReset",
    "Refuse",
    "Restart",
    "ReviseBar",
    "Say",
    "Skew",
    "Slow",
    "SplitShares",
    "TakeClientIds",
    "Upstream",
]
