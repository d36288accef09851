"""Loaded tapes on disk, opened by mapping: nothing is read until it is used.

A file is magic, the length and sha256 of a JSON header, the header, and then the columns, each
at a multiple of eight bytes in the machine's own order. The header holds the facts and says where
each column is. What the source was, how it was to be read, the calendar and this loader's version
are all part of the file's name, so an entry is right or absent, never stale; one that is damaged
is built again.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
import time
from array import array
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from daemon.errors import RefusedError
from daemon.writing import give_to_owner, make_folder
from replay.tapes.model import Facts, Loaded

LOADER_VERSION = 2
MAGIC = b"papertape bars 1"
ENTRIES_MAX = 64
HASH_CHUNK = 1 << 20
# A file changed within the clock's grain of our look at it could change again unnoticed.
SETTLED_NS = 2_000_000_000

Views: TypeAlias = "Mapping[str, Mapping[str, memoryview[Any]]]"


class Header(msgspec.Struct, frozen=True):
    """`columns` holds (symbol, name, type code, offset in the data, values)."""

    byteorder: str
    data_bytes: int
    facts: Facts
    columns: list[tuple[str, str, str, int, int]]


class Stat(msgspec.Struct, frozen=True):
    """What a file looked like when it was hashed."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str


def folder(state: Path) -> Path:
    """Where entries are kept."""
    return state / "cache" / "bars"


def file_sha256(path: Path, state: Path) -> str:
    """sha256 of a file's bytes, remembered as long as the file looks the same."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise RefusedError(f"{path.absolute()}: there is no such file") from None
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {error.strerror or error}") from None
    absolute = str(path.absolute())
    looks = (absolute, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    name = hashlib.sha256(absolute.encode()).hexdigest()[:24]
    remembered = folder(state) / f"{name}.source"
    with suppress(OSError, msgspec.DecodeError):
        known = msgspec.json.decode(remembered.read_bytes(), type=Stat)
        if (known.path, known.size, known.mtime_ns, known.ctime_ns, known.inode) == looks:
            return known.sha256
    looked_at = time.time_ns()
    sha256 = _hash(path)
    if looked_at - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED_NS:
        _write(remembered, [msgspec.json.encode(Stat(*looks, sha256))])
    return sha256


def entry_key(parts: object) -> str:
    """The name of an entry: a hash of everything that decides the result (JSON values)."""
    return hashlib.sha256(msgspec.json.encode([LOADER_VERSION, parts])).hexdigest()[:40]


def store(state: Path, key: str, loaded: Loaded) -> bool:
    """Write an entry; False where that is not possible (a read-only state, a full disk)."""
    columns: list[array[int] | array[float]] = []
    table: list[tuple[str, str, str, int, int]] = []
    offset = 0
    for symbol, named in loaded.columns.items():
        for name, column in named.items():
            table.append((symbol, name, column.typecode, offset, len(column)))
            columns.append(column)
            offset += len(column) * column.itemsize
    header = msgspec.json.encode(Header(sys.byteorder, offset, loaded.facts, table))
    header += b" " * (-len(header) % 8)
    head = MAGIC + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest()
    path = folder(state) / f"{key}.bars"
    if not _write(path, [head, header, *(memoryview(column) for column in columns)]):
        return False
    _prune(path)
    return True


def fetch(state: Path, key: str) -> tuple[Facts, Views] | None:
    """An entry's facts and columns; None where it is absent or not whole."""
    path = folder(state) / f"{key}.bars"
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    whole = memoryview(mapped)
    start = len(MAGIC) + 40
    length = int.from_bytes(whole[len(MAGIC) : len(MAGIC) + 8], "little")
    header_bytes = whole[start : start + length]
    if whole[: len(MAGIC)] != MAGIC or len(header_bytes) != length:
        return None
    if hashlib.sha256(header_bytes).digest() != whole[len(MAGIC) + 8 : start]:
        return None
    try:
        header = msgspec.json.decode(header_bytes, type=Header)
    except msgspec.DecodeError:
        return None
    if header.byteorder != sys.byteorder or len(whole) != start + length + header.data_bytes:
        return None
    data = whole[start + length :]
    views: dict[str, dict[str, memoryview[Any]]] = {}
    for symbol, name, code, offset, count in header.columns:
        width = array(code).itemsize
        piece = data[offset : offset + count * width]
        views.setdefault(symbol, {})[name] = _cast(piece, code)
    return header.facts, views


def in_memory(loaded: Loaded) -> tuple[Facts, Views]:
    """The same without a disk."""
    return loaded.facts, {
        symbol: {name: memoryview(column).toreadonly() for name, column in named.items()}
        for symbol, named in loaded.columns.items()
    }


def _cast(piece: memoryview[Any], code: str) -> memoryview[Any]:
    return piece.cast("q") if code == "q" else piece.cast("d")


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(HASH_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def _write(path: Path, parts: list[Any]) -> bool:
    """Write under a name of our own, then rename: a reader sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        make_folder(path.parent)
        with temporary.open("wb") as file:
            file.writelines(parts)
        give_to_owner(temporary, path.parent)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def _prune(newest: Path) -> None:
    """Forget the oldest entries; a process that has one mapped keeps its bytes."""
    with suppress(OSError):
        entries = sorted(newest.parent.glob("*.bars"), key=lambda path: path.stat().st_mtime_ns)
        for path in entries[:-ENTRIES_MAX]:
            path.unlink(missing_ok=True)
