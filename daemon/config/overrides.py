"""Values from the command line (`--set KEY=VALUE`) put into a config as it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.config.positions import Document, parse
from daemon.config.problems import Path, Place, Problem
from daemon.errors import UsageError


def setting_of(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair; UsageError if there is no key or no `=`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set {text}: expected KEY=VALUE, such as --set account.cash_usd=50000")
    return key.strip(), value


def apply_overrides(document: Document, overrides: Sequence[tuple[str, str]]) -> None:
    """Changes `document` in place; the later of two settings of a key wins.

    What is wrong with a setting is added to the document's problems.
    """
    for key, text in overrides:
        setting = f"{key}={text}"
        read = parse(text, setting)
        path: Path = tuple(key.split("."))
        place = Place(1, 1, 1, 1, None, setting)
        if read.problems:
            for problem in read.problems:
                found = Problem((*path, *problem.path), problem.message, problem.place)
                document.problems.append(found)
        elif not all(path):
            message = "expected a dotted key, such as account.cash_usd"
            document.problems.append(Problem((), message, place))
        elif refusal := _put(document, path, read.value, setting):
            document.problems.append(Problem(path, refusal, place))
        else:
            for inner, where in read.places.items():
                document.places[(*path, *inner)] = where
            document.places.setdefault(path, place)


def _put(document: Document, path: Path, value: Any, setting: str) -> str | None:
    """Sets the value at a path, making mappings on the way; says why it cannot."""
    parent = document.value
    if not isinstance(parent, dict):
        return "the file is no mapping"
    for length, part in enumerate(path[:-1], start=1):
        here = path[:length]
        inner = parent.get(part)
        if isinstance(inner, list):
            return f"{'.'.join(map(str, here))} is a list: set it as a whole"
        if not isinstance(inner, dict):
            # A bare number is the short form of a limit, so its action can be set beside it.
            is_limit = path[0] == "risk" and isinstance(inner, (int, float))
            parent[part] = {"limit": inner} if is_limit else {}
            if is_limit:
                document.places[(*here, "limit")] = document.places[here]
            else:
                document.places[here] = Place(1, 1, 1, 1, None, setting)
            inner = parent[part]
        parent = inner
    parent[path[-1]] = value
    for old in [old for old in document.places if old[: len(path)] == path]:
        del document.places[old]
    return None
