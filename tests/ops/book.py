"""The runbook, read: its headings, its links, and the command lines that it shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tests.ops.programs import ROOT

RUNBOOK = ROOT / "ops" / "runbook.md"

_HEADING = re.compile(r"(#+) (.+)")
_FENCE = re.compile(r"```(\w*)")
_INLINE = re.compile(r"`(papertape [^`]+)`")
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


class Command(NamedTuple):
    """A command line, and the heading that it stands under."""

    heading: str
    line: str

    @property
    def words(self) -> list[str]:
        """The words, as a shell would split them."""
        return shlex.split(self.line)


class Book:
    """One Markdown file."""

    def __init__(self, path: Path = RUNBOOK) -> None:
        self.path = path
        self.lines = path.read_text("utf-8").splitlines()

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Every heading with its level, in order."""
        return [(level, text) for level, text, _, kind in self._each() if kind == "heading"]

    @cached_property
    def commands(self) -> list[Command]:
        """The lines of all blocks marked `sh`, in order."""
        return [Command(heading, line) for _, line, heading, kind in self._each() if kind == "sh"]

    @cached_property
    def inline(self) -> list[Command]:
        """What stands in backticks in the text and begins with `papertape`."""
        return [
            Command(heading, found)
            for _, line, heading, kind in self._each()
            if kind == "text"
            for found in _INLINE.findall(line)
        ]

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub makes them."""
        return {anchor(text) for _, text in self.headings}

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """File ("" for this one) and anchor ("" for none) of each link."""
        return [found for line in self.lines for found in _LINK.findall(line)]

    def under(self, title: str) -> list[str]:
        """The headings below one, at the next deeper level."""
        titles = [text for _, text in self.headings]
        start = titles.index(title)
        level = self.headings[start][0]
        found: list[tuple[int, str]] = []
        for each in self.headings[start + 1 :]:
            if each[0] <= level:
                break
            found.append(each)
        deeper = min((each[0] for each in found), default=0)
        return [text for depth, text in found if depth == deeper]

    def text_of(self, title: str) -> str:
        """What stands under a heading, up to the next one."""
        return "\n".join(
            line
            for _, line, heading, kind in self._each()
            if heading == title and kind != "heading"
        )

    def _each(self) -> Iterator[tuple[int, str, str, str]]:
        """Level of a heading, the line, the heading it is under, and what it is."""
        heading, block = "", None
        for line in self.lines:
            fence = _FENCE.match(line)
            found = _HEADING.fullmatch(line)
            if fence:
                block = None if block is not None else fence[1]
            elif block is not None:
                yield 0, line, heading, block
            elif found:
                heading = found[2]
                yield len(found[1]), heading, heading, "heading"
            else:
                yield 0, line, heading, "text"


def anchor(title: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
