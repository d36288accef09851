"""How a log line looks: what stands in it, in which order, as JSON or as text.

Lines are made by the thread that writes them (log_writer.py) from what was handed over to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from daemon.core.units import SECOND_NS
from daemon.feeds.times import iso_z
from daemon.observability.events import INSTANTS, Telling
from daemon.observability.redaction import Redaction

Form = Literal["json", "text"]

LINE_MAX = 32_000
"""Characters of a line; journald cuts at 48 KiB, which would make two lines of one."""

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The levels, with the numbers that syslog and journald have for them."""

FIRST = frozenset({"ts", "level", "event", "run", "turn"})
"""What every line has; a field of such a name gets an underscore, but a turn of its own."""

_TAKEN = FIRST - {"turn"}
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_ESCAPED = {ordinal: f"\\x{ordinal:02x}" for ordinal in (*range(32), *range(127, 160))} | {
    ordinal: f"\\u{ordinal:04x}" for ordinal in (0x2028, 0x2029)
}
"""What would end a line or steer a terminal, and what is written instead."""

_INSTANT_MAX = 1 << 63

_Fields = MutableMapping[str, Any]


class Said(NamedTuple):
    """What was said at one moment (UTC ns) after one turn: about `size` lines."""

    at: int
    turn: int | None
    lines: Iterable[Telling]
    size: int


class Lines:
    """Makes the lines of one run, from `level` on; `form` may change on the way.

    Text has colours on a terminal, JSON a priority before it for journald. `unmade` counts the
    lines that could not be made.
    """

    def __init__(
        self,
        form: Form,
        run_id: str,
        redaction: Redaction,
        *,
        level: str = "info",
        to_terminal: bool = False,
        to_journal: bool = False,
    ) -> None:
        import structlog  # 0.1 s with what it imports, and only the daemon logs

        self.redaction = redaction
        self.form = form
        self.unmade = 0
        self._run = run_id
        self._to_terminal = to_terminal
        self._to_journal = to_journal
        self._maker = structlog.wrap_logger(
            structlog.ReturnLogger(),
            processors=[self.stamp, self.render],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            context_class=dict,
        ).bind()

    def made(self, said: Said) -> Iterator[str]:
        """The lines of what was said; one that cannot be made is told of by another."""
        failed = "turn"
        try:
            for level, failed, fields in said.lines:
                try:
                    line = self._line(level, failed, fields, said)
                except Exception as error:  # noqa: BLE001 - the lines after it may fare better
                    line = self._failed(failed, error, said)
                if line is not None:
                    yield line
        except Exception as error:  # noqa: BLE001 - what makes the lines of a turn has a fault
            yield self._failed(failed, error, said)

    def report(self, count: int, error: str) -> str:
        """The line that says how many lines were dropped, and why."""
        return str(self._maker.warning("log_lines_dropped", count=count, error=error))

    def _line(self, level: str, event: str, fields: Mapping[str, Any], said: Said) -> str | None:
        if not _TAKEN.isdisjoint(fields):
            fields = {f"{key}_" if key in _TAKEN else key: fields[key] for key in fields}
        line = getattr(self._maker, level)(event, **{"ts": said.at, "turn": said.turn, **fields})
        return None if line is None else str(line)

    def _failed(self, event: str, error: Exception, said: Said) -> str:
        self.unmade += 1
        fields = {"failed": event, "error": type(error).__name__}
        return str(self._line("error", "log_line_failed", fields, said))

    def stamp(self, _: object, level: str, made: _Fields) -> _Fields:
        """Put what every line has before the event's own fields, and those without secrets."""
        at = made.pop("ts", None)
        moment = datetime.now(UTC) if at is None else datetime.fromtimestamp(at / SECOND_NS, UTC)
        first = {
            "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "event": self.redaction.text(made.pop("event")),
            "run": self._run,
            "turn": made.pop("turn", None),
        }
        for key in INSTANTS & made.keys():
            value = made[key]
            if type(value) is int and 0 < value < _INSTANT_MAX:
                made[key] = iso_z(value)
        return first | self.redaction.fields(made)

    def render(self, _: object, level: str, plain: _Fields) -> str:
        """The whole line, without its line break."""
        write = _json if self.form == "json" else _text
        line = write(plain)
        if len(line) > LINE_MAX:
            first = {key: value for key, value in plain.items() if key in FIRST}
            line = write({**first, "cut": f"a line of {len(line)} characters"})
        if self.form == "text" and self._to_terminal:
            word = f"{level.upper():8}"
            line = line.replace(word, f"\x1b[{_COLOURS[level]}m{word}\x1b[0m", 1)
        prefixed = self.form == "json" and self._to_journal
        return f"<{PRIORITIES[level]}>{line}" if prefixed else line


_json = json.JSONEncoder(separators=(",", ":")).encode


def _text(fields: _Fields) -> str:
    """Time, level, event, its own fields; at the end what a person seldom reads."""
    own = [f"{key}={_word(fields[key])}" for key in fields if key not in FIRST]
    turn = "-" if fields["turn"] is None else fields["turn"]
    words = [
        str(fields["ts"]),
        f"{str(fields['level']).upper():8}",
        str(fields["event"]),
        *own,
        f"turn={turn}",
        f"run={fields['run']}",
    ]
    return " ".join(words).translate(_ESCAPED)


def _word(value: Any) -> str:
    """A value as one word: quoted where it is empty or has a space or a sign of ours in it."""
    if isinstance(value, str):
        plain = value.isprintable() and value and not set(value) & set(' "=')
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
