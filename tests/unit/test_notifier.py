"""The notifier's thread with a sender that fails as told; time passes when it waits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from daemon.config.notify import NoticeEvent
from daemon.observability.notice_rules import QUIET_S, Notice
from daemon.observability.notifier import (
    DROPPED,
    FAILED,
    HALT_EVERY_S,
    HALT_TRIES,
    RETRY_AFTER_S,
    SENT,
    WAITING_MAX,
    Notifier,
)
from daemon.observability.notify import Sent
from tests.daemons.virtual import Silent

SOON_S = 20.0


class Fakes:
    """Addresses that fail as often as told, a clock, and what has been counted."""

    def __init__(self, addresses: int = 1) -> None:
        self.now_s = 0.0
        self.sent: list[tuple[str, tuple[int, ...]]] = []
        self.tries: list[float] = []
        self.fails: dict[int, int] = dict.fromkeys(range(1, addresses + 1), 0)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.log = Silent()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.raises: list[Exception] = []

    def send(self, title: str, body: str, only: Sequence[int] | None = None) -> list[Sent]:
        self.entered.set()
        assert self.gate.wait(SOON_S)
        self.tries.append(self.now_s)
        if self.raises:
            raise self.raises.pop()
        results = []
        for address in self.fails if only is None else only:
            failing = self.fails[address] > 0
            self.fails[address] -= failing
            results.append(Sent(address, "Fake", "no" if failing else None))
        taken = tuple(each.address for each in results if each.problem is None)
        self.sent.append((title, taken))
        return results

    def count(self, metric: str, event: NoticeEvent) -> None:
        self.counts[metric, event] += 1

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        """Waiting for time lets it pass at once; waiting for a notice is real."""
        if seconds is None:
            condition.wait(SOON_S)
        else:
            self.now_s += seconds


Begin = Callable[[Fakes], Notifier]


@pytest.fixture
def begin() -> Iterator[Begin]:
    begun: list[Notifier] = []

    def make(fakes: Fakes) -> Notifier:
        begun.append(Notifier(fakes, fakes.log, fakes.count, fakes.monotonic, fakes.wait))
        return begun[-1]

    yield make
    for notifier in begun:
        notifier.close(SOON_S)
        assert not notifier._thread.is_alive()


def notice(event: NoticeEvent, key: str = "k", title: str = "t") -> Notice:
    return Notice(event, key, title, "body")


def wait_until(true: Callable[[], Any]) -> None:
    """Let the thread work; fails where it never comes true."""
    stop = threading.Event()
    for _ in range(2_000):
        if true():
            return
        stop.wait(0.01)
    raise AssertionError("it never came true")


def test_it_is_sent_and_counted(begin: Begin) -> None:
    fakes = Fakes(2)
    begin(fakes).tell(notice("halt"))
    wait_until(lambda: fakes.counts[SENT, "halt"] == 1)
    assert fakes.sent == [("t", (1, 2))]
    assert [line["event"] for line in fakes.log.lines] == ["notification_sent"]


def test_whoever_failed_is_tried_again_and_nobody_else(begin: Begin) -> None:
    fakes = Fakes(2)
    fakes.fails[2] = 2
    begin(fakes).tell(notice("start"))
    wait_until(lambda: fakes.counts[SENT, "start"] == 1)
    assert fakes.sent == [("t", (1,)), ("t", ()), ("t", (2,))]
    assert fakes.tries == [0.0, 5.0, 35.0]
    failed = [line for line in fakes.log.lines if line["event"] == "notification_failed"]
    assert [(line["address"], line["problem"]) for line in failed] == [(2, "no"), (2, "no")]


def test_after_some_tries_it_has_failed(begin: Begin) -> None:
    fakes = Fakes()
    fakes.fails[1] = 99
    begin(fakes).tell(notice("start"))
    wait_until(lambda: fakes.counts[FAILED, "start"] == 1)
    assert len(fakes.tries) == 1 + len(RETRY_AFTER_S)


def test_a_halt_that_reached_nobody_is_tried_for_two_hours(begin: Begin) -> None:
    fakes = Fakes()
    fakes.fails[1] = 999
    begin(fakes).tell(notice("halt"))
    wait_until(lambda: fakes.counts[FAILED, "halt"] == 1)
    assert len(fakes.tries) == 1 + len(RETRY_AFTER_S) + HALT_TRIES
    assert fakes.tries[-1] == sum(RETRY_AFTER_S) + HALT_TRIES * HALT_EVERY_S


def test_a_halt_that_somebody_has_is_not(begin: Begin) -> None:
    fakes = Fakes(2)
    fakes.fails[2] = 999
    begin(fakes).tell(notice("halt"))
    wait_until(lambda: fakes.counts[SENT, "halt"] == 1)
    assert len(fakes.tries) == 1 + len(RETRY_AFTER_S)


def test_what_waits_is_told_when_it_is_due(begin: Begin) -> None:
    fakes = Fakes()
    notifier = begin(fakes)
    notifier.tell(notice("gap", title="first"))
    notifier.tell(notice("gap", title="second"))
    wait_until(lambda: len(fakes.sent) == 2)
    assert [title for title, _ in fakes.sent] == ["first", "second"]
    assert fakes.tries[1] - fakes.tries[0] == QUIET_S["gap"]


def test_a_full_queue_makes_room_but_not_of_halts(begin: Begin) -> None:
    fakes = Fakes()
    fakes.gate.clear()
    notifier = begin(fakes)
    notifier.tell(notice("start", title="being sent"))
    assert fakes.entered.wait(SOON_S)
    notifier.tell(notice("halt", title="halt"))
    for n in range(WAITING_MAX + 4):  # nobody waits here, however long sending takes
        notifier.tell(notice("fill", str(n), f"fill {n}"))
    assert fakes.counts[DROPPED, "fill"] == 5
    fakes.gate.set()
    wait_until(lambda: fakes.counts[SENT, "halt"] == 1)
    assert ("fill 4", (1,)) not in fakes.sent


def test_what_is_too_much_is_counted(begin: Begin) -> None:
    fakes = Fakes()
    notifier = begin(fakes)
    for n in range(20):
        notifier.tell(notice("fill", str(n)))
    wait_until(lambda: sum(fakes.counts.values()) == 20)
    assert fakes.counts == {(SENT, "fill"): 12, (DROPPED, "fill"): 8}


def test_a_sender_that_raises_ends_nothing(begin: Begin) -> None:
    fakes = Fakes()
    fakes.raises = [RuntimeError("broken")]
    notifier = begin(fakes)
    notifier.tell(notice("start"))
    notifier.tell(notice("stop"))
    wait_until(lambda: fakes.counts[SENT, "stop"] == 1)
    assert fakes.log.lines[0]["event"] == "notification_lost"


def test_closing_sends_what_waits_and_tries_nothing_again() -> None:
    fakes = Fakes()
    fakes.fails[1] = 99
    fakes.gate.clear()
    notifier = Notifier(fakes, fakes.log, fakes.count, fakes.monotonic)
    notifier.tell(notice("start", title="one"))
    assert fakes.entered.wait(SOON_S)
    notifier.tell(notice("halt", title="two"))
    notifier.close(0)
    fakes.gate.set()
    notifier._thread.join(SOON_S)
    assert not notifier._thread.is_alive()
    assert [title for title, _ in fakes.sent] == ["one", "two"]
    assert fakes.counts == {(FAILED, "start"): 1, (FAILED, "halt"): 1}


def test_closing_waits_only_so_long_for_an_address_that_hangs() -> None:
    fakes = Fakes()
    fakes.gate.clear()
    notifier = Notifier(fakes, fakes.log, fakes.count)
    notifier.tell(notice("start"))
    assert fakes.entered.wait(SOON_S)
    notifier.close(0.01)
    assert notifier._thread.is_alive()
    assert notifier._thread.daemon  # it does not keep the process
    fakes.gate.set()
    notifier._thread.join(SOON_S)
