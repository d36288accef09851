"""DESIGN 4: the latch before a start, in a turn, while it stops; FLATTEN; what a reset may do."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.acceptance.stage import Stage, flat
from tests.replay.workshop import ROOT

RAMP = [flat(100.0 + i) for i in range(10)]
BUY = "TargetPosition('AAA', 10)"


def stage(folder: Path, plan: dict[int, str]) -> Stage:
    return Stage(folder / "stage", {"AAA": RAMP}, plan)


# --- before a start, and with the daemon down -----------------------------------------------------


def test_a_latch_before_the_first_start_is_obeyed_by_it(tmp_path: Path) -> None:
    """The journal's first command is the halt, no target becomes an order, a reset starts it.

    `kill` itself refuses a folder in which nothing has ever run: it would say that it stopped
    something.
    """
    made = stage(tmp_path, {0: BUY, 5: "TargetPosition('AAA', 7)"})
    assert made.say("kill").code == 2
    (made.state / "HALT").write_text("not today", "utf-8")
    made.play(3)
    assert made.query("SELECT seq, command FROM commands") == [(1, "Halt")]
    assert made.denials() == [(0, 10, "HALTED")]
    assert made.query("SELECT count(*) FROM orders") == [(0,)]
    status = made.read("status")
    assert (status["state"], status["latched"], status["daemon"]["running"]) == (
        "HALTED",
        True,
        False,
    )
    assert made.proved()
    # the daemon is down: under the lock, and the files go
    assert "ACTIVE" in made.done("reset", "--reason", "today")
    assert not (made.state / "HALT").exists()
    made.play()
    assert made.fills() == [(6, 7, 106.0)]
    assert [(state, lifted) for state, _, lifted in made.states()] == [("HALTED", 0), ("ACTIVE", 1)]


def test_what_cannot_be_looked_at_halts(tmp_path: Path) -> None:
    """Any error but "no such file" when looking: here a link to itself."""
    made, latch = stage(tmp_path, {0: BUY}), tmp_path / "stage" / "state" / "HALT"
    latch.symlink_to(latch)
    made.play(2)
    assert made.fills() == []
    assert made.states()[0][0] == "HALTED"
    assert made.say("status", "--check").code == 1


def test_a_latch_made_by_hand_stops_the_orders_that_wait(tmp_path: Path) -> None:
    """`touch HALT` in the night: the order for the open of bar 7 is recalled, whoever runs."""
    made = stage(tmp_path, {6: BUY}).play(6)
    (made.state / "HALT").touch()
    made.play()
    assert made.fills() == []
    assert made.orders("AAA") == [("target", "cancelled", "HALTED")]


def test_a_kill_in_the_wrong_folder_says_so_and_makes_nothing(tmp_path: Path) -> None:
    made = stage(tmp_path, {})
    answer = made.shop.type("kill", "--state", str(tmp_path / "nowhere"))
    assert answer.code == 2
    assert "latched" not in answer.out + answer.err
    assert not (tmp_path / "nowhere").exists()
    assert "nowhere" in answer.lines[0]


# --- within a turn, and while it stops ------------------------------------------------------------


def test_a_signal_while_the_strategy_decides_lets_none_of_that_turn_through(tmp_path: Path) -> None:
    """SIGUSR1 comes in bar 3's decision; the halt has that turn's own instant, the end of bar 3.

    The limit at 90 rests since bar 1; bar 4 falls through it, but the order was recalled at bar
    4's start, so there is no doubt and no fill.
    """
    plan = {
        1: "OrderRequest('AAA', Side.BUY, 5, OrderType.LIMIT, limit_price=90.0)",
        3: f"*send('SIGUSR1'), {BUY}",
    }
    bars = [*[flat(100.0)] * 4, (100.0, 100.0, 80.0, 85.0), flat(85.0)]
    made = Stage(tmp_path / "stage", {"AAA": bars}, plan).play()
    assert made.fills() == []
    assert made.denials() == [(3, 10, "HALTED")]
    assert made.orders("AAA") == [("explicit", "cancelled", "HALTED")]
    turns = made.query("SELECT kind, instant FROM turns WHERE kind != 'tick' ORDER BY seq")
    assert turns[4] == ("command", turns[3][1])
    assert turns[3] == ("slice", made.starts[4])
    assert made.query("SELECT DISTINCT source FROM commands") == [("signal",)]
    assert made.query("SELECT count(*) FROM outputs WHERE type = 'CancelAmbiguous'") == [(0,)]
    assert made.proved()


def test_the_file_alone_stops_a_running_daemon(tmp_path: Path) -> None:
    """No signal: HALT appears while bar 3 is decided on, and its order does not pass."""
    appears = "*(Path('state/HALT.armed').rename('state/HALT') and [])"
    made = stage(tmp_path, {0: BUY, 3: f"{appears}, TargetPosition('AAA', 20)"})
    made.play()
    assert made.fills() == [(1, 10, 101.0)]
    assert made.denials() == [(3, 10, "HALTED")]
    turns = made.query("SELECT kind, instant FROM turns WHERE kind != 'tick' ORDER BY seq")
    assert turns[4] == ("command", made.starts[4])


def test_a_kill_goes_before_a_word_that_came_earlier(tmp_path: Path) -> None:
    """A note waits at the socket while bar 2 is decided on; then comes SIGUSR1: halt, then note."""
    made = stage(tmp_path, {2: f"*until('go'), *send('SIGUSR1'), {BUY}"})
    made.begin()
    made.wait_for((made.folder / "go.waits").exists)
    note = made.shop.start("note", "I was first", "--state", str(made.state))
    made.wait_for(lambda: _has_a_socket(note.pid))
    (made.folder / "go").touch()
    note.communicate()
    assert made.wait() == 0
    assert made.query("SELECT command FROM commands ORDER BY seq") in (
        [("Halt",), ("Note",)],
        [("Halt",)],  # the tape had ended: the note was refused
    )
    assert made.denials() == [(2, 10, "HALTED")]


def _has_a_socket(process: int) -> bool:
    try:
        return any(
            "socket:" in str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()
        )
    except OSError:  # it has just closed one
        return False


def test_orders_of_the_turn_in_which_a_signal_comes_never_meet_a_bar(tmp_path: Path) -> None:
    """3,000 market orders pass the gate one by one while a thread sends SIGUSR1.

    Some are accepted before it, the rest is denied. No order exists before its turn's commit,
    and at that the switch is thrown: the halt has the turn's own instant, so that what was
    accepted is recalled unmatched. (A signal that came after the commit would find the market
    orders of a bar that has begun.)
    """
    many = "*send('SIGUSR1', thread=True), *[OrderRequest('AAA', Side.BUY, 1)] * 3000"
    made = stage(tmp_path, {2: many}).play(4)
    assert made.fills() == []
    ends = made.query("SELECT reason, count(*) FROM orders GROUP BY reason")
    denied = len(made.denials())
    assert [reason for reason, _ in ends] in ([], ["HALTED"])
    assert sum(count for _, count in ends) + denied == 3000
    ((halted,),) = made.query("SELECT instant FROM turns WHERE kind = 'command'")
    assert halted == made.starts[3]
    assert made.proved()


def test_a_signal_to_flatten_closes_what_is_held(tmp_path: Path) -> None:
    """10 shares since bar 1; SIGUSR2 in bar 2's decision; sold at the open of bar 3."""
    made = stage(tmp_path, {0: BUY, 2: "*send('SIGUSR2')", 4: BUY}).play()
    assert made.fills() == [(1, 10, 101.0), (3, -10, 103.0)]
    assert made.denials() == [(4, 10, "HALTED")]
    assert made.read("status")["flatten"] is True


