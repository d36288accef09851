"""What shall go wrong with a tape feed, on purpose: one model a kind of fault.

    feed:
      kind: tape
      faults:
        - {kind: withhold, bar: 2024-01-03 10:30, for_s: 300}   # handed over so much later
        - {kind: drop, bar: 2024-01-03 11:30}                   # does not exist
        - {kind: lost, at: 2024-01-04 12:00, for_s: 1800}       # the feed is away
        - {kind: silent, at: 2024-01-05 12:00, for_s: 7200}     # it looks well and brings nothing
        - {kind: duplicate, bar: 2024-01-08 09:30}              # comes twice
        - {kind: revise, bar: 2024-01-08 10:30, close: 101.5}   # comes again with another close
        - {kind: quarantine, bar: 2024-01-08 11:30}             # cannot be true

`bar` is the bar's start. Seconds are those of the tape.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from daemon.config.fields import Positive, Section, SymbolName, refused
from daemon.errors import UsageError

EXCHANGE_ZONE = "America/New_York"


class _OfBar(Section):
    """What happens to one bar, of one symbol or of all of them."""

    kind: str
    bar: str = Field(
        description="Start of the bar: a date and time, exchange time unless it has a zone."
    )
    symbol: SymbolName | None = Field(default=None, description="Whose bar; null: of each symbol.")

    @model_validator(mode="after")
    def _has_instant(self) -> _OfBar:
        checked_instant("bar", self.bar, with_time=True)
        return self

    @property
    def start(self) -> int:
        """The start of the bar (ns)."""
        return checked_instant("bar", self.bar)


class _OfTime(Section):
    """What happens to the feed for some time."""

    kind: str
    at: str = Field(description="When: a date and time, exchange time unless it has a zone.")
    for_s: Positive = Field(description="Tape seconds that it lasts.")

    @model_validator(mode="after")
    def _has_instant(self) -> _OfTime:
        checked_instant("at", self.at, with_time=True)
        return self

    @property
    def instant(self) -> int:
        """When it begins (ns)."""
        return checked_instant("at", self.at)


class WithholdFault(_OfBar):
    """The bar is handed over late."""

    kind: Literal["withhold"] = Field(description="The bar comes late.")
    for_s: Positive = Field(description="Tape seconds by which it is late.")


class DropFault(_OfBar):
    """The bar does not exist, and the source says so."""

    kind: Literal["drop"] = Field(description="The bar does not exist.")


class LostFault(_OfTime):
    """The feed is away; bars of that time come after it."""

    kind: Literal["lost"] = Field(description="The feed is away.")


class SilentFault(_OfTime):
    """The feed looks well and brings nothing; bars of that time come after it."""

    kind: Literal["silent"] = Field(description="The feed looks well and brings nothing.")


class DuplicateFault(_OfBar):
    """The bar comes twice."""

    kind: Literal["duplicate"] = Field(description="The bar comes twice.")


class ReviseFault(_OfBar):
    """The bar comes again with another close."""

    kind: Literal["revise"] = Field(description="The bar comes again with another close.")
    close: Positive = Field(description="The close it has then.")


class QuarantineFault(_OfBar):
    """The bar comes and cannot be true."""

    kind: Literal["quarantine"] = Field(description="The bar cannot be true.")


BarFault = WithholdFault | DropFault | DuplicateFault | ReviseFault | QuarantineFault
TimeFault = LostFault | SilentFault
Fault = Annotated[BarFault | TimeFault, Field(discriminator="kind")]


def checked_instant(
    key: str, text: str, *, end_of_day: bool = False, with_time: bool = False
) -> int:
    """The instant of a key's text, in exchange time unless it has a zone; else a refusal."""
    # Imported here: few configs name a time, and the zone's rules take a while to read.
    from daemon.feeds.times import parse_when

    if not text[:4].isdecimal():
        wanted = "a date and time" if with_time else "a date, or a date and time"
        raise refused(f"expected {wanted}, got {text!r}", key)
    if with_time and ":" not in text:
        raise refused(f"expected a date and time (2024-01-03 10:30), got {text!r}", key)
    try:
        return parse_when(text, EXCHANGE_ZONE, end_of_day=end_of_day)
    except (UsageError, OverflowError) as error:
        raise refused(str(error), key) from None
