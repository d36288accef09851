"""The verbs that ask a running daemon, and `status`, which answers for one that is down as well."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.control.client import NotListeningError, ask
from daemon.control.status_text import render
from daemon.errors import BusyError, Exit
from daemon.state_directory import owner_of

STATUS_WITHIN_S = 2.0
WATCH_EVERY_S = 1.0


def tell(state: Path, verb: str, **fields: Any) -> int:
    """Give a command and print what came of it."""
    print(f"state   {state}")
    sys.stdout.flush()
    answer = ask(state, verb, **fields)
    for line in answer["lines"]:
        print(line if answer["code"] == 0 else f"papertape: {line}", file=_stream(answer["code"]))
    return int(answer["code"])


def _stream(code: int) -> Any:
    return sys.stdout if code == 0 else sys.stderr


def status(state: Path, *, watch: bool, check: bool, as_json: bool) -> int:
    """Print the standing; with `check`, 1 unless the daemon runs and is ACTIVE."""
    while True:
        document = standing(state)
        if as_json:
            print(json.dumps({"state_directory": str(state), **document}, indent=2))
        else:
            text = f"state   {state}\n" + render(document)
            print("\x1b[H\x1b[2J" + text if watch and sys.stdout.isatty() else text)
        if not watch:
            break
        sys.stdout.flush()
        try:
            time.sleep(WATCH_EVERY_S)
        except KeyboardInterrupt:
            break
    active = document["daemon"]["running"] and document["state"] == "ACTIVE"
    return Exit.CHECK_FAILED if check and not active else Exit.OK


def standing(state: Path, down: Callable[[Path], dict[str, Any]] | None = None) -> dict[str, Any]:
    """What a running daemon says; else what its journal says."""
    try:
        document: dict[str, Any] = ask(state, "status", within_s=STATUS_WITHIN_S)["status"]
        return document
    except NotListeningError:
        silent = None
    except BusyError as error:
        silent = error.lines[0]
    from daemon.control.down import down_standing

    document = (down or down_standing)(state)
    process = owner_of(state)
    if process is not None:
        document["daemon"] = {
            "running": True,
            "process": process,
            "blocked": silent or "it is starting or stopping",
        }
    return document