def test_a_kill_while_it_stops_holds_for_the_next_start(tmp_path: Path) -> None:
    """SIGTERM and then SIGUSR1 in one decision: it ends with 0, halted, with nothing ordered."""
    made = stage(tmp_path, {0: f"*send('SIGTERM'), *send('SIGUSR1'), {BUY}", 3: BUY})
    made.play()
    assert (made.state / "HALT").exists()
    assert "trading   HALTED by the latch" in made.done("status")
    assert made.turns() < 5  # it did stop in bar 0
    made.play()
    assert made.fills() == []
    assert {reason for _, _, reason in made.denials()} == {"HALTED"}
    assert made.proved()


# --- flattening -----------------------------------------------------------------------------------


def test_flattening_goes_on_after_a_restart_until_flat_and_never_further(tmp_path: Path) -> None:
    """A tenth of 100 shares a bar: 10 of the 25, then 10, then 5, after a restart."""
    bars = [flat(100.0, 1000), flat(100.0, 1000), *[flat(100.0, 100)] * 8]
    made = Stage(
        tmp_path / "stage",
        {"AAA": bars},
        {0: "TargetPosition('AAA', 25)", 3: "TargetPosition('AAA', 50)"},
        execution="{slippage_bps: 0, commission: none, regulatory_fees: false, "
        "participation_fraction: 0.1}",
    )
    made.play(1)
    made.done("kill", "--flatten", "--reason", "out")  # down: the next start does it
    assert "trading   HALTED by the latch at the next start" in made.done("status")
    for bar in (2, 9):
        made.play(bar)
    assert made.fills() == [(1, 25, 100.0), (2, -10, 100.0), (3, -10, 100.0), (4, -5, 100.0)]
    assert made.query("SELECT command, reason FROM commands") == [("Flatten", "out")]
    assert made.denials() == [(3, 45, "HALTED")]  # 5 left at the close of bar 3
    assert made.read("status")["positions"] == []
    assert made.read("status")["state"] == "HALTED"


