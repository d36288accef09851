"""papertape: the composition root and the command line.

Nothing heavy is imported before a verb needs it, and no verb knows another. Every function here
turns words into a call and returns its exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from daemon import __version__
from daemon.endings import ending
from daemon.errors import Exit, UsageError
from daemon.paths import resolve_state

State = Annotated[
    str | None,
    Parameter(help="State directory (else $PAPERTAPE_STATE, $STATE_DIRECTORY, ./state)."),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One JSON document on stdout.")]
Set = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        negative="",
        consume_multiple=False,
        help="KEY=VALUE put over the config, such as risk.max_drawdown_pct=10; may be repeated.",
    ),
]
Run = Annotated[
    str,
    Parameter(
        help="A path, an id prefix, a label, latest, latest~1 or baseline:NAME.",
        allow_leading_hyphen=False,
    ),
]

app = App(
    name="papertape",
    help="Paper-trades US stocks on recorded bars through the tasks a live daemon runs.",
    version=__version__,
    help_format="plaintext",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
config_app = App(name="config", help="Check, show and describe configs.")
runs_app = App(name="runs", help="List, show, compare, accept and remove runs.")
reference_app = App(name="reference", help="The reference replays and their baselines.")
data_app = App(name="data", help="Recorded bars.")
for part in (config_app, runs_app, reference_app, data_app):
    app.command(part)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's own) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    if debug:
        words.remove("--debug")
    if not debug:
        return ending(lambda: _run(words))
    return _run(words)


def _run(words: list[str]) -> int:
    if not words:
        app.help_print([])
        return Exit.USAGE
    try:
        return int(app(words) or Exit.OK)
    except CycloptsError as error:
        raise UsageError(" ".join(str(error).split()), _hint(words)) from error


def _hint(words: Sequence[str]) -> str:
    verbs = [word for word in words[:2] if not word.startswith("-")]
    known = verbs and verbs[0] in app
    return f"see `papertape {verbs[0]} --help`" if known else "see `papertape --help`"


def _settings(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    from daemon.config import setting_of

    return [setting_of(text) for text in texts or ()]


# --- replay -----------------------------------------------------------------------------------


@app.command
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

    overrides = _settings(settings)
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


@app.command
def verify(run: Run = "latest", /, *, json: Json = False, state: State = None) -> int:
    """Play a run's journal again and prove it equal, or name the first turn that differs."""
    from replay.verify import verify as verify_run

    return verify_run(run, state=resolve_state(state), as_json=json)


@app.command
def init(directory: Path, /) -> int:
    """Write a runnable, commented config with a sample tape and strategy into a new folder."""
    from replay.init import init as write

    return write(directory)


# --- config -----------------------------------------------------------------------------------


@config_app.command(name="check")
def config_check(*files: Path, settings: Set = None) -> int:
    """Check configs: all errors at once, each with file:line:col; exit 78 where there are any."""
    from daemon.config.verbs import config_check as check

    if not files:
        raise UsageError("config check needs a FILE")
    return check(files, _settings(settings))


@config_app.command(name="show")
def config_show(file: Path, /, *, settings: Set = None, json: Json = False) -> int:
    """The resolved config, and where each value comes from."""
    from daemon.config.verbs import config_show as show

    return show(file, _settings(settings), as_json=json)


@config_app.command(name="schema")
def config_schema() -> int:
    """The JSON Schema of a config, for editors."""
    from daemon.config.verbs import config_schema as schema

    return schema()


# --- runs -------------------------------------------------------------------------------------


@runs_app.command(name="list")
def runs_list(*, limit: int | None = None, json: Json = False, state: State = None) -> int:
    """The runs, newest first."""
    from replay.runs.verbs import runs_list as list_runs

    return list_runs(state=resolve_state(state), limit=limit, as_json=json)


