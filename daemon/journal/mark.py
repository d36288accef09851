"""`journal.mark`: how far the journal had come, kept outside of it.

A journal that was truncated, lost its `-wal` or was replaced by an older copy is whole in itself;
only something beside it can tell. The mark is a text file of one fixed size, below the 512 bytes
that a disk writes at once, and is written in place: that needs no space.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from daemon.control.latch import sync_directory
from daemon.journal.codec import GENESIS
from daemon.journal.tables import MARKED

_TITLE = "papertape journal mark 1\n"
_DIGITS = 19
_ROW = len("segments") + 1 + _DIGITS + 1 + 64 + 1
MARK_BYTES = len(_TITLE) + len(MARKED) * _ROW + len("checksum ") + 64 + 1


class End(NamedTuple):
    """The last row of a chain: its key and hash; 0 and GENESIS where there is no row."""

    key: int = 0
    hash: bytes = GENESIS


Ends = Mapping[str, End]
"""The end of each chain by the name of its table."""

NO_ENDS: Ends = {table.name: End() for table in MARKED}


class DamagedMarkError(ValueError):
    """The file is not what was written."""


def encode_mark(ends: Ends) -> bytes:
    """The content of the file."""
    rows = (
        f"{table.name:8} {ends[table.name].key:0{_DIGITS}} {ends[table.name].hash.hex()}\n"
        for table in MARKED
    )
    text = (_TITLE + "".join(rows)).encode()
    return text + b"checksum " + hashlib.sha256(text).hexdigest().encode() + b"\n"


def decode_mark(content: bytes) -> dict[str, End]:
    """What the file says; DamagedMarkError where it is not what was written."""
    text, _, checksum = content.rpartition(b"checksum ")
    if checksum.strip() != hashlib.sha256(text).hexdigest().encode():
        raise DamagedMarkError("its checksum is wrong")
    if len(content) != MARK_BYTES or not text.startswith(_TITLE.encode()):
        raise DamagedMarkError("another version wrote it")
    rows = (row.split() for row in text.decode().splitlines()[1:])
    return {name: End(int(key), bytes.fromhex(hashed)) for name, key, hashed in rows}


def read_mark(path: Path) -> dict[str, End] | None:
    """What the mark says; None where there is none. DamagedMarkError, OSError."""
    try:
        return decode_mark(path.read_bytes())
    except FileNotFoundError:
        return None


class MarkFile:
    """The mark, open for writing in place; made (and synced with its folder) where it is absent."""

    def __init__(self, path: Path, ends: Ends) -> None:
        self.path = path
        existed = path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.ftruncate(self._file, MARK_BYTES)
            self.write(ends)
            self.sync()
            if not existed:
                sync_directory(path.parent)
        except BaseException:
            self.close()
            raise

    def write(self, ends: Ends) -> None:
        """Write the ends over the last ones."""
        os.pwrite(self._file, encode_mark(ends), 0)

    def sync(self) -> None:
        """Make durable what was written."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; what is written afterwards is an OSError, not in another file."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1
