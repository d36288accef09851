"""The checks a tape goes through, each with an id that stays, and the list of what they found."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.errors import RefusedError
from replay.tapes.model import Action, Fault, Severity

EXAMPLES_MAX = 100
QUARANTINED_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One check: a `structural` fault makes its bar unusable, the others are for judgement."""

    id: str
    title: str
    severity: Severity
    structural: bool = False

    @property
    def label(self) -> str:
        """Id and title, as findings carry them."""
        return f"{self.id} {self.title}"


UNREADABLE = Rule("T01", "unreadable row", Severity.ERROR, structural=True)
BAD_PRICE = Rule("T02", "price not a positive number", Severity.ERROR, structural=True)
OUTSIDE_RANGE = Rule("T03", "prices outside high and low", Severity.ERROR, structural=True)
BAD_VOLUME = Rule("T04", "volume not a number", Severity.ERROR, structural=True)
DIFFERING_ROWS = Rule("T05", "differing rows for one bar", Severity.ERROR, structural=True)
OFF_GRID = Rule("T06", "overlapping or off the grid", Severity.ERROR, structural=True)
REPEATED_ROW = Rule("T07", "row repeated", Severity.INFO)
OUT_OF_ORDER = Rule("T08", "rows out of order", Severity.WARNING)
PLACEHOLDER = Rule("T09", "placeholder without trades", Severity.WARNING)
SILENT_MOVE = Rule("T10", "price moved without volume", Severity.WARNING)
VOLUME_REGIME = Rule("T11", "volume regime", Severity.WARNING)
SLOT_NEVER_THERE = Rule("T12", "same bar missing every session", Severity.WARNING)
UNFINISHED = Rule("T13", "last bar unfinished", Severity.WARNING)
SPIKE = Rule("T14", "spike", Severity.WARNING)
SPLIT_RATIO = Rule("T15", "jump by a split ratio", Severity.WARNING)
NO_OVERNIGHT_GAPS = Rule("T16", "opens equal previous closes", Severity.WARNING)
NOT_IN_CENTS = Rule("T17", "prices not in cents", Severity.WARNING)
EARLY_TRADES = Rule("T18", "first bar may hold trades before the open", Severity.WARNING)
GAPS = Rule("T19", "expected bars missing", Severity.INFO)
UNEXPECTED = Rule("T20", "bars outside the sessions", Severity.INFO)

RULES = (
    UNREADABLE,
    BAD_PRICE,
    OUTSIDE_RANGE,
    BAD_VOLUME,
    DIFFERING_ROWS,
    OFF_GRID,
    REPEATED_ROW,
    OUT_OF_ORDER,
    PLACEHOLDER,
    SILENT_MOVE,
    VOLUME_REGIME,
    SLOT_NEVER_THERE,
    UNFINISHED,
    SPIKE,
    SPLIT_RATIO,
    NO_OVERNIGHT_GAPS,
    NOT_IN_CENTS,
    EARLY_TRADES,
    GAPS,
    UNEXPECTED,
)


class Findings:
    """What was found: every quarantined bar, and examples of the rest with exact counts.

    With `refuse`, the first structural fault is a `RefusedError` that names its line.
    """

    def __init__(self, *, refuse: bool) -> None:
        self.faults: list[Fault] = []
        self.counts: dict[str, int] = {}
        self.quarantined = 0
        self.file = ""
        self._refuse = refuse
        self._examples: dict[tuple[str, str], int] = {}

    def add(
        self,
        rule: Rule,
        symbol: str,
        line: int,
        message: str,
        *,
        action: Action = Action.KEPT,
        start: int | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Note one finding about `line` of the current file (0: about the tape)."""
        if self._refuse and (rule.structural or rule is OUT_OF_ORDER):
            raise RefusedError(
                f"{self.file}:{line}: {symbol}: {message} [{rule.label}];"
                " correct the row, or set tape.on_bad_bar: quarantine"
            )
        self.counts[rule.id] = self.counts.get(rule.id, 0) + 1
        if action == Action.QUARANTINED:
            self._limit(rule, symbol, line, message)
        else:
            key = (rule.id, symbol)
            self._examples[key] = self._examples.get(key, 0) + 1
            if self._examples[key] > EXAMPLES_MAX:
                return
        graded = severity or rule.severity
        self.faults.append(Fault(rule.label, graded, symbol, line, start, message, action))

    def _limit(self, rule: Rule, symbol: str, line: int, message: str) -> None:
        self.quarantined += 1
        if self.quarantined > QUARANTINED_MAX:
            raise RefusedError(
                f"{self.file}:{line}: {symbol}: {message} [{rule.label}], and {QUARANTINED_MAX:,}"
                " bars before it are unusable too: look at the columns the file really has"
            )
