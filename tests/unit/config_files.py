"""Config files for tests: a small one that is right, and what loading one says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.config import Config, load_config
from daemon.errors import RefusedError

FOUR_LINES = """\
name: test
symbols: [NVDA]
bars: {size: 1h}
strategy: {kind: sma_cross}
"""


def load(
    folder: Path, text: str, overrides: Sequence[tuple[str, str]] = (), *, state: Path | None = None
) -> Config:
    """The config of a text."""
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides, state=state)


def complaints(
    folder: Path, text: str | bytes, overrides: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """The lines of the refusal, with the file's folder cut off."""
    path = folder / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RefusedError) as caught:
        load_config(path, overrides)
    return [line.removeprefix(f"{folder}/") for line in caught.value.lines]
