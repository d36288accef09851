"""The verbs that read a daemon's journal, running or down: orders, fills, trades, pnl, gaps."""

from __future__ import annotations

import re
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.common import Json, Name, State, app, examples
from daemon.errors import UsageError
from daemon.paths import resolve_daemon

Today = Annotated[
    bool, Parameter(negative="", help="Only the account's last day (of the tape, with a tape).")
]


@app.command(help_epilogue=examples("orders nvda --today"))
def orders(
    name: Name = None, /, *, today: Today = False, json: Json = False, state: State = None
) -> int:
    """The account's orders and what became of them; today: what moved today or still works."""
    return _show("orders", name, state, today=today, as_json=json)


@app.command(help_epilogue=examples("fills nvda --today"))
def fills(
    name: Name = None, /, *, today: Today = False, json: Json = False, state: State = None
) -> int:
    """The account's fills: when they were effective and known, price and costs."""
    return _show("fills", name, state, today=today, as_json=json)


@app.command(help_epilogue=examples("trades --state state/try --json"))
def trades(
    name: Name = None, /, *, today: Today = False, json: Json = False, state: State = None
) -> int:
    """The account's round trips, those that are open at their last close."""
    return _show("trades", name, state, today=today, as_json=json)


@app.command(help_epilogue=examples("pnl nvda"))
def pnl(
    name: Name = None, /, *, today: Today = False, json: Json = False, state: State = None
) -> int:
    """Profit and loss by session, realised net of fees, and what is held."""
    return _show("pnl", name, state, today=today, as_json=json)


@app.command(help_epilogue=examples("gaps nvda --today"))
def gaps(
    name: Name = None, /, *, today: Today = False, json: Json = False, state: State = None
) -> int:
    """What became of the bars that must exist, and what happened to the feed."""
    return _show("gaps", name, state, today=today, as_json=json)


@app.command(
    help_epilogue=examples(
        "explain NVDA 11:30 nvda", "explain NVDA 2024-01-02T10:30 --state state/try"
    )
)
def explain(
    symbol: str,
    when: str,
    name: Name = None,
    /,
    *,
    json: Json = False,
    state: State = None,
) -> int:
    """Why it did, or did not, trade at a time: one bar, what was decided on it and what came of it.

    Parameters
    ----------
    symbol
        One of the account's symbols.
    when
        2024-01-02T10:30, or 10:30 on the account's last day; exchange time unless a zone is given.
    """
    from daemon.reading.explain_verb import explain as explain_turn

    if name is not None and re.fullmatch(r"\d\d:\d\d(:\d\d)?", name):
        raise UsageError(f"write date and time as one word: {when}T{name}")
    return explain_turn(resolve_daemon(name, state), symbol, when, as_json=json)


def _show(verb: str, name: str | None, state: str | None, *, today: bool, as_json: bool) -> int:
    from daemon.reading.verbs import show

    return show(resolve_daemon(name, state), verb, today=today, as_json=as_json)