def test_flatten_may_be_added_to_a_halt_and_says_held_overnight(tmp_path: Path) -> None:
    """Bar 6 ends the session of 2 January; bar 7 opens on the 3rd at 09:30, known at 10:30."""
    made = stage(tmp_path, {0: BUY}).play(6)
    assert not (made.state / "HALT").exists()
    assert (made.state / "HALT.armed").exists()
    with made.held():
        assert "+10 AAA now without a stop" in made.done("kill")
        (line,) = [
            x for x in made.done("kill", "--flatten").splitlines() if x.startswith("+10 AAA")
        ]
        said = made.done("reset", "--reason", "a new latch, the same wish")
        assert "order 2 of the flattening still works: sell 10 AAA" in said
        made.done("kill", "--flatten")
    assert "HELD OVERNIGHT" in line
    assert "2024-01-03 09:30" in line
    assert "known at 2024-01-03 10:30" in line
    made.play()
    assert made.fills() == [(1, 10, 101.0), (7, -10, 107.0)]


# --- reset ----------------------------------------------------------------------------------------


def test_what_lifts_a_halt_and_what_does_not(tmp_path: Path) -> None:
    made = stage(tmp_path, {0: BUY, 2: "TargetPosition('AAA', 4)"}).play(1)
    with made.held():
        made.done("kill", "--reason", "first")
        made.done("kill", "--reason", "second")
        (hold,) = made.read("status")["holds"]
        assert hold["reason"] == "first"
        assert "first" in (made.state / "HALT").read_text("utf-8")
        assert made.query("SELECT count(*) FROM state_changes") == [(1,)]
        for verb in ("resume", "pause", "reduce"):
            made.say(verb)
            assert made.read("status")["state"] == "HALTED"
            assert (made.state / "HALT").exists()
        assert made.say("reset").code == 2  # it wants a reason
        assert made.read("status")["state"] == "HALTED"
        made.done("resume")
        assert "ACTIVE" in made.done("reset", "--reason", "looked")
        assert made.read("status")["state"] == "ACTIVE"
        assert not (made.state / "HALT").exists()
        assert (made.state / "HALT.armed").exists()
        assert made.say("status", "--check").code == 0
    # account and positions untouched, and it trades again: 10 - 4 sold at the open of bar 3
    made.play()
    assert made.fills() == [(1, 10, 101.0), (3, -6, 103.0)]
    assert made.query("SELECT reason FROM commands WHERE command = 'Reset'") == [("looked",)]


