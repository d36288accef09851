"""How a command line ends: every failure is one clear line (or a list of them) and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from daemon.errors import Exit, PapertapeError

STDERR = 2


def open_standard_streams() -> None:
    """Let /dev/null stand in for stdin, stdout and stderr where they are closed.

    The next file that is opened would get their number, and a stray print would go into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    # Python has None for a stream that was closed at its start.
    sys.stdout = sys.stdout or _null_stream()
    sys.stderr = sys.stderr or _null_stream()


def _null_stream() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - it stays open for good


def ending(call: Callable[[], int]) -> int:
    """The exit code of `call`, its output flushed; what it raises becomes lines on stderr."""
    try:
        code = call()
        sys.stdout.flush()  # here rather than at exit, where an error could not be answered
    except PapertapeError as error:
        return say(error.code, *error.lines)
    except KeyboardInterrupt:
        return say(Exit.INTERRUPTED, "interrupted: nothing was left behind")
    except BrokenPipeError:
        return _unread()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich answers a broken pipe so
            return _unread()
        return say(Exit.INTERNAL, f"something called sys.exit({error.code!r}): --debug shows where")
    except OSError as error:
        code = Exit.PERMISSION if isinstance(error, PermissionError) else Exit.REFUSED
        _drop_output()
        return say(code, f"{error.filename or 'output'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - a person gets a line, --debug the traceback
        place = " ".join(f"{type(error).__name__}: {error}".split())
        return say(Exit.INTERNAL, f"internal error: {place}: --debug shows where")
    return code


def say(code: Exit, *lines: str) -> int:
    """Print lines to stderr and return the exit code."""
    for line in lines:
        print(f"papertape: {line}" if line else "", file=sys.stderr)
    return code


def _unread() -> int:
    """Whoever read our output has had enough; a second error at exit would say nothing more."""
    _drop_output()
    return Exit.OK


def _drop_output() -> None:
    """Let what is still unwritten go nowhere if it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
