"""The section `feed` of a config: where bars come from, and what is done when they do not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from daemon.config.faults import Fault, checked_instant
from daemon.config.fields import (
    ClientIds,
    NotNegative,
    Pace,
    Positive,
    Section,
    all_defaults,
    refused,
)


class FeedResume(Section):
    """When trading goes on after the feed was lost."""

    stable_s: NotNegative = Field(default=120.0, description="Seconds the feed must be up.")
    after: Literal["backfilled", "next_bar"] = Field(
        default="backfilled",
        description="What ends the pause: missed bars fetched, or the next bar.",
    )


class _Patience(Section):
    """How long bars are waited for."""

    decide_within_s: Positive = Field(
        default=60.0, description="A bar in hand later than this after its end decides nothing."
    )
    pause_after_s: Positive = Field(default=120.0, description="Silence that pauses trading.")
    resume: FeedResume = all_defaults(FeedResume, "When trading goes on.")


class _Gateway(Section):
    """How Interactive Brokers is reached."""

    kind: Literal["ib"] = Field(default="ib", description="Interactive Brokers.")
    host: Annotated[str, Field(min_length=1)] = Field(
        default="127.0.0.1", description="Gateway host."
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=7497, description="7497 TWS paper, 4002 Gateway paper."
    )
    client_ids: ClientIds = Field(default=(17, 18, 19), description="Client ids to try, in order.")
    grace_s: NotNegative = Field(
        default=5.0, description="Wait after a bar's end before it is asked for."
    )


# Of two bases pydantic puts the keys of the second first.


class IbFeedConfig(_Patience, _Gateway):
    """Live bars from Interactive Brokers (TWS or the Gateway)."""

    @model_validator(mode="after")
    def _time_to_decide(self) -> IbFeedConfig:
        if self.decide_within_s <= self.grace_s:
            message = f"must be above grace_s ({self.grace_s:g}), or no bar is ever in time"
            raise refused(message, "decide_within_s")
        return self


class _Player(Section):
    """How the tape is played."""

    kind: Literal["tape"] = Field(description="The tape of this config.")
    pace: Pace = Field(
        default=3600.0, description="Tape seconds a second; max: as fast as possible."
    )
    start: str | None = Field(
        default=None, description="First instant; null: where the tape begins."
    )
    end: str | None = Field(default=None, description="Last instant (a date includes its day).")


class TapeFeedConfig(_Patience, _Player):
    """The daemon fed from the tape, at a chosen pace."""

    faults: Annotated[tuple[Fault, ...], Field(strict=False)] = Field(
        default=(), description="What shall go wrong, to see what happens then."
    )

    @model_validator(mode="after")
    def _in_order(self) -> TapeFeedConfig:
        start = self._instant("start", self.start)
        end = self._instant("end", self.end, end_of_day=True)
        if start is not None and end is not None and end <= start:
            raise refused(f"{self.end} is not after start ({self.start})", "end")
        return self

    @staticmethod
    def _instant(key: str, text: str | None, *, end_of_day: bool = False) -> int | None:
        return None if text is None else checked_instant(key, text, end_of_day=end_of_day)


def _ib_unless_told(value: Any) -> Any:
    return {"kind": "ib", **value} if isinstance(value, dict) else value


FeedConfig = Annotated[
    IbFeedConfig | TapeFeedConfig,
    Field(discriminator="kind"),
    BeforeValidator(_ib_unless_told),
]
