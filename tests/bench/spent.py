"""Run a command and write what it took: `python spent.py FILE COMMAND…`, standard library only.

A process of its own because Linux counts the memory of whoever starts a program as that program's
peak until the program itself is loaded: a child of the benchmark would show the benchmark's size.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path


def main(target: Path, command: list[str]) -> int:
    """The command's exit code; `target` gets wall and CPU seconds and the peak in MB."""
    started = time.perf_counter()
    code = subprocess.call(command)
    wall_s = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    target.write_text(json.dumps(spent), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
