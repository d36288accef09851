"""Bytes to rows: CSV, a CSV in a zip, Parquet; streamed, with exact line numbers."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from daemon.errors import RefusedError

HEAD_ROWS = 6
HEAD_BYTES = 4096
SEPARATORS = (",", ";", "\t", "|")


class Rows(Protocol):
    """Rows of cells; `line_num` is the line (Parquet: the row) of the last one given out."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[Any]]: ...
    def __next__(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Head:
    """What detection may look at: the first rows that are neither blank nor a comment.

    `names` are the file's name and, in a zip, its member's; `rows` are (line, cells).
    """

    path: Path
    names: tuple[str, ...]
    container: str
    rows: tuple[tuple[int, list[str]], ...]

    def where(self, line: int) -> str:
        """`file:line`, as every message begins."""
        return f"{self.path.name}:{line}"


def read_head(path: Path) -> Head:
    """The beginning of a source; `RefusedError` if it cannot be read or holds nothing."""
    container, names = _identify(path)
    rows: list[tuple[int, list[str]]] = []
    with open_rows(path) as source:
        for cells in source:
            if not is_blank(cells):
                rows.append((source.line_num, [str(cell).strip() for cell in cells]))
            if len(rows) == HEAD_ROWS:
                break
    if not rows:
        raise RefusedError(f"{path}: the file is empty; a tape needs a row for each bar")
    return Head(path, names, container, tuple(rows))


def is_blank(cells: list[Any]) -> bool:
    """Whether a row is an empty line or a comment."""
    return not cells or (isinstance(cells[0], str) and cells[0].startswith("#"))


@contextmanager
def open_rows(path: Path) -> Iterator[Rows]:
    """The rows of a source, header included; every failure of reading becomes one clear line."""
    rows: Rows | None = None
    try:
        container, names = _identify(path)
        if container == "Parquet":
            from replay.tapes.parquet import ParquetRows

            rows = ParquetRows(path)
            yield rows
        elif container == "CSV":
            with path.open(encoding="utf-8-sig", newline="") as text:
                rows = _csv_rows(text)
                yield rows
        else:
            with (
                zipfile.ZipFile(path) as archive,
                archive.open(names[-1]) as member,
                io.TextIOWrapper(member, encoding="utf-8-sig", newline="") as text,
            ):
                rows = _csv_rows(text)
                yield rows
    except (UnicodeDecodeError, csv.Error, zipfile.BadZipFile, RuntimeError) as error:
        line = rows.line_num + 1 if rows is not None else 1
        raise RefusedError(
            f"{path}:{line}: this is not readable text ({error}); a tape is CSV (UTF-8), CSV in a"
            " zip, or Parquet"
        ) from None
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {error.strerror or error}") from None


def _identify(path: Path) -> tuple[str, tuple[str, ...]]:
    """The container, told by the first bytes and not by the name, and the names found."""
    try:
        with path.open("rb") as file:
            first = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise RefusedError(f"{path.absolute()}: there is no such file") from None
    except IsADirectoryError:
        raise RefusedError(f"{path}: is a folder; a tape is one file a symbol") from None
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {error.strerror or error}") from None
    if first.startswith(b"PAR1"):
        return "Parquet", (path.name,)
    if first.startswith(b"PK"):
        return "CSV in a zip", (path.name, _only_member(path))
    if first.startswith(b"\x1f\x8b"):
        raise RefusedError(f"{path}: is compressed with gzip; unpack it (gunzip) or zip it")
    if b"\x00" in first:
        raise RefusedError(f"{path}:1: is binary; a tape is CSV (UTF-8), CSV in a zip, or Parquet")
    return "CSV", (path.name,)


def _only_member(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                name
                for name in archive.namelist()
                if not name.endswith("/") and not name.startswith("__MACOSX/")
            ]
    except zipfile.BadZipFile as error:
        raise RefusedError(f"{path}: is a damaged zip ({error})") from None
    if len(members) != 1:
        shown = ", ".join(members[:3]) + (" …" if len(members) > 3 else "")
        raise RefusedError(f"{path}: a zip must hold one file, this holds {len(members)}: {shown}")
    return members[0]


def _csv_rows(text: io.TextIOBase) -> Rows:
    """A reader whose separator is the first of comma, semicolon, tab, bar in the first line."""
    first = text.readline(HEAD_BYTES)
    text.seek(0)
    separator = next((mark for mark in SEPARATORS if mark in first), ",")
    return csv.reader(text, delimiter=separator)
