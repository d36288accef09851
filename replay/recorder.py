"""What a replay keeps of its turns: the journal's rows, the digest, and the facts by kind."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from daemon.core.outputs import (
    CancelAmbiguous,
    Denial,
    Fill,
    LimitBreached,
    OrderAccepted,
    OrderUpdated,
    Output,
    StateChanged,
    TradeClosed,
)
from daemon.core.turn import Turn
from daemon.journal.codec import Digest, encode_outputs
from daemon.journal.writer import JournalWriter

BATCH_TURNS = 2_000
"""Turns written to the journal in one transaction."""


class Recorder:
    """The pipeline's sink in a replay; without a writer nothing is stored (benchmarks)."""

    every_turn = False

    def __init__(self, writer: JournalWriter | None) -> None:
        self.digest = Digest()
        self.turns = 0
        self._writer = writer
        self._waiting = 0
        self._found: defaultdict[type, list[Any]] = defaultdict(list)

    def keep(self, turn: Turn) -> None:
        """Take a turn that had outputs or was a command."""
        self.turns += 1
        encoded = encode_outputs(turn.outputs)
        self.digest.add(encoded)
        for output in turn.outputs:
            self._found[type(output)].append(output)
        if self._writer is not None:
            self._waiting = self._writer.add_turn(turn, encoded)

    def flush(self) -> None:
        """Store the turns that wait once there are enough of them."""
        if self._waiting >= BATCH_TURNS:
            self.finish()

    def finish(self) -> None:
        """Store all turns that wait."""
        if self._writer is not None and self._waiting:
            self._writer.store_turns()
            self._waiting = 0

    def of(self, kind: type[Output]) -> list[Any]:
        """All outputs of one type, in order."""
        return self._found.get(kind, [])

    @property
    def fills(self) -> list[Fill]:
        """All fills in order."""
        return self.of(Fill)

    @property
    def trades(self) -> list[TradeClosed]:
        """All closed trades in order."""
        return self.of(TradeClosed)

    @property
    def denials(self) -> list[Denial]:
        """All denials in order."""
        return self.of(Denial)

    @property
    def states(self) -> list[StateChanged]:
        """All changes of the trading state in order."""
        return self.of(StateChanged)

    @property
    def orders(self) -> list[OrderAccepted]:
        """All orders as they were accepted."""
        return self.of(OrderAccepted)

    @property
    def updates(self) -> list[OrderUpdated]:
        """All updates of orders, in order."""
        return self.of(OrderUpdated)

    @property
    def ambiguous_cancels(self) -> list[CancelAmbiguous]:
        """Cancellations inside a bar that touched the order's level."""
        return self.of(CancelAmbiguous)

    @property
    def breaches(self) -> list[LimitBreached]:
        """Limits that could not be kept."""
        return self.of(LimitBreached)
