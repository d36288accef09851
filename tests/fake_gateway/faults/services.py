"""Faults behind the gateway: the vendor's servers, data farms, live streams, and the market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tests.fake_gateway.faults.base import ScriptedFault
from tests.fake_gateway.faults.replies import Refuse
from tests.fake_gateway.requests import Kind

if TYPE_CHECKING:
    from tests.fake_gateway.gateway import FakeGateway


class Upstream(ScriptedFault, frozen=True, kw_only=True):
    """The gateway loses the vendor's servers (1100, or 2110), and finds them again (1101, 1102).

    Meanwhile requests for bars are refused (162) and streams pause; after 1101 they are gone, after
    1102 they go on unless `streams` is "die": the vendor says "maintained", and they stay silent.
    """

    down_s: float | None = 60.0
    lost: Literal[1100, 2110] = 1100
    restored: Literal[1101, 1102] = 1102
    streams: Literal["resume", "die"] = "resume"

    def apply(self, gateway: FakeGateway) -> None:
        """Lose them now."""
        gateway.is_upstream = False
        gateway.say(self.lost)
        if self.down_s is not None:
            gateway.later(self.down_s, lambda: self._restore(gateway))

    def _restore(self, gateway: FakeGateway) -> None:
        gateway.is_upstream = True
        if self.restored == 1101 or self.streams == "die":
            gateway.streams.lose(None)
        gateway.say(self.restored)
        for code in gateway.settings.notices:
            gateway.say(code)


class Farm(ScriptedFault, frozen=True, kw_only=True):
    """A data farm breaks (2105 history, 2103 market data) and is well again (2106, 2104).

    Without the history farm requests for bars are refused; without the market farm live streams
    end, and unless `streams` is "resume" they do not come back though the farm is well.
    """

    farm: Literal["history", "market"] = "history"
    down_s: float | None = 60.0
    streams: Literal["resume", "die"] = "die"

    def apply(self, gateway: FakeGateway) -> None:
        """Break it now."""
        if self.farm == "history":
            gateway.history_farm_ok = False
            gateway.say(2105)
        else:
            gateway.say(2103)
            if self.streams == "die":
                gateway.streams.lose(None)
        if self.down_s is not None:
            gateway.later(self.down_s, lambda: self._mend(gateway))

    def _mend(self, gateway: FakeGateway) -> None:
        if self.farm == "history":
            gateway.history_farm_ok = True
            gateway.say(2106)
        else:
            gateway.say(2104)


class NightlyReset(ScriptedFault, frozen=True, kw_only=True):
    """What the vendor's servers do every night: farms and servers go, and come back."""

    down_s: float = 120.0
    restored: Literal[1101, 1102] = 1102

    def apply(self, gateway: FakeGateway) -> None:
        """Begin now."""
        Farm(farm="market", down_s=self.down_s).apply(gateway)
        Farm(farm="history", down_s=self.down_s).apply(gateway)
        Upstream(down_s=self.down_s, restored=self.restored).apply(gateway)


class CompetingSession(ScriptedFault, frozen=True, kw_only=True):
    """The user logs in elsewhere and takes the market data along (10197)."""

    for_s: float

    def apply(self, gateway: FakeGateway) -> None:
        """End live streams, and refuse bars for a while."""
        gateway.streams.lose(10197)
        for kind in (Kind.HISTORY, Kind.REAL_TIME_BARS):
            Refuse(kind=kind, code=10197, for_s=self.for_s).apply(gateway)


class KillStreams(ScriptedFault, frozen=True, kw_only=True):
    """Live streams end: with a code (10182, 10225 for a bust), or silently with none."""

    code: int | None = 10182

    def apply(self, gateway: FakeGateway) -> None:
        """End them now."""
        gateway.streams.lose(self.code)


class MissBar(ScriptedFault, frozen=True, kw_only=True):
    """Never show a bar of the table."""

    symbol: str
    start: str

    def apply(self, gateway: FakeGateway) -> None:
        """Leave it out from now on."""
        gateway.market[self.symbol].miss(self.start)


class DelayBar(ScriptedFault, frozen=True, kw_only=True):
    """Show a bar of the table only `by_s` after its end."""

    symbol: str
    start: str
    by_s: float

    def apply(self, gateway: FakeGateway) -> None:
        """Hold it back from now on."""
        gateway.market[self.symbol].delay(self.start, self.by_s)


class ReviseBar(ScriptedFault, frozen=True, kw_only=True):
    """Show a bar of the table with other values from an instant on."""

    symbol: str
    start: str
    at: str
    values: dict[str, float]

    def apply(self, gateway: FakeGateway) -> None:
        """Plan the revision."""
        gateway.market[self.symbol].revise(self.start, self.at, **self.values)


class SplitShares(ScriptedFault, frozen=True, kw_only=True):
    """From an instant on, show older bars in new shares."""

    symbol: str
    at: str
    ratio: float

    def apply(self, gateway: FakeGateway) -> None:
        """Plan the split."""
        gateway.market[self.symbol].split(self.at, self.ratio)


class AnnounceHours(ScriptedFault, frozen=True, kw_only=True):
    """Let `liquidHours` say something else of a day than its bars show."""

    symbol: str
    day: str
    text: str

    def apply(self, gateway: FakeGateway) -> None:
        """Announce it from now on."""
        gateway.market[self.symbol].hours.announce(self.day, self.text)
