"""The verbs that keep an account: `backup`, `restore`, `account new`, and its `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from daemon.cli.common import Name, State, app, examples, readable
from daemon.paths import resolve_daemon, resolve_restored

account_app = App(name="account", help="The simulated account as a whole.")
app.command(account_app)


@app.command(help_epilogue=examples("report nvda --open"))
def report(
    name: Name = None,
    /,
    *,
    out: Path | None = None,
    label: str | None = None,
    open_report: Annotated[bool, Parameter(name="--open", negative="")] = False,
    html: Annotated[bool, Parameter(name="--html", negative="--no-html", show=False)] = True,
    state: State = None,
) -> int:
    """The run directory of the daemon's journal, as a replay leaves one; it may run meanwhile.

    Parameters
    ----------
    out
        Where the run directory goes (default: runs/ of the state directory).
    label
        A name to find it by.
    open_report
        Open the report in a browser.
    html
        --no-html leaves the report out.
    """
    from replay.cli import report as write

    return write(
        resolve_daemon(name, state), out=out, label=label, html=html, open_report=open_report
    )


@app.command(help_epilogue=examples("backup /backups/nvda-monday.db nvda"))
def backup(file: Path, name: Name = None, /, *, state: State = None) -> int:
    """Copy the journal into FILE, which must not exist, and check the copy.

    The daemon may run meanwhile: it is not held up.

    Parameters
    ----------
    file
        The new file; its folder must be there.
    """
    from daemon.keeping import backup as copy

    return copy(resolve_daemon(name, state), file)


@app.command(help_epilogue=examples("restore /backups/nvda-monday.db nvda"))
def restore(file: Path, name: Name = None, /, *, state: State = None) -> int:
    """Put a copy of the journal in its place; the account then starts HALTED.

    The daemon must be down. FILE is checked first; the journal that is there
    goes into the archive.

    Parameters
    ----------
    file
        What `papertape backup` has written, or a journal of the archive.
    """
    from daemon.keeping import restore as put_back

    return put_back(resolve_restored(name, state), file)


@account_app.command(
    name="new", help_epilogue=examples('account new nvda --reason "another strategy"')
)
def account_new(
    name: Name = None,
    /,
    *,
    reason: Annotated[
        str, Parameter(metavar="TEXT", converter=readable, help="Why, for the archive.")
    ],
    state: State = None,
) -> int:
    """Archive the journal: the next start begins a new account with the configured cash.

    The daemon must be down. Nothing is deleted, and a HALT latch stays.
    """
    from daemon.keeping import new_account

    return new_account(resolve_daemon(name, state), reason)
