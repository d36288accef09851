"""`papertape`, also `python -m daemon`: the entry point.

`run` is killed by signals that must be obeyed from the first moment on, so their handlers are
installed before anything else is imported.
"""

import sys

from daemon.control.killswitch import KILL_SWITCH
from daemon.endings import open_standard_streams


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:2] == ["run"]:
        KILL_SWITCH.install()
    open_standard_streams()
    if not __debug__:
        print("papertape: python -O leaves its assertions out: start it without", file=sys.stderr)
        return 78
    from daemon.cli import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
