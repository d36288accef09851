"""How a command line ends: every failure is one clear line (or a list of them) and an exit code."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from daemon.errors import Exit, PapertapeError

STDERR = 2
_SPELLED = "papertape.spelled"
_PLAIN = {"→": "->", "…": "...", "─": "-", "·": "-", "×": "x"}


def open_standard_streams() -> None:
    """Make stdin, stdout and stderr fit for use, whatever the process was started with.

    /dev/null stands in for those that are closed: the next file that is opened would get their
    number, and a stray print would go into it. What a stream's encoding lacks is spelled.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    # Python has None for a stream that was closed at its start.
    sys.stdout = sys.stdout or _null_stream()
    sys.stderr = sys.stderr or _null_stream()
    codecs.register_error(_SPELLED, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_SPELLED)


def _spell(error: UnicodeError) -> tuple[str, int]:
    """What the locale's encoding lacks, in plain letters: no answer may fail for an arrow."""
    assert isinstance(error, UnicodeEncodeError), "only ever asked for while writing"
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, "?") for letter in text), error.end


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
        text = f"{error.filename or 'output'}: {error.strerror or error}"
        return say(code, text + (_who_may(error) if code is Exit.PERMISSION else ""))
    except Exception as error:  # noqa: BLE001 - a person gets a line, --debug the traceback
        place = " ".join(f"{type(error).__name__}: {error}".split())
        return say(Exit.INTERNAL, f"internal error: {place}: --debug shows where")
    return code


def _who_may(error: OSError) -> str:
    """What to type instead, where another user owns what may not be touched."""
    from daemon.paths import as_owner

    path = Path(os.fsdecode(error.filename or ""))
    with contextlib.suppress(OSError):
        while not path.exists():
            path = path.parent
        if path.stat().st_uid != os.geteuid():
            return f": you may not do that; type: {as_owner(path)}"
    return ""


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
