"""DESIGN 5: what the journal holds, and that nobody changes it unnoticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.stage import Stage, flat
from tests.replay.tampering import execute

LATE_END = 1_704_216_600 * 10**9
"""The end of bar 2: 12:30 in New York on 2 January 2024."""

RAMP = [flat(100.0 + i) for i in range(12)]
PLAN = {
    0: "TargetPosition('AAA', 10)",
    3: "TargetPosition('AAA', 0)",
    8: "TargetPosition('AAA', 7)",
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Two segments, a command, a gap, a feed event, three closings; stopped in order."""
    made = Stage(tmp_path_factory.mktemp("journal") / "stage", {"AAA": RAMP}, PLAN)
    made.play(
        5,
        pace="3600000",
        faults="{kind: withhold, bar: 2024-01-02 11:30, for_s: 300}",
    )
    with made.held():
        made.done("note", "before the night")
    return made.play()


def test_every_input_is_a_turn_in_order(lived: Stage) -> None:
    """12 bars in two sessions: 2 opens and 1 close, the feed's pause and resume, the note."""
    found = lived.query("SELECT seq, kind, instant FROM turns ORDER BY seq")
    assert [seq for seq, _, _ in found] == list(range(1, len(found) + 1))
    kinds = [kind for _, kind, _ in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "slice": 12,
        "tick": 3,
        "command": 3,
    }
    # the bar that came late is a slice of its own, earlier, instant; all else goes by time
    instants = [instant for seq, kind, instant in found if (kind, instant) != ("slice", LATE_END)]
    assert instants == sorted(instants)
    assert len(instants) == len(found) - 1


def test_a_command_has_source_reason_and_turn(lived: Stage) -> None:
    assert lived.query("SELECT command, source, reason FROM commands WHERE source != 'feed'") == [
        ("Note", "operator", "before the night")
    ]
    assert lived.query("SELECT text FROM notes") == [("before the night",)]
    assert lived.query("SELECT command FROM commands ORDER BY seq") == [
        ("Pause",), ("Resume",), ("Note",),
    ]  # fmt: skip


def test_the_views_tell_one_story(lived: Stage) -> None:
    assert lived.fills() == [(1, 10, 101.0), (4, -10, 104.0), (9, 7, 109.0)]
    assert lived.query("SELECT symbol, quantity FROM positions") == [("AAA", 7)]
    assert lived.query("SELECT pnl, direction, quantity, open FROM trades") == [
        (30.0, "long", 10, 0)
    ]
    # 30 earned, then 7 shares from 109 to 111
    assert lived.query(
        "SELECT equity, cash, position_value FROM equity ORDER BY ts DESC LIMIT 1"
    ) == [(100_044.0, 100_030.0 - 7 * 109, 7 * 111.0)]
    assert lived.query("SELECT count(*) FROM bars") == [(12,)]


# --- changed by somebody --------------------------------------------------------------------------

