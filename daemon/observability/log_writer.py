"""The thread that writes log lines, so that whoever logs never waits for a disk or a pipe.

A line is handed over by a queue that a signal handler may use as well. What does not fit, or
cannot be written (the reader is gone, the disk is full), is dropped and counted; the count becomes
a line of its own as soon as a line can be written again.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue

LINES_MAX = 2_000
"""Lines that may wait for a slow reader."""

PIECE_BYTES = 4096
"""Bytes of one write: a pipe that poll calls writable takes as many without blocking."""

PATIENCE_S = 0.2
"""How often a writer whose reader does not read looks whether it shall end."""

Report = Callable[[int, str], str]
"""The line that says how many lines were dropped, and why."""


class LogWriter:
    """Writes lines to a descriptor that it owns; None: every line is dropped and counted."""

    def __init__(self, descriptor: int | None, report: Report) -> None:
        self._descriptor = descriptor
        self._report = report
        self._queue: SimpleQueue[str | None] = SimpleQueue()  # its put may interrupt itself
        self._refused = 0
        self._failed = 0
        self._reported = 0
        self._error = ""
        self._unfinished = False  # of a line only a part was written: break it before the next
        self._closed = False
        self._hurry = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that were lost so far."""
        return self._refused + self._failed

    def put(self, line: str) -> None:
        """Hand over one line without its line break; never waits, never raises."""
        if self._closed or self._queue.qsize() >= LINES_MAX:
            self._refused += 1
        else:
            self._queue.put(line)

    def close(self, timeout_s: float) -> bool:
        """Let the waiting lines be written; False where the time given was not enough."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout_s)
        in_time = not self._thread.is_alive()
        self._hurry = True
        self._thread.join(5 * PATIENCE_S)
        if not self._thread.is_alive() and self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
        return in_time

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            if self._hurry:
                self._failed += self._queue.qsize()  # this one and those before the end's mark
                return
            self._report_dropped()
            if not self._write(line):
                self._failed += 1
        self._report_dropped()

    def _report_dropped(self) -> None:
        count = self.dropped - self._reported
        if count and self._write(self._report(count, self._error or "the reader is too slow")):
            self._reported += count
            self._error = ""

    def _write(self, line: str) -> bool:
        if self._descriptor is None:
            return False
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        rest = memoryview(b"\n" + data if self._unfinished else data)
        try:
            while rest:
                if not self._writable(self._descriptor):
                    return False
                written = os.write(self._descriptor, rest[:PIECE_BYTES])
                rest = rest[written:]
                self._unfinished = bool(rest)
        except OSError as error:
            self._error = error.strerror or type(error).__name__
            return False
        return True

    def _writable(self, descriptor: int) -> bool:
        """Wait until something can be written; False where the writer shall end first."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while not poll.poll(PATIENCE_S * 1000):
            if self._hurry:
                return False
        return True
