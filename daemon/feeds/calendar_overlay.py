"""`STATE/calendar.yaml`: closures and early closes announced after the package's release.

    closures: [2025-01-09]
    early_closes: {2025-07-03: "13:00"}

Both keys are optional, times are exchange time. An entry that the package has learned since
changes nothing, so the file needs no tidying. Every mistake is reported as file:line:col.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from msgspec.structs import replace

from daemon.core.units import SECOND_NS
from daemon.errors import RefusedError
from daemon.feeds.times import date_text, parse_date, wall_instant, wall_ns

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.feeds.calendar import Facts

_KEYS = ("closures", "early_closes")


@dataclass(frozen=True, slots=True)
class Overlay:
    """Dates without a session, and exchange times (HH:MM) at which others close early.

    The string with each date says where in the file it stands, as file:line:col.
    """

    closures: dict[int, str]
    early_closes: dict[int, tuple[str, str]]

    def applied_to(self, facts: Facts) -> Facts:
        """The calendar with these closures; RefusedError, all mistakes at once, if some cannot be.

        A closure must lie in the calendar's range; an early close must be of a session and fall
        between its open and the close known so far.
        """
        rows = dict(zip(facts.dates, zip(facts.opens, facts.closes, strict=True), strict=True))
        problems = [
            f"{where}: {date_text(date)} is outside calendar {facts.name} "
            f"({date_text(facts.first_date)} to {date_text(facts.last_date)})"
            for date, where in self.closures.items()
            if not facts.first_date <= date <= facts.last_date
        ]
        for date, (clock, where) in self.early_closes.items():
            if date in self.closures:
                problems.append(f"{where}: {date_text(date)} is also listed under closures")
                continue
            if date not in rows:
                problems.append(f"{where}: {facts.name} has no session on {date_text(date)}")
                continue
            opens, closes = rows[date]
            second = wall_instant(wall_ns(date, clock), facts.zone) // SECOND_NS
            if not opens < second <= closes:
                problems.append(
                    f"{where}: {clock} on {date_text(date)} is not between "
                    f"the open of {facts.name} and its close"
                )
            rows[date] = (opens, second)
        if problems:
            raise RefusedError(*problems)
        kept = [(date, *hours) for date, hours in rows.items() if date not in self.closures]
        return replace(
            facts,
            dates=[row[0] for row in kept],
            opens=[row[1] for row in kept],
            closes=[row[2] for row in kept],
            sha256="",
        )


def read_overlay(file: Path) -> Overlay:
    """Read the overlay; RefusedError with every mistake in it and what to write instead."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file}: cannot be read: {error}") from error
    return parse_overlay(text, file)


def parse_overlay(text: str, file: Path) -> Overlay:
    """As `read_overlay`, from the text of the file."""
    root = compose(text, file)
    reader = _Reader(file)
    if root is not None:
        reader.read(root)
    if reader.problems:
        raise RefusedError(*reader.problems)
    return Overlay(reader.closures, reader.early_closes)


def compose(text: str, file: Path) -> yaml.Node | None:
    """The text's nodes with their places; None where it says nothing."""
    try:
        # Plain strings only: YAML's own types would make 13:00 the number 780.
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise RefusedError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from error


class _Reader:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[str] = []
        self.closures: dict[int, str] = {}
        self.early_closes: dict[int, tuple[str, str]] = {}

    def read(self, root: yaml.Node) -> None:
        if not isinstance(root, yaml.MappingNode):
            self._problem(
                root, 'write closures: [2025-01-09] or early_closes: {2025-07-03: "13:00"}'
            )
            return
        seen: set[str] = set()
        for key, value in root.value:
            if key.value not in _KEYS:
                self._problem(key, f"unknown key {key.value!r}; known: {', '.join(_KEYS)}")
            elif key.value in seen:
                self._problem(key, f"{key.value} stands twice")
            elif key.value == "closures":
                self._read_closures(value)
            else:
                self._read_early_closes(value)
            seen.add(str(key.value))

    def _read_closures(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.SequenceNode):
            self._problem(node, "closures is a list of dates: [2025-01-09]")
            return
        for entry in node.value:
            date = self._date(entry)
            if date is not None:
                self.closures[date] = self._where(entry)

    def _read_early_closes(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, 'early_closes maps dates to times: {2025-07-03: "13:00"}')
            return
        for key, value in node.value:
            date = self._date(key)
            clock = str(value.value)
            if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", clock) is None:
                self._problem(value, f"{clock!r} is not a time of day (13:00)")
                continue
            if date in self.early_closes:
                self._problem(key, f"{date_text(date)} stands twice")
            elif date is not None:
                self.early_closes[date] = (clock, self._where(key))

    def _date(self, node: yaml.Node) -> int | None:
        try:
            return parse_date(str(node.value))
        except ValueError as error:
            self._problem(node, str(error))
            return None

    def _where(self, node: yaml.Node) -> str:
        mark = node.start_mark
        return f"{self.file}:{mark.line + 1}:{mark.column + 1}"

    def _problem(self, node: yaml.Node, message: str) -> None:
        self.problems.append(f"{self._where(node)}: {message}")
