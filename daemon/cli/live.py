"""The verbs of the daemon: `run`, and what acts on a running one."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.common import (
    Json,
    Name,
    Reason,
    Set,
    State,
    app,
    examples,
    notify_app,
    readable,
    settings_of,
)
from daemon.errors import UsageError
from daemon.paths import resolve_daemon, resolve_state


@app.command(
    help_epilogue=examples(
        "run --config configs/replay_nvda.yaml --state state/try",
        "run --config nvda.yaml --set risk.max_drawdown_pct=10",
    )
)
def run(*, config: Path, settings: Set = None, state: State = None) -> int:
    """The daemon, in the foreground (what systemd starts); SIGTERM or Ctrl-C stops it in order.

    Parameters
    ----------
    config
        The config file; its `feed` says where bars come from.
    """
    from daemon.config import load_config, require_supported
    from daemon.live.run import run as run_daemon
    from daemon.observability.logs import configure

    overrides = settings_of(settings)
    path = resolve_state(state)
    loaded = load_config(config, overrides, state=path)
    require_supported(loaded)
    if loaded.feed is not None and loaded.feed.kind == "ib":
        from daemon.feeds.ib.source import prepare_ib as prepare
    else:
        from replay.live_feed import prepare
    form = "text" if sys.stderr.isatty() else loaded.observability.log
    log = configure(form, run_id=f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}")
    log.take_over()
    try:
        return run_daemon(loaded, path, prepare, log, overrides)
    finally:
        log.close()


@app.command
def probe(*, config: Path, settings: Set = None, json: Json = False, state: State = None) -> int:
    """Look Interactive Brokers' gateway over: each finding says what to change; exit 1 if any must.

    Asks for clock, contracts, permissions, hours and bars; it cannot trade.
    In an open session it takes a minute and a half, since it measures how soon
    a bar is final.

    Parameters
    ----------
    config
        The config file; its `feed` says where the gateway is, `symbols` what is looked at.
    """
    from daemon.config import load_config
    from daemon.feeds.ib.probe_verb import probe as look

    path = resolve_state(state)
    return look(load_config(config, settings_of(settings), state=path), path, as_json=json)


@app.command(
    help_epilogue=examples(
        "status nvda",
        "status --state state/try --watch",
        'status nvda --check || echo "look at it"',
    )
)
def status(
    name: Name = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    check: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
    state: State = None,
) -> int:
    """What the daemon does and why: state, holds, positions, orders, profit, last and next bar.

    Parameters
    ----------
    watch
        Show it again every second.
    check
        Exit 1 unless the daemon runs and is ACTIVE.
    """
    from daemon.control.verbs import status as show

    return show(resolve_daemon(name, state), watch=watch, check=check, as_json=json)


@app.command(help_epilogue=examples('kill nvda --reason "the news"', "kill --flatten"))
def kill(
    name: Name = None,
    /,
    *,
    flatten: Annotated[bool, Parameter(negative="")] = False,
    reason: Reason = "",
    state: State = None,
) -> int:
    """Stop trading now: no new order, whether the daemon runs, hangs or is down.

    Positions stay unless --flatten is given. `papertape reset` lifts it.

    Parameters
    ----------
    flatten
        Close every position as well, at the next bars' prices.
    """
    from daemon.control.kill import kill as throw

    try:
        path = resolve_daemon(name, state)
    except UsageError as error:
        raise UsageError(*error.lines, "NOTHING was stopped") from error
    return throw(path, reason=reason, flatten=flatten)


@app.command(help_epilogue=examples('pause nvda --reason "earnings tonight"'))
def pause(name: Name = None, /, *, reason: Reason = "", state: State = None) -> int:
    """No new orders until `papertape resume`; protective stops stay."""
    from daemon.control.verbs import tell

    return tell(resolve_daemon(name, state), "pause", reason=reason)


@app.command(help_epilogue=examples("resume nvda"))
def resume(name: Name = None, /, *, reason: Reason = "", state: State = None) -> int:
    """Lift every hold below a halt, the feed's excepted."""
    from daemon.control.verbs import tell

    return tell(resolve_daemon(name, state), "resume", reason=reason)


@app.command(help_epilogue=examples('reduce nvda --reason "no entries before the weekend"'))
def reduce(name: Name = None, /, *, reason: Reason = "", state: State = None) -> int:
    """No entries, exits run on, until `papertape resume`."""
    from daemon.control.verbs import tell

    return tell(resolve_daemon(name, state), "reduce", reason=reason)


@app.command(help_epilogue=examples("reload nvda"))
def reload(name: Name = None, /, *, state: State = None) -> int:
    """Read the config again: limits, observability, notify; other changes are refused by name."""
    from daemon.control.verbs import tell

    return tell(resolve_daemon(name, state), "reload")


@app.command(
    help_epilogue=examples(
        'reset nvda --reason "looked at it: a wrong tick"',
        'reset nvda --reason "go on from here" --accept drawdown',
    )
)
def reset(
    name: Name = None,
    /,
    *,
    reason: Annotated[
        str,
        Parameter(
            metavar="TEXT", converter=readable, help="Why trading may go on, for the journal."
        ),
    ],
    accept: Annotated[
        str | None,
        Parameter(
            metavar="CAUSE",
            help="What persists and is accepted: loss, drawdown, mismatch (commas between).",
        ),
    ] = None,
    state: State = None,
) -> int:
    """Lift the HALT latch; account and positions untouched."""
    from daemon.control.reset import reset as lift

    return lift(resolve_daemon(name, state), reason=reason, accept=accept)


@app.command(help_epilogue=examples('note "the gateway was updated" nvda'))
def note(
    text: Annotated[str, Parameter(converter=readable)],
    name: Name = None,
    /,
    *,
    state: State = None,
) -> int:
    """Write a remark into the journal.

    Parameters
    ----------
    text
        The remark, as one word or in quotes.
    """
    from daemon.control.verbs import tell

    return tell(resolve_daemon(name, state), "note", reason=text)


@app.command(help_epilogue=examples("drill nvda"))
def drill(name: Name = None, /, *, state: State = None) -> int:
    """Try kill, flatten, reduce, pause, reload and stop on a copy of the state."""
    from daemon.control.drill import drill as try_all

    return try_all(resolve_daemon(name, state))


@notify_app.command(name="test")
def notify_test(
    name: Name = None,
    /,
    *,
    config: Path | None = None,
    settings: Set = None,
    state: State = None,
) -> int:
    """Send a test message, from a running daemon or by a config; exit 1 where one fails.

    Parameters
    ----------
    config
        The config file whose `notify` to try; its credential is read from $CREDENTIALS_DIRECTORY.
    """
    from daemon.control.notify_test import by_config, by_daemon

    if config is None:
        return by_daemon(resolve_daemon(name, state))
    if name is not None:
        raise UsageError(f"{name} and --config {config}: give one of them")
    return by_config(config, settings_of(settings), resolve_state(state))
