"""Files that are replaced whole, one or several together, whatever ends the process meanwhile.

The new contents are written beside the old ones first. Of several files a list of them is then put
in place: from that moment on they count as replaced, and whoever holds the folder next finishes
what an interrupted job could not, or drops what it had not yet decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from daemon.control.latch import sync_directory
from daemon.errors import NotPermittedError, PapertapeError, RefusedError
from daemon.writing import make_folder, write_beside

DECIDED = ".decided"
"""The list: one name a line, after a plus what has a new content, after a minus what goes."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a file by its new content: a reader, or a crash, finds the old one or the new one."""
    data = content.encode() if isinstance(content, str) else content
    try:
        make_folder(path.parent)
        write_beside(_new(path), path, data)
        _new(path).replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            _new(path).unlink()
        raise not_written(path, error) from None


def write_together(contents: Mapping[Path, str | None]) -> None:
    """Replace several files of one folder, or remove them (None): all of them, or none."""
    paths = list(contents)
    folder = paths[0].parent
    assert all(path.parent == folder for path in paths), "one folder, one list"
    at = folder
    try:
        make_folder(folder)
        for path, content in contents.items():
            at = path
            if content is not None:
                write_beside(_new(path), path, content.encode())
        at = folder / DECIDED
        marked = ("-+"[content is not None] + path.name for path, content in contents.items())
        write_beside(_new(at), at, "".join(f"{line}\n" for line in marked).encode())
        sync_directory(folder)
        _new(at).replace(at)
        sync_directory(folder)
    except OSError as error:
        if not (folder / DECIDED).exists():
            drop_undecided(folder)
        raise not_written(at, error) from None
    finish(folder)


def finish(folder: Path) -> None:
    """Put in place what was decided before the process that decided it ended; drop the rest."""
    decided = folder / DECIDED
    try:
        lines = decided.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return drop_undecided(folder)
    try:
        for mark, name in ((line[0], line[1:]) for line in lines):
            with suppress(FileNotFoundError):  # it was done before the interruption
                if mark == "+":
                    _new(folder / name).replace(folder / name)
                else:
                    (folder / name).unlink()
        sync_directory(folder)
        decided.unlink()
    except OSError as error:
        raise not_written(folder, error) from None
    return drop_undecided(folder)


def drop_undecided(folder: Path) -> None:
    """Remove what was written beside files and replaced none."""
    for left in folder.glob(".*.new"):
        with suppress(OSError):  # a later job finds it again
            left.unlink()


def not_written(path: Path, error: OSError) -> PapertapeError:
    """What to tell of a file that could not be written."""
    kind = NotPermittedError if isinstance(error, PermissionError) else RefusedError
    return kind(f"{path}: cannot be written ({error.strerror or error}); what was there is kept")


def _new(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
