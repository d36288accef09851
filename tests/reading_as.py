"""A reading verb as another user: `python -m tests.reading_as UID VERB …`.

Started by root, it becomes that user once the verb has run and all is imported: the interpreter
itself may lie where only root can read.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

from daemon.cli import main

if __name__ == "__main__":
    user, words = int(sys.argv[1]), sys.argv[2:]
    for _ in range(2):  # what the first imports lets the second import more
        with contextlib.redirect_stdout(io.StringIO()):
            main(words)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    sys.exit(main(words))
