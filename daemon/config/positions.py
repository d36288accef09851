"""YAML text as plain values, with the place of every key and value.

The only file that knows PyYAML. It walks the parser's events itself, because the ready-made
loaders keep the last of two equal keys, read `16:00` as 960, `NO` as false and `0123` as 83, and
follow aliases without a limit. Here a plain scalar is null, true, false, a decimal integer or a
decimal number; everything else is text, and the models refuse text where they want a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from daemon.config.problems import Path, Place, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NODES = 20_000
MAX_KEY_CHARACTERS = 200
# Longer digits are no number anyone means, and CPython refuses to convert some of them.
MAX_NUMBER_CHARACTERS = 40

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass
class Document:
    """What a text says; `places` has an entry for each path that was written."""

    value: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _Mark(Protocol):
    """A place in the text, lines and columns from 0: what PyYAML's two kinds have in common."""

    line: int
    column: int


class _UnreadableError(Exception):
    """The text cannot be understood beyond this place."""

    def __init__(self, message: str, mark: _Mark | None, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark
        self.path = path


def parse(text: str, setting: str | None = None) -> Document:
    """The values and places of a YAML text; what is wrong with it is in `problems`.

    `setting` marks a text that came as the value of a command-line override.
    """
    if len(text) > MAX_BYTES:
        place = _place(None, setting)
        return Document(problems=[Problem((), f"larger than {MAX_BYTES // 1024} KB", place)])
    walk = _Walk(text.removeprefix("\ufeff"), setting)
    try:
        walk.run()
    except _UnreadableError as error:
        place = _place(error.mark, setting)
        walk.document.problems.append(Problem(error.path, error.message, place))
    except yaml.reader.ReaderError as error:
        place = _place_of_character(walk.text, error.position, setting)
        message = f"the character U+{_code(error.character):04X} is not allowed"
        walk.document.problems.append(Problem((), message, place))
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark, setting)
        walk.document.problems.append(Problem((), _explained(error), place))
    return walk.document


def scalar(text: str) -> Any:
    """What a plain (unquoted) scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_NUMBER_CHARACTERS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


class _Walk:
    """Builds a Document from parser events, one node at a time."""

    def __init__(self, text: str, setting: str | None) -> None:
        self.text = text
        self.setting = setting
        self.document = Document()
        self._events: Iterator[yaml.Event] = iter(())
        self._nodes = 0

    def run(self) -> None:
        self._events = iter(yaml.parse(self.text, Loader=yaml.SafeLoader))
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        value = self._node(next(self._events), (), None)
        next(self._events)  # the document's end
        event = next(self._events)
        if isinstance(event, yaml.DocumentStartEvent):
            raise _UnreadableError("a second document ('---') is not read", event.start_mark)
        self.document.value = value

    def _node(self, event: yaml.Event, path: Path, key: yaml.Event | None) -> Any:
        self._guard(event, path)
        mark = event.start_mark
        key_mark = mark if key is None else key.start_mark
        text = event.value if isinstance(event, yaml.ScalarEvent) else None
        self.document.places[path] = _place(mark, self.setting, key_mark, text)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, yaml.ScalarEvent)
        return scalar(event.value) if event.style is None else event.value

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            self._guard(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise _UnreadableError("a key must be plain text", event.start_mark, path)
            if len(event.value) > MAX_KEY_CHARACTERS:
                raise _UnreadableError("this key is too long", event.start_mark, path)
            here = (*path, event.value)
            if event.value in values:
                self._skip_duplicate(event, here)
            else:
                values[event.value] = self._node(next(self._events), here, event)
        return values

    def _skip_duplicate(self, key: yaml.Event, path: Path) -> None:
        first = self.document.places[path]
        where = f"first at line {first.key_line}" if self.setting is None else "given twice"
        place = _place(key.start_mark, self.setting)
        self.document.problems.append(Problem(path, f"duplicate key ({where})", place))
        kept, self.document.places = self.document.places, {}
        self._node(next(self._events), path, key)
        self.document.places = kept

    def _sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._node(event, (*path, len(values)), None))
        return values

    def _guard(self, event: yaml.Event, path: Path) -> None:
        """Refuses what a config has no use for, before it can cost anything."""
        self._nodes += 1
        mark = event.start_mark
        if self._nodes > MAX_NODES:
            raise _UnreadableError(f"more than {MAX_NODES} values", mark)
        if len(path) > MAX_DEPTH:
            raise _UnreadableError(f"nested deeper than {MAX_DEPTH} levels", mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            message = "anchors and aliases ('&', '*') are not read: write the value out"
            raise _UnreadableError(message, mark, path)
        if (tag := getattr(event, "tag", None)) is not None:
            message = f"the tag {_short_tag(tag)} is not read: remove it"
            raise _UnreadableError(message, mark, path)
        if isinstance(event, yaml.ScalarEvent) and (found := _FORBIDDEN.search(event.value)):
            message = f"the character U+{ord(found.group()):04X} is not allowed"
            raise _UnreadableError(message, mark, path)


def _place(
    mark: _Mark | None,
    setting: str | None,
    key: _Mark | None = None,
    text: str | None = None,
) -> Place:
    if mark is None:
        return Place(1, 1, 1, 1, text, setting)
    key = key or mark
    return Place(mark.line + 1, mark.column + 1, key.line + 1, key.column + 1, text, setting)


def _place_of_character(text: str, index: int, setting: str | None) -> Place:
    line = text.count("\n", 0, index) + 1
    column = index - (text.rfind("\n", 0, index) + 1) + 1
    return Place(line, column, line, column, None, setting)


def _code(character: str | int) -> int:
    return character if isinstance(character, int) else ord(character)


def _short_tag(tag: str) -> str:
    return "'" + tag.replace("tag:yaml.org,2002:", "!!")[:60] + "'"


def _explained(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's own words, with the cure where the cause is a common one."""
    problem = error.problem or error.context or "not understood"
    if "'\\t'" in problem:
        return "a tab: YAML wants spaces here"
    cure = ""
    if "mapping values are not allowed" in problem:
        cure = " (is the indentation right? text that holds ': ' needs quotes)"
    elif "could not find expected ':'" in problem:
        cure = " (a key without ': '?)"
    elif "unknown escape character" in problem:
        cure = " (use single quotes around text that holds a backslash)"
    elif "cannot start any token" in problem:
        cure = " (put the text in quotes)"
    elif "expected <block end>" in problem:
        cure = " (is the indentation right?)"
    return f"not valid YAML: {problem}{cure}"
