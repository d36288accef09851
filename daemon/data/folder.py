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
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from daemon.config.models import BAR_FILE_WORDS
from daemon.errors import BusyError, RefusedError

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
    """The files of one data folder; nothing is made before it is written."""

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

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder, for whoever changes it; BusyError where somebody else does."""
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise RefusedError(
                f"{self.path}: the data folder cannot be written ({error.strerror})"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise BusyError(
                f"{self.path}: another data job is at work here: try again when it has ended"
            ) from None
        finally:
            os.close(descriptor)


def write_whole(path: Path, text: str | bytes) -> None:
    """Replace a file by its new content: a reader, or a crash, finds the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    data = text.encode() if isinstance(text, str) else text
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(path, temporary)
        temporary.replace(path)
    except OSError as error:
        raise RefusedError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _keep_owner(path: Path, temporary: Path) -> None:
    """What root writes into a daemon's folder must stay the daemon's."""
    here: Any = path if path.exists() else path.parent
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o777)
    if os.geteuid() == 0:
        owner = here.stat()
        os.chown(temporary, owner.st_uid, owner.st_gid)
