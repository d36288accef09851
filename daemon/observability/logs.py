"""Log lines: one event one line, as JSON for journald or as text for a person.

    log = configure("json", run_id="20240102T143000Z-1f3a")
    log.turn = 17
    log.info("bar_missing", symbol="NVDA", start=instant)
    log.close()

Each line has `ts` (UTC), `level`, `event` (snake_case, listed in events.py), `run` (the process's
run), `turn` (the number of the last closed turn) and the event's own fields. Nothing here can
raise into its caller or make it wait: what is said is handed over as it is, and a thread makes
lines of it, takes secrets out and writes them (log_writer.py). A line that cannot be made is
counted as dropped.

The thread is woken at once and writes line by line, without a buffer. Still a SIGKILL, or a loss
of power, takes what it has not written yet: as a rule nothing, at most what the last few turns
said. The journal has those turns all the same.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from enum import Enum
from types import NoneType
from typing import Any, TextIO

from daemon.observability.events import Telling
from daemon.observability.log_lines import PRIORITIES, Form, Lines, Said
from daemon.observability.log_writer import LogWriter
from daemon.observability.redaction import Redaction

CLOSE_WITHIN_S = 2.0

_LASTING = (str, int, float, NoneType, Enum, Mapping, list, tuple, set, frozenset)
"""What can be looked at later (a container that was said, nobody changes); all else becomes text
where it is said."""


class Log:
    """Where the daemon says what it does; `turn` is set by whoever closes turns."""

    def __init__(self, writer: LogWriter, lines: Lines, level: str) -> None:
        self.turn: int | None = None
        self._writer = writer
        self._lines = lines
        self._lowest = PRIORITIES[level]
        self._unsaid = 0
        self._bridge: logging.Handler | None = None

    @property
    def dropped(self) -> int:
        """Lines that were lost so far, whatever the reason."""
        return self._unsaid + self._lines.unmade + self._writer.dropped

    def says(self, level: str) -> bool:
        """Whether what is said at that level becomes a line."""
        return PRIORITIES[level] <= self._lowest

    def write_as(self, form: Form) -> None:
        """Write lines in another form from now on."""
        self._lines.form = form

    def conceal(self, credential: str) -> None:
        """Let a credential's text appear in no line from now on."""
        self._lines.redaction.conceal(credential)

    def without_secrets(self, text: str) -> str:
        """A text as a line would show it; may be called from any thread."""
        return self._lines.redaction.text(text)

    def debug(self, event: str, **fields: Any) -> None:
        """What only somebody who looks for a fault wants to know."""
        self.say("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What happens in the course of things."""
        self.say("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What a person may have to do something about."""
        self.say("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What keeps the daemon from doing its work."""
        self.say("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        self.say("error", event, {**fields, "exc_info": sys.exc_info()})

    def critical(self, event: str, **fields: Any) -> None:
        """What ends the process."""
        self.say("critical", event, fields)

    def say(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """One line; `exc_info` (an exception) among the fields adds its traceback."""
        try:
            if not self.says(level):
                return
            told = Telling(level, event, _lasting(fields))
        except Exception as error:  # noqa: BLE001 - a line that cannot be made must not end the turn
            self._unsaid += 1
            unsaid = {"failed": event, "error": type(error).__name__}
            told = Telling("error", "log_line_failed", unsaid)
        self.tell((told,), 1)

    def tell(self, lines: Iterable[Telling], size: int) -> None:
        """About `size` lines, which the thread makes from what changes no more."""
        self._writer.put(Said(time.time_ns(), self.turn, lines, size))

    def take_over(self) -> None:
        """Say what libraries say with `logging` and `warnings` as events of this log."""
        self._bridge = _Bridge(self)
        logging.getLogger().addHandler(self._bridge)
        logging.captureWarnings(capture=True)

    def close(self, timeout_s: float = CLOSE_WITHIN_S) -> bool:
        """Write what waits; False where the reader did not take it in that time."""
        if self._bridge is not None:
            logging.captureWarnings(capture=False)
            logging.getLogger().removeHandler(self._bridge)
            self._bridge = None
        return self._writer.close(timeout_s)


class _Bridge(logging.Handler):
    """Hands what libraries log, from WARNING on, over to the log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's own mistake in its format
            message = str(record.msg)
        level = record.levelname.lower()
        fields: dict[str, Any] = {"logger": record.name, "message": message}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._log.say(level if level in PRIORITIES else "warning", "library_message", fields)


def configure(form: Form, stream: TextIO | None = None, *, run_id: str, level: str = "info") -> Log:
    """A log of that form on a stream (stderr unless given), from that level on.

    The stream's descriptor is duplicated, so that nobody who closes or redirects the stream later
    can make lines go elsewhere; a stream that is closed already takes no line.
    """
    descriptor = _duplicate(sys.stderr if stream is None else stream)
    lines = Lines(
        form,
        run_id,
        Redaction(),
        level=level,
        to_terminal=_is_terminal(descriptor),
        to_journal=_is_journal(descriptor),
    )
    return Log(LogWriter(descriptor, lines.made, lines.report), lines, level)


def _lasting(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are now: the thread looks at them later."""
    lasting = dict(fields)
    raised = lasting.pop("exc_info", None)
    if isinstance(raised, tuple):  # as `sys.exc_info` has it
        raised = raised[1]
    if raised is not None:
        lasting["exception"] = "".join(traceback.format_exception(raised)).rstrip("\n")
    for key, value in lasting.items():
        if isinstance(value, BaseException):
            lasting[key] = f"{type(value).__name__}: {value}"
        elif not isinstance(value, _LASTING):
            lasting[key] = str(value)
    return lasting


def _duplicate(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else os.dup(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return None


def _is_terminal(descriptor: int | None) -> bool:
    """Whether colours are seen by a person who wants them."""
    if descriptor is None or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return os.isatty(descriptor)


def _is_journal(descriptor: int | None) -> bool:
    """Whether journald reads this descriptor, and so understands a priority before each line."""
    if descriptor is None:
        return False
    found = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
