"""How a command line ends: text that a terminal cannot show, and files of another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.endings import ending
from daemon.errors import Exit

PRINTS = """
import sys
from daemon.endings import open_standard_streams
open_standard_streams()
print("ACTIVE \\u2192 PAUSED \\u2026 caf\\u00e9 \\udcff")
print("\\u2192", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("encoding", "out", "err"),
    [
        ("ascii", b"ACTIVE -> PAUSED ... caf? ?\n", b"->\n"),
        ("latin-1", b"ACTIVE -> PAUSED ... caf\xe9 ?\n", b"->\n"),
        ("utf-8", "ACTIVE → PAUSED … café ?\n".encode(), "→\n".encode()),
    ],
)
def test_what_an_encoding_lacks_is_spelled(encoding: str, out: bytes, err: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (out, err)


def _denied(path: Path) -> int:
    raise PermissionError(13, "Permission denied", str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root may give files away")
def test_what_belongs_to_another_names_the_command_as_its_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["papertape", "report", "nvda"])
    os.chown(tmp_path, 65534, 65534)
    place = tmp_path / "runs" / "new"
    assert ending(lambda: _denied(place)) == Exit.PERMISSION
    assert capsys.readouterr().err == (
        f"papertape: {place}: Permission denied: you may not do that; type: "
        f"sudo -u nobody papertape report nvda\n"
    )


def test_what_is_ones_own_and_denied_names_no_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(lambda: _denied(tmp_path)) == Exit.PERMISSION
    assert capsys.readouterr().err == f"papertape: {tmp_path}: Permission denied\n"
