"""What was lived equals a replay of the same tape, row for row; what status says is so."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.acceptance.stage import Quote, Stage, flat
from tests.replay.workshop import manifest, rows

FILES = ("fills", "trades", "orders", "denials", "predictions", "gaps", "equity")
BARS = 63  # nine sessions


def walk(seed: int) -> list[Quote]:
    """A random walk of whole cents."""
    rng, price = random.Random(seed), 10_000
    found: list[Quote] = []
    for _ in range(BARS):
        opened = price + rng.randrange(-30, 31)
        price = opened + rng.randrange(-120, 121)
        high, low = max(opened, price) + rng.randrange(20), min(opened, price) - rng.randrange(20)
        found.append((opened / 100, high / 100, low / 100, price / 100, 1_000_000))
    return found


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """With default costs, three starts, and words of the operator at which nothing could change.

    They come in mid-bar where no order waits, and each is taken back at once.
    """
    made = Stage(
        tmp_path_factory.mktemp("parity") / "stage",
        {"AAA": walk(3)},
        strategy="{kind: sma_cross, params: {fast: 2, slow: 5, quantity: 100, allow_short: true}}",
        execution="{}",
        risk="{allow_short: true, max_orders_per_day: {limit: 1, action: deny}}",
    )
    plain = made.replay("--out", str(made.folder / "plain"))
    decided = {row["ts_decided"] for row in rows(plain / "orders.csv")}
    quiet = [bar for bar in range(10, BARS - 1) if made.end(bar) not in decided]
    words = (("pause", "resume"), ("reduce", "resume"), ("kill", "reset --reason seen"))
    made.play(quiet[len(quiet) // 2])
    with made.held():
        for there, back in words:
            made.done(there)
            made.done(*back.split())
            made.done("note", "nothing")
    return made.play()


@pytest.mark.parametrize("name", FILES)
def test_the_report_equals_the_replay_row_for_row(interrupted: Stage, name: str) -> None:
    report = interrupted.folder / "report"
    if not report.exists():
        interrupted.done("report", "--out", str(report))
    assert rows(report / f"{name}.csv") == rows(interrupted.folder / "plain" / f"{name}.csv")


def test_there_was_something_to_compare(interrupted: Stage) -> None:
    plain = interrupted.folder / "plain"
    assert all(len(rows(plain / f"{name}.csv")) >= 3 for name in ("fills", "trades", "denials"))
    assert len(interrupted.query("SELECT 1 FROM commands")) == 9
    assert len(interrupted.query("SELECT 1 FROM state_changes")) == 6
    assert interrupted.proved()


def test_a_life_without_a_word_has_the_digest_of_the_replay(interrupted: Stage) -> None:
    """Killed and started, it is the same digest; one segment, since nothing was changed."""
    twin = Stage(
        interrupted.folder / "twin",
        {"AAA": walk(3)},
        strategy=interrupted.config["strategy"],
        execution="{}",
        risk=interrupted.config["risk"],
    )
    twin.begin(pace="200000")  # two sessions a second: it is killed seconds before its end
    twin.wait_for(lambda: twin.turns() >= 5)
    twin.kill_9()
    twin.play(pace="200000")
    assert len(twin.query("SELECT 1 FROM segments")) == 1
    digest = manifest(interrupted.folder / "plain")["digest"]
    assert twin.read("status")["digest"] == digest
    (stopped,) = [line for line in twin.log().splitlines() if '"event":"stopped"' in line]
    assert json.loads(stopped)["digest"] == digest  # as it was kept while it traded
    twin.done("report", "--out", str(twin.folder / "report"))
    assert manifest(twin.folder / "report")["digest"] == digest


# --- status ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Between bars 8 and 9, the second day: AAA long 10 with a stop, BBB short 5, CCC limit."""
    made = Stage(
        tmp_path_factory.mktemp("status") / "stage",
        {
            "AAA": [flat(100.0 + i) for i in range(12)],
            "BBB": [flat(50.0 + i) for i in range(12)],
            "CCC": [flat(20.0)] * 12,
        },
        {
            0: "TargetPosition('AAA', 10, Bracket(stop_price=90.0)), TargetPosition('BBB', -5)",
            8: "OrderRequest('CCC', Side.BUY, 3, OrderType.LIMIT, limit_price=19.0), "
            "TargetPosition('BBB', 0)",
        },
        risk="{allow_short: true, max_position_shares: 40}",
    ).play(8)
    with made.held():
        yield made


