"""Where Prometheus, Alertmanager and their tools are, and what running them came to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "ops" / "prometheus"
RULES = PROMETHEUS / "rules"
_UNPACKED = ROOT / ".venv" / "monitoring" / "usr" / "bin"


def program(*names: str) -> str:
    """The path of the first of these programs that is here; skips with the reason otherwise.

    `make test` unpacks Debian's packages into .venv where they are not installed.
    """
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=str(_UNPACKED))
        if found is not None:
            return found
    pytest.skip(
        f"no {names[0]}: apt-get install prometheus prometheus-alertmanager, or `make test` where "
        "apt-get can download"
    )


def answer_of(*words: str) -> str:
    """What a program prints; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
