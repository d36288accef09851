"""The verbs that read a daemon's journal, on a daemon that runs and on one that is down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.running import Daemon
from tests.replay.workshop import ROOT, Workshop, rows

TABLES = ("orders", "fills", "trades", "pnl", "gaps")
NOBODY = 65_534


@pytest.fixture
def daemon(shop: Workshop) -> Iterator[Daemon]:
    """A daemon that has not been started."""
    made = Daemon(shop)
    yield made
    made.clean_up()


def document(daemon: Daemon, *words: str) -> dict[str, Any]:
    """A verb's JSON, which must be alone on stdout."""
    answer = daemon.type(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    found: dict[str, Any] = json.loads(answer.out)
    assert found["state_directory"] == str(daemon.state)
    return found


def test_while_it_runs_and_when_it_is_down(daemon: Daemon) -> None:
    daemon.settings["feed"] = "{kind: tape, pace: 200000}"
    daemon.start()
    daemon.wait_for(lambda: daemon.query("SELECT 1 FROM trades"))
    for verb in TABLES:
        answer = daemon.type(verb)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.startswith(f"state   {daemon.state}\naccount   shop: ")
    early = document(daemon, "explain", "NVDA", "2024-01-03T10:30")
    assert early["wanted"][0]["quantity"] == -100
    assert not daemon.ended, "it ended before it was asked"
    assert daemon.stop() == 0
    for verb in TABLES:
        assert document(daemon, verb)["name"] == "shop"
    late = document(daemon, "explain", "NVDA", "2024-01-03T10:30")
    changing = ("event_time", "orders", "answer")
    assert {key: early[key] for key in early if key not in changing} == {
        key: late[key] for key in late if key not in changing
    }


def test_the_rows_are_those_of_a_replay_of_the_same_tape(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.wait() == 0
    run = daemon.shop.replay()
    for verb in ("orders", "fills", "trades"):
        told, written = document(daemon, verb)[verb], rows(run / f"{verb}.csv")
        assert len(told) == len(written) > 0
        assert list(told[0]) == list(written[0])
        for one, other in zip(told, written, strict=True):
            assert {key: _same(one[key]) for key in one} == {
                key: _same(_read(other[key])) for key in other
            }
    equity = rows(run / "equity.csv")
    pnl = document(daemon, "pnl")
    assert pnl["total"]["end_equity_usd"] == float(equity[-1]["equity"])
    assert len(pnl["sessions"]) == 44
    gaps = document(daemon, "gaps")
    assert (gaps["expected"], gaps["outcomes"]) == (308, {"received": 308})


def _read(text: str) -> Any:
    """A cell of a CSV file as JSON would have it."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text or None


def _same(value: Any) -> Any:
    """Numbers as they are rounded in the files; nothing is nothing."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return pytest.approx(value, abs=1e-4)
    return value or None if not isinstance(value, bool) else value


def test_a_bar_that_never_came(daemon: Daemon) -> None:
    drop = "{kind: drop, bar: '2024-01-03 10:30'}"
    daemon.settings["feed"] = f"{{kind: tape, pace: max, faults: [{drop}]}}"
    daemon.start()
    assert daemon.wait() == 0
    gaps = document(daemon, "gaps")
    assert gaps["outcomes"] == {"received": 307, "missing": 1}
    assert [row["start"] for row in gaps["gaps"]] == ["2024-01-03T15:30:00Z"]
    answer = daemon.type("explain", "NVDA", "2024-01-03T11:30")
    assert "answer    no order: the bar is missing (" in answer.out


def test_after_a_start_with_another_config(daemon: Daemon) -> None:
    daemon.settings["feed"] = "{kind: tape, pace: 200000}"
    daemon.start()
    daemon.wait_for(lambda: daemon.query("SELECT 1 FROM trades"))
    assert daemon.stop() == 0
    trades = document(daemon, "trades")["trades"]
    before = document(daemon, "explain", "NVDA", "2024-01-03T10:30")
    daemon.settings["feed"] = "{kind: tape, pace: max, end: 2024-01-31}"
    daemon.settings["risk"] = "{allow_short: true, max_orders_per_day: {limit: 3, action: deny}}"
    daemon.start()
    assert daemon.wait() == 0
    assert daemon.query("SELECT count(*) FROM segments") == [(2,)]
    after = document(daemon, "explain", "NVDA", "2024-01-03T10:30")
    assert after["limits"] == before["limits"]  # those in force then
    assert after["not_played_again"] is None
    late = document(daemon, "explain", "NVDA", "2024-01-31T10:30")
    assert [limit["limit"] for limit in late["limits"]] == [3]
    closed = [trade for trade in trades if not trade["open"]]
    assert document(daemon, "trades")["trades"][: len(closed)] == closed
    pnl = document(daemon, "pnl")
    assert (len(pnl["sessions"]), pnl["sessions"][0]["date"]) == (21, "2024-01-02")
    for one, following in pairwise(pnl["sessions"]):
        assert following["start_equity_usd"] == one["end_equity_usd"]


def test_today_is_the_last_day_of_the_tape(daemon: Daemon) -> None:
    daemon.start()
    assert daemon.wait() == 0
    answer = daemon.type("pnl", "--today")
    assert "on 2024-03-05 (the last turn was at 2024-03-05 16:00 EST)" in answer.out
    assert document(daemon, "fills", "--today")["date"] == "2024-03-05"
    assert document(daemon, "explain", "NVDA", "10:30")["asked"] == "2024-03-05T15:30:00Z"


def test_what_cannot_be_answered_is_one_line(daemon: Daemon) -> None:
    for verb in TABLES:
        answer = daemon.type(verb)
        assert answer.code == 2
        assert answer.lines[0] == f"{daemon.state}: no daemon has run here (there is no journal.db)"
    daemon.start()
    assert daemon.wait() == 0
    for words, line in (
        (("AMD", "10:30"), "AMD: not a symbol of this account: it trades NVDA"),
        (("NVDA", "noon"), "'noon' is not a time: write 2024-01-02, 2024-01-02T10:30 or 10:30"),
    ):
        answer = daemon.type("explain", *words)
        assert (answer.code, answer.out) == (2, "")
        assert answer.lines[0].startswith(line)
    answer = daemon.shop.process("explain", "NVDA", "2024-01-02", "10:30")
    assert answer.code == 2
    assert answer.lines == ["write date and time as one word: 2024-01-02T10:30"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
@pytest.mark.skipif(
    any(not folder.stat().st_mode & 0o001 for folder in ROOT.parents),
    reason="another user may not run what lies here",
)
def test_a_user_who_may_only_read(daemon: Daemon) -> None:
    daemon.settings["feed"] = "{kind: tape, pace: 200000}"
    daemon.start()
    daemon.wait_for(lambda: daemon.query("SELECT 1 FROM trades"))
    _let_others_read(daemon)
    for _ in ("running", "down"):
        for words in (*((verb,) for verb in TABLES), ("explain", "NVDA", "2024-01-03T10:30")):
            as_nobody = [sys.executable, "-m", "tests.reading_as", str(NOBODY)]
            command = [*as_nobody, *words, "--state", str(daemon.state)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), words
            assert done.stdout.startswith(f"state   {daemon.state}\n")
            assert "not known" not in done.stdout
        daemon.stop()


def _let_others_read(daemon: Daemon) -> None:
    for folder in (daemon.state, *daemon.state.parents):
        if folder != Path("/") and folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    for file in daemon.state.glob("journal.db*"):
        file.chmod(0o644)