@runs_app.command(name="show")
def runs_show(run: Run = "latest", /, *, json: Json = False, state: State = None) -> int:
    """One run's summary."""
    from replay.runs.verbs import runs_show as show

    return show(run, state=resolve_state(state), as_json=json)


@runs_app.command(name="diff")
def runs_diff(
    old: Run,
    new: Run,
    /,
    *,
    tolerances: Path | None = None,
    json: Json = False,
    state: State = None,
) -> int:
    """Which inputs of two runs differ, and what changed; exit 1 beyond the tolerances.

    Parameters
    ----------
    tolerances
        A file of tolerances (default: those beside a baseline, else the built-in ones).
    """
    from replay.runs.compare import runs_diff as diff

    return diff(old, new, state=resolve_state(state), tolerances=tolerances, as_json=json)


@runs_app.command(name="accept")
def runs_accept(
    run: Run,
    /,
    *,
    name: Annotated[str | None, Parameter(name="--as")] = None,
    reason: str = "",
    state: State = None,
) -> int:
    """Make a run the baseline of its name; earlier baselines are kept.

    Parameters
    ----------
    name
        The baseline's name (default: the config's).
    reason
        Why these results are right.
    """
    from replay.runs.verbs import runs_accept as accept

    return accept(run, state=resolve_state(state), name=name, reason=reason)


@runs_app.command(name="gc")
def runs_gc(
    *,
    keep: int | None = None,
    older_than: float | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    state: State = None,
) -> int:
    """Remove old runs; never one with a label or one that was accepted.

    Parameters
    ----------
    keep
        Keep this many of the newest.
    older_than
        Remove only what is older than so many days.
    dry_run
        Say what would go, remove nothing.
    yes
        Do not ask.
    """
    from replay.runs.collect import runs_gc as collect

    return collect(
        state=resolve_state(state),
        keep=keep,
        older_than_days=older_than,
        dry_run=dry_run,
        yes=yes,
    )


# --- reference --------------------------------------------------------------------------------


@reference_app.command(name="run")
def reference_run(
    *names: str,
    accept: Annotated[bool, Parameter(negative="")] = False,
    reason: str = "",
    json: Json = False,
    state: State = None,
) -> int:
    """Play the reference replays and compare each with its baseline.

    Parameters
    ----------
    accept
        Make the results the new baselines.
    reason
        Why the new results are right.
    """
    from replay.runs.reference import reference_run as run

    return run(
        names,
        state=resolve_state(state),
        accept_as_baseline=accept,
        reason=reason,
        as_json=json,
    )


@reference_app.command(name="check")
def reference_check(*names: str, json: Json = False, state: State = None) -> int:
    """Play the reference replays; exit 1 where one is beyond its tolerances."""
    from replay.runs.reference import reference_check as check

    return check(names, state=resolve_state(state), as_json=json)


# --- data -------------------------------------------------------------------------------------


@data_app.command(name="check")
def data_check(  # noqa: PLR0913 - one parameter an option
    file: Path,
    /,
    *,
    config: Path | None = None,
    symbol: str | None = None,
    size: str | None = None,
    grid: str | None = None,
    timezone: str | None = None,
    dialect: str = "auto",
    json: Json = False,
    state: State = None,
) -> int:
    """What a file of bars holds, and what is wrong with it; exit 1 on an error in the data.

    Parameters
    ----------
    config
        Take symbols, size, grid and the tape's options from this config.
    symbol
        The symbol of the file (default: told by its name or column).
    size
        1h, 30m, 15m, 5m or 1m (default: told by the most common step).
    grid
        session or clock (default: told by the stamps).
    timezone
        Zone of stamps that carry none.
    dialect
        auto, papertape, yfinance, ib_async, alpaca, polygon, lean.
    """
    from replay.cli import data_check as check

    return check(
        file=file,
        state=resolve_state(state),
        config=config,
        symbol=symbol,
        size=size,
        grid=grid,
        timezone=timezone,
        dialect=dialect,
        as_json=json,
    )
