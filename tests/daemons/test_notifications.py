"""Notifications of a real daemon on a tape, to a receiver on this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port, metric
from tests.receiver import Receiver, receiver
from tests.replay.workshop import Workshop, write_tape

CANARY = "canary7f3a91"
PACE = "60000"


class Told:
    """A daemon whose config names a credential, the file of that, and who is told."""

    def __init__(self, folder: Path, got: Receiver) -> None:
        self.got = got
        self.shop = Workshop(folder)
        credentials = folder / "credentials"
        credentials.mkdir()
        self.credential = credentials / "alerts"
        self.credential.write_text(got.url(f"/{CANARY}", f"me:{CANARY}x@") + "\n", "utf-8")
        self.prefix = ("env", f"CREDENTIALS_DIRECTORY={credentials}")
        self.daemon = Daemon(self.shop, pace=PACE)

    def notify(self, text: str) -> None:
        """Write the section into the config file, where a reload finds it."""
        kept = [
            line
            for line in self.shop.config.read_text("utf-8").splitlines()
            if not line.startswith("notify:")
        ]
        self.shop.config.write_text("\n".join([*kept, f"notify: {text}"]) + "\n", "utf-8")

    def start(self) -> None:
        self.daemon.start(prefix=self.prefix)

    def wait_for(self, title: str) -> str:
        """Wait for a message of that title; its body."""
        self.daemon.wait_for(lambda: title in self.got.titles)
        return next(message.body for message in self.got.messages if message.title == title)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.chdir(tmp_path)
    with receiver() as got:
        made = Told(tmp_path, got)
        yield made
        made.daemon.clean_up()


def check_no_secret(told: Told) -> None:
    """The addresses are in their file and nowhere else."""
    found = [
        path
        for path in sorted(told.shop.folder.rglob("*"))
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert found == [told.credential]


def test_what_is_wanted_is_told_and_nothing_else(told: Told) -> None:
    told.notify("{urls_credential: alerts, events: [halt, daily_summary, stop]}")
    told.start()
    summary = told.wait_for("shop: 2024-01-02 +0.00 USD")
    assert "7 bars, 0 missing" in summary
    assert told.daemon.type("pause", "--reason", "coffee").code == 0
    assert told.daemon.type("resume").code == 0
    assert told.daemon.type("kill", "--reason", "it looks wrong").code == 0
    halted = told.wait_for("shop: HALTED")
    assert halted.startswith("HALTED by operator since 2024-01-")
    assert "New York: it looks wrong\nposition " in halted
    assert told.daemon.type("reset", "--reason", "it was not").code == 0
    told.wait_for("shop: ACTIVE again")
    assert told.daemon.stop() == 0
    assert told.got.titles[-1] == "shop: stopped"
    assert {title.partition(" ")[2].split()[0][:2] for title in told.got.titles} == {
        "20", "HA", "AC", "st",
    }  # fmt: skip
    check_no_secret(told)


def test_gaps_and_the_feed_are_told_and_the_test_at_start(told: Told) -> None:
    write_tape(told.shop.folder / "nvda.csv", without=[3])
    told.notify("{urls_credential: alerts, events: [gap, start], test_at_start: true}")
    told.start()
    assert told.wait_for("shop: test") == "Notifications of papertape's account shop arrive here."
    told.wait_for("shop: started")
    assert "2024-01-02 12:30 New York is missing" in told.wait_for("shop: gap in NVDA")


def test_a_test_message_is_sent_by_the_daemon_and_by_a_config(told: Told) -> None:
    told.notify("{urls_credential: alerts, events: [halt]}")
    told.start()
    answer = told.daemon.type("notify", "test")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[1:] == ["address 1 (JSON): sent"]
    assert told.got.titles == ["shop: test"]
    told.got.answers = [503]
    answer = told.daemon.type("notify", "test")
    assert answer.code == 1
    assert answer.lines[0].startswith("address 1 (JSON): FAILED: ")
    assert CANARY not in answer.err
    assert told.daemon.stop() == 0
    answer = told.daemon.type("notify", "test")
    assert (answer.code, answer.out.count(": sent")) == (75, 0)
    config = ("notify", "test", "--config", str(told.shop.config))
    answer = told.shop.process(*config, prefix=told.prefix)
    assert (answer.code, answer.out, answer.err) == (0, "address 1 (JSON): sent\n", "")
    answer = told.shop.process(*config)
    assert answer.code == 78
    assert answer.lines[0].startswith("credential alerts: $CREDENTIALS_DIRECTORY is not set")
    told.notify("{}")
    assert told.shop.process(*config).lines == [
        f"{told.shop.config}: notify.urls_credential is not set: nothing can be sent"
    ]
    check_no_secret(told)


def test_without_its_credential_the_daemon_runs_and_says_so(told: Told) -> None:
    told.notify("{urls_credential: nowhere, events: [halt]}")
    told.start()
    told.daemon.wait_for(lambda: told.daemon.turns() >= 3)
    assert "notifications_unavailable" in told.daemon.events()
    assert "nowhere does not exist" in told.daemon.status()["notify"]["problem"]
    answer = told.daemon.type("notify", "test")
    assert answer.code == 78
    assert "nowhere does not exist" in answer.lines[0]
    assert told.daemon.stop() == 0


def test_a_receiver_that_refuses_delays_no_turn_and_is_counted(told: Told) -> None:
    told.got.answers = [500] * 1_000
    port = free_port()
    told.daemon.settings["observability.metrics"] = f"127.0.0.1:{port}"
    told.daemon.settings["feed"] = "{kind: tape, pace: 400000}"
    told.notify("{urls_credential: alerts, events: [fill, daily_summary, start, stop]}")
    told.start()
    told.daemon.wait_for(lambda: "notification_failed" in told.daemon.events())
    at = told.daemon.turns()
    told.daemon.wait_for(lambda: told.daemon.turns() > at + 20)
    assert CANARY not in told.daemon.log()
    assert metric(port, 'papertape_notifications_sent_total{event="start"') == 0
    assert metric(port, 'papertape_notifications_failed_total{event="halt"') == 0
    assert told.daemon.stop() == 0
    assert told.got.messages == []


def test_a_reload_takes_effect_or_is_refused(told: Told) -> None:
    told.notify("{}")
    told.start()
    assert told.daemon.type("notify", "test").lines == [
        "notify.urls_credential is not set: nothing can be sent"
    ]
    told.notify("{urls_credential: alerts, events: [halt]}")
    answer = told.daemon.type("reload")
    assert answer.code == 0
    assert "notify.urls_credential: off → alerts" in answer.out
    assert told.daemon.status()["notify"] == {"services": ["JSON"], "problem": None}
    told.notify("{urls_credential: nowhere, events: [halt]}")
    answer = told.daemon.type("reload")
    assert answer.code == 78
    assert "nowhere does not exist" in answer.lines[0]
    assert told.daemon.type("kill").code == 0  # the addresses in force stay
    told.wait_for("shop: HALTED")
    told.notify("{}")
    told.daemon.signal(signal.SIGHUP)
    told.daemon.wait_for(lambda: told.daemon.status()["notify"]["services"] == [])
    assert told.daemon.type("reset", "--reason", "on").code == 0
    assert told.daemon.stop() == 0
    assert told.got.titles == ["shop: HALTED"]
