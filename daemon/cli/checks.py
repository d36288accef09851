"""The verb that looks at everything once a day: checklist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.common import Json, Name, State, app, examples
from daemon.paths import resolve_daemon, resolve_state


@app.command(
    help_epilogue=examples("checklist nvda", "checklist --config nvda.yaml --json"),
)
def checklist(
    name: Name = None,
    /,
    *,
    config: Annotated[
        Path | None, Parameter(help="The config to look after (default: the daemon's own).")
    ] = None,
    json: Json = False,
    state: State = None,
) -> int:
    """What to look at each morning, in one table: data, disk, gateway …; exit 1 if one fails."""
    from replay.checklist import checklist as look

    path = resolve_state(state) if name is None else resolve_daemon(name, state)
    return look(path, config, as_json=json)
