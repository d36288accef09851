"""`/healthz` and `/readyz`: whether the process works, and whether it is where it should be.

They ask what the watchdog asks: was the event loop seen lately? Readiness asks as well whether the
journal has been recovered and the feed's state is known. The state of trading is no part of it: a
daemon that is halted is healthy and ready, and says so in its metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from daemon.observability.metrics import Metrics
from daemon.observability.server import Page, Reply, text_reply

LOOP_SILENT_S = 10.0
"""An event loop that was not seen for so long is blocked."""


def pages(metrics: Metrics, loop_silent_s: float = LOOP_SILENT_S) -> Mapping[str, Page]:
    """The pages of a daemon by their paths."""

    def healthz() -> Reply:
        return _verdict(_health(metrics, loop_silent_s))

    def readyz() -> Reply:
        return _verdict(_health(metrics, loop_silent_s) + _readiness(metrics))

    return {"/metrics": metrics.page, "/healthz": healthz, "/readyz": readyz}


def _health(metrics: Metrics, loop_silent_s: float) -> list[str]:
    silence = metrics.loop_silence_s
    if silence <= loop_silent_s:
        return []
    return [f"the event loop was seen {silence:.0f} s ago (blocked after {loop_silent_s:g} s)"]


def _readiness(metrics: Metrics) -> list[str]:
    reasons = []
    if not metrics.is_ready:
        reasons.append("the journal is being recovered")
    if metrics.feed_state is None:
        reasons.append("the state of the feed is not known yet")
    return reasons


def _verdict(reasons: list[str]) -> Reply:
    if reasons:
        return text_reply(HTTPStatus.SERVICE_UNAVAILABLE, *reasons)
    return text_reply(HTTPStatus.OK, "ok")
