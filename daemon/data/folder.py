"""The data folder: where each symbol's bars are, and the lock of whoever changes them.

data/raw/                                 files as they were imported
data/processed/SYMBOL_hourly.csv          the bars (or 30min, 15min, 5min, minute), lower case
data/processed/SYMBOL_hourly.revisions.csv  what bars were said to be besides
data/processed/SYMBOL_hourly.about.json   adjustment, grid, and when bars were seen
data/corporate_actions.csv, data/corrections.csv
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from daemon.config.models import BAR_FILE_WORDS
from daemon.data.replacing import finish, not_written
from daemon.errors import BusyError, UsageError
from daemon.writing import give_to_owner, make_folder

_NAME = re.compile(rf"(.+)_({'|'.join(BAR_FILE_WORDS.values())})\.csv")
_SIZES = {word: size for size, word in BAR_FILE_WORDS.items()}


class BarFile(NamedTuple):
    """A processed file, by what it must hold."""

    symbol: str
    size: str
    path: Path

    @property
    def revisions(self) -> Path:
        """What its bars were said to be besides."""
        return self.path.with_suffix(".revisions.csv")

    @property
    def about(self) -> Path:
        """What its columns cannot say."""
        return self.path.with_suffix(".about.json")


class DataFolder:
    """The files of one data folder; nothing is made before it is written.

    Whoever changes a file holds the folder (`held`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = path / "raw"
        self.processed = path / "processed"
        self.actions = path / "corporate_actions.csv"
        self.corrections = path / "corrections.csv"

    def file(self, symbol: str, size: str) -> BarFile:
        """Where a symbol's bars are, or will be."""
        name = f"{symbol.lower()}_{BAR_FILE_WORDS[size]}.csv"
        exact = self.processed / f"{symbol}_{BAR_FILE_WORDS[size]}.csv"
        return BarFile(symbol, size, exact if exact.exists() else self.processed / name)

    def files(self) -> list[BarFile]:
        """All processed files, by name."""
        try:
            paths = sorted(self.processed.iterdir())
        except FileNotFoundError:
            return []
        named = [(_NAME.fullmatch(path.name), path) for path in paths]
        return [BarFile(found[1].upper(), _SIZES[found[2]], path) for found, path in named if found]

    def find(self, symbol: str, size: str | None) -> BarFile:
        """The processed file of a symbol; UsageError where none or more than one is meant."""
        files = self.files()
        there = [file for file in files if file.symbol == symbol.upper()]
        meant = [file for file in there if size in (None, file.size)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            raise UsageError(f"{symbol}: --size {' or '.join(file.size for file in meant)}?")
        known = sorted({f"{file.symbol} {file.size}" for file in files})
        what = f"{symbol}{f' {size}' if size else ''}"
        raise UsageError(
            f"{self.processed} holds no bars of {what}; it holds {', '.join(known) or 'nothing'}"
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder, for whoever changes it; BusyError where somebody else does.

        What an interrupted job had decided is finished first.
        """
        lock = self.path / ".lock"
        try:
            make_folder(self.path)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            give_to_owner(lock, self.path)
        except OSError as error:
            raise not_written(lock, error) from None
        try:
            self._hold(descriptor)
            for folder in (self.path, self.raw, self.processed):
                finish(folder)
            yield
        finally:
            os.close(descriptor)

    def _hold(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
            raise BusyError(
                f"{self.path}: process {holder} is at work here, another data job: try again when "
                f"it has ended"
            ) from None
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.pwrite(descriptor, f"{os.getpid()}\n".encode().ljust(16), 0)
