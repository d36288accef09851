"""Whose files are: what root makes in a daemon's folder must stay usable for the daemon's user."""

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
