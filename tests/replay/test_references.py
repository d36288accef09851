"""The shipped reference replays still give what was accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli import main
from daemon.errors import Exit


def test_the_reference_replays_equal_their_baselines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["reference", "check", "--state", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == Exit.OK, said
    assert said.count("identical trading") == 3
