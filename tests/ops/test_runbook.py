"""The runbook fits the alerts, its links lead somewhere, and its commands do what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, MissingArgumentError

from daemon import paths
from daemon.cli import app
from daemon.config.emit import to_yaml
from tests.daemons.running import Daemon
from tests.faults.free_ports import free_port
from tests.ops.book import Book, Command, anchor
from tests.ops.programs import ROOT
from tests.ops.test_alert_files import ALERTS
from tests.replay.workshop import Workshop

BOOK = Book()
PAPERTAPE = [command for command in BOOK.commands if command.words[0] == "papertape"]

OTHERS = {
    "cd", "mkdir", "sed", "curl", "df", "du", "git", "make", "systemctl", "journalctl",
    "timedatectl", "promtool", "amtool",
}  # fmt: skip
"""Programs that a machine with papertape, systemd and Prometheus has."""

NOT_RUN = {
    "papertape data update": "needs a gateway",
    "papertape probe": "needs a gateway",
    "papertape data action add": "would change the prices of the sample, which has no split",
    "papertape status nvda --watch": "never ends",
}
"""Beginnings of command lines that are only parsed."""

NOT_NAMED = {
    "run": "systemd does it",
    "config schema": "for editors",
}
"""Verbs that nobody needs who runs a daemon."""

ENDS_WITH = {
    "papertape runs diff momentum model": (1,),  # another model trades otherwise
    "papertape runs diff unseen dear": (1,),  # and so does another price
    "papertape data check --config": (1,),  # the sample ends years ago
    "papertape checklist": (0, 1),  # this machine's disk, clock and packages are what they are
}
"""Exit codes of command lines that do not end with 0 here, by their beginnings."""

SHOWS = {
    "papertape kill nvda --reason": ("latched: no new order is accepted", "HALTED at turn "),
    "papertape kill nvda --flatten": ("no new order is accepted", "HALTED at turn ", "+100 NVDA"),
    'papertape reset nvda --reason "looked': ("HALTED → ACTIVE",),
    "papertape verify nvda": ("equal. ",),
    "papertape verify unseen": ("equal. ",),
    "papertape data check data/": ("understood", "findings"),
    "papertape data check --config": ("not fit",),
    "papertape reference check": ("all within tolerance",),
    "papertape reduce nvda": ("ACTIVE → REDUCING",),
    "papertape restore": ("HALTED",),
    "papertape drill nvda": ("passed",),
    "papertape gaps nvda": ("feed",),
    "papertape explain NVDA 10:30 nvda": ("predicted", "wanted", "limits"),
}
"""What must be seen, as the text around the line says; by the line's beginning."""


# --- headings and links ---------------------------------------------------------------------------


def test_each_alert_has_its_heading_and_each_heading_its_alert() -> None:
    assert sorted(BOOK.under("Alerts")) == sorted(ALERTS)
    assert [anchor(title) for title in BOOK.under("Alerts")] == [
        title.lower() for title in BOOK.under("Alerts")
    ]


@pytest.mark.parametrize("alert", ALERTS)
def test_what_stands_under_an_alert_says_what_it_means_and_what_to_type(alert: str) -> None:
    text = BOOK.text_of(alert)
    assert "**Means.**" in text
    assert "**Type.**" in text
    assert "**Next.**" in text
    assert any(command.heading == alert for command in BOOK.commands)


def test_no_heading_stands_there_twice() -> None:
    titles = [title for _, title in BOOK.headings]
    assert len(titles) == len(set(titles))


def test_links_lead_to_headings_and_files() -> None:
    for file, place in BOOK.links:
        if file.startswith("http"):
            continue
        target = BOOK if not file else Book((BOOK.path.parent / file).resolve())
        assert not place or place in target.anchors, f"{file}#{place}"


