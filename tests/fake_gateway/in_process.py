"""The fake gateway in a process of its own, at the time that it is.

with gateway_process() as port:
    ...
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def gateway_process() -> Iterator[int]:
    """A gateway that nobody described; yields its port."""
    command = [sys.executable, "-m", "tests.fake_gateway", "--quiet"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "its output is read"
            said = process.stdout.readline()
            found = re.fullmatch(r"gateway \S+:(\d+)\n", said)
            if found is None:
                raise RuntimeError(f"the fake gateway said {said!r}")
            yield int(found[1])
        finally:
            process.kill()
