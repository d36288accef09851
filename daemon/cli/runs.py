"""The verbs on finished runs: `runs` and `reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.common import Json, Run, State, reference_app, runs_app
from daemon.paths import resolve_state

# --- runs ----------------------------------------------------------------------------------------


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


# --- reference -----------------------------------------------------------------------------------


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


@reference_app.command(name="bands")
def reference_bands(
    *names: str,
    account: Annotated[str | None, Parameter(name="--for")] = None,
    out: Path | None = None,
    quantile: float = 0.99,
    margin: float = 1.5,
    state: State = None,
) -> int:
    """Write what is usual, for the alerts on a surge of orders and a day's loss.

    The reference replays are played, and must be as accepted.

    Parameters
    ----------
    account
        The daemon's name (default: the reference's own).
    out
        The file of rules for Prometheus (default: reference/bands.yml of the state directory).
    quantile
        The share of sessions that are usual.
    margin
        How much more than usual raises the alarm.
    """
    from replay.runs.bands import reference_bands as write

    return write(
        names,
        state=resolve_state(state),
        account=account,
        out=out,
        quantile=quantile,
        margin=margin,
    )
