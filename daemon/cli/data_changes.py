"""What changes bars and positions: `data action`, and `release` and `reject` of a daemon's bars."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from daemon.cli.common import Json, Name, Reason, State, data_app, examples
from daemon.cli.data import DataConfig, Symbol, place_of
from daemon.errors import UsageError
from daemon.paths import resolve_daemon

Date = Annotated[str | None, Parameter(metavar="DATE")]
BarStart = Annotated[
    str, Parameter(help="When the bar begins, exchange time unless a zone is given.")
]

action_app = App(name="action", help="Splits and dividends.")
data_app.command(action_app)

# --- corporate actions ----------------------------------------------------------------------------


@action_app.command(
    name="add",
    help_epilogue=examples(
        "data action add NVDA split 10:1 --effective 2024-06-10",
        "data action add NVDA dividend 0.01 --ex 2024-06-11 --pay 2024-06-28",
    ),
)
def action_add(
    symbol: Symbol,
    kind: Literal["split", "dividend"],
    value: str,
    /,
    *,
    effective: Date = None,
    ex: Date = None,
    pay: Date = None,
    config: DataConfig = None,
    state: State = None,
) -> int:
    """List a split or a dividend; a running daemon acts on it from its session on.

    Parameters
    ----------
    kind
        split or dividend.
    value
        New:old shares of a split, such as 10:1; dollars a share of a dividend.
    effective
        The first session at the new price.
    ex
        A dividend's first session without it.
    pay
        When it is paid (default: on the ex-date).
    """
    from daemon.data.action_table import dividend_of, split_of
    from daemon.data.action_verb import action_add as add
    from daemon.feeds.calendar import load_calendar

    path, folder = place_of(state, config)
    if kind == "split":
        if (ex or pay) is not None:
            raise UsageError("a split has --effective, not --ex or --pay")
        cells = split_of(symbol, value, effective)
    else:
        if effective is not None:
            raise UsageError("a dividend has --ex and --pay, not --effective")
        cells = dividend_of(symbol, value, ex, pay)
    return add(path, folder, cells, load_calendar(path))


@action_app.command(name="list", help_epilogue=examples("data action list NVDA --json"))
def action_list(
    symbol: Annotated[str | None, Parameter(allow_leading_hyphen=False)] = None,
    /,
    *,
    config: DataConfig = None,
    json: Json = False,
    state: State = None,
) -> int:
    """The splits and dividends that are listed, of one symbol or all."""
    from daemon.data.action_verb import list_actions

    return list_actions(*place_of(state, config), symbol, as_json=json)


# --- quarantined bars of a running daemon ---------------------------------------------------------


@data_app.command(
    name="release",
    help_epilogue=examples('data release NVDA 10:30 nvda --reason "an index event"'),
)
def data_release(
    symbol: Symbol,
    start: BarStart,
    name: Name = None,
    /,
    *,
    reason: Reason,
    state: State = None,
) -> int:
    """Believe the quarantined bar that begins at START: it comes as a slice, if it still can."""
    from daemon.data.judge_verb import judge

    return judge(resolve_daemon(name, state), "release", symbol, start, reason)


@data_app.command(
    name="reject", help_epilogue=examples('data reject NVDA 10:30 nvda --reason "a single print"')
)
def data_reject(
    symbol: Symbol,
    start: BarStart,
    name: Name = None,
    /,
    *,
    reason: Reason,
    state: State = None,
) -> int:
    """Do not believe the quarantined bar that begins at START: it stays missing."""
    from daemon.data.judge_verb import judge

    return judge(resolve_daemon(name, state), "reject", symbol, start, reason)
