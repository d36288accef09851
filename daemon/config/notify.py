"""The section `notify` of a config: which events are sent to people, and to where."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from daemon.config.fields import Section, matching, refused

NoticeEvent = Literal[
    "halt", "pause", "gap", "feed", "parity", "check", "fill", "daily_summary", "start", "stop"
]

NOTICE_EVENTS: tuple[NoticeEvent, ...] = get_args(NoticeEvent)


def _once(events: tuple[NoticeEvent, ...]) -> tuple[NoticeEvent, ...]:
    for place, event in enumerate(events):
        if event in events[:place]:
            raise refused(f"{event} is listed twice")
    return events


CredentialName = Annotated[
    str, matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", "the name of a credential, not a path")
]


class NotifyConfig(Section):
    """Messages to people; no part of what makes two runs equal."""

    urls_credential: CredentialName | None = Field(
        default=None,
        description="Name of the credential that holds the addresses, one a line, as apprise "
        "writes them (mailto://, tgram://, json:// ...); null: nothing is sent.",
    )
    events: Annotated[tuple[NoticeEvent, ...], Field(strict=False), AfterValidator(_once)] = Field(
        default=(),
        description="What is sent: halt (and when it is over), pause (PAUSED or REDUCING), gap "
        "(an expected bar that did not come in time), feed (lost or restored), parity and check "
        "(a check that failed), fill, daily_summary (after the close), start, stop.",
    )
    test_at_start: bool = Field(default=False, description="Send a test message at start.")

    @model_validator(mode="after")
    def _can_send(self) -> NotifyConfig:
        if self.urls_credential is None and (self.events or self.test_at_start):
            raise refused(
                "needs urls_credential, the name of the credential that holds the addresses",
                "events" if self.events else "test_at_start",
            )
        return self
