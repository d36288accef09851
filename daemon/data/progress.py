"""How far a job has got: one line on stderr that is written over, on a terminal alone."""

from __future__ import annotations

import sys
from typing import TextIO


class Progress:
    """The line; it is gone once the job is done."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._any = False

    def show(self, text: str) -> None:
        """Say what is being done."""
        if self._shown:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()
            self._any = True

    def clear(self) -> None:
        """Take the line away, before something is printed."""
        if self._any:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._any = False
