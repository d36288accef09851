"""What the status page is given: the account's standing and its last bars, handed over by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from daemon.control.status import running_document
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.journal.ledger import LedgerRow
from daemon.journal.reader import JournalReader, LedgerEntry
from daemon.live.opening import turn_of
from daemon.observability.history import SLICES_MAX, History
from daemon.observability.status_page import StatusPage

if TYPE_CHECKING:
    from daemon.live.running import Live
    from daemon.observability.server import Page


class Display:
    """The status page of one daemon, and what feeds it; called from the event loop."""

    def __init__(
        self, live: Live, silence_s: Callable[[], float], notify: Callable[[], Mapping[str, object]]
    ) -> None:
        self._live = live
        self._notify = notify
        self._history = History(live.log.without_secrets)
        self._page = StatusPage(silence_s, live.switch.closed, live.log.without_secrets)

    @property
    def pages(self) -> Mapping[str, Page]:
        """The pages to be served."""
        return self._page.pages

    def recover(self, lived: Iterable[tuple[Turn, Sequence[LedgerRow]]]) -> None:
        """Remember the last turns of the journal, and show the account as it stands."""
        state = self._live.rerun.account.control.state.name
        self._history.recover(lived, state)
        self.show()

    def turn(self, turn: Turn, state: TradingState, facts: Sequence[LedgerRow]) -> None:
        """A turn was closed; `state` is the one after it."""
        self._history.turn(turn, state.name, facts)

    def show(self) -> None:
        """Hand over what there is to see now."""
        self._page.show(running_document(self._live, self._notify()), self._history.kept())


def recorded(live: Live) -> Iterator[tuple[Turn, Sequence[LedgerRow]]]:
    """The journal's turns from the oldest slice that is still shown, with their ledger rows."""
    with closing(JournalReader(live.state.journal)) as reader:
        first = reader.slice_before(live.rerun.pipeline.seq + 1, SLICES_MAX)
        if first is None:
            return
        facts: dict[int, list[LedgerRow]] = {}
        for entry in reader.ledger():
            if entry.seq >= first:
                facts.setdefault(entry.seq, []).append(_fact(entry))
        for row in reader.turns(after=first - 1):
            yield turn_of(row), facts.get(row.seq, ())


def _fact(entry: LedgerEntry) -> LedgerRow:
    return LedgerRow(
        entry.kind,
        entry.instant,
        entry.symbol,
        entry.start,
        entry.end,
        entry.outcome,
        entry.detail,
    )
