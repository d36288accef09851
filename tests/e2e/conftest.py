"""The workshop of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a folder with a config and a tape, which is the current one."""
    monkeypatch.chdir(tmp_path)
    workshop = Workshop(tmp_path)
    monkeypatch.setenv("PAPERTAPE_STATE", str(workshop.state))
    return workshop
