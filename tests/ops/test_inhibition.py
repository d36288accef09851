"""What explains an alert keeps it quiet: the example's inhibitions, in a real Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ops.alertmanager import Alertmanager, Receiver
from tests.ops.prometheus import GIVE_UP_S, LOOK_EVERY_S

SAID_BY = {
    "PapertapeDown": {"Halted", "NoBar", "FeedNotReady", "TradeSurge"},
    "FeedNotReady": {"NoBar", "PausedInSession"},
    "ModelFailing": {"PausedInSession"},
}
"""What each alert explains of the same daemon."""


class Desk:
    """An Alertmanager, and what it has told."""

    def __init__(self, folder: Path) -> None:
        self.receiver = Receiver()
        self.alertmanager = Alertmanager(folder / "alertmanager", self.receiver)
        self.wait_for(self.alertmanager.is_ready)

    def close(self) -> None:
        """Leave no process behind."""
        self.alertmanager.close()
        self.receiver.close()

    def wait_for(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until = time.monotonic() + GIVE_UP_S
        while not true():
            assert time.monotonic() < until, f"it never came true: {list(self.receiver.told)}"
            time.sleep(LOOK_EVERY_S)

    def told(self) -> set[tuple[str, str | None]]:
        """Alert and daemon of all that was told."""
        return {(each.alert, each.labels.get("name")) for each in list(self.receiver.told)}

    def take(self, name: str, *alerts: str) -> None:
        """Take pages of a daemon."""
        labels = {"severity": "page", "job": "papertape", "name": name}
        self.alertmanager.take(*({"alertname": alert, **labels} for alert in alerts))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Return a desk that takes alerts."""
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("cause", SAID_BY)
def test_a_cause_keeps_its_consequences_quiet_and_nothing_else(desk: Desk, cause: str) -> None:
    """Of another daemon the same is told; the watchdog goes on."""
    consequences = SAID_BY[cause]
    desk.take("d", cause)
    desk.wait_for(lambda: (cause, "d") in desk.told())
    desk.take("d", *consequences)
    quiet = {(alert, "d") for alert in consequences}
    states = desk.alertmanager.states
    desk.wait_for(
        lambda: {key for key, state in states().items() if state == "suppressed"} == quiet
    )
    desk.take("e", *consequences)
    desk.alertmanager.take({"alertname": "Watchdog", "severity": "ticket"})
    loud = {(alert, "e") for alert in consequences} | {("Watchdog", None)}
    # Of another daemon a cause may be among the consequences, and explains some of them.
    loud -= {(alert, "e") for other in consequences for alert in SAID_BY.get(other, ())}
    desk.wait_for(lambda: desk.told() >= loud)
    assert not quiet & desk.told()


def test_what_explains_nothing_is_told_with_the_rest(desk: Desk) -> None:
    desk.take("d", "Halted", "PausedInSession", "TradeSurge", "NoBar")
    desk.wait_for(lambda: len(desk.told()) == 4)
