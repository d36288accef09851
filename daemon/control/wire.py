"""The control socket's form: one JSON object a line, a request and its answer a connection.

    {"verb": "pause", "reason": "look at this"}  ->  {"code": 0, "lines": ["..."], ...}

A path of a Unix socket may have some 100 bytes only, so both sides reach it through the open
directory (`/proc/self/fd/N/control.sock`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.json import decode, encode

LINE_BYTES_MAX = 1 << 20


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that is short however deep its directory lies."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def to_line(document: dict[str, Any]) -> bytes:
    """A document as its line."""
    return encode(document) + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """The document of a line; msgspec.DecodeError where it is none."""
    return decode(line, type=dict[str, Any])
