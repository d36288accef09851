"""Recorded bars, ready to be played: `open_tape` and what it answers with.

The parts, in the order in which a file meets them: `source` (bytes to rows), `dialects` (which
column is what), `stamps` (text to instants), `reader` (rows to raw columns), `ordering`, `fit`,
`placing` (bars onto the calendar's slots), `series` (checks over a whole tape), `load` (all of
these), `cache` (the result on disk), `tape` (the entry).
"""

from replay.tapes.model import (
    Action,
    Columns,
    Coverage,
    Fault,
    PlainTapeSpec,
    Severity,
    Tape,
    TapeSpec,
    Understood,
    Unexpected,
)
from replay.tapes.tape import open_tape

__all__ = [
    "Action",
    "Columns",
    "Coverage",
    "Fault",
    "PlainTapeSpec",
    "Severity",
    "Tape",
    "TapeSpec",
    "Understood",
    "Unexpected",
    "open_tape",
]
