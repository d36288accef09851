"""Trouble made to order, and what must hold for a daemon that has been through it.

`Undisturbed` is a run of the same tape that nothing has happened to. A daemon that was killed and
started again must end with the same turns; one that was halted has the same turns up to its halt.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from tests.daemons.running import GIVE_UP_S, Daemon
from tests.replay.workshop import Answer, Workshop, write_tape

TURN_COLUMNS = "seq, instant, kind, input, predictions, gate, equity, outputs"
"""All of a turn but what the wall clock and the chain put beside it."""

CALLS = ("pwrite64", "fdatasync", "fsync")
"""The system calls by which a journal gets to the disk."""

JOURNAL_FILES = ("journal.db", "journal.db-wal", "journal.mark")
DAY, WEEKS = (20240103, 20240103), (20240102, 20240119)
"""One session (9 turns); thirteen sessions (117 turns)."""

BUSY = "{kind: sma_cross, params: {fast: 1, slow: 2, quantity: 100, allow_short: true}}"
"""A strategy that turns about at every other bar."""

Row = tuple[Any, ...]

_ONE_AT_A_TIME = Lock()


class Patient(Daemon):
    """A daemon in a process of its own, to which verbs are typed in this one: that is quicker."""

    def type(self, verb: str, *words: str) -> Answer:
        """A verb that acts on it."""
        with _ONE_AT_A_TIME:  # what is printed in this process has one place to go
            return self.shop.type(verb, *words, "--state", str(self.state))

    def reach(self, turns: int) -> None:
        """Wait until so many turns are committed."""
        self.wait_for(lambda: self.turns() >= turns)

    def go_on(self, turns: int) -> None:
        """Wait until so many turns more are committed."""
        self.reach(self.turns() + turns)

    def wait_for(self, true: Callable[[], Any], *, give_up_s: float = GIVE_UP_S) -> None:
        """Wait until something is so, at most as long as the daemon runs."""

        def is_so() -> bool:
            if true():
                return True
            assert not self.ended or true(), f"it ended before:\n{self.log()[-4000:]}"
            return False

        super().wait_for(is_so, give_up_s=give_up_s)


def shop_of(folder: Path, period: tuple[int, int], *, seed: int = 1) -> Workshop:
    """A workshop whose tape covers these dates."""
    folder.mkdir(exist_ok=True)
    shop = Workshop(folder)
    write_tape(shop.folder / "nvda.csv", first=period[0], last=period[1], seed=seed)
    return shop


def busy_settings(**more: str) -> dict[str, str]:
    """Settings with which orders come at nearly every bar."""
    return {"strategy": BUSY, "risk.max_orders_per_day": "null", **more}


def journal_of(state: Path, folder: Path) -> Patient:
    """A daemon that is about to start on a copy of a state directory."""
    daemon = Patient(shop_of(folder, WEEKS), settings=busy_settings())
    copy_state(state, daemon.state)
    return daemon


# --- what has been traded -------------------------------------------------------------------------


@dataclass(frozen=True)
class Undisturbed:
    """What a run came to that nothing happened to."""

    turns: list[Row]
    trading: dict[str, list[Row]]
    digest: str

    @property
    def orders(self) -> int:
        """How many orders it made."""
        return len(self.trading["orders"])


def run_undisturbed(daemon: Patient) -> Undisturbed:
    """Let a daemon run to the end of its tape."""
    daemon.start(wait=False)
    assert daemon.wait() == 0, daemon.log()
    found = Undisturbed(turns_of(daemon), daemon.trading(), last_event(daemon, "stopped")["digest"])
    assert found.trading["fills"], "nothing was traded, so nothing can be lost"
    return found


def turns_of(daemon: Patient) -> list[Row]:
    """Every committed turn; none where there is no journal yet."""
    if not daemon.turns():
        return []
    return daemon.query(f"SELECT {TURN_COLUMNS} FROM turns ORDER BY seq")  # noqa: S608 - names of ours


def check_no_turn_lost(daemon: Patient, undisturbed: Undisturbed) -> int:
    """See that the turns so far are the first ones of the other run, up to all it told of."""
    found = turns_of(daemon)
    assert found == undisturbed.turns[: len(found)]
    assert told_turn(daemon) <= len(found), "a turn that was told of is not there"
    return len(found)


def check_same_end(daemon: Patient, undisturbed: Undisturbed) -> None:
    """See that nothing can be told from the run that nothing happened to."""
    assert turns_of(daemon) == undisturbed.turns
    assert daemon.trading() == undisturbed.trading
    assert last_event(daemon, "stopped")["digest"] == undisturbed.digest


def check_verified(daemon: Patient) -> None:
    """See that `papertape verify` finds the journal equal to what its inputs come to again."""
    answer = daemon.type("verify")
    assert answer.code == 0, answer.out + answer.err


def until_the_first_halt(turns: Sequence[Row]) -> int:
    """How many turns come before the first command."""
    return next((place for place, turn in enumerate(turns) if turn[2] == "command"), len(turns))


# --- what has been said ---------------------------------------------------------------------------


def lines_of(daemon: Patient) -> list[dict[str, Any]]:
    """All log lines that are events."""
    found = []
    for line in daemon.log().splitlines():
        try:
            found.append(json.loads(line[line.index("{") :]))
        except ValueError:
            continue
    return [line for line in found if isinstance(line, dict) and "event" in line]


def last_event(daemon: Patient, name: str) -> dict[str, Any]:
    """The last event of a name."""
    found = [line for line in lines_of(daemon) if line["event"] == name]
    assert found, f"no {name} in the log:\n{daemon.log()[-3000:]}"
    return found[-1]


def told_turn(daemon: Patient) -> int:
    """The highest turn that the log tells of: whoever reads it takes it for committed."""
    return max((int(line.get("turn") or 0) for line in lines_of(daemon)), default=0)


def refusal(daemon: Patient, *, prefix: Sequence[str] = (), code: int = 78) -> str:
    """Start a daemon that must refuse: the code, one line of its own, and never ready."""
    before = len(daemon.log().encode())
    daemon.start(prefix=tuple(prefix), wait=False)
    found = daemon.wait()
    said = daemon.log().encode()[before:].decode()
    assert found == code, f"exit {found}: {said[-1500:]}"
    assert "Traceback" not in said
    assert "ready" not in daemon.events(before)
    lines = [line for line in said.splitlines() if line.startswith("papertape: ")]
    assert lines, said
    return "\n".join(line.removeprefix("papertape: ") for line in lines)


def no_traceback(daemon: Patient) -> None:
    """See that no fault has reached the user as a stack of calls."""
    assert "Traceback" not in daemon.log(), daemon.log()[-3000:]


# --- files ----------------------------------------------------------------------------------------


def contents(state: Path, names: Iterable[str] = JOURNAL_FILES) -> dict[str, str]:
    """The hash of each of the journal's files that is there."""
    return {
        name: hashlib.sha256((state / name).read_bytes()).hexdigest()
        for name in names
        if (state / name).exists()
    }


