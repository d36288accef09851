"""Errors a person can act on: one line that says what, where and what to do, and an exit code."""

from __future__ import annotations

import traceback
from enum import IntEnum


class Exit(IntEnum):
    """Process exit codes; the same for every verb."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    INTERNAL = 70
    BUSY = 75
    PERMISSION = 77
    REFUSED = 78
    INTERRUPTED = 130


class PapertapeError(Exception):
    """Base of all errors whose text is meant for the user; `lines` are printed as they are."""

    code = Exit.INTERNAL

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class UsageError(PapertapeError):
    """The command line asks for something that does not exist or does not fit together."""

    code = Exit.USAGE


class RefusedError(PapertapeError):
    """A config, tape, run directory or state that cannot be used as it is."""

    code = Exit.REFUSED


class CheckFailedError(PapertapeError):
    """Something was looked at and is not as it must be."""

    code = Exit.CHECK_FAILED


class BusyError(PapertapeError):
    """Somebody else holds what is asked for, or did not answer in time."""

    code = Exit.BUSY


class StoppedError(PapertapeError):
    """Somebody interrupted a job; the text says what is there of it."""

    code = Exit.INTERRUPTED


class NotPermittedError(PapertapeError):
    """This user may not do that; the text says what to type instead."""

    code = Exit.PERMISSION


def one_line(error: Exception) -> str:
    """The type, the text and the place of an error in a user's code, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    place = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text} ({place})" if text else f"{name} ({place})"
