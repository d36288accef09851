"""`papertape data release | reject`: a person's word on a bar that the feed did not believe."""

from __future__ import annotations

from pathlib import Path

from daemon.control.verbs import tell
from daemon.errors import UsageError
from daemon.feeds.times import parse_when
from daemon.text_table import EXCHANGE_ZONE


def judge(state: Path, verb: str, symbol: str, start: str, reason: str) -> int:
    """Ask the running daemon; a bar is quarantined only for as long as one runs."""
    if not reason.strip():
        raise UsageError("--reason: say why")
    begins = parse_when(start, EXCHANGE_ZONE)
    return tell(state, verb, symbol=symbol.upper(), start=begins, reason=reason)