def test_a_loss_must_be_accepted_by_name(tmp_path: Path) -> None:
    """100 shares from 100 to 95: 500 lost, the limit. Flattened at the open of bar 3, at 94.

    Refused with the word to add, while it stands; accepted, the day counts from 99,400: at the
    close of bar 8 it has lost 400 since, which is allowed.
    """
    closes = [100.0, 100.0, 95.0, 94.0, 94.0, 94.0, 90.0, 90.0]
    made = Stage(
        tmp_path / "stage",
        {"AAA": [flat(price) for price in closes]},
        {0: "TargetPosition('AAA', 100)", 4: "TargetPosition('AAA', 100)"},
        risk="{allow_short: true, max_daily_loss_usd: 500}",
    ).play(3)
    assert made.fills() == [(1, 100, 100.0), (3, -100, 94.0)]
    assert (made.state / "HALT").exists()
    assert (made.state / "FLATTEN").exists()
    for accept in ((), ("--accept", "drawdown")):
        answer = made.say("reset", "--reason", "x", *accept)
        assert answer.code == 1
        assert "--accept loss" in " ".join(answer.lines)
        assert made.read("status")["state"] == "HALTED"
        assert (made.state / "HALT").exists()
    made.done("reset", "--reason", "a bad day", "--accept", "loss")
    made.play()
    assert made.fills()[2:] == [(5, 100, 94.0)]
    assert made.read("status")["state"] == "ACTIVE"
    assert made.equity()[-1] == 100_000 - 600 - 400
    assert made.proved()


def test_a_drawdown_accepted_moves_the_peak(tmp_path: Path) -> None:
    """1 % of a peak of 100,000 is 1,000: 100 shares from 100 to 90. The peak is then 99,000."""
    closes = [100.0, 100.0, 90.0, 90.0, 90.0, 90.0, 81.0, 80.0]
    made = Stage(
        tmp_path / "stage",
        {"AAA": [flat(price) for price in closes]},
        {0: "TargetPosition('AAA', 100)"},
        risk="{max_drawdown_pct: {limit: 1, action: halt}}",
    ).play(2)
    assert made.states() == [("HALTED", "limit:max_drawdown_pct", 0)]
    answer = made.say("reset", "--reason", "x")
    assert answer.code == 1
    assert "--accept drawdown" in " ".join(answer.lines)
    made.done("reset", "--reason", "x", "--accept", "drawdown")
    assert made.read("status")["drawdown_pct"] == 0
    made.play()  # bar 6: 98,100, 0.909 % below 99,000; bar 7: 98,000, 1.01 %
    assert made.read("status")["state"] == "HALTED"
    assert made.query("SELECT ts FROM state_changes WHERE lifted = 0") == [
        (made.end(2),),
        (made.end(7),),
    ]
    assert made.fills() == [(1, 100, 100.0)]  # a halt keeps the position


# --- the gate -------------------------------------------------------------------------------------


def test_the_switch_is_there_before_anything_heavy(tmp_path: Path) -> None:
    """A signal right after the process has begun either latches or ends it, never nothing."""
    made = stage(tmp_path, {0: BUY})
    made.begin()
    assert made.process is not None
    os.kill(made.process.pid, signal.SIGUSR1)
    code = made.wait()
    if code == 0:
        assert (made.state / "HALT").exists()
        assert made.fills() == []
    else:
        assert code == -signal.SIGUSR1
        assert made.turns() == 0


def test_one_caller_reaches_the_venue() -> None:
    """Only the gate accepts orders (nothing else in the product's text calls `.accept(`)."""
    callers = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "daemon").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if "venue.accept(" in line
    ]
    assert len(callers) == 1, callers
