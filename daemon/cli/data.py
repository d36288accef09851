"""The verbs around bars: import, update, check, show, diff, correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from daemon.cli.common import Json, State, data_app, examples, readable
from daemon.errors import UsageError
from daemon.paths import resolve_state

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.data.folder import DataFolder
    from daemon.data.history import History
    from daemon.data.progress import Progress
    from daemon.feeds.calendar import Calendar

Size = Annotated[
    Literal["1h", "30m", "15m", "5m", "1m"] | None, Parameter(help="Length of the bars.")
]
Symbol = Annotated[str, Parameter(help="The symbol.", allow_leading_hyphen=False)]
DataConfig = Annotated[
    Path | None, Parameter(help="Take symbols, size, grid, adjustment and folders from it.")
]


def folder_of(state: Path, config: Config | None) -> DataFolder:
    """The data folder of a state directory, or the one that a config names."""
    from daemon.data.folder import DataFolder

    return DataFolder(state / "data" if config is None else config.data_dir(state))


def config_of(config: Path | None, state: Path) -> Config | None:
    """The config of `--config`."""
    from daemon.config import load_config

    return None if config is None else load_config(config, (), state=state)


def _date(name: str, text: str | None) -> int | None:
    from daemon.feeds.times import parse_date

    if text is None:
        return None
    try:
        return parse_date(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def place_of(state: str | None, config: Path | None) -> tuple[Path, DataFolder]:
    """The state directory of the options of a verb, and its data folder."""
    path = resolve_state(state)
    return path, folder_of(path, config_of(config, path))


# --- getting bars ---------------------------------------------------------------------------------


@data_app.command(
    name="import",
    help_epilogue=examples(
        "data import nvda_1h.csv",
        "data import spy.zip --symbol SPY --adjustment raw --state /var/lib/papertape/spy",
    ),
)
def data_import(
    *files: Path,
    symbol: Annotated[list[str] | None, Parameter(negative="")] = None,
    size: Size = None,
    config: DataConfig = None,
    timezone: str | None = None,
    dialect: str = "auto",
    adjustment: Literal["raw", "splits", "splits_dividends"] | None = None,
    replace: Annotated[bool, Parameter(negative="")] = False,
    state: State = None,
) -> int:
    """Merge files of bars into the state's own; the files are kept in data/raw.

    Parameters
    ----------
    symbol
        The symbol of the files, or those to take of several; may be repeated.
    timezone
        Zone of stamps that carry none.
    dialect
        auto, papertape, yfinance, ib_async, alpaca, polygon, lean.
    adjustment
        What the prices are adjusted for (default: the config's, else splits).
    replace
        Begin anew with what the files hold; what was there is kept in data/raw.
    """
    from daemon.feeds.calendar import load_calendar
    from replay.data_import import ImportRequest
    from replay.data_import import data_import as run
    from replay.tapes import PlainTapeSpec

    if not files:
        raise UsageError("data import needs a FILE")
    path = resolve_state(state)
    loaded = config_of(config, path)
    spec = PlainTapeSpec(None, dialect, timezone, adjustment=adjustment or "splits")
    grid = None
    if loaded is not None:
        size, grid = size or loaded.bars.size, loaded.bars.grid
        if loaded.tape is not None:
            told = loaded.tape_spec(path)
            spec = PlainTapeSpec(
                None,
                told.dialect if dialect == "auto" else dialect,
                timezone or told.timezone,
                told.stamps,
                adjustment or told.adjustment,
                columns=told.columns,
            )
    symbols = [each.upper() for each in symbol] if symbol else None
    traded = None if loaded is None or symbols else loaded.symbols
    declared = adjustment is not None or (loaded is not None and loaded.tape is not None)
    request = ImportRequest(files, spec, symbols, traded, size, grid, replace, declared)
    return run(request, folder_of(path, loaded), load_calendar(path), path)


@data_app.command(
    name="update",
    help_epilogue=examples(
        "data update --config nvda.yaml", "data update --config nvda.yaml --since 2024-01-02"
    ),
)
def data_update(
    *,
    config: Path | None = None,
    since: Annotated[str | None, Parameter(metavar="DATE")] = None,
    source: Annotated[Path | None, Parameter(name="--from", metavar="FILE")] = None,
    state: State = None,
) -> int:
    """Bring each symbol's bars up to date from Interactive Brokers, or from files.

    Parameters
    ----------
    config
        The config that says which symbols and where the gateway is.
    since
        Ask for all that is missing since this date, not only for what is new.
    source
        Take bars from this file ({symbol}: the symbol), read as the config's tape section says.
    """
    from daemon.data.history import Wanted
    from daemon.data.update_verb import data_update as run
    from daemon.feeds.calendar import load_calendar

    if config is None:
        raise UsageError("data update needs --config FILE: it says which symbols, and the gateway")
    path = resolve_state(state)
    loaded = config_of(config, path)
    assert loaded is not None, "it was given"
    calendar = load_calendar(path, loaded.bars.calendar)
    return run(
        path,
        folder_of(path, loaded),
        Wanted.by(loaded),
        lambda progress: _history(loaded, source, calendar, path, progress),
        calendar,
        since=_date("--since", since),
    )


def _history(
    config: Config, source: Path | None, calendar: Calendar, state: Path, progress: Progress
) -> History:
    from daemon.config import IbFeedConfig

    bars, feed = config.bars, config.feed
    if source is None:
        from random import Random

        from daemon.data.gateway_history import GatewayHistory

        gateway = feed if isinstance(feed, IbFeedConfig) else IbFeedConfig()
        random = Random()  # noqa: S311 - pauses
        return GatewayHistory(gateway, bars.size, bars.grid, calendar, random, progress)
    from replay.data_import import FileHistory
    from replay.tapes import PlainTapeSpec

    tape, path = config.tape, source.absolute()
    spec = PlainTapeSpec(path, adjustment="splits")
    if tape is not None:
        spec = PlainTapeSpec(
            path, timezone=tape.timezone, stamps=tape.stamps, adjustment=tape.adjustment
        )
    return FileHistory(spec, bars.grid, calendar, state)


# --- looking at bars ------------------------------------------------------------------------------


@data_app.command(
    name="check",
    help_epilogue=examples(
        "data check nvda_1h.csv", "data check --config nvda.yaml", "data check --json"
    ),
)
def data_check(  # noqa: PLR0913 - one parameter an option
    file: Path | None = None,
    /,
    *,
    config: Path | None = None,
    symbol: Annotated[str | None, Parameter(allow_leading_hyphen=False)] = None,
    size: Size = None,
    grid: Literal["session", "clock"] | None = None,
    timezone: str | None = None,
    dialect: str = "auto",
    sessions: int = 20,
    json: Json = False,
    state: State = None,
) -> int:
    """What a file of bars holds, and what is wrong with it; exit 1 on an error in the data.

    Without FILE: are the state's own bars fit, by the calendar? Exit 1, and why, if not.

    Parameters
    ----------
    config
        Take symbols, size, grid and the tape's options from this config.
    symbol
        The symbol of the file (default: told by its name or column); without FILE: only this one.
    size
        Length of the bars (default: told by the most common step); without FILE: only these.
    grid
        Where bars are cut (default: told by the stamps).
    timezone
        Zone of stamps that carry none.
    dialect
        auto, papertape, yfinance, ib_async, alpaca, polygon, lean.
    sessions
        How many of the last sessions are looked at without FILE.
    """
    path = resolve_state(state)
    if file is None:
        from daemon.data.history import Wanted
        from daemon.feeds.calendar import load_calendar
        from replay.data_health import Only, data_check_all

        if sessions < 1:
            raise UsageError(f"--sessions must be at least 1, got {sessions}")
        if (grid or timezone) is not None or dialect != "auto":
            raise UsageError("--grid, --timezone and --dialect are about a FILE: which one?")
        loaded = config_of(config, path)
        wanted = None if loaded is None else Wanted.by(loaded)
        folder, calendar = folder_of(path, loaded), load_calendar(path)
        only = Only(symbol and symbol.upper(), size)
        return data_check_all(
            path, folder, wanted, calendar, sessions=sessions, only=only, as_json=json
        )
    from replay.cli import data_check as check

    return check(
        file=file,
        state=path,
        config=config,
        symbol=symbol and symbol.upper(),
        size=size,
        grid=grid,
        timezone=timezone,
        dialect=dialect,
        as_json=json,
    )


@data_app.command(name="show", help_epilogue=examples("data show NVDA", "data show NVDA --last 70"))
def data_show(
    symbol: Symbol,
    /,
    *,
    last: int | None = None,
    size: Size = None,
    config: DataConfig = None,
    json: Json = False,
    state: State = None,
) -> int:
    """Draw a symbol's last bars in the terminal, corrections applied.

    Parameters
    ----------
    last
        How many (default: as many as there is room for; with --json all).
    """
    from daemon.data.show_verb import data_show as show

    return show(*place_of(state, config), symbol, size, last, as_json=json)


@data_app.command(name="diff", help_epilogue=examples("data diff NVDA --json"))
def data_diff(
    symbol: Symbol,
    /,
    *,
    size: Size = None,
    config: DataConfig = None,
    json: Json = False,
    state: State = None,
) -> int:
    """What bars were said to be when they were seen, and what later; exit 1 if any was revised."""
    from daemon.data.diff_verb import data_diff as diff

    return diff(*place_of(state, config), symbol, size, as_json=json)


@data_app.command(
    name="correct",
    help_epilogue=examples(
        'data correct NVDA "2024-01-03 12:30" --low 98.1 --reason "bad print"',
        'data correct NVDA "2024-01-03 12:30" --remove --reason "no session"',
    ),
)
def data_correct(  # noqa: PLR0913 - one parameter an option
    symbol: Symbol,
    start: str,
    /,
    *,
    reason: Annotated[str, Parameter(metavar="TEXT", converter=readable)],
    open_: Annotated[float | None, Parameter(name="--open")] = None,
    high: float | None = None,
    low: float | None = None,
    close: float | None = None,
    volume: int | None = None,
    remove: Annotated[bool, Parameter(negative="")] = False,
    size: Size = None,
    config: DataConfig = None,
    state: State = None,
) -> int:
    """Correct the bar that begins at START whenever it is read; what was recorded stays.

    Parameters
    ----------
    start
        When the bar begins, exchange time unless a zone is given.
    reason
        Why it was wrong.
    remove
        There is no such bar: it counts as missing.
    """
    from daemon.data.correct_verb import data_correct as correct
    from daemon.data.corrections import Correction
    from daemon.feeds.calendar import load_calendar

    path, folder = place_of(state, config)
    given = (open_, high, low, close)
    correction = Correction(symbol, size or "", 0, remove, *given, volume, None, reason)
    return correct(path, folder, correction, start, load_calendar(path))
