"""Where a run directory is written before it is whole, and what becomes of it on an interruption.

Several replays may write into one folder at once: a name belongs to whoever first has a hidden
folder of that name, and the folder appears under it when every file is there.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from daemon.errors import UsageError

_PREFIX = ".unfinished-"
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Workplace:
    """A hidden folder in `home`, on its way to its final name."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))
        self.folder.chmod(0o755)

    def claim(self, name: str) -> Path:
        """A path in `home` that nobody else will take: `name`, or with -2, -3 … behind it.

        The folder must hold a file already: that is what keeps others from taking its name.
        """
        number = 1
        while True:
            path = self._home / (name if number == 1 else f"{name}-{number}")
            number += 1
            if not path.exists() and self._reserve(path.name) and not path.exists():
                return path

    def publish(self, path: Path) -> None:
        """Give the folder its final name; UsageError if a folder with content has it."""
        try:
            self.folder.rename(path)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            raise UsageError(f"{path}: exists and is not an empty folder by now") from None

    def remove(self) -> None:
        """Remove what has not been published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _reserve(self, name: str) -> bool:
        reserved = self._home / f"{_PREFIX}{name}"
        try:
            self.folder.rename(reserved)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        self.folder = reserved
        return True


@contextmanager
def workplace(home: Path) -> Iterator[Workplace]:
    """A folder beside the final one, gone again on any failure or interruption.

    SIGTERM and SIGHUP end the work as Ctrl-C does, all three at once. OSError names `home` where
    the system does not say which file it is about.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _interruptible():
            place = Workplace(home)
            try:
                yield place
            finally:
                place.remove()
    except OSError as error:
        if error.filename is None:
            error.filename = str(home)
        raise


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the ending signals raise KeyboardInterrupt where the program stands.

    A handler of somebody else's and a signal that is ignored (nohup) stay as they are. An event
    loop leaves a SIGINT handler alone that is not Python's own, so Ctrl-C need not wait for the
    end of a chunk of bars.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
    ours = [number for number, handler in before.items() if handler in usual]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    raise KeyboardInterrupt
