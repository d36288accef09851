"""The verbs that ask a running daemon, and `status`, which answers for one that is down as well."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daemon.control.client import NotListeningError, ask
from daemon.control.status_text import local, render
from daemon.errors import BusyError, Exit, RefusedError
from daemon.state_directory import JOURNAL, owner_of

STATUS_WITHIN_S = 2.0
WATCH_EVERY_S = 1.0


def tell(state: Path, verb: str, **fields: Any) -> int:
    """Give a command and print what came of it."""
    print(f"state   {state}")
    sys.stdout.flush()
    answer = ask(state, verb, **fields)
    for line in map(local, answer["lines"]):
        print(line if answer["code"] == 0 else f"papertape: {line}", file=_stream(answer["code"]))
    return int(answer["code"])


def _stream(code: int) -> Any:
    return sys.stdout if code == 0 else sys.stderr


def status(state: Path, *, watch: bool, check: bool, as_json: bool) -> int:
    """Print the standing; with `check`, 1 unless the daemon runs and is ACTIVE."""
    try:
        document = _shown(state, clear=watch, as_json=as_json)
        while watch:
            time.sleep(WATCH_EVERY_S)
            document = _shown(state, clear=True, as_json=as_json)
    except KeyboardInterrupt:
        if not watch:
            raise
        return Exit.OK  # that is how one leaves
    return Exit.CHECK_FAILED if check and not is_active(document) else Exit.OK


def _shown(state: Path, *, clear: bool, as_json: bool) -> dict[str, Any]:
    document = standing(state)
    if as_json:
        text = json.dumps({"state_directory": str(state), **document}, indent=2)
    else:
        text = f"state   {state}\n" + render(document)
    print("\x1b[H\x1b[2J" + text if clear and sys.stdout.isatty() else text)
    sys.stdout.flush()
    return document


def is_active(document: Mapping[str, Any]) -> bool:
    """Whether a daemon runs, answers and trades, and no latch is about to stop it."""
    daemon, latched = document["daemon"], document["latched"]
    runs = daemon["running"] and not daemon.get("blocked")
    return bool(runs and document["state"] == "ACTIVE" and not latched)


def standing(state: Path, down: Callable[[Path], dict[str, Any]] | None = None) -> dict[str, Any]:
    """What a running daemon says; else what its journal says."""
    silent = "it is starting or stopping"
    try:
        document: dict[str, Any] = ask(state, "status", within_s=STATUS_WITHIN_S)["status"]
        return document
    except NotListeningError:
        pass
    except BusyError:
        silent = f"no answer within {STATUS_WITHIN_S:g} s: it is busy or hangs"
    from daemon.control.down import down_standing

    process = owner_of(state)
    try:
        document = (down or down_standing)(state)
    except RefusedError as error:
        if process is None or (state / JOURNAL).exists():
            raise
        raise BusyError(f"{state}: process {process} is starting, try again") from error
    if process is not None:
        document["daemon"] = {"running": True, "process": process, "blocked": silent}
        document["feed"]["state"] = "not known"
    return document