def test_positions_and_money(held: Stage) -> None:
    """AAA bought at 101, 108 now: +70. BBB sold at 51, 58 now: -35. Yesterday's close, bar 6:

    AAA 106: +50, BBB 56: -25, 100,025. So 10 today, and 35 in all; the peak is now.
    """
    status = held.read("status")
    found = {p["symbol"]: p for p in status["positions"]}
    assert {s: (p["quantity"], p["average_usd"], p["close_usd"]) for s, p in found.items()} == {
        "AAA": (10, 101.0, 108.0),
        "BBB": (-5, 51.0, 58.0),
    }
    assert [found[s]["unrealised_usd"] for s in ("AAA", "BBB")] == [70.0, -35.0]
    assert [found[s]["has_stop"] for s in ("AAA", "BBB")] == [True, False]
    assert status["equity_usd"] == 100_035.0
    assert status["cash_usd"] == 100_000 - 1_010 + 255
    assert (status["day_pnl_usd"], status["total_pnl_usd"]) == (10.0, 35.0)
    assert status["drawdown_pct"] == 0.0


def test_pnl_says_the_same_by_session(held: Stage) -> None:
    document = held.read("pnl")
    assert [(day["date"], day["change_usd"]) for day in document["sessions"]] == [
        ("2024-01-02", 25.0),
        ("2024-01-03", 10.0),
    ]
    assert document["total"]["change_usd"] == 35.0


def test_orders_with_what_is_known_when(held: Stage) -> None:
    """The purchase of 5 BBB fills at 09:30 + 2 h, known at 12:30; stop and limit rest."""
    lines = [line for line in held.done("status").splitlines() if "#" in line]
    assert len(lines) == 3
    (pending,) = [line for line in lines if "BBB" in line]
    assert "FILL_PENDING, known at 2024-01-03 12:30" in pending
    assert "stop 90.00" in next(line for line in lines if "AAA" in line)
    limit = next(line for line in lines if "CCC" in line)
    assert "19.00" in limit
    assert "working" in limit


def test_where_it_is_in_time(held: Stage) -> None:
    status = held.read("status")
    assert status["last_bars"] == dict.fromkeys(("AAA", "BBB", "CCC"), held.end(8))
    assert status["feed"]["next_bar"] == held.end(9)
    now = datetime.fromisoformat(status["event_time"])
    assert datetime.fromisoformat(held.end(8)) < now < datetime.fromisoformat(held.end(9))
    assert status["state"] == "ACTIVE"
    assert status["holds"] == []


def test_what_runs(held: Stage) -> None:
    status = held.read("status")
    assert status["daemon"]["running"] is True
    assert status["daemon"]["process"] == held.pid
    assert status["last_turn"] == held.turns()
    assert {task["name"] for task in status["tasks"]} >= {"feed", "strategy", "risk", "execution"}
    assert status["versions"]["strategy"] == "plan:Plan"
    assert status["state_directory"] == str(held.state)


def test_explain_says_why_and_why_not(held: Stage) -> None:
    """Bar 8 was the one at which BBB was bought back; bar 7 wanted nothing."""
    said = held.done("explain", "BBB", "2024-01-03 11:30")
    assert "target +0" in said
    assert "buy 5" in said
    assert "no opinion" in held.done("explain", "AAA", "2024-01-03 10:30")
    answer = held.say("explain", "BBB", "2024-01-06 11:30")  # a Saturday
    assert (answer.code, answer.err) == (0, "")
    assert "not there yet" in answer.out


def test_today_is_the_accounts_last_day(held: Stage) -> None:
    """What moved today or still works: the stop, BBB's purchase and the limit; no fill today."""
    assert held.read("fills", "--today")["fills"] == []
    assert len(held.read("fills")["fills"]) == 2
    ids = [order["order_id"] for order in held.read("orders", "--today")["orders"]]
    everything = [order["order_id"] for order in held.read("orders")["orders"]]
    assert everything == [1, 2, 3, 4, 5]
    assert ids == [3, 4, 5]


def test_status_of_a_hanging_daemon_is_that_of_its_journal_and_no_good_sign(held: Stage) -> None:
    """Stopped by SIGSTOP it does not answer: what is known is shown, and --check fails."""
    held.signal(signal.SIGSTOP)
    try:
        answer = held.say("status", "--check")
    finally:
        held.signal(signal.SIGCONT)
    assert answer.code == 1
    assert "BLOCKED" in answer.out
    assert "100,035.00 USD" in answer.out
    assert "the daemon is down" not in answer.out
