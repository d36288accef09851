"""The kill switch of this process: signal handlers, a flag, and the latch of the state directory.

Installed with `signal.signal` before anything heavy is imported, and never through the event
loop: a handler of Python's own runs between two bytecodes, so it is obeyed while a strategy
blocks the loop, while the loop is being closed, and before there is one. It imports next to
nothing for the same reason.

| signal | meaning |
|---|---|
| SIGUSR1 | kill: no new order |
| SIGUSR2 | kill, and close every position |
| SIGHUP | read the config again |
| SIGTERM, SIGINT | stop in order, positions kept; a second one stops at once |
| SIGQUIT | write every thread's stack to stderr and go on |
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from daemon.control.latch import Latch

STOPPED_AT_ONCE = 130


class KillSwitch:
    """What signals have asked for so far.

    `thrown` is the flag that the gate looks at first; `kills`, `stops`, `reloads` count signals.
    `wake` is called after each signal; it must be as harmless as a handler.
    """

    def __init__(self) -> None:
        self.thrown = False
        self.flatten = False
        self.kills = 0
        self.stops = 0
        self.reloads = 0
        self.installed = False
        self.wake: Callable[[], object] | None = None
        self._latch: Latch | None = None

    def install(self) -> None:
        """Take the signals; in the main thread only."""
        self.installed = True
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._kill)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # stderr may be closed
            faulthandler.enable()
            faulthandler.register(signal.SIGQUIT, all_threads=True)

    @contextlib.contextmanager
    def obeying(self) -> Iterator[Self]:
        """Take kills alone, for as long as this lasts: a verb that holds the state directory.

        `papertape kill` signals whoever holds it, which would end a process without handlers.
        """
        before = {}
        with contextlib.suppress(ValueError):  # only the main thread may
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                before[number] = signal.signal(number, self._kill)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def attach(self, latch: Latch) -> None:
        """The state directory is known: what was asked for before is latched now."""
        self._latch = latch
        if self.thrown:
            self.throw("signal", "killed during start-up", flatten=self.flatten)
        self.thrown = self.thrown or latch.is_set()

    def throw(self, source: str, reason: str, *, flatten: bool = False) -> None:
        """Stop trading: the flag first, which always works, then the latch."""
        self.thrown = True
        self.flatten = self.flatten or flatten
        if self._latch is not None:
            # The flag holds for this process even where the file cannot be made.
            with contextlib.suppress(OSError):
                self._latch.throw(source, reason, flatten=flatten)

    def closed(self, place: int = 0) -> bool:
        """The gate's look, for each order: the flag, then the file."""
        return self.thrown or (self._latch is not None and self._latch.is_set())

    def release(self, kills_before: int) -> bool:
        """Lift flag and latch after a reset; False where a kill came since, which stays.

        `kills_before` is `kills` as it was when the reset was admitted.
        """
        assert self._latch is not None, "released before it was attached"
        self._latch.clear()
        self.thrown = self.flatten = False
        if self.kills != kills_before:
            self.throw("signal", "killed during a reset")
            return False
        self._latch.arm()
        return True

    # --- handlers: nothing here may wait, log or take a lock ------------------------------------

    def _kill(self, number: int, frame: FrameType | None) -> None:
        self.kills += 1
        name = "SIGUSR2" if number == signal.SIGUSR2 else "SIGUSR1"
        self.throw("signal", name, flatten=number == signal.SIGUSR2)
        self._woken()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1
        if self.stops > 1:
            os._exit(STOPPED_AT_ONCE)
        self._woken()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self.reloads += 1
        self._woken()

    def _woken(self) -> None:
        if self.wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                self.wake()


KILL_SWITCH = KillSwitch()
"""The process's own: handlers are a process's, so there can be one only."""
