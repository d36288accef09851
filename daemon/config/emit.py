"""Plain values as YAML that the loader reads back unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from daemon.config.positions import scalar
from daemon.config.problems import Path

Remark = Callable[[Path], str | None]

# Text that needs no quotes in any context, if it does not read as something else.
_PLAIN = re.compile(r"[A-Za-z0-9_$./][A-Za-z0-9_$./@+-]*(:[A-Za-z0-9_$./@+-]+)*")
_COMMENT_COLUMN = 40


def to_yaml(values: Mapping[str, Any], remark: Remark | None = None) -> str:
    """Block-style YAML of a mapping; `remark` gives the comment of a value's path."""
    lines = _block(values, (), remark or _no_remark)
    return "\n".join(lines) + "\n"


def _block(values: Mapping[str, Any], path: Path, remark: Remark) -> Iterator[str]:
    indent = "  " * len(path)
    for key, value in values.items():
        here = (*path, key)
        start = f"{indent}{_text(key)}:"
        if isinstance(value, Mapping) and value:
            yield start
            yield from _block(value, here, remark)
            continue
        line = f"{start} {flow(value)}"
        comment = remark(here)
        yield line if comment is None else f"{line:<{_COMMENT_COLUMN}}  # {comment}"


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_text(key)}: {flow(one)}" for key, one in value.items())
        return "{" + inner + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and isinstance(scalar(text), str):
        return text
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\U{ord(character):08X}"


def _no_remark(_path: Path) -> str | None:
    return None
