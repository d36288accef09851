"""How files of a state directory are written: whole or not at all, and for the daemon's user.

What root makes in a daemon's folder must stay usable for the user that the daemon runs as.
"""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o750


def give_to_owner(path: Path, like: Path) -> None:
    """Let a new file or folder belong to whom another one does; only root can, and need."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, for the owner of the first that is there."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=MODE, exist_ok=True)
    give_to_owner(path, path.parent)


def write_beside(new: Path, path: Path, data: bytes) -> None:
    """Write and sync what is to replace `path`: with its mode, for the owner of its folder."""
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        new.chmod(path.stat().st_mode & 0o777)
    give_to_owner(new, path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file by its new content: a reader, or a crash, finds the old one or the new one.

    OSError, which names the file, where that cannot be; the old one stays.
    """
    make_folder(path.parent)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_beside(new, path, data)
        new.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk names no file
        raise
    finally:
        new.unlink(missing_ok=True)
