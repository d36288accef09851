"""What `status` says when not all is well: latched, hung, not reproducible, or not begun."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.control.client import ask
from daemon.errors import BusyError
from tests.daemons.running import Daemon
from tests.replay.workshop import Workshop

MOODY = """
class Moody:
    @dataclass(frozen=True)
    class Params:
        pass

    def __init__(self, params, symbols):
        self.warmup_bars, self.bars = 0, 0

    def decide(self, market, predictions, portfolio):
        self.bars += 1
        wanted = int(Path(__file__).with_name("mood").read_text())
        return [TargetPosition("NVDA", wanted if self.bars % 4 else 0)]
"""
"""A strategy that depends on a file, which none should: it cannot be played again."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.chdir(tmp_path)
    return Workshop(tmp_path)


@pytest.fixture
def moody(shop: Workshop) -> Iterator[Daemon]:
    """Return a daemon whose recorded turns do not come out as recorded any more."""
    shop.strategy("moody", MOODY)
    mood = shop.folder / "strategies" / "mood"
    mood.write_text("100")
    feed = "{kind: tape, pace: max, end: 2024-01-03}"
    made = Daemon(shop, settings={"strategy": "{kind: 'moody:Moody'}", "feed": feed})
    made.start(wait=False)
    assert made.wait() == 0
    mood.write_text("50")
    yield made
    made.clean_up()


@pytest.fixture
def slow(shop: Workshop) -> Iterator[Daemon]:
    """Return a daemon that is up and at a bar every ten seconds."""
    made = Daemon(shop, pace="360")
    made.start()
    made.wait_for(lambda: made.turns() >= 1)
    yield made
    made.clean_up()


def test_turns_that_do_not_come_out_are_told_by_their_outputs(moody: Daemon) -> None:
    assert moody.query("SELECT sum(quantity) FROM fills WHERE side = 'buy'") > [(0,)]
    status = moody.status()
    held = {row[0]: row[1] for row in moody.query("SELECT symbol, quantity FROM positions")}
    assert {one["symbol"]: one["quantity"] for one in status["positions"]} == {
        symbol: quantity for symbol, quantity in held.items() if quantity
    }
    last = moody.query("SELECT equity FROM equity ORDER BY ts DESC LIMIT 1")
    assert status["equity_usd"] == pytest.approx(float(last[0][0]), abs=1e-6)
    assert (status["state"], status["orders"]) == ("HALTED", [])
    assert [hold["source"] for hold in status["holds"]] == ["mismatch"]
    why = "OrderAccepted (order 1): quantity 100, played again 50"
    assert status["not_played_again"].endswith(why)
    assert status["digest"] is None

    text = moody.type("status")
    assert (text.code, text.err) == (0, "")
    assert f"HALTED by mismatch since 2024-01-03 16:00: turn 2 at 2024-01-02 10:30: {why}" in (
        text.out
    )
    assert "this is what the recorded turns add up to" in text.out
    assert "`papertape reset --reason TEXT --accept mismatch` lifts it" in text.out
    assert moody.type("status", "--check").code == 1


def test_a_strategy_that_is_gone_leaves_what_the_turns_add_up_to(moody: Daemon) -> None:
    strategy = moody.shop.folder / "strategies" / "moody.py"
    strategy.rename(strategy.with_name("other.py"))
    status = moody.status()
    last = moody.query("SELECT equity FROM equity ORDER BY ts DESC LIMIT 1")
    assert status["equity_usd"] == pytest.approx(float(last[0][0]), abs=1e-6)
    assert (status["state"], status["holds"]) == ("ACTIVE", [])
    assert status["versions"]["strategy"] == "moody:Moody"
    text = moody.type("status")
    assert text.code == 0
    assert "this is what the recorded turns add up to, working orders aside:" in text.out
    assert f"{moody.journal}: strategy.kind: no module moody" in text.out
    assert moody.type("verify").code == 1


@pytest.mark.parametrize("words", [("status",), ("orders",), ("explain", "NVDA", "10:30")])
def test_a_journal_that_is_damaged_is_told_so_by_whoever_reads_it(
    moody: Daemon, words: tuple[str, ...]
) -> None:
    with closing(sqlite3.connect(moody.journal)) as connection, connection:
        connection.execute("UPDATE segments SET manifest = '{'")
    answer = moody.type(*words)
    assert answer.code == 78
    assert answer.lines[-1] == (
        f"{moody.journal}: segments: segment 1 is not what was written: `papertape verify` says "
        f"more, `papertape restore` puts a copy in its place"
    )


def test_a_latch_that_the_journal_does_not_know_is_told_as_what_it_does(slow: Daemon) -> None:
    assert slow.stop() == 0
    assert slow.type("kill", "--reason", "enough").code == 0
    status = slow.status()
    assert (status["state"], status["latched"]) == ("ACTIVE", True)
    text = slow.type("status").out
    assert "HALTED by the latch at the next start (ACTIVE in the journal)" in text
    assert "latch     set by operator: enough" in text

    answer = slow.type("reset", "--reason", "slept on it")
    assert (answer.code, answer.err) == (0, "")
    assert "nothing changed" not in answer.out
    assert "the latch is lifted: the daemon will start ACTIVE" in answer.out


def test_a_daemon_that_hangs_is_told_to_hang(slow: Daemon) -> None:
    slow.signal(signal.SIGSTOP)
    try:
        answer = slow.type("status")
    finally:
        slow.signal(signal.SIGCONT)
    assert answer.code == 0
    assert f"process {slow.pid}   BLOCKED\n" in answer.out
    assert "no answer within 2 s: it is busy or hangs (`papertape kill` works" in answer.out
    assert "feed      tape: not known" in answer.out


def test_an_account_that_has_not_begun_is_told_so(slow: Daemon) -> None:
    assert slow.stop() == 0
    assert slow.type("account", "new", "--reason", "again").code == 0
    answer = slow.type("status")
    assert answer.code == 78
    assert answer.lines == [
        f"{slow.state}: there is no account yet: `papertape run` begins one",
    ]
    slow.type("kill")
    answer = slow.type("status")
    assert answer.lines[1] == "HALT is there: it will start HALTED"
    slow.journal.with_name("journal.mark").write_text("x")
    assert "missing, though journal.mark is there" in slow.type("fills").lines[0]


def test_what_a_daemon_that_hangs_was_asked_is_not_done_when_it_goes_on(slow: Daemon) -> None:
    slow.signal(signal.SIGSTOP)
    try:
        with pytest.raises(BusyError, match="what it had not begun, it does not do any more"):
            ask(slow.state, "pause", within_s=0.2)
    finally:
        slow.signal(signal.SIGCONT)
    assert "noted as turn" in slow.type("note", "it goes on").out
    assert slow.status()["state"] == "ACTIVE"
    assert slow.query("SELECT command FROM commands") == [("Note",)]