def halted_by_file(state: Path) -> bool:
    """Whether the latch is there."""
    return (state / "HALT").exists()


def copy_state(source: Path, target: Path) -> None:
    """Put a copy of a state directory in another one's place."""
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("control.sock"))


# --- programs that start a daemon -----------------------------------------------------------------


def strace(*words: str, log: Path | str = os.devnull) -> tuple[str, ...]:
    """Run what follows under strace, its own output in a file."""
    return ("strace", "-f", "-qq", "-o", str(log), *words)


def inject(call: str, what: str, when: int | str, paths: Iterable[Path] = ()) -> tuple[str, ...]:
    """Something goes wrong at the n-th call (of each thread), on these paths only if given.

    `what` is `signal=KILL` (before the call does anything) or `error=ENOSPC` (instead of it).
    """
    only = [word for path in paths for word in ("-P", str(path))]
    return strace(*only, "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}")


def calls_of_a_day(folder: Path, state: Path | None = None) -> dict[str, int]:
    """How often one thread makes each call, over a session and its stop."""
    daemon = Patient(shop_of(folder, DAY), settings=busy_settings())
    if state is not None:
        copy_state(state, daemon.state)
    trace = folder / "calls"
    daemon.start(prefix=strace("-e", f"trace={','.join(CALLS)}", log=trace), wait=False)
    assert daemon.wait() == 0, daemon.log()
    counted: dict[tuple[str, str], int] = {}
    for line in trace.read_text().splitlines():
        process, call = line.split("(")[0].split()[:2]
        if call in CALLS:
            counted[process, call] = counted.get((process, call), 0) + 1
    return {
        call: max((count for (_, name), count in counted.items() if name == call), default=0)
        for call in CALLS
    }


def without_override(*words: str) -> tuple[str, ...]:
    """Run what follows as this user, whom file modes bind even if it is root."""
    if os.geteuid() != 0:
        return words
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", *words)


def with_environment(values: Mapping[str, str]) -> tuple[str, ...]:
    """Run what follows with more environment variables."""
    return ("env", *(f"{name}={value}" for name, value in values.items()))
