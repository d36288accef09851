"""What is logged: every event with its fields, and the events that a closed turn gives.

A field is named as everywhere else, with its unit last. Instants are UTC nanoseconds here and
ISO-8601 in a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from daemon.core.events import Command, MarketSlice, Tick
from daemon.core.outputs import (
    CommandRefused,
    Denial,
    LimitBreached,
    StateChanged,
)
from daemon.core.trading_state import TradingState
from daemon.core.turn import Turn
from daemon.core.units import E4_PER_USD, MICROS_PER_USD
from daemon.journal.ledger import LedgerRow

INSTANTS = frozenset({
    "instant", "start", "end", "since", "due", "decided", "eligible_from", "effective", "known",
    "entry", "exit",
})  # fmt: skip
"""Fields whose integers are instants."""


class Event(NamedTuple):
    """What an event means, and the fields it may have (its turn's outputs have their own)."""

    meaning: str
    fields: frozenset[str]


def _event(meaning: str, fields: str = "") -> Event:
    return Event(meaning, frozenset(fields.split()))


EVENTS: dict[str, Event] = {
    # the process
    "started": _event(
        "The process begins.", "name version engine python sqlite config_sha256 state pid"
    ),
    "recovered": _event("The journal has been played again.", "turns segment state seconds"),
    "start_note": _event("What a person should know of this start.", "note"),
    "ready": _event("Recovered, and the feed is being taken.", "pid_file version"),
    "stopping": _event("An orderly stop begins; positions are kept.", "reason"),
    "stopped": _event("The process ends in order.", "reason turns digest"),
    "stopped_with_open_turn": _event("The last turn could not be committed.", "blocked"),
    "task_failed": _event("A task raised.", "task problem error exc_info"),
    "reloaded": _event("A config took effect without a restart.", "changes"),
    "reload_refused": _event("The old config stays.", "problem"),
    "clock_stepped": _event("The machine's clock was set, or the machine has slept.", "by_s"),
    "monitor_failed": _event("What is told of a turn could not be made.", "exc_info"),
    "metrics_served": _event("Where metrics can be read.", "address"),
    # notifications
    "notifications_unavailable": _event("The config asks for them in vain.", "problem"),
    "notification_sent": _event("Somebody has been told.", "notice title"),
    "notification_failed": _event(
        "An address did not take a message.", "notice address service problem"
    ),
    "notification_lost": _event("A message could not be made or sent."),
    # the journal
    "turn_not_committed": _event("The journal cannot be written; halted.", "problem retry_s"),
    "journal_writable_again": _event("The open turn has been committed after all.", "turn"),
    "mark_not_written": _event("The mark beside the journal is old.", "problem"),
    "closing_not_written": _event("The account was not written down at the end.", "problem"),
    # the feed
    "feed_changed": _event("The feed became ready, or was lost.", "state previous generation why"),
    "feed_event": _event("Something happened to the feed.", "instant what detail"),
    "bar_ledgered": _event(
        "An expected bar ended otherwise than as received.", "symbol start end outcome detail"
    ),
    # what a turn holds
    "slice_closed": _event("A market slice was handled.", "end outcome bars missing equity_usd"),
    "session": _event("The exchange opens or closes.", "kind instant date"),
    "command": _event("Something from outside was carried out.", "kind instant source reason"),
    "prediction_failed": _event("A model gave no prediction.", "symbol failure"),
    # the log itself
    "library_message": _event("A library logged a warning.", "logger message exc_info"),
    "log_lines_dropped": _event("Lines could not be written.", "count error"),
    "log_line_failed": _event("A line could not be made.", "failed error"),
}
"""Events that are logged by name; those of a turn's outputs are named after their structs."""

_LEVELS: dict[type, str] = {
    CommandRefused: "warning",
    Denial: "warning",
    LimitBreached: "warning",
}


class Telling(NamedTuple):
    """What a line tells: its level, its event and the event's own fields."""

    level: str
    event: str
    fields: Mapping[str, Any]


class Teller(Protocol):
    """A log, for what is told here."""

    def tell(self, lines: Iterable[Telling], size: int) -> None:
        """About `size` lines, made when they are asked for."""

    def says(self, level: str) -> bool:
        """Whether that level is wanted."""


def tell(log: Teller, turn: Turn, facts: Sequence[LedgerRow] = ()) -> None:
    """Log a closed turn, unless it is a bar like any other that nobody wants to read of."""
    size = len(facts) + len(turn.outputs)
    size += sum(prediction.failure is not None for prediction in turn.predictions)
    if size or not isinstance(turn.input, MarketSlice) or log.says("debug"):
        log.tell(told(turn, facts), size + 1)


def told(turn: Turn, facts: Iterable[LedgerRow] = ()) -> Iterator[Telling]:
    """What the ledger learnt, the turn's input, failed predictions, each output."""
    for fact in facts:
        yield _fact(fact)
    yield _input(turn)
    for prediction in turn.predictions:
        if prediction.failure is not None:
            fields = {"symbol": prediction.symbol, "failure": prediction.failure}
            yield Telling("warning", "prediction_failed", fields)
    for output in turn.outputs:
        level = _LEVELS.get(type(output), "info")
        if isinstance(output, StateChanged):
            level = _state_level(output)
        yield Telling(level, output_event(type(output)), output_fields(output))


def output_event(output: type) -> str:
    """The event's name of an output: OrderAccepted gives order_accepted."""
    name = output.__name__
    return name[0].lower() + "".join(
        f"_{letter.lower()}" if letter.isupper() else letter for letter in name[1:]
    )


def output_fields(output: Struct) -> dict[str, Any]:
    """An output's fields that are not at their default, money and prices in dollars."""
    fields: dict[str, Any] = {}
    names, values = output.__struct_fields__, output.__struct_defaults__
    defaults = dict(zip(names[len(names) - len(values) :], values, strict=True))
    for name in names:
        value = getattr(output, name)
        if value is None or (name in defaults and value == defaults[name]):
            continue
        if name.endswith("_e4"):
            name, value = f"{name[:-3]}_usd", value / E4_PER_USD  # noqa: PLW2901 - its unit changes
        elif name.endswith("_micros"):
            name, value = f"{name[:-7]}_usd", value / MICROS_PER_USD  # noqa: PLW2901 - as above
        fields["hold" if name == "level" else name] = value
    return fields


def _input(turn: Turn) -> Telling:
    item = turn.input
    if isinstance(item, MarketSlice):
        fields: dict[str, Any] = {"end": item.end, "outcome": item.outcome, "bars": len(item.bars)}
        if item.missing:
            fields["missing"] = item.missing
        if turn.equity is not None:
            fields["equity_usd"] = turn.equity / MICROS_PER_USD
        return Telling("debug", "slice_closed", fields)
    if isinstance(item, Tick):
        fields = {"kind": item.kind, "instant": item.instant, "date": item.session.date}
        return Telling("info", "session", fields)
    assert isinstance(item, Command), item
    kind = type(item).__name__.lower()
    fields = {"kind": kind, "instant": item.instant, "source": item.source, "reason": item.reason}
    return Telling("info", "command", fields)


def _fact(fact: LedgerRow) -> Telling:
    if fact.kind == "feed":
        fields = {"instant": fact.instant, "what": fact.outcome, "detail": fact.detail}
        return Telling("warning", "feed_event", fields)
    fields = {
        "symbol": fact.symbol, "start": fact.start, "end": fact.end, "outcome": fact.outcome,
        "detail": fact.detail,
    }  # fmt: skip
    return Telling("warning", "bar_ledgered", fields)


def _state_level(change: StateChanged) -> str:
    if change.lifted:
        return "info"
    return "error" if change.level == TradingState.HALTED.name else "warning"
