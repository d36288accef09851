"""`papertape drill`: do the brakes work? Tried on a copy of the state, never on the account itself.

A real daemon is started on the copy of the journal, with quiet made-up bars behind the last
recorded one; then pause, reduce, reload, kill, flatten and an orderly stop are done to it as an
operator would, each with what must follow. The dated result goes to `checks/drill.json`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.control.client import ask
from daemon.control.drill_copy import copy_state
from daemon.errors import BusyError, CheckFailedError, Exit, PapertapeError
from daemon.observability.checks import write_check
from daemon.state_directory import owner_of
from daemon.text_table import counted

WAIT_S = 60.0
LOOK_EVERY_S = 0.05
_STRATEGY = ("target", "explicit")


@dataclass(slots=True)
class Step:
    """One thing that was tried."""

    name: str
    passed: bool = False
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Drill:
    """The copy, the daemon on it, and what came of each step."""

    folder: Path
    state: Path
    config: Path
    process: subprocess.Popen[bytes] | None = None
    steps: list[Step] = field(default_factory=list)


def drill(state: Path) -> int:
    """Run all steps and print each; 1 where one failed."""
    print(f"state   {state}")
    folder = Path(tempfile.mkdtemp(prefix="papertape-drill-"))
    try:
        copied = copy_state(state, folder)
        tried = Drill(folder, copied.state, copied.config)
        try:
            for name, step in _STEPS:
                _try(tried, name, step)
                if not tried.steps[-1].passed:
                    break
        finally:
            _end(tried)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    passed = all(step.passed for step in tried.steps)
    rows = [
        {"step": step.name, "passed": step.passed, "detail": step.detail, "s": step.seconds}
        for step in tried.steps
    ]
    path = write_check(state, "drill", time.time_ns(), success=passed, steps=rows)
    print(f"{'passed' if passed else 'FAILED'}, written to {path}")
    return Exit.OK if passed else Exit.CHECK_FAILED


def _try(tried: Drill, name: str, step: Callable[[Drill], str]) -> None:
    started = time.monotonic()
    done = Step(name)
    try:
        done.detail, done.passed = step(tried), True
    except PapertapeError as error:
        done.detail = " ".join(error.lines)
    done.seconds = round(time.monotonic() - started, 3)
    tried.steps.append(done)
    print(f"{'ok' if done.passed else 'FAILED':<7} {name:<18} {done.detail}")


# --- the steps ------------------------------------------------------------------------------------


def _start(tried: Drill) -> str:
    _launch(tried)
    status = _status(tried)
    if status["state"] == "ACTIVE":
        return f"ready, turn {status['last_turn']}"
    _ask(tried, "resume", reason="drill")
    _ask(tried, "reset", reason="drill", accept="loss,drawdown,mismatch")
    _expect(tried, "ACTIVE")
    return f"ready; the account was {status['state']}, reset in the copy"


def _pause(tried: Drill) -> str:
    return _held(tried, "pause", "PAUSED", allowed=())


def _reduce(tried: Drill) -> str:
    return _held(tried, "reduce", "REDUCING", allowed=_STRATEGY)


def _held(tried: Drill, verb: str, state: str, allowed: tuple[str, ...]) -> str:
    """Under the hold bars go on, and no order comes but of the origins that may."""
    _ask(tried, verb, reason="drill")
    before = _expect(tried, state)
    _let_bars_pass(tried)
    after = _status(tried)
    known = {order["order_id"] for order in before["orders"]}
    new = [
        order
        for order in after["orders"]
        if order["order_id"] not in known
        and order["origin"] in _STRATEGY
        and order["origin"] not in allowed
    ]
    if new:
        raise CheckFailedError(f"{state} and yet order {new[0]['order_id']} was accepted")
    _ask(tried, "resume", reason="drill")
    _expect(tried, "ACTIVE")
    return f"{state}, bars went on, resumed"


def _reload(tried: Drill) -> str:
    text = tried.config.read_text("utf-8")
    tried.config.write_text("name: [not a name\n", encoding="utf-8")
    refused = ask(tried.state, "reload")
    if refused["code"] == 0:
        raise CheckFailedError("a broken config was taken over")
    tried.config.write_text(_with_another_limit(text), encoding="utf-8")
    lines = _ask(tried, "reload")["lines"]
    if not any("risk." in line for line in lines):
        raise CheckFailedError(f"the new limit did not take effect: {lines}")
    return f"a broken file was refused; {lines[0]}"


def _kill(tried: Drill) -> str:
    _run_verb(tried, "kill", "--reason", "drill")
    before = _expect(tried, "HALTED")
    _let_bars_pass(tried)
    after = _status(tried)
    new = {order["order_id"] for order in after["orders"]} - {
        order["order_id"] for order in before["orders"]
    }
    if new:
        raise CheckFailedError(f"HALTED and yet order {min(new)} was accepted")
    return "HALTED, bars went on, no order came"


def _restart_halted(tried: Drill) -> str:
    _stop_in_order(tried)
    _launch(tried)
    _expect(tried, "HALTED")
    _run_verb(tried, "reset", "--reason", "drill", "--accept", "loss,drawdown")
    _expect(tried, "ACTIVE")
    return "still HALTED after a restart, reset"


def _flatten(tried: Drill) -> str:
    held = len(_status(tried)["positions"])
    _run_verb(tried, "kill", "--flatten", "--reason", "drill")
    _expect(tried, "HALTED")
    _until(lambda: not _status(tried)["positions"], "the positions were not closed")
    _run_verb(tried, "reset", "--reason", "drill", "--accept", "loss,drawdown")
    _expect(tried, "ACTIVE")
    return f"{counted(held, 'position')} closed" if held else "nothing was held"


def _stop(tried: Drill) -> str:
    return _stop_in_order(tried)


def _verify(tried: Drill) -> str:
    return _run_verb(tried, "verify")


_STEPS: tuple[tuple[str, Callable[[Drill], str]], ...] = (
    ("start", _start),
    ("pause, resume", _pause),
    ("reduce, resume", _reduce),
    ("reload", _reload),
    ("kill", _kill),
    ("restart, reset", _restart_halted),
    ("kill --flatten", _flatten),
    ("orderly stop", _stop),
    ("verify", _verify),
)


# --- the daemon on the copy -----------------------------------------------------------------------


def _launch(tried: Drill) -> None:
    log = (tried.folder / "daemon.log").open("ab")
    with log:
        tried.process = subprocess.Popen(
            [*_papertape(), "run", "--config", str(tried.config), "--state", str(tried.state)],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    _until(lambda: _answers(tried) or _ended(tried), "it did not become ready")
    if _ended(tried):
        last = (tried.folder / "daemon.log").read_text("utf-8", "replace").splitlines()[-1:]
        raise CheckFailedError(f"the daemon ended at once: {' '.join(last)}")


def _papertape() -> list[str]:
    return [sys.executable, "-m", "daemon"]


def _answers(tried: Drill) -> bool:
    with contextlib.suppress(BusyError):
        ask(tried.state, "status", within_s=1.0)
        return True
    return False


def _ended(tried: Drill) -> bool:
    return tried.process is None or tried.process.poll() is not None


def _stop_in_order(tried: Drill) -> str:
    assert tried.process is not None, "not started"
    os.kill(owner_of(tried.state) or tried.process.pid, signal.SIGTERM)
    try:
        code = tried.process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        raise CheckFailedError(f"SIGTERM did not end it within {WAIT_S:g} s") from None
    if code != Exit.OK:
        raise CheckFailedError(f"SIGTERM ended it with exit code {code}")
    return "SIGTERM ended it with exit code 0"


def _end(tried: Drill) -> None:
    if tried.process is not None and tried.process.poll() is None:
        tried.process.kill()
        tried.process.wait()


def _run_verb(tried: Drill, verb: str, *words: str) -> str:
    done = subprocess.run(
        [*_papertape(), verb, *words, "--state", str(tried.state)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise CheckFailedError(f"{verb} ended with exit code {done.returncode}: {said}")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _ask(tried: Drill, verb: str, **fields: Any) -> dict[str, Any]:
    answer = ask(tried.state, verb, **fields)
    if answer["code"]:
        raise CheckFailedError(f"{verb}: {' '.join(answer['lines'])}")
    return answer


def _status(tried: Drill) -> dict[str, Any]:
    found: dict[str, Any] = ask(tried.state, "status")["status"]
    return found


def _expect(tried: Drill, state: str) -> dict[str, Any]:
    found = _status(tried)
    if found["state"] != state:
        raise CheckFailedError(f"the account is {found['state']}, not {state}")
    return found


def _let_bars_pass(tried: Drill) -> None:
    turn = _status(tried)["last_turn"]
    _until(lambda: _status(tried)["last_turn"] >= turn + 3, "no bar came any more")


def _until(true: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + WAIT_S
    while not true():
        if time.monotonic() > until:
            raise CheckFailedError(f"{otherwise} within {WAIT_S:g} s")
        time.sleep(LOOK_EVERY_S)


def _with_another_limit(text: str) -> str:
    """The config with a daily limit of orders that it does not have yet."""
    lines = list(_without_daily_limit(text))
    at = lines.index("risk:")
    lines.insert(at + 1, "  max_orders_per_day: {limit: 999983, action: deny}")
    return "\n".join(lines) + "\n"


def _without_daily_limit(text: str) -> Iterator[str]:
    skipping = False
    for line in text.splitlines():
        skipping = line.startswith("  max_orders_per_day:") or (
            skipping and line.startswith("    ")
        )
        if not skipping:
            yield line
