"""Which state directory a verb means."""

from __future__ import annotations

import os
from pathlib import Path


def resolve_state(option: str | None) -> Path:
    """The state directory for verbs that need no daemon: `--state`, the environment, `./state`.

    It need not exist yet; whoever writes into it makes it.
    """
    for given in (option, os.environ.get("PAPERTAPE_STATE"), os.environ.get("STATE_DIRECTORY")):
        if given:
            return Path(given).expanduser().absolute()
    return Path("state").absolute()