# --- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(set(PAPERTAPE)), ids=lambda command: command.line)
def test_papertape_understands(command: Command) -> None:
    app.parse_args(command.words[1:], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", sorted(set(BOOK.inline)), ids=lambda command: command.line)
def test_papertape_knows_what_the_text_mentions(command: Command) -> None:
    """In a sentence, arguments may be left out."""
    words = [word for word in command.words[1:] if word != "…"]
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        assert len(words) <= 2


def test_what_is_not_papertape_is_there_on_a_machine_that_runs_it() -> None:
    for command in BOOK.commands:
        words = [word for word in command.words if word != "sudo"]
        assert words[0] in OTHERS | {"papertape"}, command
        if words[0] == "make":
            assert f"\n{words[1]}: " in (ROOT / "Makefile").read_text("utf-8"), command
        if words[0] == "systemctl" and words[1] not in ("list-timers", "status"):
            assert words[-1] == "papertape@nvda", command


def _verbs(group: App, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every verb of the command line, as its words."""
    names = [name for name in group if not name.startswith("-")]
    if not names or group.default_command is not None:
        yield before
    for name in names:
        yield from _verbs(group[name], (*before, name))


def test_the_book_names_every_verb_that_a_person_needs() -> None:
    shown = [command.words[1:] for command in (*BOOK.commands, *BOOK.inline)]
    missing = {
        " ".join(verb)
        for verb in _verbs(app)
        if verb and not any(tuple(words[: len(verb)]) == verb for words in shown)
    }
    assert missing == set(NOT_NAMED)


def test_a_command_that_does_not_exist_is_seen() -> None:
    for line in ("papertape slay nvda", "papertape kill nvda --flat", "papertape reset nvda"):
        with pytest.raises(Exception, match=r"slay|--flat|--reason"):
            app.parse_args(line.split()[1:], exit_on_error=False, print_error=False)


# --- typed ----------------------------------------------------------------------------------------


class Machine:
    """Where the runbook's lines are typed: a service `nvda` in the middle of a session of a tape.

    Its sample has 44 sessions; two bars of the second were quarantined. The account's last day is
    2024-01-05, at 13:30, and the next bar is an hour away.
    """

    FEED = "{{kind: tape, {pace}, start: 2024-01-02, faults: [{faults}]}}"
    FAULTS = ", ".join(f"{{kind: quarantine, bar: 2024-01-03 {hour}:30}}" for hour in (10, 11))

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.shop = Workshop(folder / "shop_made")
        self.home = folder / "var"
        self.home.mkdir()
        self.shop.state = self.shop.state.rename(self.home / "nvda")
        self.shop.config = folder / "etc" / "nvda.yaml"
        for name in ("etc", "backups", "work"):
            (folder / name).mkdir()
        self._port = port
        self.daemon = Daemon(self.shop)
        self.daemon.settings.clear()
        self._replaced = {
            "/etc/papertape/": f"{folder / 'etc'}/",
            "/var/lib/papertape/": f"{self.home}/",
            "/var/backups/papertape/": f"{folder / 'backups'}/",
            "127.0.0.1:9108": f"127.0.0.1:{port}",
            "ops/prometheus/": f"{ROOT / 'ops' / 'prometheus'}/",
        }

    def live_until_the_last_day(self) -> None:
        """Play the tape up to 13:30 of 2024-01-05, then let time pass as it does."""
        self._configure("pace: max, end: '2024-01-05 13:30'")
        answer = self.shop.process("run", "--config", str(self.shop.config))
        assert answer.code == 0, answer.err
        self._configure("pace: 1")
        self.daemon.start()

    def _configure(self, pace: str) -> None:
        config = {
            "name": "nvda", "symbols": ["NVDA"], "bars": {"size": "1h"},
            "tape": {"path": str(self.shop.folder / "nvda.csv"), "adjustment": "raw"},
            "model": {"kind": "baseline", "bars": 3},
            "strategy": {
                "kind": "threshold",
                "params": {"enter_long_bps": 1, "exit_long_bps": -900, "quantity": 100},
            },
            "risk": {"max_orders_per_day": 12, "max_daily_loss_usd": 1500},
            "observability": {"metrics": f"127.0.0.1:{self._port}"},
        }  # fmt: skip
        feed = self.FEED.format(pace=pace, faults=self.FAULTS)
        self.shop.config.write_text(f"{to_yaml(config)}feed: {feed}\n", encoding="utf-8")

    def type(self, line: str) -> None:
        """Type a line as it stands; it must end as it should."""
        for shown, here in self._replaced.items():
            line = line.replace(shown, here)
        words = Command("", line.removeprefix("sudo ")).words
        if words[0] == "papertape":
            answer = self.shop.type(*words[1:])
            assert "Traceback" not in answer.err
            expected = next((n for start, n in ENDS_WITH.items() if line.startswith(start)), (0,))
            said = f"{line}: {answer.code}\n{answer.out}\n{answer.err}"
            assert answer.code in expected, said
            for start, texts in SHOWS.items():
                assert not line.startswith(start) or all(one in answer.out for one in texts), said
        elif words[0] == "systemctl":
            self._systemctl(words[1])
        elif words[0] == "cd":
            os.chdir(words[1])
        elif words[0] == "curl":
            with urllib.request.urlopen(words[-1]) as reply:  # noqa: S310 - http, as it is shown
                assert reply.status == 200
        elif words[0] in ("mkdir", "sed") or (_checks(words) and shutil.which(words[0])):
            subprocess.run(line, shell=True, check=True, capture_output=True)  # noqa: S602 - redirects

    def trade_again(self) -> None:
        """Lift every hold, as whoever has read a section to its end."""
        assert self.shop.type("reset", "nvda", "--reason", "the next section").code == 0
        if not self.daemon.ended:
            assert self.shop.type("resume", "nvda").code == 0

    def _systemctl(self, verb: str) -> None:
        if verb in ("stop", "restart"):
            assert self.daemon.stop() == 0
        if verb in ("start", "restart", "enable") and self.daemon.ended:
            self.daemon.start()
        if verb == "reload":
            assert self.shop.type("reload", "nvda").code == 0


def _checks(words: list[str]) -> bool:
    return words[0] in ("promtool", "amtool") and words[1].startswith("check")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return the machine, with the service running and the bars imported."""
    (tmp_path / "shop_made").mkdir()
    made = Machine(tmp_path, free_port())
    monkeypatch.setattr(paths, "HOME", made.home)
    monkeypatch.chdir(tmp_path / "work")
    made.live_until_the_last_day()
    tape = str(made.shop.folder / "nvda.csv")
    imported = made.shop.type(
        "data", "import", tape, "--config", str(made.shop.config), "--state", str(made.shop.state)
    )
    assert imported.code == 0, imported.err
    yield made
    made.daemon.clean_up()


def test_every_line_that_can_be_typed_does_what_it_should(machine: Machine) -> None:
    """In the order of the book, each line of papertape once.

    Each section begins with an account that may trade; the last ones with a new account.
    """
    heading = BOOK.commands[0].heading
    typed: set[str] = set()
    for command in BOOK.commands:
        if command.heading != heading:
            machine.trade_again()
            heading = command.heading
        if command.line not in typed and not command.line.startswith(tuple(NOT_RUN)):
            machine.type(command.line)
            typed |= {command.line} if command.words[0] == "papertape" else set()
    machine.type("papertape verify nvda")
