"""`papertape data action add | list`: the table, and the daemon that runs on it, if any."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import msgspec

from daemon.control.client import NotListeningError, ask
from daemon.core.events import CorporateAction, Dividend
from daemon.corporate_actions import read_actions
from daemon.data.action_table import action_text, add_action, plain_action
from daemon.data.folder import DataFolder
from daemon.errors import Exit
from daemon.feeds.calendar import Calendar
from daemon.feeds.times import date_text, zone_date
from daemon.journal.reader import JournalReader
from daemon.state_directory import JOURNAL
from daemon.text_table import EXCHANGE_ZONE, table


def action_add(state: Path, folder: DataFolder, cells: dict[str, str], calendar: Calendar) -> int:
    """List an action and tell a running daemon; its exit code where it refuses to act on it."""
    action, new = add_action(folder, cells, calendar)
    print(f"state   {state}")
    print(f"listed  {'' if new else 'already: '}{action_text(action)} ({folder.actions})")
    sys.stdout.flush()
    try:
        answer = ask(state, "action", action=msgspec.to_builtins(action))
    except NotListeningError:
        print(_when_down(state, action))
        return Exit.OK
    for line in answer["lines"]:
        if answer["code"]:
            print(f"papertape: {line}", file=sys.stderr)
        else:
            print(line)
    return int(answer["code"])


def _when_down(state: Path, action: CorporateAction) -> str:
    """What a daemon that starts will make of it."""
    reached = None
    if (state / JOURNAL).exists():
        with closing(JournalReader(state / JOURNAL)) as reader:
            reached = reader.reached()
    if reached is None or action.effective >= zone_date(reached[0], EXCHANGE_ZONE):
        return "no daemon runs here: it will see the table when it starts"
    over = f"no daemon runs here, and the account has lived through {date_text(action.effective)}"
    if isinstance(action, Dividend):
        return f"{over}: the dividend will not be booked"
    return f"{over}: it acts on the split at its start only if it has had no bar of it since"


def list_actions(state: Path, folder: DataFolder, symbol: str | None, *, as_json: bool) -> int:
    """Print the table, of one symbol or whole."""
    actions = [
        action
        for action in read_actions(folder.actions)
        if symbol is None or action.symbol == symbol.upper()
    ]
    if as_json:
        document = {
            "state_directory": str(state), "path": str(folder.actions),
            "actions": [plain_action(action) for action in actions],
        }  # fmt: skip
        print(json.dumps(document, indent=2))
        return Exit.OK
    print(f"state   {state}")
    if not actions:
        print(f"no corporate actions ({folder.actions})")
        return Exit.OK
    rows = [_row(action) for action in actions]
    header = ["symbol", "kind", "effective", "ratio", "a share", "paid"]
    print("\n".join(table(header, rows, right=("ratio", "a share"))))
    return Exit.OK


def _row(action: CorporateAction) -> list[str]:
    plain = plain_action(action)
    amount = f"{plain['amount_usd']:.6f}".rstrip("0").rstrip(".") if "amount_usd" in plain else ""
    return [
        action.symbol, plain["kind"], plain["effective"], plain.get("ratio", ""), amount,
        date_text(action.pay_date) if isinstance(action, Dividend) else "",
    ]  # fmt: skip
