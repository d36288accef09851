"""`papertape data action add` as a whole: the table, and the daemon that runs on it, if any."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from daemon.control.client import NotListeningError, ask
from daemon.data.action_table import action_text, add_action
from daemon.data.folder import DataFolder
from daemon.errors import Exit
from daemon.feeds.calendar import Calendar


def action_add(state: Path, folder: DataFolder, cells: dict[str, str], calendar: Calendar) -> int:
    """List an action and tell a running daemon; its exit code where it refuses to act on it."""
    action = add_action(folder, cells, calendar)
    print(f"state   {state}")
    print(f"listed  {action_text(action)} ({folder.actions})")
    sys.stdout.flush()
    try:
        answer = ask(state, "action", action=msgspec.to_builtins(action))
    except NotListeningError:
        print("no daemon runs here: it will see the table when it starts")
        return Exit.OK
    for line in answer["lines"]:
        if answer["code"]:
            print(f"papertape: {line}", file=sys.stderr)
        else:
            print(line)
    return int(answer["code"])
