"""papertape: the composition root and the command line.

Nothing heavy is imported before a verb needs it, and no verb knows another. Every function in
these modules turns words into a call and returns its exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from daemon.cli import checks, data, data_changes, keeping, live, offline, reading, runs
from daemon.cli.common import app
from daemon.endings import ending
from daemon.errors import Exit, UsageError

__all__ = [
    "app",
    "checks",
    "data",
    "data_changes",
    "keeping",
    "live",
    "main",
    "offline",
    "reading",
    "runs",
]


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
