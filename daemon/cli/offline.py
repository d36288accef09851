"""The verbs that need no daemon: replay, verify, init, config, calendar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.common import (
    Json,
    Reason,
    Set,
    State,
    app,
    calendar_app,
    config_app,
    examples,
    settings_of,
)
from daemon.errors import UsageError
from daemon.paths import journal_meant, resolve_state

Meant = Annotated[
    str | None,
    Parameter(
        name="NAME|RUN",
        help="A daemon's name; else a run: a path, an id prefix, a label, latest, latest~1 or "
        "baseline:NAME. Default: the state directory's journal, or its latest run if it has none.",
        allow_leading_hyphen=False,
    ),
]

# --- replay --------------------------------------------------------------------------------------


@app.command(
    help_epilogue=examples(
        "replay --config configs/replay_nvda.yaml --open",
        "replay --config nvda.yaml --start 2024-01-02 --end 2024-03-28 --label quarter",
    )
)
def replay(  # noqa: PLR0913 - one parameter an option
    *,
    config: Path,
    bars: Path | None = None,
    start: str | None = None,
    end: str | None = None,
    settings: Set = None,
    label: str | None = None,
    out: Path | None = None,
    open_report: Annotated[bool, Parameter(name="--open", negative="")] = False,
    html: Annotated[bool, Parameter(name="--html", negative="--no-html", show=False)] = True,
    quiet: Annotated[bool, Parameter(negative="")] = False,
    state: State = None,
) -> int:
    """Play a tape through the daemon's tasks and leave a run directory.

    Parameters
    ----------
    config
        The config file.
    bars
        The tape, in place of the config's tape.path.
    start
        First instant: a date or a date and time, exchange time unless a zone is given.
    end
        Last instant; a date includes its day.
    label
        A name to find the run by.
    out
        Where the run directory goes (default: runs/ of the state directory).
    open_report
        Open the report in a browser.
    html
        --no-html leaves the report out.
    quiet
        Print the run directory alone.
    """
    from replay.cli import replay as run

    overrides = settings_of(settings)
    if bars is not None:
        overrides.append(("tape.path", str(bars.absolute())))
    return run(
        config=config,
        state=resolve_state(state),
        overrides=overrides,
        start=start,
        end=end,
        label=label,
        out=out,
        html=html,
        open_report=open_report,
        quiet=quiet,
    )


@app.command(help_epilogue=examples("verify nvda", "verify latest", "verify --state state/try"))
def verify(meant: Meant = None, /, *, json: Json = False, state: State = None) -> int:
    """Play a journal again and prove it equal, or name the first turn that differs and why.

    A daemon may go on running: what is committed when this begins is looked at.
    Exit 1 where something differs.
    """
    daemon = journal_meant(meant, state)
    if daemon is not None:
        from replay.verify_state import verify_state

        return verify_state(daemon, as_json=json)
    from replay.verify import verify as verify_run

    return verify_run(meant or "latest", state=resolve_state(state), as_json=json)


@app.command
def init(directory: Path, /) -> int:
    """Write a runnable, commented config with a sample tape and strategy into a new folder."""
    from replay.init import init as write

    return write(directory)


# --- config --------------------------------------------------------------------------------------


@config_app.command(name="check")
def config_check(*files: Path, settings: Set = None) -> int:
    """Check configs: all errors at once, each with file:line:col; exit 78 where there are any."""
    from daemon.config.verbs import config_check as check

    if not files:
        raise UsageError("config check needs a FILE")
    return check(files, settings_of(settings))


@config_app.command(name="show")
def config_show(file: Path, /, *, settings: Set = None, json: Json = False) -> int:
    """The resolved config, and where each value comes from."""
    from daemon.config.verbs import config_show as show

    return show(file, settings_of(settings), as_json=json)


@config_app.command(name="schema")
def config_schema() -> int:
    """The JSON Schema of a config, for editors."""
    from daemon.config.verbs import config_schema as schema

    return schema()


# --- calendar -------------------------------------------------------------------------------------


@calendar_app.default
def calendar_show(*, sessions: int = 10, json: Json = False, state: State = None) -> int:
    """The next sessions with their hours, how far they are known, and what was added.

    Parameters
    ----------
    sessions
        How many to show.
    """
    from daemon.feeds.calendar_verbs import calendar_show as show

    return show(resolve_state(state), sessions=sessions, as_json=json)


@calendar_app.command(
    name="add",
    help_epilogue=examples(
        'calendar add 2025-01-09 --reason "day of mourning"',
        "calendar add 2026-11-27 --early-close 13:00",
    ),
)
def calendar_add(
    day: str, /, *, early_close: str | None = None, reason: Reason = "", state: State = None
) -> int:
    """Note a closure, or an early close, that was announced late.

    Parameters
    ----------
    day
        The date: 2025-01-09.
    early_close
        HH:MM exchange time; left out: closed all day.
    """
    from daemon.feeds.calendar_verbs import calendar_add as add

    return add(resolve_state(state), day, early_close=early_close, reason=reason)
