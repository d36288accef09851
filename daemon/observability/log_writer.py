"""The thread that makes log lines and writes them, so that whoever logs waits for neither.

What is said is handed over by a queue that a signal handler may use as well, and the thread is
woken if it sleeps: once for all that a turn says, and not at all while it is at work. What does
not fit, or cannot be written (the reader is gone, the disk is full), is dropped and counted; the
count becomes a line of its own as soon as a line can be written again.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from daemon.observability.log_lines import Said

WAITING_MAX = 2_000
"""What may wait for a slow reader: turns, and lines that were said one by one."""

PIECE_BYTES = 4096
"""Bytes of one write: a pipe that poll calls writable takes as many without blocking."""

PATIENCE_S = 0.2
"""How often a writer whose reader does not read looks whether it shall end."""

Make = Callable[[Said], Iterable[str]]
"""Makes lines without their line breaks, and never raises."""
Report = Callable[[int, str], str]
"""The line that says how many lines were dropped, and why."""


class LogWriter:
    """Writes lines to a descriptor that it owns; None: every line is dropped and counted."""

    def __init__(self, descriptor: int | None, make: Make, report: Report) -> None:
        self._descriptor = descriptor
        self._make = make
        self._report = report
        self._waiting: deque[Said | None] = deque()  # its append may interrupt itself
        self._asleep = False
        self._wake: SimpleQueue[None] = SimpleQueue()  # and so may its put
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

    def put(self, said: Said) -> None:
        """Hand over what was said; never waits, never raises."""
        if self._closed or len(self._waiting) >= WAITING_MAX:
            self._refused += said.size
        else:
            self._hand_over(said)

    def _hand_over(self, said: Said | None) -> None:
        self._waiting.append(said)
        if self._asleep:  # it looks once more after it has said so: nothing is left lying
            self._asleep = False
            self._wake.put(None)

    def close(self, timeout_s: float) -> bool:
        """Let the waiting lines be written; False where the time given was not enough."""
        if not self._closed:
            self._closed = True
            self._hand_over(None)
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
        while (said := self._next()) is not None:
            if self._hurry:
                rest = (said, *self._waiting)
                self._failed += sum(each.size for each in rest if each is not None)
                return
            for line in self._make(said):
                self._report_dropped()
                if not self._write(line):
                    self._failed += 1
        self._report_dropped()

    def _next(self) -> Said | None:
        """What was said next; None: the end."""
        while not self._waiting:
            self._asleep = True
            if not self._waiting:
                self._wake.get()
        self._asleep = False
        return self._waiting.popleft()

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
