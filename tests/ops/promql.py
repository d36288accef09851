"""As much of PromQL as it takes to say which series an expression asks for, and how.

Not a parser: words, brackets and selectors are told apart, brackets must match, and functions must
be known. That an expression has a meaning is for Prometheus to say (test_queries.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<variable>\$\w+|\$\{\w+\})
    | (?P<number>(?:\d+(?:ms|[smhdwy]))+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[A-Za-z_:][\w:]*)
    | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],:@])
    """,
    re.VERBOSE,
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_LABELS_FOLLOW = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset", "atan2"})
_AGGREGATIONS = frozenset({"sum", "min", "max", "avg", "count", "topk", "bottomk", "count_values"})
_FUNCTIONS = _AGGREGATIONS | {
    "abs", "changes", "clamp_max", "clamp_min", "histogram_quantile", "increase", "irate",
    "label_replace", "last_over_time", "max_over_time", "rate", "time", "timestamp", "vector",
}  # fmt: skip


class PromqlError(ValueError):
    """The expression cannot be read."""


class Selector(NamedTuple):
    """A metric that is asked for: its matchers by label, its range, the function around it."""

    metric: str
    matchers: dict[str, tuple[str, str]]
    range: str | None
    function: str | None


def selectors(expression: str) -> list[Selector]:
    """Every selector; PromqlError where brackets, words or signs make no sense."""
    words = list(_words(expression))
    if not words:
        raise PromqlError("nothing is asked for")
    _match_brackets(words)
    found = []
    at = 0
    while at < len(words):
        kind, word = words[at]
        following = words[at + 1][1] if at + 1 < len(words) else ""
        if kind != "word":
            at += 1
        elif word in _LABELS_FOLLOW:
            at = _after(words, at + 1) if following == "(" else at + 1
        elif word in _OPERATORS:
            at += 1
        elif following == "(" or (word in _AGGREGATIONS and following in _LABELS_FOLLOW):
            if word not in _FUNCTIONS:
                raise PromqlError(f"no function {word}")
            at += 1
        else:
            selector, at = _selector(words, at)
            found.append(selector)
    return found


def _selector(words: Sequence[tuple[str, str]], at: int) -> tuple[Selector, int]:
    metric = words[at][1]
    function = words[at - 2][1] if at >= 2 and words[at - 1][1] == "(" else None
    if function is not None and words[at - 2][0] != "word":
        function = None
    at += 1
    matchers: dict[str, tuple[str, str]] = {}
    if at < len(words) and words[at][1] == "{":
        end = _after(words, at)
        matchers = _matchers(words[at + 1 : end - 1])
        at = end
    found_range = None
    if at < len(words) and words[at][1] == "[":
        end = _after(words, at)
        found_range = "".join(word for _, word in words[at + 1 : end - 1])
        at = end
    return Selector(metric, matchers, found_range, function), at


def _matchers(words: Sequence[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    found = {}
    for place in range(0, len(words), 4):
        group = words[place : place + 4]
        kinds = [kind for kind, _ in group[:3]]
        comma = [word for _, word in group[3:]]
        if kinds != ["word", "sign", "string"] or comma not in ([], [","]):
            raise PromqlError(f"no matcher: {' '.join(word for _, word in group)}")
        found[group[0][1]] = (group[1][1], group[2][1][1:-1])
    return found


def _words(expression: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None:
            raise PromqlError(f"what is {expression[at : at + 10]!r}?")
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group()
        at = found.end()


def _match_brackets(words: Sequence[tuple[str, str]]) -> None:
    wanted: list[str] = []
    for kind, word in words:
        if kind == "sign" and word in _CLOSES:
            wanted.append(_CLOSES[word])
        elif kind == "sign" and word in _CLOSES.values() and (not wanted or wanted.pop() != word):
            raise PromqlError(f"{word} closes nothing")
    if wanted:
        raise PromqlError(f"{wanted[-1]} is missing")


def _after(words: Sequence[tuple[str, str]], at: int) -> int:
    """The place after the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(words)):
        kind, word = words[place]
        depth += (kind == "sign" and word in _CLOSES) - (
            kind == "sign" and word in _CLOSES.values()
        )
        if depth == 0:
            return place + 1
    raise PromqlError("a bracket is missing")
