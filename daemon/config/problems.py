"""One thing wrong with a config, where it stands, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: lines and columns from 1, and the text as it stands there.

    `text` is None for a mapping or a list. `setting` is the whole `KEY=VALUE` of a command-line
    override, in which case lines and columns mean nothing.
    """

    line: int
    column: int
    key_line: int
    key_column: int
    text: str | None = None
    setting: str | None = None

    @property
    def is_written(self) -> bool:
        """True for a place in the file."""
        return self.setting is None


TOP = Place(1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """One message about the value (or, with `at_key`, the key) at a dotted path."""

    path: Path
    message: str
    place: Place
    at_key: bool = False

    def render(self, file: str) -> str:
        """`file:line:col: dotted.path: message`, or `--set KEY=VALUE: message`."""
        where = dotted(self.path)
        setting = self.place.setting
        if setting is not None:
            told = setting.partition("=")[0]
            return _join(f"--set {setting}", "" if where == told else where, self.message)
        line, column = self._position()
        return _join(f"{file}:{line}:{column}", where, self.message)

    def order(self) -> tuple[bool, int, int, Path, str]:
        """Sorts by position, what came from the command line last."""
        line, column = self._position() if self.place.is_written else (0, 0)
        return not self.place.is_written, line, column, tuple(map(str, self.path)), self.message

    def _position(self) -> tuple[int, int]:
        if self.at_key:
            return self.place.key_line, self.place.key_column
        return self.place.line, self.place.column


def rendered(problems: Iterable[Problem], file: str) -> list[str]:
    """The lines to print, in the order of the file; the same line is never said twice."""
    ordered = sorted(problems, key=Problem.order)
    return list(dict.fromkeys(problem.render(file) for problem in ordered))


def dotted(path: Sequence[str | int]) -> str:
    """('feed', 'client_ids', 0) as `feed.client_ids[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be."""
    by_folded = {one.casefold(): one for one in known}
    folded = word.casefold()
    begun = [one for one in by_folded if one.startswith(folded)] if len(folded) > 2 else []
    matches = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.6)
    if not matches and len(begun) == 1:
        matches = begun
    return by_folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing."""
    match = near_miss(word, known)
    return f" (did you mean '{match}'?)" if match else ""


def listed(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: object, place: Place | None = None) -> str:
    """A value as the user wrote it, short enough for one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if value is None:
        return "nothing"
    return place.text if place is not None and place.text else str(value)


def one_line(text: str) -> str:
    """The text with whatever would break or garble a line written as an escape."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _join(*parts: str) -> str:
    return one_line(": ".join(part for part in parts if part))
