"""`papertape notify test`: whether messages arrive, from a running daemon or by a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemon.config import load_config
from daemon.control.verbs import tell
from daemon.errors import Exit, RefusedError
from daemon.live.notifications import sender_of, test_message, told
from daemon.observability.redaction import Redaction

WITHIN_S = 60.0
"""Each address may take some seconds to say no."""


def by_daemon(state: Path) -> int:
    """Let the daemon send it, with the addresses that it has."""
    return tell(state, "notify_test", within_s=WITHIN_S)


def by_config(path: Path, settings: Sequence[tuple[str, str]], state: Path) -> int:
    """Send it from here."""
    config = load_config(path, settings, state=state)
    if config.notify.urls_credential is None:
        raise RefusedError(f"{path}: notify.urls_credential is not set: nothing can be sent")
    redaction = Redaction()
    sender = sender_of(config.notify, redaction.conceal)
    results = sender.send(*test_message(config.name))
    for line in told(results, redaction.text):
        print(line)
    failed = any(each.problem is not None for each in results)
    return Exit.CHECK_FAILED if failed else Exit.OK
