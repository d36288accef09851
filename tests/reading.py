"""A process that reads a journal as another user: `python -m tests.reading JOURNAL UID`.

Started by root, it becomes that user once all is imported, and prints the numbers of the turns or
the line of the refusal.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from daemon.errors import PapertapeError
from daemon.journal.reader import JournalReader


def main(path: str, user: int) -> None:
    """Read it."""
    Path(path).as_uri()  # Python imports what it needs for that now, not as another user
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    try:
        with closing(JournalReader(Path(path))) as reader:
            print(*(row.seq for row in reader.turns()))
    except PapertapeError as error:
        print(error.code.name, *error.lines)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