# a change, and what `verify` says of it; 18 turns, turn 14 is a slice of the second session
TURN_14 = "turns: seq 14 is not what was written"
GAP = "ledger: entry 3 is not what was written"
CHANGES = {
    "an output": ("UPDATE turns SET outputs = replace(outputs, '[', '[ ') WHERE seq = 14", TURN_14),
    "an input": ("UPDATE turns SET input = replace(input, ',', ', ') WHERE seq = 14", TURN_14),
    "an instant": ("UPDATE turns SET instant = instant + 1 WHERE seq = 14", TURN_14),
    "a kind": ("UPDATE turns SET kind = 'tick' WHERE seq = 14", TURN_14),
    "an equity": (
        "UPDATE turns SET equity = equity + 1 WHERE kind = 'slice' AND seq = 5",
        "turns: seq 5 is not what was written",
    ),
    "a look at the gate": ("UPDATE turns SET gate = 0 WHERE seq = 14", TURN_14),
    "a prediction": ("UPDATE turns SET predictions = '[]' WHERE seq = 14", TURN_14),
    "a turn's segment": (
        "UPDATE turns SET segment = 1 WHERE seq = 18",
        "turns: seq 18 is not what was written",
    ),
    "a hash": ("UPDATE turns SET hash = x'00' WHERE seq = 14", TURN_14),
    "a turn taken out": ("DELETE FROM turns WHERE seq = 14", "turns: seq 15 follows 13"),
    "the last turn taken out": (
        "DELETE FROM turns WHERE seq = 18",
        "turn 18 was committed, the journal ends at 17",
    ),
    "a ledger's outcome": ("UPDATE ledger SET outcome = 'received' WHERE kind = 'gap'", GAP),
    "a ledger's detail": ("UPDATE ledger SET detail = detail || '.' WHERE kind = 'gap'", GAP),
    "a ledger's start": ("UPDATE ledger SET start = start + 1 WHERE kind = 'gap'", GAP),
    "a ledger's row taken out": (
        "DELETE FROM ledger WHERE kind = 'gap'",
        "ledger row 3 was committed, the journal ends at 2",
    ),
    "a closing's account": (
        "UPDATE closings SET account = replace(account, '1', '2')",
        "closings: closing 1 is not what was written",
    ),
    "a closing taken out": (
        "DELETE FROM closings WHERE closing = 1",
        "closings: closing 2 follows 0",
    ),
    "a segment's opening": (
        "UPDATE segments SET opening = replace(opening, '1', '2')",
        "segments: segment 1 is not what was written",
    ),
    "a segment's manifest": (
        "UPDATE segments SET manifest = replace(manifest, 'acc', 'aac')",
        "segments: segment 1 is not what was written",
    ),
    "a segment's reason": (
        "UPDATE segments SET reason = 'none' WHERE segment = 2",
        "segments: segment 2 is not what was written",
    ),
    "a segment's first turn": (
        "UPDATE segments SET first_seq = first_seq + 1 WHERE segment = 2",
        "segments: segment 2 is not what was written",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_row_is_found(lived: Stage, tmp_path: Path, name: str) -> None:
    """`verify` fails, names the file and the row's table or number, and leaves the file alone."""
    made, (statement, said) = lived.twin(tmp_path / "stage"), CHANGES[name]
    before = changed(made, statement)
    answer = made.say("verify")
    assert (answer.code, answer.err) == (1, "")
    assert f"{made.journal}: " in answer.out
    assert said in answer.out
    assert made.journal.read_bytes() == before


def changed(made: Stage, *statements: str) -> bytes:
    """Change the journal behind its back; what its file holds then."""
    for statement in statements:
        execute(made.state, statement)
    execute(made.state, "PRAGMA wal_checkpoint(TRUNCATE)")
    return made.journal.read_bytes()


def test_a_changed_journal_is_not_started_and_not_touched(lived: Stage, tmp_path: Path) -> None:
    made = lived.twin(tmp_path / "stage")
    before = changed(made, CHANGES["an output"][0])
    made.start(wait=False)
    assert made.wait() == 78
    (line,) = [line for line in made.log().splitlines() if line.startswith("papertape: ")][-1:]
    assert str(made.journal) in line
    assert made.journal.read_bytes() == before


@pytest.mark.parametrize("what", ["older", "gone", "empty"])
def test_a_journal_that_lags_behind_its_mark_is_not_started(
    lived: Stage, tmp_path: Path, what: str
) -> None:
    """An older copy, none, an empty file: the mark knows better, and no fresh account is begun."""
    made = lived.twin(tmp_path / "stage")
    if what == "older":
        changed(
            made,
            CHANGES["the last turn taken out"][0],
            "DELETE FROM closings WHERE closing = (SELECT max(closing) FROM closings)",
        )
    elif what == "gone":
        for path in made.state.glob("journal.db*"):
            path.unlink()
    else:
        made.journal.write_bytes(b"")
    made.start(wait=False)
    assert made.wait() == 78
    assert "Traceback" not in made.log()
    assert made.journal.exists() is (what != "gone")


def test_a_journal_ahead_of_its_mark_is_fine(lived: Stage, tmp_path: Path) -> None:
    """The mark is written after COMMIT: a crash in between leaves it a turn behind."""
    made = lived.twin(tmp_path / "stage")
    old = lived.folder / "journal.mark.old"
    made.write_tape("AAA", [*RAMP, flat(112.0)])
    made.length = 13
    shutil.copy(made.state / "journal.mark", old)
    made.play(12)
    shutil.copy(old, made.state / "journal.mark")
    made.play(12)
    assert made.equity()[-1] == 100_044.0 + 7
