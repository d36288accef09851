"""What the command line of `papertape replay` and `data check` does around their functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from daemon.config import warnings_of
from daemon.core.trading_state import TradingState
from daemon.errors import Exit
from replay.run import Period
from replay.run_directory import Finished, Request
from replay.run_directory import replay as play


def replay(  # noqa: PLR0913 - one parameter an option
    *,
    config: Path,
    state: Path,
    overrides: Sequence[tuple[str, str]],
    start: str | None,
    end: str | None,
    label: str | None,
    out: Path | None,
    html: bool,
    open_report: bool,
    quiet: bool,
) -> int:
    """Play, print the summary, say where everything is; 1 where the strategy failed."""
    finished = play(Request(config, state, overrides, Period(start, end), label, out, html))
    for warning in warnings_of(finished.inputs.config):
        print(f"papertape: warning: {warning}", file=sys.stderr)
    if quiet:
        print(finished.path)
    else:
        from replay.summary.console import print_summary

        print_summary(finished.summary, finished.manifest, plain=not sys.stdout.isatty())
        print(_where(finished.path))
    if open_report and html:
        _open_report(finished.path)
    return _verdict(finished)


def report(
    state: Path, *, out: Path | None, label: str | None, html: bool, open_report: bool
) -> int:
    """Write the run directory of a daemon's journal, print its summary and say where it is."""
    from replay.live_report import report as write
    from replay.summary.console import print_summary

    print(f"state   {state}")
    done = write(state, out=out, label=label, html=html)
    if done.warning is not None:
        print(
            f"papertape: warning: the account at the end is what the recorded outputs add up to, "
            f"since the turns do not come out as recorded: {done.warning}",
            file=sys.stderr,
        )
    print_summary(done.summary, done.manifest, plain=not sys.stdout.isatty())
    print(_where(done.path))
    if open_report and html:
        _open_report(done.path)
    return Exit.OK


def _where(run: Path) -> str:
    report = run / "report.html"
    lines = [f"run     {run}"]
    if report.exists():
        lines.append(f"report  {report}")
    return "\n".join(lines)


def _open_report(run: Path) -> None:
    import webbrowser

    webbrowser.open((run / "report.html").as_uri())


def _verdict(finished: Finished) -> int:
    """A strategy that raised is a failed check, though the run is there to be looked at."""
    if finished.strategy_failure is not None:
        print(
            f"papertape: the strategy failed: {finished.strategy_failure}; trading stayed "
            f"{TradingState.HALTED.name} (see state_changes.csv)",
            file=sys.stderr,
        )
        return Exit.CHECK_FAILED
    return Exit.OK


def data_check(  # noqa: PLR0913 - one parameter an option
    *,
    file: Path,
    state: Path,
    config: Path | None,
    symbol: str | None,
    size: str | None,
    grid: str | None,
    timezone: str | None,
    dialect: str,
    as_json: bool,
) -> int:
    """Check one file with the options of a config, or with those given, or as its content says."""
    from daemon.feeds.calendar import load_calendar
    from replay.data_check import data_check as check
    from replay.tapes import PlainTapeSpec, TapeSpec

    calendar = load_calendar(state)
    symbols: Sequence[str] | None = None if symbol is None else [symbol]
    tape: TapeSpec | None = None
    if config is not None:
        from daemon.config import load_config

        loaded = load_config(config, [("tape.path", str(file.absolute()))], state=state)
        tape, symbols = loaded.tape_spec(state), symbols or loaded.symbols
        size, grid = size or loaded.bars.size, grid or loaded.bars.grid
    elif timezone is not None or dialect != "auto":
        tape = PlainTapeSpec(file, dialect=dialect, timezone=timezone)
    return check(file, tape, symbols, size, grid, calendar, state, as_json=as_json)
