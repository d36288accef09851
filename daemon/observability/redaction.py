"""Makes the values of a log line plain and bounded, and takes secrets out of them.

A secret is known by its key (`password`), by its place in an address (`https://user:secret@host`),
or because it was loaded as a credential, in which case its text, and each long part of it, is
concealed wherever it turns up: in keys, in numbers, inside an exception's message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote

CONCEALED = "***"
TEXT_MAX = 4_000
"""Characters of one value; the rest is cut."""
ITEMS_MAX = 100
"""Items of one container."""
DEPTH_MAX = 6
KEYS_MAX = 1_000

PART_MIN = 8
"""A part of a credential this long is concealed on its own: it may be a token within an address."""
LITERAL_MIN = 4
"""A credential shorter than this is concealed only where it is the whole value."""

_SECRET_KEY = re.compile(
    r"pass(?:word|wd|phrase)|secret|token|credential|authorization|cookie|(?:api|private)_?key",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#\"'<>]*@")
_QUERY = re.compile(
    r"([?&;](?:[\w.-]*(?:pass(?:word|wd)?|secret|token|key|sig|signature|auth))=)[^&;#\s\"'<>]+",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[\s/?&=:@,;#]+")


class Redaction:
    """What is concealed in one process; credentials are added as they are loaded."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._literal: re.Pattern[str] | None = None
        self._keys: dict[str, tuple[str, bool]] = {}

    def conceal(self, credential: str) -> None:
        """Let the text of a credential, each of its lines and long parts appear nowhere."""
        texts = {credential.strip(), *(line.strip() for line in credential.splitlines())}
        parts = {part for text in texts for part in _PARTS.split(text) if len(part) >= PART_MIN}
        written = {quote(text, safe=safe) for text in texts | parts for safe in ("", "/:@")}
        escaped = {repr(text)[1:-1] for text in texts}  # as the message of an exception has it
        self._known |= (texts | parts | written | escaped) - {""}
        longest_first = sorted(self._known, key=len, reverse=True)
        found = [re.escape(text) for text in longest_first if len(text) >= LITERAL_MIN]
        self._literal = re.compile("|".join(found)) if found else None
        self._keys = {}

    def text(self, text: str) -> str:
        """A text without secrets, of at most TEXT_MAX characters."""
        if text in self._known:
            return CONCEALED
        if self._literal is not None:
            text = self._literal.sub(CONCEALED, text)
        if "://" in text:
            text = _USER_INFO.sub(rf"\1{CONCEALED}@", text)
        if "=" in text:
            text = _QUERY.sub(rf"\1{CONCEALED}", text)
        if len(text) > TEXT_MAX:
            text = f"{text[:TEXT_MAX]}… ({len(text) - TEXT_MAX} more)"
        return text

    def fields(self, fields: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """Named values, each one plain, bounded and without secrets."""
        made: dict[str, Any] = {}
        for key, value in fields.items():
            if len(made) == ITEMS_MAX:
                made["more"] = len(fields) - ITEMS_MAX
                break
            name, hides = self._keys.get(key) or self._key(key)
            if hides and value is not None:
                made[name] = CONCEALED
            else:
                made[name] = self._plain(value, depth + 1)
        return made

    def _key(self, key: Any) -> tuple[str, bool]:
        """A key as it is shown, and whether it names a secret; remembered, for keys recur."""
        keys = self._keys  # a credential loaded just now, by another thread, makes another one
        name = self.text(str(key))
        known = (name, _SECRET_KEY.search(name) is not None)
        if len(keys) < KEYS_MAX:
            keys[key] = known
        return known

    def _plain(self, value: Any, depth: int) -> Any:
        kind = type(value)  # nearly all are one of these two
        if kind is str:
            return self.text(value)
        if kind is int and not self._known:
            return value
        if value is None or kind is bool:
            return value
        if isinstance(value, Enum):
            return value.value if isinstance(value.value, str) else value.name
        if isinstance(value, int | float):
            return self._number(value)
        if depth < DEPTH_MAX:
            if isinstance(value, Mapping):
                return self.fields(value, depth)
            if isinstance(value, list | tuple | set | frozenset):
                return self._items(value, depth)
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        return self.text(str(value))

    def _number(self, value: float) -> Any:
        text = repr(value)
        if self._known and self.text(text) != text:
            return CONCEALED
        return value if math.isfinite(value) else text  # JSON has no word for nan

    def _items(self, values: Iterable[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        for value in values:
            if len(made) == ITEMS_MAX:
                made.append("…")
                break
            made.append(self._plain(value, depth + 1))
        return made
