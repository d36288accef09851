"""How far a job has got: one line on stderr that is written over, on a terminal alone."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO


class Progress:
    """The line; it is gone once the job is done."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._any = False
        self._what = ""

    def show(self, what: str, detail: str = "") -> None:
        """Say what is being done."""
        self._what = what
        self._write(f"{what}: {detail}" if detail else what)

    def wait(self, why: str) -> None:
        """Say what that waits for, in place of the detail."""
        self._write(f"{self._what}: {why}")

    def clear(self) -> None:
        """Take the line away, before something is printed."""
        if self._any:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._any = False

    def _write(self, text: str) -> None:
        if self._shown:
            room = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be taken away
            self._stream.write(f"\r\x1b[K{text[:room]}")
            self._stream.flush()
            self._any = True
