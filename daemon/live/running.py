"""A running daemon as its parts, for whoever asks about it or tells it something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.control.killswitch import KillSwitch
from daemon.feeds.calendar import Calendar
from daemon.live.committer import Committer
from daemon.live.inbox import Inbox
from daemon.live.opening import Opened
from daemon.live.recovery import Rerun
from daemon.live.segments import Setup
from daemon.ports import Source
from daemon.state_directory import StateDirectory

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.journal.store import LiveJournal


@dataclass(slots=True)
class Live:
    """A running daemon, for whoever asks about it."""

    state: StateDirectory
    setup: Setup
    opened: Opened
    inbox: Inbox
    committer: Committer
    journal: LiveJournal
    source: Source
    switch: KillSwitch
    log: Any
    started: float
    stop: Callable[[str], None]
    config: Config
    overrides: Sequence[tuple[str, str]]
    calendar: Calendar

    @property
    def rerun(self) -> Rerun:
        """The account and its pipeline."""
        return self.opened.rerun

    def status_line(self) -> str:
        """The standing in a few words, for systemctl."""
        account = self.rerun.account
        held = ", ".join(
            f"{position.quantity:+d} {position.symbol}"
            for position in account.portfolio.positions.values()
            if position.quantity
        )
        state = account.control.state.name
        return f"{state}; {held or 'flat'}; turn {self.rerun.pipeline.seq}"
